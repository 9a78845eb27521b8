//! The planner's data file: what the catalogue holds, kept apart from the wasm
//! so that both load at once and neither is large.
//!
//! `{"models": [{"id", "name", "hub", "config"}], "gpus": [{"id", "name",
//! "memory_bytes", "compute_capability"}], "encoders": [{"id", "hub", "why"}],
//! "families": [{"types": [model_type], "text"}]}`, written by
//! `examples/data.rs` from the tables that the command line holds. `config` is
//! the text of a config.json, `text` a family in JSON.

use std::cell::RefCell;

use planner_core::device::Device;
use planner_core::error::{Error, Result};
use planner_core::source;
use planner_core::spec::family;
use planner_core::spec::model::ModelSpec;
use planner_core::suggest;
use serde_json::Value;
use std::sync::Arc;

thread_local! {
    static DATA: RefCell<Value> = const { RefCell::new(Value::Null) };
}

/// Keeps the data file; answers the number of models in it.
pub fn load(text: &str) -> usize {
    let mut data: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    if let Some(map) = data.as_object_mut() {
        crate::families::install(map.remove("families").unwrap_or_default());
    }
    let models = data.get("models").and_then(Value::as_array).map_or(0, Vec::len);
    DATA.set(data);
    models
}

fn list<'a>(data: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    data.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Its id and hub ids.
fn names(entry: &Value) -> impl Iterator<Item = &str> {
    std::iter::once(text(entry, "id")).chain(list(entry, "hub").filter_map(Value::as_str))
}

/// The model of an id or hub id, in any letter case.
pub fn model(name: &str) -> Result<ModelSpec> {
    DATA.with_borrow(|data| {
        let is = |entry: &&Value| names(entry).any(|known| known.eq_ignore_ascii_case(name));
        if let Some(entry) = list(data, "models").find(is) {
            let config = source::parse_object(text(entry, "config"))?;
            let mut model = family::build(Arc::new(config), true)?;
            let hub = list(entry, "hub").find_map(Value::as_str);
            model.set_entry(text(entry, "id"), text(entry, "name"), hub, name);
            return Ok(model);
        }
        if let Some(entry) = list(data, "encoders").find(is) {
            let (architecture, why) = (text(entry, "id").to_owned(), text(entry, "why").to_owned());
            return Err(Error::NoCache { architecture, why });
        }
        let known = list(data, "models").flat_map(names);
        Err(Error::Unknown { what: "model", name: name.to_owned(), near: suggest::near(name, known) })
    })
}

/// The GPU of an id, or a size such as `80GiB`.
pub fn gpu(name: &str) -> Result<Device> {
    DATA.with_borrow(|data| {
        let found = list(data, "gpus").find(|gpu| text(gpu, "id").eq_ignore_ascii_case(name));
        let Some(gpu) = found else { return Device::resolve(name) };
        Ok(Device {
            id: text(gpu, "id").to_owned(),
            name: text(gpu, "name").to_owned(),
            memory_bytes: gpu.get("memory_bytes").and_then(Value::as_u64).unwrap_or(0),
            compute_capability: gpu.get("compute_capability").and_then(Value::as_str).map(lasting),
        })
    })
}

/// A text that lives as long as the page; each is made once.
fn lasting(text: &str) -> &'static str {
    thread_local! {
        static KEPT: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    KEPT.with_borrow_mut(|kept| {
        if let Some(found) = kept.iter().find(|known| **known == text) {
            return *found;
        }
        let new: &'static str = Box::leak(text.to_owned().into_boxed_str());
        kept.push(new);
        new
    })
}
