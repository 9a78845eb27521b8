//! What the fuzz targets share.

use planner_core::engine;
use planner_core::plan::plan;
use planner_core::request::{EngineId, Request};
use planner_core::spec::model::ModelSpec;

/// Plans a model under every engine; an error must have a message.
///
/// # Panics
///
/// When an error has none.
pub fn plan_everywhere(model: &ModelSpec) {
    for engine in engine::all() {
        let request = Request {
            engine: Some(EngineId::named(engine.id())),
            kv_memory: Some(40 << 30),
            ..Request::default()
        };
        if let Err(error) = plan(model, &request) {
            assert!(!error.to_string().is_empty(), "{} refuses without a word", engine.id());
        }
    }
}
