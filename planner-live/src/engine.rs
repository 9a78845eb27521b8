//! Which engine a server is, by what `/v1/models` says that it is owned by.

use serde_json::Value as Json;

use crate::http::{Failure, Get};
use crate::reading::{Told, json, optional};
use crate::{llamacpp, sglang, tensorrt_llm, vllm};

/// How one engine is read: from its server and its answer to `/v1/models`.
type Read = fn(&dyn Get, &Json) -> Result<Told, Failure>;

/// `owned_by` of every engine: `ModelCard` of vLLM's `entrypoints/openai/engine/protocol.py`, of SGLang's
/// `entrypoints/openai/protocol.py` and of TensorRT-LLM's `serve/openai_protocol.py`; `tools/server/server-context.cpp`
/// of llama.cpp.
const ENGINES: [(&str, Read); 4] = [
    ("vllm", vllm::read),
    ("sglang", sglang::read),
    ("llamacpp", llamacpp::read),
    ("tensorrt_llm", tensorrt_llm::read),
];

/// Asks a server what it is and what it holds.
///
/// # Errors
/// Nothing answers, or it is no engine that is known.
pub fn ask(server: &dyn Get) -> Result<Told, Failure> {
    let models = match json(server, "/v1/models") {
        Ok(models) => models,
        Err(Failure::Missing(_)) => return Err(other(server)?),
        Err(failure) => return Err(failure),
    };
    let owner = models.pointer("/data/0/owned_by").and_then(Json::as_str).unwrap_or_default();
    match ENGINES.iter().find(|(name, _)| *name == owner) {
        Some((_, read)) => read(server, &models),
        None => Err(other(server)?),
    }
}

/// A server without a known `owned_by`: TGI names the model there, and itself in `/info`
/// (`router/src/infer/mod.rs` and `router/src/lib.rs`, `Info`, of text-generation-inference).
fn other(server: &dyn Get) -> Result<Failure, Failure> {
    let info = optional(server, "/info")?.unwrap_or(Json::Null);
    let is_tgi = info.get("router").and_then(Json::as_str) == Some("text-generation-router")
        || (info.get("max_total_tokens").is_some() && info.get("max_concurrent_requests").is_some());
    Ok(match is_tgi {
        true => Failure::Tgi(info.get("version").and_then(Json::as_str).unwrap_or_default().to_owned()),
        false => Failure::NoEngine,
    })
}
