//! Bytes of published checkpoints, matrix by matrix, against the shapes of their tensors.

use super::super::value::{Module, ModuleKind};
use super::Storage;
use crate::dtype::DType;

fn bytes(quantization: &str, path: &str, inputs: u64, outputs: u64) -> u64 {
    let config: serde_json::Value = serde_json::from_str(quantization).unwrap();
    let empty = serde_json::Map::new();
    let storage = Storage::from_config(DType::BF16, config.as_object(), &empty).unwrap();
    let module = Module { kind: ModuleKind::Linear, inputs, outputs, bias: 0, element_bytes: 0 };
    let part = if path.contains("expert") { "experts" } else { "attention" };
    storage.bytes(part, path, module, 1).unwrap()
}

const Q_PROJ: &str = "model.layers.0.self_attn.q_proj";

#[test]
fn fp8_blocks_have_one_f32_scale_each() {
    let config =
        r#"{"quant_method": "fp8", "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head"]}"#;
    // weight [4096, 4096] F8_E4M3, weight_scale_inv [32, 32] F32.
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), 4096 * 4096 + 32 * 32 * 4);
    // DeepSeek-V3's kv_a_proj_with_mqa [576, 7168]: 5 by 56 blocks.
    assert_eq!(bytes(config, Q_PROJ, 7168, 576), 576 * 7168 + 5 * 56 * 4);
}

#[test]
fn awq_packs_codes_and_zero_points() {
    let config = r#"{"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true}"#;
    // qweight [4096, 512] I32, qzeros [32, 512] I32, scales [32, 4096] F16.
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), 4096 * 512 * 4 + 32 * 512 * 4 + 32 * 4096 * 2);
}

#[test]
fn gptq_also_keeps_the_group_of_every_input() {
    let config = r#"{"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false}"#;
    // qweight [512, 4096] I32, qzeros [32, 512] I32, scales [32, 4096] F16, g_idx [4096] I32.
    let expected = 512 * 4096 * 4 + 32 * 512 * 4 + 32 * 4096 * 2 + 4096 * 4;
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), expected);
}

#[test]
fn mxfp4_holds_only_experts() {
    let config =
        r#"{"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}"#;
    assert_eq!(bytes(config, Q_PROJ, 2880, 4096), 2880 * 4096 * 2);
    // gpt-oss down_proj of one expert: blocks [2880, 90, 16] U8, scales [2880, 90] U8.
    assert_eq!(bytes(config, "model.layers.0.mlp.experts.down_proj", 2880, 2880), 2880 * 90 * 17);
}

#[test]
fn nvfp4_has_a_byte_of_scale_per_sixteen_and_two_f32() {
    let config =
        r#"{"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["model.layers.1.self_attn*"]}"#;
    // weight [4096, 2048] U8, weight_scale [4096, 256] F8_E4M3, weight_scale_2 and input_scale F32.
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), 4096 * 2048 + 4096 * 256 + 8);
    assert_eq!(bytes(config, "model.layers.1.self_attn.q_proj", 4096, 4096), 4096 * 4096 * 2);
}

#[test]
fn bitsandbytes_counts_absmax_of_its_blocks() {
    let config =
        r#"{"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_use_double_quant": true}"#;
    // weight [8388608, 1] U8, absmax [262144] U8, nested_absmax [1024] F32, and the two code tables.
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), 8_388_608 + 262_144 + 1024 * 4 + 64 + 1024);
    let config = r#"{"quant_method": "bitsandbytes", "load_in_8bit": true}"#;
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), 4096 * 4096 + 4096 * 4);
}

#[test]
fn compressed_tensors_follows_the_strategy() {
    let packed = r#"{"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights":
            {"num_bits": 4, "group_size": 128, "strategy": "group", "symmetric": true, "type": "int"}}}}"#;
    // weight_packed [4096, 512] I32, weight_scale [4096, 32] BF16, weight_shape [2] I64.
    assert_eq!(bytes(packed, Q_PROJ, 4096, 4096), 4096 * 512 * 4 + 4096 * 32 * 2 + 16);
    let channel = r#"{"quant_method": "compressed-tensors", "format": "float-quantized",
        "config_groups": {"group_0": {"targets": ["Linear"], "input_activations": {"dynamic": true},
            "weights": {"num_bits": 8, "strategy": "channel", "symmetric": true, "type": "float"}}}}"#;
    // weight F8_E4M3, weight_scale [4096, 1] BF16.
    assert_eq!(bytes(channel, Q_PROJ, 4096, 4096), 4096 * 4096 + 4096 * 2);
}

#[test]
fn an_unknown_method_is_refused() {
    for config in [r#"{"quant_method": "hqq"}"#, r#"{"quant_method": "modelopt", "quant_algo": "INT2"}"#] {
        let config: serde_json::Value = serde_json::from_str(config).unwrap();
        assert!(Storage::from_config(DType::BF16, config.as_object(), &serde_json::Map::new()).is_err());
    }
}

/// Tensor bytes of whole published checkpoints: `total_size` of `model.safetensors.index.json`.
#[test]
fn whole_checkpoints_take_their_published_bytes() {
    // openai/gpt-oss-20b and gpt-oss-120b.
    for (layers, experts, total) in [(24, 32, 13_761_264_768), (36, 128, 65_248_815_744)] {
        let config = format!(
            r#"{{"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "torch_dtype": "bfloat16",
            "num_hidden_layers": {layers}, "num_local_experts": {experts}, "num_experts_per_tok": 4, "hidden_size": 2880,
            "intermediate_size": 2880, "head_dim": 64, "num_attention_heads": 64, "num_key_value_heads": 8,
            "sliding_window": 128, "tie_word_embeddings": false, "vocab_size": 201088, "attention_bias": true,
            "quantization_config": {{"quant_method": "mxfp4", "modules_to_not_convert":
                ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}}}}"#
        );
        let spec = crate::source::from_config_json(&config, true).unwrap();
        assert_eq!(spec.weight_bytes, total);
    }
}

#[test]
fn mlx_quantizes_all_but_what_the_file_excepts() {
    let config = r#"{"group_size": 64, "bits": 4, "mode": "affine",
        "model.layers.0.mlp.gate": {"group_size": 64, "bits": 8}, "lm_head": false}"#;
    // weight [4096, 512] U32, scales and biases [4096, 64] BF16.
    assert_eq!(bytes(config, Q_PROJ, 4096, 4096), 4096 * 512 * 4 + 2 * 4096 * 64 * 2);
    // The router of 128 experts in 8 bits.
    assert_eq!(bytes(config, "model.layers.0.mlp.gate", 4096, 128), 128 * 1024 * 4 + 2 * 128 * 64 * 2);
    assert_eq!(bytes(config, "lm_head", 4096, 32000), 4096 * 32000 * 2);
    // Rows that are not whole groups stay as they are.
    assert_eq!(bytes(config, Q_PROJ, 100, 4096), 100 * 4096 * 2);
}
