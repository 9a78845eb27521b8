//! Engines side by side: the definition first, then what each engine allocates.

use super::plan;
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::request::{EngineId, Request};
use crate::spec::model::ModelSpec;

/// One engine's answer to the same question.
#[derive(Debug)]
#[non_exhaustive]
pub struct Compared {
    /// The engine.
    pub rule: &'static dyn Engine,
    /// Its version.
    pub version: &'static str,
    /// What it allocates, or why it refuses.
    pub answer: Result<Allocated, Error>,
}

/// What one engine allocates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocated {
    /// Bytes of one session.
    pub session_bytes: u64,
    /// Bytes of all sessions.
    pub total_bytes: u64,
    /// Most users, where a GPU is named.
    pub max_users: Option<u64>,
}

/// Every engine in its default version, in the registry's order.
pub fn compare(model: &ModelSpec, request: &Request) -> Vec<Compared> {
    let one = |rule: &'static dyn Engine| {
        let request = Request { engine: Some(EngineId::named(rule.id())), ..request.clone() };
        let answer = plan(model, &request).map(|plan| Allocated {
            session_bytes: plan.engine.session_bytes,
            total_bytes: plan.engine.total_bytes,
            max_users: plan.max_users(),
        });
        Compared { rule, version: rule.versions()[0], answer }
    };
    engine::all().into_iter().map(one).collect()
}
