//! candle-transformers' own modules: what each stores equals the `candle` engine's answer.
//!
//! One test alone: the heap is counted for the whole program, and the test harness allocates when another test
//! ends.

use planner_core::error::Code;
use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_core::text::Sentence;
use planner_core::{Error, Result};
use planner_verify::{ModuleReport, own_module};

/// Runs the module of a configuration.
fn run(model_type: &str, keys: &str, dtype: &str) -> Result<ModuleReport> {
    let text = format!(r#"{{"model_type": "{model_type}", "vocab_size": 100, "dtype": "bfloat16", {keys}}}"#);
    let mut request = Request::default();
    request.set("kv-dtype", dtype)?;
    let found = own_module(&from_config_json(&text, true)?, &request)?;
    found.ok_or_else(|| {
        Error::refused(Code::MeasureNothing, Sentence::verbatim("no module ran")).about(model_type)
    })
}

/// The usual keys: 4 query heads, 2 key-value heads of 16.
const GROUPED: &str = r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 64, "max_position_embeddings": 128"#;

const EXPERTS: &str = r#""num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32, "num_local_experts": 4, "head_dim": 16"#;

/// One layer's keys and values of 24 tokens: 2 heads of 16, in elements.
const ROWS: u64 = 24 * 2 * 2 * 16;

/// `model_type`, module, keys beyond the usual ones, type, elements of the narrowed layers by hand.
const CONCATENATED: &[(&str, &str, &str, &str)] = &[
    ("llama", "llama", "", "bf16"),
    ("mistral", "mistral", r#""sliding_window": 8"#, "bf16"),
    ("mixtral", "mixtral", EXPERTS, "f32"),
    ("gemma", "gemma", r#""head_dim": 16"#, "f16"),
    ("gemma2", "gemma2", r#""head_dim": 16, "sliding_window": 8"#, "f16"),
    ("qwen2", "qwen2", "", "bf16"),
    ("qwen2_moe", "qwen2_moe", EXPERTS, "f16"),
    ("qwen3", "qwen3", r#""head_dim": 16"#, "bf16"),
    ("qwen3_moe", "qwen3_moe", EXPERTS, "f16"),
    ("phi", "phi", "", "f32"),
    ("phi3", "phi3", "", "f16"),
    ("olmo", "olmo", "", "f16"),
    ("olmo2", "olmo2", "", "f16"),
    ("granite", "granite", "", "f16"),
    (
        "granitemoehybrid",
        "granitemoehybrid",
        r#""shared_intermediate_size": 32, "layer_types": ["attention", "attention", "attention"]"#,
        "f16",
    ),
    ("helium", "helium", r#""head_dim": 16"#, "f16"),
    ("stablelm", "stable_lm", "", "f16"),
    ("starcoder2", "starcoder2", r#""use_bias": true"#, "f32"),
];

/// The same with the elements that the narrowed layers hold, worked out by hand.
const OTHERS: &[(&str, &str, &str, &str, u64)] = &[
    // Keys of 16 + 8 and values of 16 for each of 4 heads, 2 layers.
    (
        "deepseek_v2",
        "deepseek2",
        r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 128, "kv_lora_rank": 32, "q_lora_rank": null,
        "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16, "moe_intermediate_size": 32,
        "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
        "topk_method": "greedy", "scoring_func": "softmax", "first_k_dense_replace": 1"#,
        "f16",
        2 * 24 * 4 * (16 + 8 + 16),
    ),
    // Five layers of a ring of 12 rows and one of all 64 positions.
    (
        "gemma3_text",
        "gemma3",
        r#""num_hidden_layers": 12, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 128, "head_dim": 16, "sliding_window": 16,
        "sliding_window_pattern": 6"#,
        "bf16",
        (5 * 12 + 64) * 2 * 2 * 16,
    ),
    // 512 rows at the first token, 2 layers.
    (
        "smollm3",
        "smol::smollm3",
        r#""num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 1024"#,
        "f16",
        2 * 512 * 2 * 2 * 16,
    ),
    // One key-value head for 4, which the module fuses into one tensor.
    (
        "gpt_bigcode",
        "bigcode",
        r#""n_layer": 3, "n_embd": 64, "n_head": 4, "n_inner": 64, "n_positions": 128, "multi_query": true"#,
        "f32",
        2 * 24 * 2 * 16,
    ),
    // A convolution of three columns of 64 and, in the other layer, 2 heads of 16.
    (
        "lfm2",
        "lfm2",
        r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
        "max_position_embeddings": 128, "conv_L_cache": 3, "block_ff_dim": 64,
        "layer_types": ["conv", "full_attention", "conv"]"#,
        "f16",
        64 * 3 + ROWS,
    ),
    // A state of 128 × 16 and four projections of twice 128, 2 layers.
    (
        "mamba",
        "mamba",
        r#""num_hidden_layers": 3, "hidden_size": 64, "intermediate_size": 128, "state_size": 16, "conv_kernel": 4,
        "expand": 2, "time_step_rank": 4"#,
        "f32",
        2 * (128 * 16 + 4 * 2 * 128),
    ),
    // Two heads of 64 × 128 and four columns of 128 + 2 × 128, 2 layers.
    (
        "mamba2",
        "mamba2",
        r#""num_hidden_layers": 3, "hidden_size": 128, "num_heads": 4, "head_dim": 64, "state_size": 128,
        "conv_kernel": 4, "expand": 2, "n_groups": 1"#,
        "f32",
        2 * (2 * 64 * 128 + 4 * (128 + 2 * 128)),
    ),
    // Four heads of 16, the decoder's own, 2 layers.
    (
        "t5",
        "t5",
        r#""num_layers": 3, "num_decoder_layers": 3, "d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 64"#,
        "f16",
        2 * 24 * 2 * 4 * 16,
    ),
    // The encoder's 20 rows alone, 2 layers.
    (
        "whisper",
        "whisper::model",
        r#""d_model": 64, "encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_mel_bins": 8,
        "max_source_positions": 40, "max_target_positions": 64"#,
        "f32",
        2 * 20 * 2 * 64,
    ),
    (
        "marian",
        "marian",
        r#""d_model": 64, "encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
        "max_position_embeddings": 64, "activation_function": "swish", "scale_embedding": true,
        "share_encoder_decoder_embeddings": true"#,
        "f32",
        2 * 24 * 2 * 64,
    ),
    // One head of 16, 2 layers.
    (
        "falcon",
        "falcon",
        r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "multi_query": true, "alibi": false,
        "new_decoder_architecture": false, "parallel_attn": true, "bias": false"#,
        "bf16",
        2 * 24 * 2 * 16,
    ),
    // 512 rows at the first token, 2 layers.
    (
        "glm4",
        "glm4_new",
        r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 64, "max_position_embeddings": 128"#,
        "bf16",
        2 * 512 * 2 * 2 * 16,
    ),
    // Five layers of a ring of 12 rows of 2 heads of 16, one of all 64 positions and 2
    // heads of 32.
    (
        "gemma4_text",
        "gemma4::text",
        r#""num_hidden_layers": 6, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "global_head_dim": 32, "intermediate_size": 64,
        "max_position_embeddings": 128, "sliding_window": 16, "num_kv_shared_layers": 0,
        "hidden_size_per_layer_input": 0, "layer_types": ["sliding_attention", "sliding_attention",
        "sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]"#,
        "f16",
        5 * 12 * 2 * 2 * 16 + 64 * 2 * 2 * 32,
    ),
    // A view of four columns of 64 and a state of 64 in f32 (two f16 elements each), twice; one layer of keys and
    // values.
    (
        "recurrent_gemma",
        "recurrent_gemma",
        r#""num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 1,
        "head_dim": 16, "lru_width": 64, "attention_window_size": 16, "conv1d_width": 4,
        "intermediate_size": 64, "block_types": ["recurrent", "recurrent", "attention"]"#,
        "f32",
        2 * (4 * 32 + 32) + 24 * 2 * 16,
    ),
];

fn check(model_type: &str, module: &str, keys: &str, dtype: &str, elements: Option<u64>) -> Option<String> {
    let bytes = if dtype == "f32" { 4 } else { 2 };
    match run(model_type, keys, dtype) {
        Ok(found) => {
            let want = elements.unwrap_or(found.layers * ROWS) * bytes;
            let name = format!("candle_transformers::models::{module}");
            let right = found.name == name && found.predicted_bytes == want && found.measured_bytes == want;
            (!right).then(|| format!("{model_type}: {want} B by hand, {found:?}"))
        }
        Err(error) => Some(format!("{model_type}: {error:?}")),
    }
}

#[test]
fn what_a_module_stores_is_what_the_engine_says() {
    let plain = CONCATENATED.iter().map(|(model_type, module, more, dtype)| {
        let comma = if more.is_empty() { "" } else { ", " };
        check(model_type, module, &format!("{GROUPED}{comma}{more}"), dtype, None)
    });
    let others = OTHERS.iter().map(|(model_type, module, keys, dtype, elements)| {
        check(model_type, module, keys, dtype, Some(*elements))
    });
    let wrong: Vec<String> = plain.chain(others).flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
