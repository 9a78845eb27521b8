//! Figures that the page shows beside the plan's JSON.
#![allow(clippy::unwrap_used)]

#[path = "../examples/shared/tables.rs"]
mod tables;

use planner_web::planner;
use serde_json::{Value, json};

fn answer(request: Value) -> Value {
    assert!(planner_web::load(tables::planner_data()) > 100);
    let answer = planner::answer(&request.to_string());
    assert_eq!(answer["plan"], planner::plan(&request.to_string()));
    answer
}

fn asked(model: &str, flags: Value) -> Value {
    answer(json!({ "model": model, "flags": flags }))
}

#[test]
fn a_cache_of_equal_tokens_is_shown_as_their_product() {
    let figures = &asked("llama3-70b", json!({"seq": "1000", "users": "20"}))["figures"];
    // 2 x 80 layers x 8 heads x 128 x 2 B; 64 query heads share the 8
    assert_eq!(figures["product"], json!([327_680, 1000, 20]));
    assert_eq!(figures["all_heads_ratio"], 8.0);
    assert_eq!(figures["fullest_gpu"], Value::Null);
}

#[test]
fn layers_are_summed_by_what_they_keep() {
    let answer = asked("gemma3-27b", json!({"seq": "5000", "users": "2"}));
    let figures = &answer["figures"];
    // 62 layers, every sixth of them full: 10, and 52 with a window of 1,024; 2 x 16 heads x 128 x 2 B a token
    let row = 8_192;
    let kinds = figures["kinds"].as_array().unwrap();
    let of = |kind: &str| kinds.iter().find(|found| found["kind"] == kind).unwrap();
    assert_eq!(kinds.len(), 2);
    assert_eq!((&of("full")["count"], &of("sliding")["count"]), (&json!(10), &json!(52)));
    assert_eq!(of("full")["bytes_per_token"], 10 * row);
    assert_eq!(of("full")["session_bytes"], 10 * row * 5000);
    assert_eq!(of("sliding")["session_bytes"], 52 * row * 1024);
    assert_eq!(figures["product"], json!([10 * row * 5000 + 52 * row * 1024, 2]));
    // past its window a layer does not grow
    assert_eq!(figures["growing"].as_array().unwrap().len(), 1);
    assert_eq!(figures["growing"][0]["count"], 10);
    assert_eq!(figures["growing"][0]["bytes_per_token"], row);
    let runs = figures["runs"].as_array().unwrap();
    assert_eq!((&runs[0]["first"], &runs[0]["last"]), (&json!(0), &json!(4)));
    assert_eq!((&runs[0]["kind"], &runs[0]["session_bytes"]), (&json!("sliding"), &json!(row * 1024)));
    assert!(runs.windows(2).all(|pair| pair[0]["last"].as_u64().unwrap() + 1 == pair[1]["first"]));
}

#[test]
fn a_state_has_the_elements_of_both_its_parts() {
    let answer = asked("mamba-2.8b", json!({"seq": "1000", "users": "1"}));
    let kind = &answer["figures"]["kinds"][0];
    // d_inner 5,120: the last 3 inputs of a convolution of 4, and a state of 16
    assert_eq!(kind["stores"][0]["elements"], 5120 * (3 + 16));
    assert_eq!(answer["figures"]["growing"], json!([]));
}

#[test]
fn the_parts_of_the_fullest_gpu_are_its_memory() {
    let flags = |users: &str| json!({"seq": "1000", "users": users, "gpu": "h100-80gb", "tp": "4"});
    let part = |gpu: &Value, name: &str| {
        let parts = gpu["parts"].as_array().unwrap();
        parts.iter().find(|part| part["part"] == name).map(|part| part["bytes"].as_u64().unwrap())
    };
    let answer = asked("llama3-70b", flags("20"));
    let gpu = &answer["figures"]["fullest_gpu"];
    assert_eq!(part(gpu, "used"), Some(6_553_600_000 / 4));
    assert_eq!(part(gpu, "reserve"), Some(2 << 30));
    assert_eq!(part(gpu, "over"), None);
    let parts = gpu["parts"].as_array().unwrap();
    assert_eq!(
        parts.iter().filter_map(|part| part["bytes"].as_u64()).sum::<u64>(),
        answer["plan"]["memory"]["gpus"][0]["total_bytes"]
    );
    let answer = asked("llama3-70b", flags("100000"));
    let full = &answer["figures"]["fullest_gpu"];
    let room = answer["plan"]["memory"]["gpus"][0]["kv_bytes_available"].as_u64().unwrap();
    assert_eq!(part(full, "used"), Some(room));
    assert_eq!(part(full, "over"), Some(327_680_000 / 4 * 100_000 - room));
    assert_eq!((part(full, "free"), &full["kv_bytes_free"]), (None, &json!(0)));
}

#[test]
fn the_command_asks_the_same() {
    let flags = json!({"seq": "4k", "users": "9", "engine": "architecture", "reserve": "2 GiB"});
    assert_eq!(
        asked("llama3-8b", flags.clone())["command"],
        "kvplan --model llama3-8b --seq 4k --users 9 --reserve '2 GiB'"
    );
    let config = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16",
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 8192,
    });
    let pasted = answer(json!({"config": config.to_string(), "flags": {"seq": "4k", "users": "9"}}));
    assert_eq!(pasted["command"], "kvplan --model config.json --seq 4k --users 9");
}
