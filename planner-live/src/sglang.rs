//! SGLang: `/server_info`, `/get_server_info` in older releases: every resolved argument, `max_total_num_tokens` and
//! each scheduler's `memory_usage`, in units of 2³⁰ bytes to two decimals (`sglang/srt/entrypoints/http_server.py`,
//! `get_server_info`; `sglang/srt/managers/scheduler.py`, `get_internal_state`). Not run: fields as its documentation and code name them.

use planner_log::figure::Unit;
use planner_log::settings::{Key, key};
use planner_log::{Figure, Quantity};
use serde_json::Value as Json;

use crate::http::{Failure, Get};
use crate::reading::{Told, optional};

const INFO: &str = "/server_info";
const OLD_INFO: &str = "/get_server_info";

const KEYS: &[Key] = &[
    key("tp_size", "tp"),
    key("pp_size", "pp"),
    key("ep_size", "ep"),
    key("mem_fraction_static", "memory-utilization"),
    key("kv_cache_dtype", "kv-dtype"),
    key("chunked_prefill_size", "max-num-batched-tokens"),
    key("page_size", "block-size"),
    key("attention_backend", "attention-backend"),
    key("quantization", "weight-dtype"),
    key("speculative_algorithm", ""),
    key("cpu_offload_gb", ""),
    key("enable_hierarchical_cache", ""),
];

/// Reads a server.
pub(crate) fn read(server: &dyn Get, models: &Json) -> Result<Told, Failure> {
    let mut told = Told::new("sglang");
    let (info, from) = match optional(server, INFO)? {
        Some(info) => (info, INFO),
        None => (optional(server, OLD_INFO)?.ok_or(Failure::Missing(INFO))?, OLD_INFO),
    };
    let name = |key: &str| info.get(key).and_then(Json::as_str).map(str::to_owned);
    (told.log.version, told.log.model) = (name("version"), name("model_path"));
    let length = models.pointer("/data/0/max_model_len").and_then(Json::as_u64);
    told.set("max-model-len", &length.map(|tokens| tokens.to_string()).unwrap_or_default(), "/v1/models");
    told.settings(&info, KEYS, from);
    data_parallel(&mut told, &info, from);
    if info.get("disable_radix_cache") == Some(&Json::Bool(true)) {
        told.set("prefix-caching", "False", from);
    }
    let running = info.get("max_running_requests").filter(|most| most.is_u64());
    told.set("max-num-seqs", &running.map(Json::to_string).unwrap_or_default(), from);
    let states = info.get("internal_states").and_then(Json::as_array).cloned().unwrap_or_default();
    told.count(Quantity::Tokens, info.get("max_total_num_tokens"), from);
    for (rank, state) in states.iter().enumerate() {
        memory(&mut told, rank, state, from);
    }
    Ok(told)
}

/// Replicas, which share the tensor ranks under attention data parallelism.
fn data_parallel(told: &mut Told, info: &Json, from: &'static str) {
    let replicas = info.get("dp_size").and_then(Json::as_u64).unwrap_or(1);
    let shared = info.get("enable_dp_attention") == Some(&Json::Bool(true));
    if replicas > 1 {
        told.set(if shared { "dp-attention" } else { "dp" }, &replicas.to_string(), from);
    }
}

/// `memory_usage` of one scheduler.
fn memory(told: &mut Told, rank: usize, state: &Json, from: &'static str) {
    let Some(usage) = state.get("memory_usage") else { return };
    let mut keep = |quantity, key: &str, unit| {
        let text = usage.get(key).filter(|value| value.is_number()).map(Json::to_string);
        if let Some(figure) = text.and_then(|text| Figure::read(quantity, &text, unit)) {
            told.figure(rank, figure, from);
        }
    };
    keep(Quantity::Weights, "weight", Unit::GiB);
    keep(Quantity::Room, "kvcache", Unit::GiB);
    keep(Quantity::Tokens, "token_capacity", Unit::Count);
}
