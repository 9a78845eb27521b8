//! Commands that start an engine hold only flags that the engine's own parser knows
//! (`tests/oracles/flags`), and say every setting of the request or name it as left out.

use planner_core::plan::plan;
use planner_core::request::Request;
use planner_core::{catalog, engine};

const VLLM: &str = include_str!("../fixtures/flags/vllm.txt");
const SGLANG: &str = include_str!("../fixtures/flags/sglang.txt");
const LLAMACPP: &str = include_str!("../fixtures/flags/llamacpp.txt");
const TENSORRT_LLM: &str = include_str!("../fixtures/flags/tensorrt_llm.txt");

fn command(model: &str, flags: &[(&str, &str)]) -> engine::command::Command {
    let model = catalog::model(model).unwrap();
    let mut request = Request::default();
    flags.iter().for_each(|(flag, value)| request.set(flag, value).unwrap());
    plan(&model, &request).unwrap().command().unwrap()
}

/// Every setting that an engine's command may say, with a value the engine takes.
fn settings(engine: &str) -> Vec<(&'static str, &'static str)> {
    match engine {
        "llama.cpp" => vec![
            ("k-dtype", "q8_0"),
            ("v-dtype", "q4_0"),
            ("ctx-size", "16384"),
            ("n-parallel", "4"),
            ("batch", "1024"),
            ("ubatch", "256"),
            ("kv-unified", "on"),
            ("kv-unified", "off"),
            ("flash-attn", "on"),
            ("swa-full", "on"),
        ],
        _ => vec![
            ("kv-dtype", "fp8"),
            ("tp", "2"),
            ("pp", "2"),
            ("dp", "2"),
            ("kv-memory", "40GiB"),
            ("memory-utilization", "0.8"),
            ("block-size", "64"),
            ("attention-backend", "FLASHINFER"),
            ("max-num-batched-tokens", "4096"),
            ("max-num-seqs", "128"),
            ("max-model-len", "4096"),
            ("speculative", "ngram:4"),
            ("async-scheduling", "off"),
            ("async-scheduling", "on"),
            ("prefix-caching", "off"),
            ("prefix-caching", "on"),
        ],
    }
}

#[test]
fn every_flag_is_one_the_engine_knows_and_every_setting_is_said_or_named() {
    let engines =
        [("vllm", VLLM), ("sglang", SGLANG), ("llama.cpp", LLAMACPP), ("tensorrt-llm", TENSORRT_LLM)];
    for (engine, known) in engines {
        let base = [("engine", engine), ("gpu", "h100"), ("seq", "4096")];
        let plain = command("llama3-8b", &base);
        for (flag, value) in settings(engine) {
            let mut flags = base.to_vec();
            flags.push((flag, value));
            let command = command("llama3-8b", &flags);
            for word in command.words.iter().skip(1).filter(|word| word.starts_with('-') && *word != "-m") {
                assert!(known.lines().any(|line| line == word), "{engine} has no {word}");
            }
            let named = command.notes.iter().any(|note| {
                note.code == "command_left_out" && note.text.to_string().contains(&format!("--{flag}"))
            });
            let defaults = [("max-model-len", "4096"), ("async-scheduling", "on"), ("prefix-caching", "on")];
            let said = command.words != plain.words || command.file != plain.file;
            assert!(
                said || named
                    || (engine != "vllm" && defaults.contains(&(flag, value)))
                    || flag == "max-model-len",
                "{engine} passes over --{flag} {value}: {}",
                command.shell()
            );
        }
    }
}

#[test]
fn a_command_says_what_differs_from_the_defaults_and_no_more() {
    let flags = [("engine", "vllm"), ("gpu", "h100"), ("tp", "4"), ("seq", "1000"), ("users", "2000")];
    assert_eq!(
        command("llama3-70b", &flags).shell(),
        "vllm serve meta-llama/Meta-Llama-3-70B --tensor-parallel-size 4 --max-model-len 1000 --max-num-seqs 2000"
    );
    // the model's own maximum is the engine's default
    let flags = [("engine", "vllm"), ("gpu", "h100"), ("seq", "8192")];
    assert_eq!(command("llama3-8b", &flags).shell(), "vllm serve meta-llama/Meta-Llama-3-8B");
    // -c 0 keeps the server from shrinking the model's context
    let flags = [("engine", "llama.cpp")];
    assert_eq!(command("llama3-8b", &flags).shell(), "llama-server -m MODEL.gguf --ctx-size 0 --parallel 1");
}

#[test]
fn settings_without_flag_go_to_config_file() {
    let flags = [("engine", "tensorrt-llm"), ("kv-dtype", "fp8"), ("block-size", "64"), ("seq", "8192")];
    let command = command("llama3-8b", &flags);
    assert_eq!(
        command.shell(),
        r#"echo '{"kv_cache_config":{"dtype":"fp8","tokens_per_block":64}}' > trtllm.yaml && trtllm-serve meta-llama/Meta-Llama-3-8B --config trtllm.yaml"#
    );
}
