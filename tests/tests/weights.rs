//! Weight bytes against the quantizers themselves and against published checkpoints.

use std::path::Path;

use planner_core::source::from_config_json;
use planner_tests::weights::{cases, published, table};
use planner_tests::{fixture, text};
use serde_json::{Value, json};

#[test]
fn quantized_models_take_what_their_quantizer_writes() {
    let cases = cases();
    assert!(cases.len() >= 400, "{} cases", cases.len());
    for case in cases {
        assert_eq!(case.ours, Ok(case.theirs), "{}: {}", case.oracle, case.name);
    }
}

#[test]
fn published_checkpoints_differ_only_by_what_engines_do_not_load() {
    for entry in published() {
        let difference = i128::from(entry.theirs()) - i128::from(entry.ours);
        let rest = difference - i128::from(entry.extra());
        assert!((0..=i128::from(entry.slack())).contains(&rest), "{}: {rest} of {difference}", entry.model());
    }
}

/// Buffers that transformers keeps in a state dict count as weights: correction biases in f32, tables of
/// hashed routes in 64 bits, the rest in the model's 16.
#[test]
fn buffers_of_a_checkpoint_are_weights() {
    let read = |name: &str| text(&fixture(name));
    let answers: serde_json::Map<String, Value> =
        serde_json::from_str(&read("weights/buffers.json")).unwrap();
    assert!(answers.len() >= 30);
    for (name, buffers) in answers {
        // Python writes `Infinity` for no limit, which JSON lacks.
        let text = read(&format!("configs/{name}.json")).replace("Infinity", "0");
        let mut config: Value = serde_json::from_str(&text).unwrap();
        let _ = config.as_object_mut().unwrap().remove("quantization_config");
        if let Some(text) = config.get_mut("text_config").and_then(Value::as_object_mut) {
            let _ = text.remove("quantization_config");
        }
        let width = |buffer: &str| match buffer.rsplit('.').next() {
            Some("e_score_correction_bias") => 4,
            Some("tid2eid") => 8,
            _ => 2,
        };
        let theirs: u64 =
            buffers.as_object().unwrap().iter().map(|(k, n)| width(k) * n.as_u64().unwrap()).sum();
        let model = from_config_json(&config.to_string(), true).unwrap();
        assert_eq!(model.weight_bytes - 2 * model.parameters, theirs, "{name}");
    }
}

#[test]
fn the_published_table_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/weights.md");
    assert!(
        text(&path) == table(),
        "docs/weights.md is out of date: cargo run -p planner-tests --example weights > docs/weights.md"
    );
}

/// A method of unknown bytes is refused by its key, and the rest of the model is still read.
#[test]
fn an_unknown_quantization_is_refused_with_what_is_known() {
    let model = |quantization: serde_json::Value| {
        let config = json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16", "hidden_size": 256,
            "intermediate_size": 768, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 1000,
            "max_position_embeddings": 512, "quantization_config": quantization,
        });
        from_config_json(&config.to_string(), true).unwrap()
    };
    for (quantization, named) in [
        (json!({"quant_method": "hqq"}), "quant_method `hqq`"),
        (json!({"bits": 4}), "without quant_method"),
        (json!({"bits": 4, "group_size": 64, "mode": "trellis"}), "mode `trellis`"),
        (json!({"quant_method": "modelopt", "quant_algo": "INT2"}), "quant_algo `INT2`"),
        (json!({"quant_method": "awq", "bits": 4, "version": "gemv"}), "version `gemv`"),
        (
            json!({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}),
            "checkpoint_format `marlin`",
        ),
    ] {
        let refusal = model(quantization).weight_refusal.expect("refused").to_string();
        assert!(refusal.contains(named), "{refusal}");
    }
}
