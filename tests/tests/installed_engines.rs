//! Engines whose code a program loads when they are asked for.

use planner_core::engine::{self, Allocation, Engine, ResolvedRequest};
use planner_core::error::{Error, Known, Result};
use planner_core::request::Request;
use planner_core::text::Words;
use planner_core::words;

/// An engine that answers nothing.
#[derive(Debug)]
struct Made;

impl Engine for Made {
    fn id(&self) -> &'static str {
        "made"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["1"]
    }

    fn rule(&self) -> Words {
        words!("what the definition needs, without any engine's rounding")
    }

    fn citation(&self) -> &'static str {
        ""
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &[]
    }

    fn allocate<'a>(&self, _: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        Err(Error::Unknown { what: Known::Engine, name: "made".into(), near: Vec::new() })
    }
}

#[test]
fn an_engine_is_installed_once() {
    let ids = || engine::all().iter().map(|engine| engine.id()).collect::<Vec<_>>();
    let known = ids();
    engine::install(&[&Made]);
    engine::install(&[&Made]);
    let first = engine::all()[0];
    engine::install(&[first]);
    assert_eq!(ids(), [known, vec!["made"]].concat());
    assert!(engine::find("made@1").is_ok());
}
