//! The page's data files, made from the tables that the command line holds:
//! one for the planner (see `planner_web::data`), one for the page's script.
#![allow(dead_code)]

use planner_core::{dtype::DType, engine, request::FLAGS};
use planner_models::{ENCODERS, FAMILIES, Family, GPUS, MODELS, ModuleRule};
use serde_json::{Value, json};

/// What the planner reads: an index, and a line for each model and each family.
pub fn planner_data() -> String {
    let models = MODELS.iter().map(|m| json!({"id": m.id, "name": m.name, "hub": m.hub}));
    let gpus = GPUS.iter().map(|gpu| {
        json!({
            "id": gpu.id, "name": gpu.name, "memory_bytes": gpu.memory_bytes, "torch_memory_bytes": gpu.torch_memory_bytes,
            "compute_capability": gpu.compute_capability,
        })
    });
    let encoders = ENCODERS.iter().map(|e| json!({"id": e.id, "hub": e.hub, "why": e.why}));
    let families = || FAMILIES.iter().filter(|family| !family.model_types.is_empty());
    let types = |family: &Family| family.model_types.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let index = json!({
        "models": models.collect::<Vec<_>>(),
        "gpus": gpus.collect::<Vec<_>>(),
        "encoders": encoders.collect::<Vec<_>>(),
        "families": families().map(types).collect::<Vec<_>>(),
    });
    let configs = MODELS.iter().map(|model| model.config.replace('\n', " "));
    let texts = families().map(|family| self::family(family).to_string());
    let lines: Vec<String> = std::iter::once(index.to_string()).chain(configs).chain(texts).collect();
    lines.join("\n")
}

/// What the script reads: the lists it offers. `bundle.mjs` adds its sentences, `www/copy/`.
pub fn page_data() -> Value {
    let models = MODELS.iter().map(|m| {
        json!({
            "id": m.id, "name": m.name, "hub": m.hub, "source": m.source, "bytes_per_token": m.bytes_per_token,
        })
    });
    let gpus = GPUS.iter().map(|gpu| {
        let source = gpu.sources.iter().find(|(figure, _)| *figure == "memory").map(|(_, source)| source);
        json!({
            "id": gpu.id, "name": gpu.name, "vendor": gpu.vendor, "memory_bytes": gpu.memory_bytes, "source": source,
        })
    });
    json!({
        "models": models.collect::<Vec<_>>(),
        "gpus": gpus.collect::<Vec<_>>(),
        "engines": engine::all().iter().map(|engine| engine.id()).collect::<Vec<_>>(),
        "dtypes": DType::ALL.iter().map(|dtype| dtype.name).collect::<Vec<_>>(),
    })
}

/// The flags that the page has a field for: name, key in the address, whether it is a count of at least 1.
pub fn flags() -> Value {
    let fields = FLAGS.iter().filter_map(|flag| {
        let count = matches!(flag.value, "N" | "TOKENS");
        Some(json!({ "flag": flag.name, "key": flag.page?, "isCount": count }))
    });
    fields.collect()
}

fn family(family: &Family) -> Value {
    let cache = family.cache.iter().map(|rule| {
        json!({
            "kind": rule.kind, "when": rule.when, "only": rule.only, "except": rule.except, "fields": rule.fields,
        })
    });
    let stacks = family.stacks.iter().map(|stack| {
        json!({
            "name": stack.name, "repeat": stack.repeat, "when": stack.when, "modules": modules(stack.modules),
        })
    });
    let towers = family.towers.iter().map(|tower| {
        json!({
            "name": tower.name, "config": tower.config, "model_type": tower.model_type,
            "is_fixed": tower.is_fixed, "when": tower.when,
        })
    });
    let told = json!({
        "name": family.name,
        "model_types": family.model_types,
        "language_model": family.language_model,
        "towers": towers.collect::<Vec<_>>(),
        "definitions": family.definitions,
        "cache": cache.collect::<Vec<_>>(),
        "modules": modules(family.modules),
        "layer_modules": modules(family.layer_modules),
        "stacks": stacks.collect::<Vec<_>>(),
        "refuse": family.refuse,
    });
    filled(told)
}

fn modules(list: &[ModuleRule]) -> Vec<Value> {
    let one = |m: &ModuleRule| {
        json!({
            "part": m.part, "path": m.path, "is": m.is, "when": m.when, "count": m.count, "active": m.active,
        })
    };
    list.iter().map(one).map(filled).collect()
}

/// Without what is null or empty.
fn filled(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let has = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    map.into_iter().filter(|(_, value)| has(value)).collect()
}
