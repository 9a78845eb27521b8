//! TensorRT-LLM: `/metrics`, a JSON list of iterations with `kvCacheStats` (`tensorrt_llm/serve/openai_server.py`). The
//! list holds iterations since it was last asked and is empty before the first request. Not run: fields as its documentation and code name them.

use planner_log::Quantity;
use serde_json::Value as Json;

use crate::http::{Failure, Get};
use crate::reading::{Told, json, optional};

const METRICS: &str = "/metrics";

/// Reads a server.
pub(crate) fn read(server: &dyn Get, models: &Json) -> Result<Told, Failure> {
    let mut told = Told::new("tensorrt-llm");
    let version = optional(server, "/version")?;
    told.log.version =
        version.as_ref().and_then(|own| own.get("version")).and_then(Json::as_str).map(str::to_owned);
    told.log.model = models.pointer("/data/0/id").and_then(Json::as_str).map(str::to_owned);
    let iterations = json(server, METRICS)?;
    let last =
        iterations.as_array().and_then(|list| list.iter().rev().find_map(|one| one.get("kvCacheStats")));
    let stats = last.filter(|stats| stats.is_object()).ok_or(Failure::Missing(METRICS))?;
    told.count(Quantity::Blocks, stats.get("maxNumBlocks"), METRICS);
    told.count(Quantity::BlockSize, stats.get("tokensPerBlock"), METRICS);
    Ok(told)
}
