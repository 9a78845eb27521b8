//! llama-server: `/v1/models` and `/props`, which `tools/server/server-context.cpp` writes (b10434).
//!
//! It tells the size of its slots and of the weights; whether slots share one cache, the types of the cache and its
//! bytes stand in its log alone, at `-lv 4`.

use planner_core::spec::model::Note;
use planner_log::Quantity;
use serde_json::Value as Json;

use crate::http::{Failure, Get};
use crate::messages;
use crate::reading::{Told, json};

const PROPS: &str = "/props";
const MODELS: &str = "/v1/models";

/// Slots of a server that was given no `--parallel`, which then share one cache (`common/arg.cpp`,
/// `tools/server/server.cpp`).
const OWN_SLOTS: u64 = 4;

/// Reads a server.
pub(crate) fn read(server: &dyn Get, models: &Json) -> Result<Told, Failure> {
    let mut told = Told::new("llama.cpp");
    let props = json(server, PROPS)?;
    let name = |key: &str| props.get(key).and_then(Json::as_str).map(str::to_owned);
    (told.log.version, told.log.model) = (name("build_info"), name("model_path"));
    let meta = models.pointer("/data/0/meta").cloned().unwrap_or(Json::Null);
    let (slots, tokens) = (props.get("total_slots"), props.pointer("/default_generation_settings/n_ctx"));
    let (Some(slots), Some(tokens)) = (slots, tokens) else { return Err(Failure::Missing(PROPS)) };
    told.count(Quantity::Slots, Some(slots), PROPS);
    told.count(Quantity::SlotTokens, Some(tokens), PROPS);
    told.count(Quantity::Weights, meta.get("size"), MODELS);
    told.count(Quantity::Parameters, meta.get("n_params"), MODELS);
    told.count(Quantity::TrainedTokens, meta.get("n_ctx_train"), MODELS);
    let (slots, tokens) = (slots.as_u64().unwrap_or(0), tokens.as_u64().unwrap_or(0));
    told.set("n-parallel", &slots.to_string(), PROPS);
    told.set("max-model-len", &tokens.to_string(), PROPS);
    let whole = meta.get("n_ctx_train").and_then(Json::as_u64) == Some(tokens);
    context(&mut told, slots, tokens, slots == OWN_SLOTS && whole);
    Ok(told)
}

/// The whole context, where slots of the training context are taken for the server's own four, which share one.
fn context(told: &mut Told, slots: u64, tokens: u64, shared: bool) {
    let cells = if shared { tokens } else { tokens.saturating_mul(slots) };
    told.set("ctx-size", &cells.to_string(), PROPS);
    if shared {
        told.set("kv-unified", "True", PROPS);
    }
    if slots > 1 {
        let words = if shared { messages::SLOTS_SHARE } else { messages::SLOTS_APART };
        told.notes.push(Note::new("live_slots", words.say(&[&slots.to_string(), &tokens.to_string()])));
    }
    told.notes.push(Note::new("live_no_bytes", messages::NO_BYTES.say(&[])));
}
