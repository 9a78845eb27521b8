//! Models whose code comes with their files: parameters as published, and caches by hand.

use planner_core::error::Code;
use planner_core::source::from_config_json;
use planner_core::spec::model::ModelSpec;
use planner_tests::{fixture, said, text};
use serde_json::{Value, json};

fn model(config: &Value) -> ModelSpec {
    from_config_json(&config.to_string(), true).unwrap_or_else(|error| panic!("{error}: {config}"))
}

fn bytes_per_token(model: &ModelSpec) -> u64 {
    let stores = model.layers.iter().flat_map(|layer| &layer.stores);
    stores.map(|store| store.row_bytes(model.dtype, model.dtype).unwrap()).sum()
}

/// `fixtures/published.jsonl`: parameter counts with their sources, and cached bytes per token as layers × 2 ×
/// KV heads × width × bytes.
#[test]
fn published_parameter_counts_hold() {
    let text = text(&fixture("published.jsonl"));
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (name, model) = (&case["name"], model(&case["config"]));
        assert_eq!(Some(model.parameters), case["parameters"].as_u64(), "{name}");
        let factors = case["kv"].as_str().unwrap().split(" × ").map(|factor| factor.parse::<u64>().unwrap());
        assert_eq!(bytes_per_token(&model), factors.product::<u64>(), "{name}");
    }
    assert!(text.lines().count() >= 30);
}

/// A wrapper of no known family is refused; the way out names its known part.
#[test]
fn an_unknown_wrapper_names_the_language_model_that_can_be_planned() {
    let config = json!({
        "model_type": "a_new_wrapper", "architectures": ["ANewWrapperForConditionalGeneration"],
        "vision_config": {"model_type": "a_new_tower"},
        "llm_config": {"model_type": "qwen3", "hidden_size": 1024, "num_hidden_layers": 2}
    });
    for strict in [true, false] {
        let error = from_config_json(&config.to_string(), strict).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnknownType);
        let hint = said(&error);
        assert!(hint.contains("`llm_config` of type `qwen3`"), "{hint}");
    }
}

/// Keys whose meaning for the weights differs between models are refused.
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
