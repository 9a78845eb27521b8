//! What the engine's classes read from a configuration without asking whether it is there.
//!
//! A checkpoint's own config.json has these keys; one written by a configuration class of transformers may
//! not, and the engine then stops (vLLM 0.33.0, `vllm/model_executor/models/`).

use super::config::Config;

/// First letters of a class and the key it needs; the last part of a dotted key is inside an object.
const NEEDED: &[(&str, &str)] = &[
    ("AfmoeForCausalLM", "score_func"),
    ("DbrxForCausalLM", "attn_config.rope_theta"),
    ("Gemma4ForConditionalGeneration", "vision_config"),
    ("Glm4MoeForCausalLM", "head_dim"),
    ("HYV3ForCausalLM", "first_k_dense_replace"),
    ("Lfm2ForCausalLM", "block_dim"),
    ("Lfm2MoeForCausalLM", "layer_types"),
    ("LongcatFlash", "mla_scale_q_lora"),
    ("MiMoV2FlashForCausalLM", "hybrid_layer_pattern"),
    ("MiniMaxM2ForCausalLM", "rotary_dim"),
];

/// The key that the engine's class would miss.
pub fn missing(config: Config) -> Option<&'static str> {
    let (_, key) = NEEDED.iter().find(|(class, _)| config.class.starts_with(class))?;
    let found = match key.split_once('.') {
        Some((object, key)) => config.object(object).and_then(|inner| inner.get(key)),
        None => config.get(key),
    };
    found.is_none().then_some(*key)
}
