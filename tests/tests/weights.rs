//! Weight bytes of quantized checkpoints against published totals.

use std::path::Path;

use planner_core::source::from_config_json;
use serde_json::{Value, json};

/// DeepSeek R1 in AWQ, 4 bits in groups of 64: `metadata.total_size` of the index in kvcache-ai/sglang_awq.
///
/// The checkpoint also holds the routers' correction biases, 256 bf16 values in each of the 58 layers with
/// experts: buffers, which are not parameters and are not counted.
#[test]
fn deepseek_r1_awq_takes_its_published_bytes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/configs/deepseek-ai__DeepSeek-R1.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    config["quantization_config"] =
        json!({"quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": true, "version": "gemm"});
    let model = from_config_json(&config.to_string(), true).unwrap();
    let correction_biases = 58 * 256 * 2;
    assert_eq!(model.weight_bytes + correction_biases, 364_589_799_936);
}
