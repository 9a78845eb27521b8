//! Configurations as they are published: what may be left out, and what a wrapper adds.

use crate::error::Error;
use crate::source::from_config_json;

#[test]
fn an_outermost_configuration_must_say_the_size_of_the_model() {
    let config = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096,
        "num_attention_heads": 32, "intermediate_size": 11008, "vocab_size": 32000, "torch_dtype": "float16"}"#;
    match from_config_json(config, true) {
        Err(Error::MissingField { field, .. }) => assert_eq!(field, "num_hidden_layers"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn within_a_wrapper_the_language_models_class_defaults_count() {
    // llava-hf/llava-1.5-7b-hf: the text part names little more than its type; 7,063,427,072 parameters.
    let config = r#"{"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava",
        "torch_dtype": "float16", "vision_feature_layer": -2,
        "text_config": {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096,
            "model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 32064},
        "vision_config": {"hidden_size": 1024, "image_size": 336, "intermediate_size": 4096,
            "model_type": "clip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 24,
            "patch_size": 14, "projection_dim": 768, "vocab_size": 32000}}"#;
    let spec = from_config_json(config, true).unwrap();
    assert_eq!(spec.parameters, 7_063_427_072);
    assert_eq!((spec.layers.len(), spec.kv_heads, spec.head_dim), (32, Some(32), Some(128)));
}

#[test]
fn a_text_only_class_of_a_wrapper_leaves_the_encoders_out() {
    let config = |class: &str| {
        format!(
            r#"{{"architectures": ["{class}"], "model_type": "gemma3", "torch_dtype": "bfloat16",
            "text_config": {{"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
                "num_hidden_layers": 34, "sliding_window": 1024, "vocab_size": 262208,
                "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256}},
            "vision_config": {{"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
                "model_type": "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 27,
                "patch_size": 14, "vision_use_head": false}}}}"#
        )
    };
    // google/gemma-3-4b-it holds 4,300,079,472 parameters; its tower is SigLIP so400m at 896 pixels.
    let whole = from_config_json(&config("Gemma3ForConditionalGeneration"), true).unwrap();
    assert_eq!(whole.parameters, 4_300_079_472);
    let text = from_config_json(&config("Gemma3ForCausalLM"), true).unwrap();
    let encoders = ["vision", "projector"];
    assert!(text.parts.iter().all(|part| !encoders.contains(&part.name)));
    let added: u64 =
        whole.parts.iter().filter(|part| encoders.contains(&part.name)).map(|part| part.parameters).sum();
    assert_eq!(text.parameters, 4_300_079_472 - added);
    // Patches 588 x 1152 + 1152, positions 4096 x 1152, 27 layers, the last norm; 1152 x 2560 + 1152 between.
    let layer = 4 * (1152 * 1152 + 1152) + 2 * 1152 * 4304 + 4304 + 1152 + 4 * 1152;
    assert_eq!(added, 588 * 1152 + 1152 + 4096 * 1152 + 27 * layer + 2 * 1152 + 1152 * 2560 + 1152);
}

#[test]
fn weights_of_an_unknown_method_need_a_dtype() {
    let config = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64,
        "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 100, "num_hidden_layers": 2,
        "torch_dtype": "bfloat16", "quantization_config": {"quant_method": "hqq"}}"#;
    let spec = from_config_json(config, true).unwrap();
    let mut request = crate::request::Request::default();
    let adjust = crate::plan::adjust;
    assert!(matches!(adjust(spec.clone(), &request), Err(Error::Refused(_))));
    request.set("weight-dtype", "bf16").unwrap();
    assert_eq!(adjust(spec.clone(), &request).unwrap().weight_bytes, 2 * spec.parameters);
}
