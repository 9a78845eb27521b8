//! What families say about layers and parameters, against hand arithmetic and published counts.

use planner_core::error::Code;
use planner_core::source::from_config_json;
use planner_core::spec::layer::{Content, Extent, LayerKind};
use planner_core::spec::model::ModelSpec;
use serde_json::{Value, json};

fn model(config: &Value) -> ModelSpec {
    from_config_json(&config.to_string(), true).unwrap_or_else(|error| panic!("{error}: {config}"))
}

fn with(config: &Value, more: &Value) -> Value {
    let mut config = config.clone();
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

/// Stores of all layers for which `wanted` holds.
fn count(model: &ModelSpec, wanted: impl Fn(Content, Extent) -> bool) -> usize {
    let stores = model.layers.iter().flat_map(|layer| &layer.stores);
    stores.filter(|store| store.is_kept_by("architecture") && wanted(store.content, store.extent)).count()
}

fn latent_attention() -> Value {
    json!({
        "model_type": "glm_moe_dsa", "architectures": ["GlmMoeDsaForCausalLM"], "dtype": "bfloat16",
        "vocab_size": 154_880, "hidden_size": 6144, "intermediate_size": 12288, "moe_intermediate_size": 2048,
        "num_hidden_layers": 78, "num_attention_heads": 64, "num_key_value_heads": 64,
        "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
        "q_lora_rank": 2048, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 192,
        "v_head_dim": 256, "index_head_dim": 128, "index_n_heads": 32, "tie_word_embeddings": false
    })
}

/// Hunyuan A13B's configuration lists the experts of a token layer by layer (`HunYuanMoEV1Config.moe_topk`).
#[test]
fn experts_of_a_token_may_be_listed_by_layer() {
    let config = json!({
        "model_type": "hunyuan_v1_moe", "architectures": ["HunYuanMoEV1ForCausalLM"], "dtype": "bfloat16",
        "vocab_size": 128, "hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_experts": 8,
        "tie_word_embeddings": true
    });
    let active = |topk: Value| model(&with(&config, &json!({"moe_topk": topk}))).active_parameters();
    // an expert has three matrices of 64 x 32
    assert_eq!(active(json!([3, 1])) - active(json!([1, 1])), 2 * 3 * 64 * 32);
    assert_eq!(active(json!([2, 2])), active(json!(2)));
}

#[test]
fn shared_indexers_keep_keys_on_21_of_78_layers() {
    let is_index = |content, _| matches!(content, Content::IndexKey { dim: 128, .. });
    // Every layer runs its indexer where nothing is said.
    assert_eq!(count(&model(&latent_attention()), is_index), 78);
    // A selection every fourth layer after the third: layers 0, 1, 2, 6, 10 … 74, so 3 + 18.
    let schedule = json!({"index_topk_freq": 4, "index_skip_topk_offset": 3});
    assert_eq!(count(&model(&with(&latent_attention(), &schedule)), is_index), 21);
    let pattern = json!({"index_topk_pattern": "FS".repeat(39)});
    assert_eq!(count(&model(&with(&latent_attention(), &pattern)), is_index), 39);
}

#[test]
fn an_indexer_that_is_shared_has_no_weights_either() {
    let all = model(&latent_attention()).parameters;
    let half = model(&with(&latent_attention(), &json!({"index_topk_pattern": "FS".repeat(39)}))).parameters;
    // wq_b, wk, k_norm with its bias, weights_proj.
    let indexer = 2048 * 32 * 128 + 6144 * 128 + 2 * 128 + 6144 * 32;
    assert_eq!(all - half, 39 * indexer);
}

#[test]
fn linear_layers_are_counted_from_one_in_kimi_linear() {
    let attention = [4, 8, 12];
    let linear: Vec<u64> = (1..=12).filter(|layer| !attention.contains(layer)).collect();
    let kimi = model(&json!({
        "model_type": "kimi_linear", "architectures": ["KimiLinearForCausalLM"], "vocab_size": 1000,
        "hidden_size": 256, "intermediate_size": 512, "moe_intermediate_size": 128, "num_hidden_layers": 12,
        "num_attention_heads": 4, "kv_lora_rank": 64, "q_lora_rank": null, "qk_rope_head_dim": 16,
        "qk_nope_head_dim": 32, "v_head_dim": 32, "num_experts": 8, "num_experts_per_token": 2,
        "num_shared_experts": 1, "first_k_dense_replace": 1,
        "linear_attn_config": {
            "full_attn_layers": attention, "kda_layers": linear, "head_dim": 32, "num_heads": 4,
            "short_conv_kernel_size": 4
        }
    }));
    let latents: Vec<u64> = kimi
        .layers
        .iter()
        .filter(|layer| layer.kind() == LayerKind::Latent)
        .map(|layer| layer.index)
        .collect();
    assert_eq!(latents, [3, 7, 11]);
    // Three columns of queries, keys and values; heads × head_dim².
    let is_state =
        |content, _| matches!(content, Content::State { mixer: "kda", conv: 1152, recurrent: 4096, .. });
    assert_eq!(count(&kimi, is_state), 9);
}

#[test]
fn compressed_layers_hold_a_window_and_a_row_per_group() {
    let v4 = model(&json!({
        "model_type": "deepseek_v4", "architectures": ["DeepseekV4ForCausalLM"], "vocab_size": 1000,
        "hidden_size": 256, "moe_intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4,
        "head_dim": 512, "qk_rope_head_dim": 64, "q_lora_rank": 64, "o_lora_rank": 64, "o_groups": 2,
        "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2, "sliding_window": 128,
        "index_head_dim": 128, "index_n_heads": 4, "hc_mult": 4, "compress_ratios": [0, 128, 4, 128, 0]
    }));
    assert_eq!(count(&v4, |_, extent| extent == Extent::Window(128)), 4);
    let rows: Vec<u64> = v4
        .layers
        .iter()
        .flat_map(|layer| &layer.stores)
        .filter(|store| store.tokens_per_row > 1 && matches!(store.content, Content::Latent { .. }))
        .map(|store| store.rows(1000, 0))
        .collect();
    // ⌈1000 / 128⌉, ⌈1000 / 4⌉, ⌈1000 / 128⌉.
    assert_eq!(rows, [8, 250, 8]);
}

#[test]
fn looped_models_have_a_cache_layer_for_every_pass() {
    let small = json!({
        "vocab_size": 1000, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "tie_word_embeddings": false
    });
    // 2 cycles of 3 + 1 passes.
    let hrm = with(&small, &json!({"model_type": "hrm_text", "H_cycles": 2, "L_cycles": 3}));
    assert_eq!(model(&hrm).layers.len(), 32);
    let coder = model(&with(&small, &json!({"model_type": "iquestloopcoder", "loop_num": 3})));
    assert_eq!(count(&coder, |_, extent| extent == Extent::Full), 4);
    assert_eq!(count(&coder, |_, extent| extent == Extent::Window(64)), 8);
}

#[test]
fn n_gram_tables_are_padded_sums_of_primes() {
    let config = json!({
        "model_type": "qwen4_exp_text", "architectures": ["Qwen4ExpForCausalLM"], "vocab_size": 1000,
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 32, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32, "hc_count": 2, "hc_lowrank": 8, "ngram_size": 2,
        "heads_per_ngram": 2, "ngram_vocab_size_base": 20, "make_ngram_vocab_size_divisible_by": 16,
        "layer_types": ["linear_attention", "linear_attention"], "ple_embed_dim": 64
    });
    let plain = model(&config).parameters;
    let first = model(&with(&config, &json!({"ple_layer_ids": [1]}))).parameters;
    // 23 + 29 = 52 rows of 32, padded to 64; key and value projections, three norms, a kernel of 4.
    let streams = 2 * 64;
    let layer = 64 * streams + 64 * 64 + 3 * streams + 4 * streams;
    assert_eq!(first - plain, 64 * 32 + layer);
    // The second layer goes on with 31 + 37 = 68, padded to 80.
    let both = model(&with(&config, &json!({"ple_layer_ids": [1, 2]}))).parameters;
    assert_eq!(both - first, 80 * 32 + layer);
}

#[test]
fn decoders_of_encoder_decoders_know_their_source() {
    let trocr = model(&json!({
        "model_type": "vision-encoder-decoder", "architectures": ["VisionEncoderDecoderModel"],
        "encoder": {
            "model_type": "vit", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
            "intermediate_size": 3072, "image_size": 384, "patch_size": 16, "qkv_bias": false
        },
        "decoder": {
            "model_type": "trocr", "d_model": 1024, "decoder_layers": 12, "decoder_attention_heads": 16,
            "decoder_ffn_dim": 4096, "vocab_size": 50265, "max_position_embeddings": 512,
            "cross_attention_hidden_size": 768
        }
    }));
    // 24 × 24 patches and the class token; microsoft/trocr-base-printed has 333,921,792 parameters.
    assert_eq!(trocr.source_len, Some(577));
    assert_eq!(trocr.parameters, 333_921_792);
    assert_eq!(count(&trocr, |content, _| matches!(content, Content::Cross { heads: 16, .. })), 12);
}

#[test]
fn published_parameter_counts_hold() {
    // The counts are those the Hub shows for the published safetensors files.
    let cases = [
        (
            "deepseek-ai/DeepSeek-V2-Lite",
            15_706_484_224,
            json!({
                "model_type": "deepseek_v2", "architectures": ["DeepseekV2ForCausalLM"], "vocab_size": 102_400,
                "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408,
                "num_hidden_layers": 27, "num_attention_heads": 16, "n_shared_experts": 2,
                "n_routed_experts": 64, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
                "kv_lora_rank": 512, "q_lora_rank": null, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
                "v_head_dim": 128, "tie_word_embeddings": false
            }),
        ),
        (
            "openai/whisper-large-v3",
            1_543_490_560,
            json!({
                "model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"],
                "vocab_size": 51866, "num_mel_bins": 128, "encoder_layers": 32, "decoder_layers": 32,
                "d_model": 1280, "encoder_attention_heads": 20, "decoder_attention_heads": 20,
                "encoder_ffn_dim": 5120, "decoder_ffn_dim": 5120, "max_source_positions": 1500,
                "max_target_positions": 448
            }),
        ),
        (
            "LiquidAI/LFM2-1.2B",
            1_170_340_608,
            json!({
                "model_type": "lfm2", "architectures": ["Lfm2ForCausalLM"], "vocab_size": 65536,
                "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
                "num_key_value_heads": 8, "block_ff_dim": 12288, "block_auto_adjust_ff_dim": true,
                "block_ffn_dim_multiplier": 1.0, "block_multiple_of": 256, "conv_L_cache": 3,
                "conv_bias": false, "full_attn_idxs": [2, 5, 8, 10, 12, 14], "tie_embedding": true
            }),
        ),
        (
            "google/recurrentgemma-2b",
            2_682_862_080,
            json!({
                "model_type": "recurrent_gemma", "architectures": ["RecurrentGemmaForCausalLM"],
                "vocab_size": 256_000, "hidden_size": 2560, "intermediate_size": 15360,
                "num_hidden_layers": 26, "num_attention_heads": 10, "num_key_value_heads": 1,
                "lru_width": 2560, "attention_window_size": 2048, "conv1d_width": 4,
                "block_types": ["recurrent", "recurrent", "attention"], "head_dim": 256
            }),
        ),
    ];
    for (name, published, config) in cases {
        assert_eq!(model(&config).parameters, published, "{name}");
    }
}

#[test]
fn encoders_are_refused_with_the_reason() {
    for model_type in ["bert", "roberta", "modernbert", "deberta-v2", "clip", "vit", "siglip"] {
        let config = json!({"model_type": model_type, "hidden_size": 768, "num_hidden_layers": 12});
        let error = from_config_json(&config.to_string(), true).unwrap_err();
        assert_eq!(error.code(), Code::NoKvCache, "{model_type}: {error}");
    }
}
