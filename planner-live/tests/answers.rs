//! Answers of engines become settings and figures: `tests/fixtures/live`, whose README says where each is from.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use planner_live::{Answer, Failure, Get, Told, ask};
use planner_log::Quantity;

/// A folder of fixtures as a server; `replace` alters a body.
struct Folder(&'static str, fn(&str, String) -> String);

fn as_it_is(_: &str, body: String) -> String {
    body
}

impl Get for Folder {
    fn get(&self, path: &str) -> Result<Answer, Failure> {
        let file = match path {
            "/v1/models" => "v1_models.json",
            "/version" => "version.json",
            "/metrics" => "metrics.txt",
            "/props" => "props.json",
            "/info" => "info.json",
            "/server_info" | "/server_info?config_format=json" => "server_info.json",
            _ => "none",
        };
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/live").join(self.0);
        Ok(match std::fs::read_to_string(folder.join(file)) {
            Ok(body) => Answer { status: 200, body: (self.1)(path, body).into_bytes() },
            Err(_) => Answer { status: 404, body: b"Not Found".to_vec() },
        })
    }
}

fn told(folder: &'static str) -> Told {
    ask(&Folder(folder, as_it_is)).unwrap()
}

fn settings(told: &Told) -> Vec<String> {
    told.sources.iter().map(|own| format!("{} {} {}", own.flag, own.value, own.from)).collect()
}

fn value(told: &Told, quantity: Quantity) -> Option<i64> {
    told.log.figure(quantity).map(|figure| figure.value)
}

#[test]
fn vllm_tells_settings_and_blocks() {
    let told = told("vllm_gemma3");
    assert_eq!((told.log.engine, told.log.version.as_deref()), ("vllm", Some("0.32.0")));
    assert_eq!(told.log.model.as_deref(), Some("models/gemma512"));
    let info = "/server_info?config_format=json";
    assert_eq!(
        settings(&told),
        [
            "max-model-len 4096 /v1/models".to_owned(),
            "kv-memory 104857600 /metrics".to_owned(),
            "prefix-caching on /metrics".to_owned(),
            "block-size 128 /metrics".to_owned(),
            format!("tp 1 {info}"),
            format!("pp 1 {info}"),
            format!("dp 1 {info}"),
            format!("dcp 1 {info}"),
            format!("max-num-batched-tokens 512 {info}"),
            format!("max-num-seqs 128 {info}"),
            format!("async-scheduling off {info}"),
        ]
    );
    assert_eq!(value(&told, Quantity::Blocks), Some(400));
    assert_eq!(value(&told, Quantity::Tokens), Some(21277));
    assert_eq!(value(&told, Quantity::Concurrency), Some(519));
}

#[test]
fn each_data_parallel_rank_has_its_figures() {
    let twice = |path: &str, body: String| match path {
        "/metrics" => {
            let other = body
                .replace("engine=\"0\"", "engine=\"1\"")
                .replace("num_gpu_blocks=\"400\"", "num_gpu_blocks=\"399\"");
            format!("{body}\n{other}")
        }
        _ => body,
    };
    let told = ask(&Folder("vllm_gemma3", twice)).unwrap();
    let blocks: Vec<i64> = told.log.ranks.iter().map(|rank| rank.figures[&Quantity::Blocks].value).collect();
    assert_eq!(blocks, [400, 399]);
    assert!(settings(&told).contains(&"dp 2 /metrics".to_owned()));
}

#[test]
fn a_block_size_that_the_engine_chose_is_compared_not_taken() {
    let told = told("vllm_deepseek_v2");
    assert!(!settings(&told).iter().any(|setting| setting.starts_with("block-size")));
    assert_eq!(value(&told, Quantity::BlockSize), Some(16));
}

#[test]
fn llama_server_tells_its_slots_and_weights() {
    let told = told("llamacpp_split");
    assert_eq!(settings(&told), ["n-parallel 4 /props", "max-model-len 1024 /props", "ctx-size 4096 /props"]);
    assert_eq!(value(&told, Quantity::Weights), Some(96_576_768));
    assert_eq!(value(&told, Quantity::SlotTokens), Some(1024));
}

#[test]
fn sglang_tells_arguments_and_memory() {
    let told = told("sglang");
    assert_eq!(
        (told.log.version.as_deref(), told.log.model.as_deref()),
        (Some("0.5.23"), Some("models/llama"))
    );
    let settings = settings(&told);
    for setting in
        ["tp 2", "memory-utilization 0.85", "block-size 1", "max-num-seqs 64", "max-num-batched-tokens 8192"]
    {
        assert!(settings.contains(&format!("{setting} /server_info")), "{setting}: {settings:?}");
    }
    assert_eq!(value(&told, Quantity::Tokens), Some(100_000));
    // 0.38 × 2³⁰, rounded down
    assert_eq!(value(&told, Quantity::Room), Some(408_021_893));
    assert_eq!(told.log.unplanned, Vec::<&str>::new());
}

#[test]
fn tensorrt_llm_tells_blocks_after_a_request() {
    let told = told("tensorrt_llm");
    assert_eq!((value(&told, Quantity::Blocks), value(&told, Quantity::BlockSize)), (Some(1000), Some(32)));
    let before = |path: &str, body: String| if path == "/metrics" { "[]".to_owned() } else { body };
    assert_eq!(ask(&Folder("tensorrt_llm", before)).unwrap_err(), Failure::Missing("/metrics"));
}

#[test]
fn tgi_is_recognised_and_has_no_rule() {
    assert_eq!(ask(&Folder("tgi", as_it_is)).unwrap_err(), Failure::Tgi("3.3.6".to_owned()));
}

#[test]
fn vllm_without_its_metrics_tells_no_figures() {
    let none = |path: &str, body: String| if path == "/metrics" { String::new() } else { body };
    assert_eq!(ask(&Folder("vllm_gemma3", none)).unwrap_err(), Failure::Missing("/metrics"));
}
