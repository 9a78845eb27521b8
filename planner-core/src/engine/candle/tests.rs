//! Figures worked out by hand from the modules' shapes.

use super::*;
use crate::plan::plan;
use crate::request::Request;
use crate::source::from_config_json;

fn answer(config: &str, flags: &[(&str, &str)]) -> Result<(u64, u64)> {
    let model = from_config_json(config, true)?;
    let mut request = Request::default();
    for (flag, value) in [("engine", "candle")].iter().chain(flags) {
        request.set(flag, value)?;
    }
    let engine = plan(&model, &request)?.engine;
    let used = engine.details.keys["used_bytes"].as_u64().unwrap_or_default();
    Ok((used, engine.total_bytes))
}

/// 2 layers, 2 KV heads of 16, one window of 8.
fn config(model_type: &str, more: &str) -> String {
    format!(
        r#"{{"model_type": "{model_type}", "dtype": "bfloat16", "num_hidden_layers": 2, "hidden_size": 64,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64, "vocab_size": 100,
        "max_position_embeddings": 64 {more}}}"#
    )
}

#[test]
fn llama_concatenates_what_it_has_seen() {
    let llama = config("llama", "");
    let row = 2 * 2 * (16 + 16) * 2;
    assert_eq!(answer(&llama, &[("seq", "5"), ("users", "3")]), Ok((row * 15, row * 15)));
    assert_eq!(answer(&llama, &[("seq", "5"), ("kv-dtype", "f32")]), Ok((row * 10, row * 10)));
}

#[test]
fn llama_divides_the_width_and_ends_at_its_tables() {
    assert!(answer(&config("llama", r#", "head_dim": 32"#), &[("seq", "5")]).is_err());
    assert!(answer(&config("llama", ""), &[("seq", "65")]).is_err());
    assert!(answer(&config("llama", ""), &[("seq", "5"), ("gpus", "2")]).is_err());
    assert!(answer(&config("llama", ""), &[("seq", "5"), ("kv-dtype", "fp8")]).is_err());
}

#[test]
fn a_model_without_a_module_is_refused_with_its_model_type() -> Result<()> {
    let mut model = from_config_json(&config("llama", ""), true)?;
    model.model_type = "gpt2".into();
    let mut request = Request::default();
    request.set("engine", "candle")?;
    let refusal = plan(&model, &request).map(|_| ()).map_err(|error| format!("{error:?}"));
    assert!(refusal.is_err_and(|text| text.contains("no module for model_type `gpt2`")));
    Ok(())
}

#[test]
fn quantized_weights_are_refused_unless_loaded_as_a_plain_type() {
    let quantized =
        config("llama", r#", "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}"#);
    assert!(answer(&quantized, &[("seq", "5")]).is_err());
    assert!(answer(&quantized, &[("seq", "5"), ("weight-dtype", "bf16")]).is_ok());
}

fn rows(keep: Keep, extent: Extent, tokens: u64) -> Result<(u64, u64)> {
    let model = from_config_json(&config("llama", ""), true)?;
    let request = Request::default();
    let (run, _) = crate::plan::resolve(&model, &request)?;
    Ok(rows_kept(keep, run.model.max_position, extent, tokens))
}

#[test]
fn caches_made_beforehand_are_whole_from_the_first_token() {
    assert_eq!(rows(Keep::Grown(512), Extent::Full, 1), Ok((1, 512)));
    assert_eq!(rows(Keep::Grown(512), Extent::Full, 513), Ok((513, 1024)));
    assert_eq!(rows(Keep::Preallocated, Extent::Window(8), 3), Ok((3, 8)));
    assert_eq!(rows(Keep::Preallocated, Extent::Window(8), 30), Ok((8, 8)));
    assert_eq!(rows(Keep::Preallocated, Extent::Full, 3), Ok((3, 64)));
    assert_eq!(rows(Keep::Concatenated, Extent::Window(8), 30), Ok((30, 30)));
    assert_eq!(rows(Keep::Preallocated, Extent::Full, 0), Ok((0, 0)));
}
