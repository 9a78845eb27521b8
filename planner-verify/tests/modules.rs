//! candle-transformers' own modules: what each really stores is what the `candle` engine says.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_core::{Result, catalog};
use planner_verify::{ModuleReport, own_module};

/// The heap is one for all tests of this program, so only one measures at a time.
static HEAP: Mutex<()> = Mutex::new(());

fn request(dtype: &str) -> Result<Request> {
    let mut request = Request::default();
    request.set("kv-dtype", dtype)?;
    Ok(request)
}

/// Runs the module of a configuration: `model_type`, the module it must be, more keys.
fn run(model_type: &str, module: &str, keys: &str, dtype: &str) -> Result<ModuleReport> {
    let _one = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
    let text = format!(r#"{{"model_type": "{model_type}", "vocab_size": 100, "dtype": "bfloat16", {keys}}}"#);
    let found = own_module(&from_config_json(&text, true)?, &request(dtype)?)?;
    let found = found.unwrap_or_else(|| panic!("{model_type}: no module ran"));
    assert_eq!(found.name, format!("candle_transformers::models::{module}"));
    Ok(found)
}

/// The usual keys: 4 query heads, 2 key-value heads of 16.
const GROUPED: &str = r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 128"#;

/// One layer's keys and values of 24 tokens: 2 heads of 16, two bytes an element.
const ROWS: u64 = 24 * 2 * 2 * 16 * 2;

fn grouped(model_type: &str, module: &str, more: &str) -> Result<()> {
    let found = run(model_type, module, &format!("{GROUPED}{more}"), "f16")?;
    assert_eq!(found.measured_bytes, found.layers * ROWS, "{module}");
    assert_eq!(found.predicted_bytes, found.measured_bytes, "{module}");
    Ok(())
}

#[test]
fn modules_that_concatenate_key_value_heads() -> Result<()> {
    let head = r#", "head_dim": 16"#;
    let experts = r#", "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32"#;
    grouped("llama", "llama", "")?;
    grouped("mistral", "mistral", r#", "sliding_window": 8"#)?;
    grouped("mixtral", "mixtral", r#", "num_local_experts": 4, "num_experts_per_tok": 2"#)?;
    grouped("gemma", "gemma", head)?;
    grouped("gemma2", "gemma2", r#", "head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 16"#)?;
    grouped("qwen2", "qwen2", "")?;
    grouped("qwen2_moe", "qwen2_moe", experts)?;
    grouped("qwen3", "qwen3", head)?;
    grouped("qwen3_moe", "qwen3_moe", &format!("{head}{experts}"))?;
    grouped("phi", "phi", "")?;
    grouped("phi3", "phi3", "")?;
    grouped("olmo", "olmo", "")?;
    grouped("olmo2", "olmo2", "")?;
    grouped("granite", "granite", "")?;
    grouped("granitemoehybrid", "granitemoehybrid", r#", "shared_intermediate_size": 32, "layer_types": ["attention", "attention", "attention"]"#)?;
    grouped("helium", "helium", head)?;
    grouped("stablelm", "stable_lm", "")?;
    grouped("starcoder2", "starcoder2", r#", "use_bias": true"#)?;
    Ok(())
}

#[test]
fn catalogue_models_run_in_their_modules() -> Result<()> {
    let _one = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for entry in planner_models::MODELS {
        let (id, model) = (entry.id, catalog::build(entry)?);
        let Ok(Some(found)) = own_module(&model, &request("auto")?) else { continue };
        if modules.contains_key(&found.name) {
            continue;
        }
        eprintln!("{id} {found:?}");
        modules.insert(found.name.clone(), id.to_owned());
    }
    Ok(())
}
