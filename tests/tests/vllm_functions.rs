//! What vLLM 0.33.0's own small functions answer to invented arguments (`oracles/vllm/functions.py`), against this
//! engine's. `VLLM_FUNCTIONS` names another file of answers.

use std::path::PathBuf;

use planner_core::engine::vllm::backend::mla::Latent;
use planner_core::engine::vllm::backend::{Context, Device};
use planner_core::engine::vllm::backend::{flash, inputs};
use planner_core::engine::vllm::model::{checkpoint, dtype, length};
use planner_core::source::from_config_json;
use planner_core::spec::hf_config::HfConfig;
use planner_tests::{fixture, json};
use serde_json::{Value as Json, json};

/// The rows of one part of the file.
fn answers(part: &str) -> Vec<Json> {
    let own = fixture("vllm_functions.json");
    let path = std::env::var("VLLM_FUNCTIONS").map_or(own, PathBuf::from);
    let mut all = json(&path);
    match all[part].take() {
        Json::Array(rows) if !rows.is_empty() => rows,
        _ => panic!("no answers to {part}"),
    }
}

/// Compares `ours` with the engine's answer in each row, under these keys.
fn compare(part: &str, keys: &[&str], ours: impl Fn(&Json) -> Json) {
    let rows = answers(part);
    let engine = |row: &Json| keys.iter().map(|key| row[*key].clone()).collect::<Json>();
    let differs = |row: &&Json| ours(row) != engine(row);
    let wrong: Vec<String> =
        rows.iter().filter(differs).map(|row| format!("{row}\n    ours {}", ours(row))).collect();
    let shown = wrong.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} differ:\n{shown}", wrong.len(), rows.len());
}

/// A name of the engine's, which lives as long as the program.
fn name(value: &Json) -> &'static str {
    dtype::name(value.as_str().unwrap()).ok().unwrap()
}

#[test]
fn flash_attention_version_matches_engine() {
    compare("flash", &["version", "reads"], |row| {
        let (run, layer) = (&row["run"], &row["layer"]);
        let model = Context {
            device: Device {
                major: row["capability"][0].as_u64().unwrap(),
                minor: row["capability"][1].as_u64().unwrap(),
            },
            head_size: 128,
            cache_dtype: name(&run["cache_dtype"]),
            model_bytes: 2,
            mm_prefix: run["mm_prefix"] == true,
            softcap: run["softcap"] == true,
            alibi: false,
            diffusion: run["diffusion"] == true,
            non_causal: false,
            flash_version: run["flash_version"].as_u64(),
            forced: None,
            dcp: run["dcp"].as_u64().unwrap(),
            user_block: None,
            query_heads: 32,
            latent: Latent::default(),
        };
        let ask = flash::FlashQuery {
            head: layer["head"].as_u64(),
            head_v: layer["head_v"].as_u64(),
            sinks: layer["sinks"] == true,
            softcap: layer["softcap"] == true,
            alibi: layer["alibi"] == true,
            block: layer["block"].as_u64(),
            head_256: layer["head_256"] == true,
        };
        let reads = |kv: &str| flash::reads(&model, kv, ask);
        json!([
            flash::version(&model, ask),
            { "fp8_e4m3": reads("fp8_e4m3"), "fp8_e5m2": reads("fp8_e5m2") }
        ])
    });
}

#[test]
fn packed_slots_take_the_engine_s_bytes() {
    compare("slots", &["slot", "side"], |row| {
        let (name, head) = (row["cache_dtype"].as_str().unwrap(), row["head"].as_u64().unwrap());
        json!([dtype::turboquant_slot(name, head), (name == "nvfp4").then(|| dtype::nvfp4_side(head))])
    });
}

#[test]
fn packed_types_leave_the_engine_s_layers_alone() {
    compare("boundary", &["skipped"], |row| {
        let layers = row["layers"].as_u64().unwrap();
        let skipped = |cache_dtype: &str, hybrid: bool| -> Vec<u64> {
            (0..layers).filter(|&layer| inputs::skipped(cache_dtype, layers, hybrid, layer)).collect()
        };
        // Only packed types are asked, and hybrids answer none before they count.
        assert!(skipped("fp8", false).is_empty() && skipped("turboquant_k8v4", true).is_empty());
        json!([skipped("turboquant_k8v4", false)])
    });
}

/// A small configuration with other keys in place.
fn with(change: &Json) -> String {
    let path = fixture("vllm/configs/dense-gqa.json");
    let mut config = json(&path);
    let own = config.as_object_mut().unwrap();
    own.extend(change.as_object().unwrap().clone());
    config.to_string()
}

#[test]
fn a_checkpoint_s_quantization_decides_the_cache_as_in_the_engine() {
    compare("quantizations", &["auto", "refused"], |row| {
        let mut change = json!({});
        change[row["key"].as_str().unwrap()] = row["quantization"].clone();
        let model = from_config_json(&with(&change), false).unwrap();
        let config = HfConfig::of(&model);
        let found = checkpoint::dtype(config);
        // Only compressed-tensors' scheme is checked; elsewhere the engine says that it means fp8.
        let compressed = row["method"] == "compressed-tensors";
        let auto = if compressed { "auto" } else { found };
        let scheme = row["quantization"]["kv_cache_scheme"].is_object();
        assert_eq!(compressed && scheme, compressed && found == "fp8", "{row}");
        json!([auto, compressed.then(|| checkpoint::check(config, "auto", true).is_err())])
    });
}

#[test]
fn a_session_is_as_long_as_the_engine_lets_it_be() {
    compare("lengths", &["bound", "default"], |row| {
        let model = from_config_json(&with(&row["change"]), false).unwrap();
        let config = HfConfig::of(&model);
        json!([length::derived(config, model.max_position), length::default(config, model.max_position)])
    });
}
