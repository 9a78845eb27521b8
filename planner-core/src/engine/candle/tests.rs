//! Figures worked out by hand from the modules' shapes.

use super::*;
use crate::engine::report::ReportKind;
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
    let ReportKind::Candle(report) = engine.report.kind else { panic!("{:?}", engine.report) };
    Ok((report.used_bytes, engine.total_bytes))
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

/// Whether a plan is refused for this reason.
fn refused(config: &str, flags: &[(&str, &str)], why: &str) -> bool {
    answer(config, flags).is_err_and(|error| format!("{error:?}").contains(why))
}

/// Every layer's state and convolution of 128 columns: `2·d_model × 16` and 4 rows of `2·d_model`.
const MAMBA: &str = r#"{"model_type": "mamba", "dtype": "bfloat16", "num_hidden_layers": 2, "hidden_size": 64,
    "intermediate_size": 128, "expand": 2, "state_size": 16, "conv_kernel": 4, "time_step_rank": 4,
    "vocab_size": 100}"#;

#[test]
fn mambas_rows_are_views_of_projections_twice_as_wide() {
    let used = 2 * 2 * (128 * 16 + 4 * 128);
    // One row of zeros under all four names, until the fourth token takes the last of them.
    for (tokens, rows) in [("1", 3), ("2", 5), ("3", 7), ("4", 8), ("5", 8), ("100000", 8)] {
        let allocated = 2 * 2 * (128 * 16 + rows * 128);
        assert_eq!(answer(MAMBA, &[("seq", tokens)]), Ok((used, allocated)), "{tokens} tokens");
    }
}

#[test]
fn mamba_runs_with_the_sizes_it_fixes_and_one_session() {
    for (ours, other) in [
        (r#""conv_kernel": 4"#, r#""conv_kernel": 3"#),
        (r#""state_size": 16"#, r#""state_size": 8"#),
        (r#""intermediate_size": 128, "expand": 2"#, r#""intermediate_size": 192, "expand": 3"#),
    ] {
        assert!(MAMBA.contains(ours));
        assert!(refused(&MAMBA.replace(ours, other), &[("seq", "5")], "fixes the kernel at 4"), "{other}");
    }
    assert!(refused(MAMBA, &[("seq", "5"), ("users", "2")], "cannot decode several sessions"));
}

#[test]
fn mamba2_keeps_four_columns_in_the_models_dtype() {
    // 8 heads × 16 × 32 of state; 128 + 2 × 2 × 32 columns of the convolution
    let mamba2 = r#"{"model_type": "mamba2", "dtype": "bfloat16", "num_hidden_layers": 2, "hidden_size": 64,
        "expand": 2, "num_heads": 8, "head_dim": 16, "state_size": 32, "n_groups": 2, "conv_kernel": 4,
        "vocab_size": 100}"#;
    let bytes = 2 * 2 * (8 * 16 * 32 + 256 * 4);
    assert_eq!(answer(mamba2, &[("seq", "5")]), Ok((bytes, bytes)));
    let three = mamba2.replace(r#""conv_kernel": 4"#, r#""conv_kernel": 3"#);
    assert!(refused(&three, &[("seq", "5")], "fixes the kernel at 4"));
}

#[test]
fn deepseek2_keeps_keys_and_values_of_every_query_head() {
    let deepseek = config(
        "deepseek_v2",
        r#", "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12,
        "q_lora_rank": null, "scoring_func": "softmax", "topk_method": "greedy""#,
    );
    let row = 2 * 2 * 4 * (16 + 8 + 12);
    assert_eq!(answer(&deepseek, &[("seq", "5")]), Ok((row * 5, row * 5)));
    assert_eq!(notes(&deepseek, "5"), Ok(vec!["candle_expands_latent"]));
    for (ours, other) in [("softmax", "sigmoid"), ("greedy", "noaux_tc")] {
        assert!(refused(&deepseek.replace(ours, other), &[("seq", "5")], "knows softmax scoring"), "{other}");
    }
    let grouped = deepseek.replace(r#""greedy""#, r#""group_limited_greedy""#);
    assert!(answer(&grouped, &[("seq", "5")]).is_ok());
}

/// Codes of the notes about candle's cache.
fn notes(config: &str, tokens: &str) -> Result<Vec<&'static str>> {
    let model = from_config_json(config, true)?;
    let mut request = Request::default();
    request.set("engine", "candle")?;
    request.set("seq", tokens)?;
    let notes = plan(&model, &request)?.engine.report.notes;
    Ok(notes.iter().map(|note| note.code).filter(|code| code.starts_with("candle_")).collect())
}

#[test]
fn a_window_that_is_only_a_mask_is_noted_where_it_would_have_cut() {
    let mistral = config("mistral", r#", "sliding_window": 8"#);
    assert_eq!(notes(&mistral, "8"), Ok(vec![]));
    assert_eq!(notes(&mistral, "9"), Ok(vec!["candle_window_is_a_mask"]));
    let row = 2 * 2 * (16 + 16) * 2;
    assert_eq!(answer(&mistral, &[("seq", "9")]), Ok((row * 9, row * 9)));
}

#[test]
fn falcon_runs_one_session_with_one_kv_head_within_its_tables() {
    let falcon = |more: &str| {
        format!(
            r#"{{"model_type": "falcon", "dtype": "bfloat16", "num_hidden_layers": 2, "hidden_size": 64,
            "num_attention_heads": 4, "vocab_size": 100, "parallel_attn": true, "bias": false {more}}}"#
        )
    };
    let one = r#", "multi_query": true, "alibi": false, "new_decoder_architecture": false"#;
    let row = 2 * (16 + 16) * 2;
    // its rotary table has 5,000 rows
    assert_eq!(answer(&falcon(one), &[("seq", "5000")]), Ok((row * 5000, row * 5000)));
    assert!(refused(&falcon(one), &[("seq", "5001")], "position tables"));
    assert!(refused(&falcon(one), &[("seq", "5"), ("users", "2")], "cannot decode several sessions"));
    for key in ["alibi", "new_decoder_architecture"] {
        let on = one.replace(&format!(r#""{key}": false"#), &format!(r#""{key}": true"#));
        assert!(refused(&falcon(&on), &[("seq", "5")], "supports neither"), "{key}");
    }
    assert!(refused(&falcon(&one.replace(r#"y": true"#, r#"y": false"#)), &[("seq", "5")], "one KV head"));
}

#[test]
fn modules_that_multiply_with_f32_run_in_f32() {
    let mixtral = r#", "num_local_experts": 4, "num_experts_per_tok": 2"#;
    for (model_type, more) in [("mixtral", mixtral), ("phi", "")] {
        let config = config(model_type, more);
        assert!(refused(&config, &[("seq", "5")], "f32: `"), "{model_type}");
        let row = 2 * 2 * (16 + 16) * 4;
        assert_eq!(answer(&config, &[("seq", "5"), ("kv-dtype", "f32")]), Ok((row * 5, row * 5)));
    }
}

#[test]
fn keys_and_values_have_one_type_and_no_sliding_window_is_switched_on() {
    let llama = config("llama", "");
    assert!(refused(&llama, &[("seq", "5"), ("k-dtype", "f16"), ("v-dtype", "bf16")], "in one type"));
    assert!(answer(&llama, &[("seq", "5"), ("k-dtype", "f16"), ("v-dtype", "f16")]).is_ok());
    let qwen3 = |on: bool| config("qwen3", &format!(r#", "head_dim": 16, "use_sliding_window": {on}"#));
    assert!(answer(&qwen3(false), &[("seq", "5")]).is_ok());
    assert!(refused(&qwen3(true), &[("seq", "5")], "refuses use_sliding_window"));
}

#[test]
fn whisper_keeps_the_encoders_keys_and_values_only() {
    let whisper = r#"{"model_type": "whisper", "dtype": "bfloat16", "d_model": 64, "decoder_layers": 2,
        "decoder_attention_heads": 4, "encoder_layers": 2, "encoder_attention_heads": 4, "decoder_ffn_dim": 64,
        "encoder_ffn_dim": 64, "vocab_size": 100, "num_mel_bins": 80, "max_source_positions": 1500,
        "max_target_positions": 448}"#;
    let bytes = 2 * 2 * 64 * 2 * 1500;
    assert_eq!(answer(whisper, &[("seq", "1")]), Ok((bytes, bytes)));
    assert_eq!(answer(whisper, &[("seq", "448")]), Ok((bytes, bytes)));
}

#[test]
fn the_convolution_of_recurrent_gemma_is_a_view_of_one_column_more() {
    let gemma = r#"{"model_type": "recurrent_gemma", "dtype": "bfloat16", "num_hidden_layers": 3, "hidden_size": 64,
        "lru_width": 64, "conv1d_width": 4, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 16,
        "attention_window_size": 8, "block_types": ["recurrent", "recurrent", "attention"],
        "intermediate_size": 64, "vocab_size": 100, "max_position_embeddings": 64}"#;
    let keys_values = 5 * (16 + 16) * 2;
    let (used, allocated) = (64 * 4 + 64 * 3 * 2, 64 * 4 + 64 * 4 * 2);
    assert_eq!(answer(gemma, &[("seq", "5")]), Ok((2 * used + keys_values, 2 * allocated + keys_values)));
}

#[test]
fn a_session_fits_into_its_own_bytes_and_not_into_one_less() -> Result<()> {
    let model = from_config_json(&config("llama", ""), true)?;
    let fits = |bytes: u64| -> Result<bool> {
        let mut request = Request::default();
        for (flag, value) in [("engine", "candle"), ("seq", "5"), ("kv-memory", &bytes.to_string())] {
            request.set(flag, value)?;
        }
        Ok(plan(&model, &request)?.verdict.is_some_and(|verdict| verdict.fits))
    };
    let bytes = 5 * 2 * 2 * (16 + 16) * 2;
    assert_eq!((fits(bytes), fits(bytes - 1)), (Ok(true), Ok(false)));
    Ok(())
}

#[test]
fn bigcode_runs_in_f32_with_one_kv_head() {
    let bigcode = r#"{"model_type": "gpt_bigcode", "dtype": "bfloat16", "n_layer": 2, "n_embd": 64, "n_head": 4,
        "n_positions": 64, "multi_query": true, "vocab_size": 100}"#;
    assert!(refused(bigcode, &[("seq", "5")], "f32: `"));
    let row = 2 * (16 + 16) * 4;
    assert_eq!(answer(bigcode, &[("seq", "5"), ("kv-dtype", "f32")]), Ok((row * 5, row * 5)));
}
