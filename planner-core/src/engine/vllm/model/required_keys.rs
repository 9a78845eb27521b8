//! Keys that the engine's classes read from a configuration without a check.
//!
//! A checkpoint's own config.json has these keys. A file written by a configuration class of transformers may
//! lack them, and the engine then stops (vLLM 0.33.0, `vllm/model_executor/models/`).

use crate::spec::hf_config::HfConfig;

/// First letters of a class, and the key that it needs. `a.b` is key `b` inside object `a`; a key after `/` is
/// looked for in the outermost object.
const NEEDED: &[(&str, &str)] = &[
    ("AfmoeForCausalLM", "score_func"),
    ("CohereAsr", "transf_decoder"),
    ("DbrxForCausalLM", "attn_config.rope_theta"),
    ("Ernie4_5_VL", "vision_config.embed_dim"),
    ("Gemma4ForConditionalGeneration", "vision_config"),
    ("Gemma4UnifiedForConditionalGeneration", "vision_config"),
    ("Glm4MoeForCausalLM", "head_dim"),
    ("Glm4vMoe", "head_dim"),
    ("HYV3ForCausalLM", "first_k_dense_replace"),
    ("HunYuanDenseV1ForCausalLM", "head_dim"),
    ("HunYuanMoEV1ForCausalLM", "head_dim"),
    ("InklingForCausalLM", "padded_vocab_size"),
    ("Lfm2ForCausalLM", "block_dim"),
    ("Lfm2MoeForCausalLM", "layer_types"),
    ("Lfm2VlForConditionalGeneration", "block_dim"),
    ("Llama4ForCausalLM", "/num_local_experts"),
    ("LongcatFlash", "mla_scale_q_lora"),
    ("LongcatFlash", "zero_expert_type"),
    ("MiMoV2FlashForCausalLM", "hybrid_layer_pattern"),
    ("MiniMaxM2ForCausalLM", "rotary_dim"),
    ("MiniMaxM3SparseForConditionalGeneration", "vision_config.img_token_compression_config"),
    ("MinistralForCausalLM", "head_dim"),
    ("Molmo2", "vit_config"),
    ("MuseSpark", "num_shared_experts"),
    ("MuseSpark", "rope_parameters"),
    ("NemotronForCausalLM", "num_key_value_heads"),
    ("QianfanOCR", "force_image_size"),
    ("Qwen3VLMoe", "norm_topk_prob"),
    ("Step3p7", "vision_config.output_dim"),
];

/// Model types whose configuration class refuses heads that do not divide the model's width, whatever
/// `head_dim` is (`validate_architecture` of `configuration_*.py`, transformers 5.20.2). Sorted.
const WHOLE_HEADS: [&str; 19] = [
    "arcee",
    "aria_text",
    "cosmos3_edge_text",
    "cwm",
    "deepseek_ocr2_text",
    "deepseek_v2",
    "gemma2",
    "gemma3_text",
    "gemma3n_text",
    "gpt_neox",
    "hrm_text",
    "hyperclovax",
    "jais2",
    "llama",
    "minicpm3",
    "muse_glimmer_text",
    "muse_spark_text",
    "unlimited_ocr_text",
    "vaultgemma",
];

/// The width and the heads, where the configuration's class refuses them.
pub fn odd_heads(config: HfConfig) -> Option<(u64, u64)> {
    let sizes = config.number(&["hidden_size"]).zip(config.number(&["num_attention_heads"]));
    sizes.filter(|(width, heads)| WHOLE_HEADS.contains(&config.model_type) && !width.is_multiple_of(*heads))
}

/// The key that the engine's class would not find.
pub fn missing(config: HfConfig) -> Option<&'static str> {
    let has = |key: &str| match (key.strip_prefix('/'), key.split_once('.')) {
        (Some(key), _) => config.root.get(key),
        (None, Some((object, key))) => config.object(object).and_then(|inner| inner.get(key)),
        (None, None) => config.get(key),
    };
    let needed = NEEDED.iter().filter(|(class, _)| config.class.starts_with(class));
    needed.map(|(_, key)| *key).find(|key| has(key).is_none()).map(|key| key.trim_start_matches('/'))
}
