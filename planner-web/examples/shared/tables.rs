//! The page's data file (see `planner_web::data`), made from the tables that
//! the command line holds.

use planner_core::text::{Lang, page::page};
use planner_models::{ENCODERS, GPUS, MODELS};
use serde_json::{Map, Value, json};

/// The whole file.
#[allow(dead_code)]
pub fn data() -> Value {
    let models = MODELS.iter().map(|m| {
        json!({
            "id": m.id, "name": m.name, "hub": m.hub, "source": m.source,
            "bytes_per_token": m.bytes_per_token, "config": m.config,
        })
    });
    let gpus = GPUS.iter().map(|gpu| {
        let source = gpu.sources.iter().find(|(figure, _)| *figure == "memory").map(|(_, source)| source);
        json!({
            "id": gpu.id, "name": gpu.name, "vendor": gpu.vendor, "memory_bytes": gpu.memory_bytes,
            "compute_capability": gpu.compute_capability, "source": source,
        })
    });
    let encoders = ENCODERS.iter().map(|e| json!({"id": e.id, "hub": e.hub, "why": e.why}));
    let messages = |lang| page(lang).map(|(key, text)| (key.to_owned(), text.into())).collect::<Map<_, _>>();
    json!({
        "models": models.collect::<Vec<_>>(),
        "gpus": gpus.collect::<Vec<_>>(),
        "encoders": encoders.collect::<Vec<_>>(),
        "messages": {"en": messages(Lang::En), "zh": messages(Lang::Zh)},
    })
}
