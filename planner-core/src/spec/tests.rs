//! Configurations as they are published: what may be left out, and what a wrapper adds.

use planner_models::Family;
use planner_models::vocabulary::FUNCTIONS;
use serde_json::{Map, Value as Json, json};

use super::eval::Scope;
use super::value::Value;
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
    let adjusted = crate::plan::adjusted;
    assert!(matches!(adjusted(&spec, &request), Err(Error::Refused(_))));
    request.set("weight-dtype", "bf16").unwrap();
    assert_eq!(adjusted(&spec, &request).unwrap().weight_bytes, 2 * spec.parameters);
}

/// A family of these definitions alone.
fn family(definitions: &'static [(&'static str, &'static str)]) -> &'static Family {
    Box::leak(Box::new(Family {
        name: "test",
        model_types: &[],
        language_model: None,
        towers: &[],
        definitions,
        cache: &[],
        modules: &[],
        layer_modules: &[],
        stacks: &[],
        refuse: None,
    }))
}

/// Evaluates with the configuration `{"width": 64, "kinds": ["a"], "deep": {"width": 7}}`.
fn with_scope<T>(
    definitions: &'static [(&'static str, &'static str)],
    ask: impl FnOnce(&Scope<'_>) -> T,
) -> T {
    let config = json!({"width": 64, "kinds": ["a"], "deep": {"width": 7}});
    let (Json::Object(config), defaults) = (config, Map::new()) else { panic!("an object") };
    ask(&Scope::new(family(definitions), &config, &config, &defaults, "", "test"))
}

#[test]
fn every_function_of_the_vocabulary_is_evaluated() {
    let said = |text: &'static str| with_scope(&[], |scope| format!("{:?}", scope.evaluate(text)));
    assert!(said("unheard(1)").contains("unknown function"), "{}", said("unheard(1)"));
    for function in FUNCTIONS {
        for count in function.least..=function.most.min(4) {
            let text: &'static str = format!("{}({})", function.name, vec!["1"; count].join(", ")).leak();
            assert!(!said(text).contains("unknown function"), "{}", said(text));
        }
    }
}

#[test]
fn a_name_is_a_definition_and_a_dot_a_key() {
    let definitions = &[("width", ".width ?? 0"), ("half", "width // 2"), ("deep", ".deep.width + width")];
    with_scope(definitions, |scope| {
        assert_eq!(scope.count("half", "half").unwrap(), 32);
        assert_eq!(scope.count("deep", "deep").unwrap(), 71);
        assert!(matches!(scope.count("x", ".absent"), Err(Error::MissingField { .. })));
    });
}

#[test]
fn a_value_that_reads_the_layer_is_kept_for_that_layer_alone() {
    // `odd` fails at layer 0 for want of a key, before `i` has told the layers apart.
    let definitions = &[
        ("odd", "i % 2 == 0 ? .absent : i"),
        ("either", "odd ?? 100"),
        ("twice", "2 * either + width - width"),
        ("width", ".width"),
    ];
    with_scope(definitions, |scope| {
        for (layer, twice) in [(0, 200), (1, 2), (1, 2), (3, 6), (2, 200), (0, 200)] {
            scope.set_index(Some(layer));
            assert_eq!(scope.count("twice", "twice").unwrap(), twice, "layer {layer}");
        }
    });
}

#[test]
fn an_error_of_a_family_names_its_definition() {
    let definitions = &[("layers", "heads"), ("heads", "i + 1"), ("round", "sum(7)"), ("a", "b"), ("b", "a")];
    with_scope(definitions, |scope| {
        let said =
            |text| scope.evaluate(text).map(|value: Value<'_>| value.is_true()).unwrap_err().to_string();
        assert!(said("layers").contains("test: `heads`: `i` outside a layer"), "{}", said("layers"));
        assert!(said("round").contains("`round` of the family `test`"), "{}", said("round"));
        assert!(said("a").contains("definitions that go in a circle"), "{}", said("a"));
        assert!(said("nothing").contains("no definition `nothing`"), "{}", said("nothing"));
    });
}
