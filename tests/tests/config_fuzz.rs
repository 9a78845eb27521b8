//! Broken configurations: every answer is a plan or an error with a message; never a panic, never a hang.
//!
//! `KVPLAN_FUZZ_CASES` sets how many inputs each property tries (default 500).

use std::time::{Duration, Instant};

use planner_core::plan::plan;
use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_models::MODELS;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The longest one input may take on a busy machine; unoptimised, the largest take some twenty times as long.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 120 } else { 10 });

fn cases() -> u32 {
    std::env::var("KVPLAN_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

/// What a value may be replaced by.
fn replacement(pick: usize) -> Option<Value> {
    Some(match pick {
        0 => return None,
        1 => Value::Null,
        2 => json!(0),
        3 => json!(-1),
        4 => json!(1),
        5 => json!(i64::MAX),
        6 => json!(u64::MAX),
        7 => json!(1e308),
        8 => json!(0.5),
        9 => json!(1.000_000_1),
        10 => json!(""),
        11 => json!("full_attention"),
        12 => json!("\u{0}\u{202e}日本"),
        13 => json!([]),
        14 => json!([1, null, "x", {}]),
        15 => json!({}),
        16 => json!(true),
        17 => json!(false),
        18 => json!(999_999),
        19 => json!("x".repeat(100_000)),
        20 => Value::Array(vec![json!("sliding_attention"); 20_000]),
        _ => json!(7),
    })
}

const REPLACEMENTS: usize = 22;

/// Every path to a value, nested objects and lists included.
fn paths(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let path = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                all.push(path.clone());
                paths(inner, &path, all);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate().take(3) {
                let path = format!("{at}/{index}");
                all.push(path.clone());
                paths(inner, &path, all);
            }
        }
        _ => {}
    }
}

fn replace(config: &mut Value, path: &str, with: Option<Value>) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (config.pointer_mut(parent), with) {
        (Some(Value::Object(map)), None) => drop(map.remove(&key)),
        (Some(Value::Object(map)), Some(value)) => drop(map.insert(key, value)),
        (Some(Value::Array(items)), with) => {
            if let Some(item) = key.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = with.unwrap_or(Value::Null);
            }
        }
        _ => {}
    }
}

/// Reads and plans in every engine; whatever comes must be a value or an error with a message.
fn try_everything(text: &str) -> Result<(), TestCaseError> {
    let start = Instant::now();
    for strict in [false, true] {
        match from_config_json(text, strict) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(model) => {
                let layers: u64 = model.layers.len() as u64;
                prop_assert!(layers <= planner_core::spec::model::MAX_LAYERS);
                for engine in planner_core::engine::all() {
                    for (seq, users) in [(1, 1), (4_097, 3), (1 << 62, 1 << 40)] {
                        let request = Request {
                            seq: Some(seq),
                            users,
                            engine: Some(planner_core::request::EngineId::named(engine.id())),
                            kv_memory: Some(40 << 30),
                            ..Request::default()
                        };
                        match plan(&model, &request) {
                            Err(error) => prop_assert!(!error.to_string().is_empty()),
                            Ok(plan) => prop_assert!(plan.kv.total_bytes >= plan.kv.session_bytes),
                        }
                    }
                }
            }
        }
    }
    prop_assert!(start.elapsed() < LIMIT, "took {:?}", start.elapsed());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_key_is_planned_or_refused(
        model in 0..MODELS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..REPLACEMENTS), 1..4),
    ) {
        let mut config: Value = serde_json::from_str(MODELS[model].config).unwrap();
        let mut all = Vec::new();
        paths(&config, "", &mut all);
        for (path, pick) in changes {
            replace(&mut config, &all[path.index(all.len())], replacement(pick));
        }
        try_everything(&config.to_string())?;
    }

    #[test]
    fn damaged_text_is_planned_or_refused(
        model in 0..MODELS.len(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = MODELS[model].config.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        try_everything(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn two_models_mixed_are_planned_or_refused(one in 0..MODELS.len(), other in 0..MODELS.len(), keep in any::<u64>()) {
        let parse = |at: usize| -> Map<String, Value> { serde_json::from_str(MODELS[at].config).unwrap() };
        let mut mixed = parse(one);
        for (at, (key, value)) in parse(other).into_iter().enumerate() {
            if keep >> (at % 64) & 1 == 1 {
                mixed.insert(key, value);
            }
        }
        try_everything(&Value::Object(mixed).to_string())?;
    }
}

#[test]
fn text_that_is_no_configuration_is_refused_with_its_reason() {
    for (text, says) in [
        ("", "empty"),
        ("<!DOCTYPE html><html></html>", "HTML"),
        ("[1, 2]", "not an object"),
        ("{\"model_type\": \"llama\"", "EOF"),
        ("{}", "model_type"),
        ("{\"model_type\": \"llama\", \"hidden_size\": 64}", "num_hidden_layers"),
    ] {
        let error = from_config_json(text, false).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    let deep = "[".repeat(100_000);
    assert!(from_config_json(&deep, false).is_err());
}
