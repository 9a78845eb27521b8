//! The JSON of a plan. Its keys are a contract that scripts rely on; they may grow, not change.
//!
//! Integers above 2⁵³ are written as decimal strings, since JavaScript could not hold them.

use serde_json::{Map, Value as Json, json};

use crate::error::Error;
use crate::plan::{LayerGroup, Memory, Plan, Verdict};
use crate::request::{CacheKind, FlashAttention, Request};
use crate::spec::layer::{Content, Extent, Store};
use crate::spec::model::ModelSpec;
use crate::text::{Lang, error_hint, error_message};

/// Version of the keys.
pub const SCHEMA: u64 = 1;

/// The JSON Schema of a plan or a failure.
pub const SCHEMA_TEXT: &str = include_str!("schema.json");

/// An integer, as a string where JavaScript could not hold it.
pub fn integer(value: u64) -> Json {
    if value > 1 << 53 { Json::from(value.to_string()) } else { Json::from(value) }
}

fn optional(value: Option<u64>) -> Json {
    value.map_or(Json::Null, integer)
}

/// A plan; only the notes' texts depend on the language.
pub fn plan(plan: &Plan<'_>, lang: Lang) -> Json {
    let mut engine = Map::new();
    engine.insert("id".into(), plan.engine.id.into());
    engine.insert("version".into(), plan.engine.version.into());
    engine.insert("session_bytes".into(), integer(plan.engine.session_bytes));
    engine.insert("total_bytes".into(), integer(plan.engine.total_bytes));
    engine.insert("floor_bytes_per_session".into(), integer(plan.engine.floor_bytes_per_session));
    engine.insert("min_prefix_hit_tokens".into(), Json::Null);
    for (key, value) in &plan.engine.details.keys {
        engine.insert(key.clone(), value.clone());
    }
    engine.insert("command".into(), plan.command().map_or(Json::Null, |command| command.json(lang)));
    json!({
        "schema": SCHEMA,
        "model": model(plan.model),
        "request": request(plan),
        "kv": kv(plan),
        "layers": plan.layers.iter().map(layer_group).collect::<Vec<_>>(),
        "engine": engine,
        "memory": plan.memory.as_ref().map_or(Json::Null, memory),
        "verdict": verdict(plan.verdict.as_ref()),
        "notes": plan.notes.iter().map(|note| json!({ "code": note.code, "text": note.text.text(lang) })).collect::<Vec<_>>(),
    })
}

/// A failure.
pub fn failure(lang: Lang, error: &Error) -> Json {
    json!({
        "schema": SCHEMA,
        "error": { "code": error.code().as_str(), "subject": error.subject(), "message": error_message(lang, error), "hint": error_hint(lang, error) },
    })
}

/// The `model` object.
pub fn model(model: &ModelSpec) -> Json {
    let origin = |origin: &crate::spec::model::Origin| json!({ "field": origin.field, "value": origin.value, "from": origin.from });
    let part = |part: &crate::spec::model::Part| json!({ "name": part.name, "parameters": integer(part.parameters), "active": integer(part.active), "bytes": integer(part.bytes) });
    json!({
        "id": model.id,
        "name": model.name,
        "architecture": model.architecture,
        "model_type": model.model_type,
        "family": model.family,
        "layers": model.config_layers,
        "attention_heads": optional(model.attention_heads),
        "kv_heads": optional(model.kv_heads),
        "head_dim": optional(model.head_dim),
        "max_position": optional(model.max_position),
        "dtype": model.dtype.name,
        "parameters": integer(model.parameters),
        "active_parameters": integer(model.active_parameters()),
        "weight_bytes": integer(model.weight_bytes),
        "parts": model.parts.iter().map(part).collect::<Vec<_>>(),
        "origin": model.origin.iter().map(origin).collect::<Vec<_>>(),
    })
}

fn request(plan: &Plan<'_>) -> Json {
    let request: &Request = plan.request;
    json!({
        "seq": integer(plan.tokens),
        "users": integer(request.users),
        "gpu": request.gpu.as_ref().map(|gpu| gpu.id.as_str()),
        "gpus": plan.parallel.tp * plan.parallel.pp * plan.parallel.dp,
        "tp": plan.parallel.tp,
        "pp": plan.parallel.pp,
        "dp": plan.parallel.dp,
        "dcp": plan.parallel.dcp,
        "engine": request.engine.id(),
        "engine_version": request.engine_version,
        "kv_dtype": request.kv_dtype.as_deref().unwrap_or("auto"),
        "k_dtype": request.k_dtype.as_deref().or(request.kv_dtype.as_deref()).unwrap_or(plan.kv_dtypes.0),
        "v_dtype": request.v_dtype.as_deref().or(request.kv_dtype.as_deref()).unwrap_or(plan.kv_dtypes.1),
        "weight_dtype": request.weight_dtype.map_or("auto", |dtype| dtype.name),
        "kv_heads": optional(request.kv_heads),
        "kv_memory": optional(request.kv_memory),
        "memory_utilization": plan.run().utilization().to_string(),
        "reserve": integer(crate::plan::reserve(request)),
        "attention_backend": request.attention_backend,
        "block_size": optional(request.block_size),
        "max_num_batched_tokens": optional(request.max_num_batched_tokens),
        "max_num_seqs": optional(request.max_num_seqs),
        "max_model_len": integer(request.max_model_len.unwrap_or(plan.tokens)),
        "ctx_size": optional(request.ctx_size),
        "n_parallel": optional(request.n_parallel),
        "batch": optional(request.batch),
        "ubatch": optional(request.ubatch),
        "kv_unified": request.kv_unified,
        "flash_attn": match request.flash_attention {
            FlashAttention::Auto => "auto",
            FlashAttention::On => "on",
            FlashAttention::Off => "off",
        },
        "swa_full": request.swa_full,
        "cache": match request.cache {
            CacheKind::Dynamic => "dynamic",
            CacheKind::Static => "static",
            CacheKind::Quantized => "quantized",
        },
        "source_len": integer(plan.source),
        "shared_prefix": optional(request.shared_prefix),
        "speculative": request.speculative.as_ref().map(ToString::to_string),
        "async_scheduling": request.async_scheduling,
        "prefix_caching": request.prefix_caching,
    })
}

fn kv(plan: &Plan<'_>) -> Json {
    let kv = &plan.kv;
    let slopes: Vec<Json> = kv
        .slopes
        .iter()
        .map(|slope| {
            let mut entry = json!({ "from_token": integer(slope.from_token), "bytes_per_token": integer(slope.bytes_per_token()) });
            if slope.per_tokens > 1 {
                entry["bytes"] = integer(slope.bytes);
                entry["per_tokens"] = integer(slope.per_tokens);
            }
            entry
        })
        .collect();
    json!({
        "bytes_per_token": integer(kv.bytes_per_token),
        "slopes": slopes,
        "state_bytes_per_session": integer(kv.state_bytes_per_session),
        "session_bytes": integer(kv.session_bytes),
        "total_bytes": integer(kv.total_bytes),
        "all_heads": kv.all_heads.map(|all| json!({
            "bytes_per_token": integer(all.bytes_per_token),
            "session_bytes": integer(all.session_bytes),
            "total_bytes": integer(all.total_bytes),
        })),
    })
}

fn layer_group(group: &LayerGroup<'_>) -> Json {
    json!({
        "first": group.first,
        "count": group.count,
        "kind": group.layer.kind(),
        "bytes_per_token": integer(group.bytes_per_token),
        "session_bytes": integer(group.session_bytes),
        "query_heads": group.layer.query_heads,
        "owner": group.layer.owner,
        "stores": group.layer.stores.iter().filter(|store| store.is_kept_by("architecture")).map(store).collect::<Vec<_>>(),
    })
}

fn store(store: &Store) -> Json {
    let mut entry = match store.content {
        Content::KeysValues { heads, k_dim, v_dim } => {
            json!({ "what": "keys_values", "heads": heads, "k_dim": k_dim, "v_dim": v_dim })
        }
        Content::Cross { heads, k_dim, v_dim } => {
            json!({ "what": "cross", "heads": heads, "k_dim": k_dim, "v_dim": v_dim })
        }
        Content::Latent { rank, rope } => json!({ "what": "latent", "rank": rank, "rope": rope }),
        Content::IndexKey { heads, dim } => json!({ "what": "index_key", "heads": heads, "dim": dim }),
        Content::State { mixer, conv, recurrent, recurrent_dtype, conv_dtype } => json!({
            "what": "state", "mixer": mixer, "conv_elements": integer(conv), "conv_dtype": conv_dtype.name,
            "recurrent_elements": integer(recurrent), "recurrent_dtype": recurrent_dtype.name,
        }),
    };
    match store.extent {
        Extent::Window(tokens) => entry["window"] = integer(tokens),
        Extent::Chunk(tokens) => entry["chunk"] = integer(tokens),
        _ => {}
    }
    if store.tokens_per_row > 1 {
        entry["tokens_per_row"] = integer(store.tokens_per_row);
    }
    entry
}

fn memory(memory: &Memory) -> Json {
    let gpus: Vec<Json> = memory
        .gpus
        .iter()
        .map(|gpu| {
            json!({
                "rank": gpu.rank,
                "stage": gpu.stage,
                "total_bytes": optional(gpu.total_bytes),
                "budget_bytes": optional(gpu.budget_bytes),
                "weight_bytes": optional(gpu.weight_bytes),
                "reserve_bytes": optional(gpu.reserve_bytes),
                "kv_bytes_available": integer(gpu.kv_bytes_available),
                "kv_bytes_used": integer(gpu.kv_bytes_used),
            })
        })
        .collect();
    json!({ "gpus": gpus })
}

fn verdict(verdict: Option<&Verdict>) -> Json {
    let Some(verdict) = verdict else {
        return json!({ "fits": null, "max_users": null, "max_seq": null, "min_gpus": null, "limited_by": null, "alternatives": [] });
    };
    let alternatives: Vec<Json> = verdict
        .alternatives
        .iter()
        .map(|change| json!({ "flag": change.flag, "value": change.value, "max_users": integer(change.max_users) }))
        .collect();
    json!({
        "fits": verdict.fits,
        "max_users": integer(verdict.max_users),
        "max_seq": if verdict.limited_by == "none" { Json::Null } else { integer(verdict.max_seq) },
        "min_gpus": optional(verdict.min_gpus),
        "limited_by": verdict.limited_by,
        "alternatives": alternatives,
    })
}
