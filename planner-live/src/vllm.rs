//! vLLM: `/version`, `/metrics`, and `/server_info` where `VLLM_SERVER_DEV_MODE=1` turns it on.
//!
//! The labels of `vllm:cache_config_info` are the fields of `CacheConfig`, written by `vllm/v1/metrics/loggers.py`,
//! `PrometheusStatLogger.log_metrics_info`, one series for each data-parallel rank; the `kv_cache_` labels are there
//! from 0.32. Read in vLLM 0.32.0.

use planner_core::spec::model::Note;
use planner_log::settings::{Key, key};
use planner_log::{Figure, Quantity};
use serde_json::Value as Json;

use crate::http::{Failure, Get};
use crate::messages;
use crate::prometheus::{Series, series};
use crate::reading::{Told, optional, text};

const METRICS: &str = "/metrics";
const INFO: &str = "/server_info?config_format=json";

/// Settings in the parts of `/server_info`.
const PARTS: &[(&str, &[Key])] = &[
    (
        "parallel_config",
        &[
            key("tensor_parallel_size", "tp"),
            key("pipeline_parallel_size", "pp"),
            key("data_parallel_size", "dp"),
            key("decode_context_parallel_size", "dcp"),
        ],
    ),
    (
        "scheduler_config",
        &[
            key("max_num_batched_tokens", "max-num-batched-tokens"),
            key("max_num_seqs", "max-num-seqs"),
            key("async_scheduling", "async-scheduling"),
        ],
    ),
    ("attention_config", &[key("backend", "attention-backend")]),
    ("model_config", &[key("quantization", "weight-dtype")]),
    ("cache_config", &[key("num_gpu_blocks_override", ""), key("kv_offloading_size", "")]),
];

/// Reads a server.
pub(crate) fn read(server: &dyn Get, models: &Json) -> Result<Told, Failure> {
    let mut told = Told::new("vllm");
    let version = optional(server, "/version")?;
    told.log.version =
        version.as_ref().and_then(|own| own.get("version")).and_then(Json::as_str).map(str::to_owned);
    let cards = models.get("data").and_then(Json::as_array);
    // adapters of LoRA have the model as their parent
    let base = cards.and_then(|cards| cards.iter().find(|card| card.get("parent").is_none_or(Json::is_null)));
    told.log.model = base.and_then(|card| card.get("root")).and_then(Json::as_str).map(str::to_owned);
    let length = base.and_then(|card| card.get("max_model_len")).and_then(Json::as_u64);
    told.set("max-model-len", &length.map(|tokens| tokens.to_string()).unwrap_or_default(), "/v1/models");
    let metrics = text(server, METRICS)?;
    let ranks = series(&metrics, "vllm:cache_config_info");
    let Some(first) = ranks.first() else { return Err(Failure::Missing(METRICS)) };
    if ranks.len() > 1 {
        told.set("dp", &ranks.len().to_string(), METRICS);
    }
    let info = optional(server, INFO)?.and_then(|mut info| info.get_mut("vllm_config").map(Json::take));
    settings(&mut told, first, info.as_ref());
    ranks.iter().enumerate().for_each(|(rank, own)| figures(&mut told, rank, own));
    Ok(told)
}

fn settings(told: &mut Told, cache: &Series, info: Option<&Json>) {
    let on_cpu =
        info.and_then(|info| info.pointer("/device_config/device")).and_then(Json::as_str) == Some("cpu");
    let label = |name: &str| cache.label(name).unwrap_or_default().to_owned();
    told.set("kv-dtype", &label("cache_dtype"), METRICS);
    told.set("kv-memory", &label("kv_cache_memory_bytes"), METRICS);
    if !told.sources.iter().any(|source| source.flag == "kv-memory") {
        told.set("memory-utilization", &label("gpu_memory_utilization"), METRICS);
    }
    told.set("prefix-caching", &label("enable_prefix_caching"), METRICS);
    // what the engine chose by itself is compared, not taken; a CPU has a rule of its own
    if label("user_specified_block_size") == "True" || on_cpu {
        told.set("block-size", &label("block_size"), METRICS);
    }
    let Some(info) = info else { return };
    for (part, keys) in PARTS {
        told.settings(info.get(*part).unwrap_or(&Json::Null), keys, INFO);
    }
    if info.pointer("/parallel_config/enable_expert_parallel") == Some(&Json::Bool(true)) {
        told.set("ep", "True", INFO);
    }
    if info.get("speculative_config").is_some_and(|own| !own.is_null()) {
        told.log.unplanned.push("speculative_config");
    }
    if on_cpu {
        told.notes.push(Note::new("live_cpu", messages::ON_CPU.say(&[])));
    }
}

/// The figures of one rank.
fn figures(told: &mut Told, rank: usize, cache: &Series) {
    let counts = [
        (Quantity::BlockSize, "block_size"),
        (Quantity::Blocks, "num_gpu_blocks"),
        (Quantity::Tokens, "kv_cache_size_tokens"),
    ];
    for (quantity, label) in counts {
        if let Some(value) = cache.label(label).and_then(|text| text.parse().ok()) {
            told.figure(rank, Figure { quantity, value, rounding: 0 }, METRICS);
        }
    }
    let concurrency = cache.label("kv_cache_max_concurrency").and_then(|text| text.parse::<f64>().ok());
    if let Some(times) = concurrency.filter(|times| times.is_finite()) {
        // a ratio, compared as its log prints it
        let value = (times * 100.0).round() as i64;
        told.figure(rank, Figure { quantity: Quantity::Concurrency, value, rounding: 0 }, METRICS);
    }
}
