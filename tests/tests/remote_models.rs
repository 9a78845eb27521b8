//! Models whose code comes with their files: parameters as published, and caches by hand.

use planner_core::source::from_config_json;
use planner_core::spec::model::ModelSpec;
use serde_json::{Value, json};

fn model(config: &Value) -> ModelSpec {
    from_config_json(&config.to_string(), true).unwrap_or_else(|error| panic!("{error}: {config}"))
}

fn bytes_per_token(model: &ModelSpec) -> u64 {
    let stores = model.layers.iter().flat_map(|layer| &layer.stores);
    stores.map(|store| store.row_bytes(model.dtype, model.dtype).unwrap()).sum()
}

/// The counts are those the Hub shows for the published files; bytes are layers × 2 × KV heads × width × 2.
#[test]
fn published_parameter_counts_hold() {
    let glm = |layers: u64, vocabulary: u64| {
        json!({
            "model_type": "chatglm", "architectures": ["ChatGLMModel"], "torch_dtype": "bfloat16", "add_bias_linear": false,
            "add_qkv_bias": true, "ffn_hidden_size": 13696, "hidden_size": 4096, "kv_channels": 128,
            "multi_query_attention": true, "multi_query_group_num": 2, "num_attention_heads": 32, "num_layers": layers,
            "padded_vocab_size": vocabulary, "post_layer_norm": true, "rmsnorm": true, "tie_word_embeddings": false
        })
    };
    let internlm2 = |vocabulary: u64| {
        json!({
            "model_type": "internlm2", "architectures": ["InternLM2ForCausalLM"], "torch_dtype": "bfloat16", "bias": false,
            "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8,
            "num_hidden_layers": 32, "vocab_size": vocabulary, "tie_word_embeddings": false
        })
    };
    let cases = [
        ("THUDM/chatglm3-6b", 6_243_584_000, 28 * 2 * 2 * 128 * 2, glm(28, 65_024)),
        ("THUDM/glm-4-9b", 9_399_951_360, 40 * 2 * 2 * 128 * 2, glm(40, 151_552)),
        ("internlm/internlm2-7b", 7_737_708_544, 32 * 2 * 8 * 128 * 2, internlm2(92_544)),
        (
            "OpenGVLab/InternVL2_5-8B",
            8_075_365_376,
            32 * 2 * 8 * 128 * 2,
            json!({
                "model_type": "internvl_chat", "architectures": ["InternVLChatModel"], "torch_dtype": "bfloat16",
                "downsample_ratio": 0.5, "llm_config": internlm2(92_553),
                "vision_config": {
                    "model_type": "intern_vit_6b", "hidden_size": 1024, "image_size": 448, "intermediate_size": 4096,
                    "norm_type": "layer_norm", "num_hidden_layers": 24, "patch_size": 14, "qk_normalization": false,
                    "qkv_bias": true
                }
            }),
        ),
        (
            "Qwen/Qwen-7B",
            7_721_324_544,
            32 * 2 * 32 * 128 * 2,
            json!({
                "model_type": "qwen", "architectures": ["QWenLMHeadModel"], "torch_dtype": "bfloat16", "hidden_size": 4096,
                "intermediate_size": 22016, "kv_channels": 128, "no_bias": true, "num_attention_heads": 32,
                "num_hidden_layers": 32, "vocab_size": 151_936, "tie_word_embeddings": false
            }),
        ),
        (
            "deepseek-ai/deepseek-moe-16b-base",
            16_375_728_128,
            28 * 2 * 16 * 128 * 2,
            json!({
                "model_type": "deepseek", "architectures": ["DeepseekForCausalLM"], "torch_dtype": "bfloat16",
                "first_k_dense_replace": 1, "hidden_size": 2048, "intermediate_size": 10944, "moe_intermediate_size": 1408,
                "moe_layer_freq": 1, "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16,
                "num_experts_per_tok": 6, "num_hidden_layers": 28, "num_key_value_heads": 16, "vocab_size": 102_400,
                "tie_word_embeddings": false
            }),
        ),
        (
            "LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct",
            7_818_448_896,
            32 * 2 * 8 * 128 * 2,
            json!({
                "model_type": "exaone", "architectures": ["ExaoneForCausalLM"], "torch_dtype": "bfloat16", "head_dim": 128,
                "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8,
                "num_layers": 32, "vocab_size": 102_400, "tie_word_embeddings": false
            }),
        ),
        (
            "baichuan-inc/Baichuan2-7B-Chat",
            7_505_973_248,
            32 * 2 * 32 * 128 * 2,
            json!({
                "model_type": "baichuan", "architectures": ["BaichuanForCausalLM"], "torch_dtype": "bfloat16",
                "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32, "num_hidden_layers": 32,
                "vocab_size": 125_696, "tie_word_embeddings": false
            }),
        ),
        (
            "openbmb/MiniCPM-2B-sft-bf16",
            2_724_880_896,
            40 * 2 * 36 * 64 * 2,
            json!({
                "model_type": "minicpm", "architectures": ["MiniCPMForCausalLM"], "torch_dtype": "bfloat16",
                "hidden_size": 2304, "intermediate_size": 5760, "num_attention_heads": 36, "num_key_value_heads": 36,
                "num_hidden_layers": 40, "vocab_size": 122_753
            }),
        ),
    ];
    for (name, published, cached, config) in cases {
        let model = model(&config);
        assert_eq!(model.parameters, published, "{name}");
        assert_eq!(bytes_per_token(&model), cached, "{name}");
    }
}

/// A wrapper that no family knows is refused; the way out names the part that is known.
#[test]
fn an_unknown_wrapper_names_the_language_model_that_can_be_planned() {
    let config = json!({
        "model_type": "a_new_wrapper", "architectures": ["ANewWrapperForConditionalGeneration"],
        "vision_config": {"model_type": "a_new_tower"},
        "llm_config": {"model_type": "qwen3", "hidden_size": 1024, "num_hidden_layers": 2}
    });
    for strict in [true, false] {
        let error = from_config_json(&config.to_string(), strict).unwrap_err();
        assert_eq!(error.code(), "unsupported");
        let hint = format!("{error:?}");
        assert!(hint.contains("`llm_config` of type `qwen3`"), "{hint}");
    }
}

/// Keys whose meaning for the weights differs between models are not guessed about.
#[test]
fn an_unknown_model_with_a_bias_or_an_image_is_refused() {
    let plain = json!({
        "model_type": "a_new_decoder", "architectures": ["ANewDecoderForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "vocab_size": 100, "intermediate_size": 128
    });
    assert!(from_config_json(&plain.to_string(), false).is_ok());
    assert!(from_config_json(&plain.to_string(), true).is_err());
    for (key, value) in
        [("bias", json!(true)), ("visual", json!({"width": 4})), ("img_processor", json!({"name": "x"}))]
    {
        let mut config = plain.clone();
        config[key] = value;
        assert!(from_config_json(&config.to_string(), false).is_err(), "{key}");
    }
}
