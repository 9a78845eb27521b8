//! `--weight-dtype` by a quantizer's name: published files and checkpoints.

use planner_core::catalog;
use planner_core::plan::plan;
use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_core::spec::model::ModelSpec;
use planner_tests::{fixture, request, text};
use serde_json::Value;

fn weights(model: &ModelSpec, name: &str) -> u64 {
    let request = request(&format!("seq 100 weight-dtype {name}")).unwrap();
    plan(model, &request).unwrap().model.weight_bytes
}

/// Model cards print hundredths of a GB; a file holds up to 11 MB of vocabulary and names beside its tensors. An
/// importance matrix changes the first layers of `q4_0`, and its want those of IQ4.
#[test]
fn gguf_files_are_as_large_as_published() {
    let rows: Vec<Value> = serde_json::from_str(&text(&fixture("weights/gguf_files.json"))).unwrap();
    assert!(rows.len() > 30);
    for row in rows {
        let [name, file_type, gb] = ["model", "file_type", "gb"].map(|key| row[key].as_str().unwrap());
        let has_matrix = row["imatrix"].as_bool().unwrap();
        let published = gb.parse::<f64>().unwrap() * 1e9;
        let ours = weights(&catalog::model(name).unwrap(), file_type) as f64;
        let otherwise =
            file_type.starts_with("q4_0") && has_matrix || file_type.starts_with("iq4") && !has_matrix;
        let least = if otherwise { published * 0.988 } else { published - 16e6 };
        assert!(ours >= least && ours <= published + 16e6, "{name} {file_type}: {ours}, published {gb} GB");
    }
}

/// Qwen3-32B-FP8 and MythoMax-L2-13B-GPTQ, whose bytes `tests/weights.rs` holds against what is published.
#[test]
fn checkpoints_are_as_their_configurations_say() {
    let quantized = text(&fixture("configs/Qwen__Qwen3-32B-FP8.json"));
    let published = from_config_json(&quantized, false).unwrap();
    assert_eq!(weights(&catalog::model("qwen3-32b").unwrap(), "fp8_block"), published.weight_bytes);

    let rows: Vec<Value> = serde_json::from_str(&text(&fixture("weights/published.json"))).unwrap();
    let row = rows.iter().find(|row| row["model"] == "MythoMax-L2-13B-GPTQ").unwrap();
    let mut config = row["config"].clone();
    let published = from_config_json(&config.to_string(), false).unwrap();
    config.as_object_mut().unwrap().remove("quantization_config").unwrap();
    let plain = from_config_json(&config.to_string(), false).unwrap();
    assert_eq!(weights(&plain, "gptq"), published.weight_bytes);
}

/// 16 layers of one shape.
#[test]
fn a_mix_by_hand() {
    let config = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "num_hidden_layers": 16,
        "hidden_size": 512, "intermediate_size": 1024, "num_attention_heads": 8, "num_key_value_heads": 8,
        "vocab_size": 1000, "torch_dtype": "bfloat16", "max_position_embeddings": 2048, "tie_word_embeddings": false}"#;
    let model = from_config_json(config, false).unwrap();
    let (square, wide, table) = (512 * 512 / 256, 512 * 1024 / 256, 512 * 1000 / 256);
    // the first and last two layers, and every third between: 2, 14 to 15, 4, 7, 10, 13
    let more = 2 + 2 + 4;
    let values = square * (210 * more + 144 * (16 - more));
    let down = wide * (210 * more + 144 * (16 - more));
    let others = 16 * (3 * square + 2 * wide) * 144;
    let norms = (2 * 16 + 1) * 512 * 4;
    assert_eq!(weights(&model, "q4_k_m"), values + down + others + table * (144 + 210) + norms);
}

#[test]
fn names_are_heard_as_written() {
    let model = catalog::model("llama3-8b").unwrap();
    assert_eq!(weights(&model, "Q4_K_M"), weights(&model, "q4-k"));
    let unknown = Request::default().set("weight-dtype", "q4_k_xl").unwrap_err();
    assert!(unknown.to_string().contains("q4_k_m"), "{unknown}");
}
