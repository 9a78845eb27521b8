//! The planner's data file. The catalogue is kept apart from the wasm, so that both load at once and neither is
//! large.
//!
//! The first line is an index, `{"models": [{"id", "name", "hub"}], "gpus": [{"id", "name", "memory_bytes",
//! "torch_memory_bytes", "compute_capability"}], "encoders": [{"id", "hub", "why"}], "families": [[model_type]]}`.
//! Then come a line for each model, its config.json, and a line for each family. A line is read when it is asked
//! for. `examples/data.rs` writes the file from the command line's tables.

use std::cell::RefCell;

use crate::families;
use planner_core::device::Device;
use planner_core::error::{Error, Known, Result};
use planner_core::source;
use planner_core::spec::family;
use planner_core::spec::model::ModelSpec;
use planner_core::suggest;
use planner_core::text::Sentence;
use serde_json::Value;
use std::sync::Arc;

thread_local! {
    static DATA: RefCell<Data> =
        const { RefCell::new(Data { index: Value::Null, configs: Vec::new(), gpus: Vec::new() }) };
}

struct Data {
    index: Value,
    configs: Vec<&'static str>,
    gpus: Vec<Device>,
}

/// Keeps the data file for the life of the page, and returns the number of models in it.
pub fn load(text: String) -> usize {
    let mut lines = String::leak(text).split('\n');
    let index: Value = lines.next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let models = list(&index, "models").count();
    let configs = lines.by_ref().take(models).collect();
    families::install(list(&index, "families").zip(lines));
    let gpus = list(&index, "gpus").map(device).collect();
    DATA.set(Data { index, configs, gpus });
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
        let mut models = list(&data.index, "models").zip(&data.configs);
        if let Some((entry, config)) = models.find(|(entry, _)| is(entry)) {
            let config = source::parse_object(config)?;
            let mut model = family::build(Arc::new(config), true)?;
            let hub = list(entry, "hub").find_map(Value::as_str);
            model.set_entry(text(entry, "id"), text(entry, "name"), hub, name);
            return Ok(model);
        }
        if let Some(entry) = list(&data.index, "encoders").find(is) {
            let (architecture, why) = (text(entry, "id").to_owned(), Sentence::data(text(entry, "why")));
            return Err(Error::NoCache { architecture, why });
        }
        let known = list(&data.index, "models").flat_map(names);
        Err(Error::Unknown { what: Known::Model, name: name.to_owned(), near: suggest::near(name, known) })
    })
}

/// The GPU of an id, or a size such as `80GiB`.
pub fn gpu(name: &str) -> Result<Device> {
    let found =
        DATA.with_borrow(|data| data.gpus.iter().find(|gpu| gpu.id.eq_ignore_ascii_case(name)).cloned());
    found.map_or_else(|| Device::resolve(name), Ok)
}

fn device(entry: &Value) -> Device {
    Device {
        id: text(entry, "id").to_owned(),
        name: text(entry, "name").to_owned(),
        memory_bytes: entry.get("memory_bytes").and_then(Value::as_u64).unwrap_or(0),
        torch_memory_bytes: entry.get("torch_memory_bytes").and_then(Value::as_u64),
        compute_capability: entry.get("compute_capability").and_then(Value::as_str).map(leak),
    }
}

/// Keeps a text of the data file for the life of the page. It is called once for each text.
pub(crate) fn leak(text: &str) -> &'static str {
    String::leak(text.to_owned())
}
