//! `kvplan schema` describes what every command prints with `--format json`.

use planner_tests::closed_schema;
use serde_json::Value as Json;

use crate::{json, run, stdout};

/// Validates a command's JSON by the whole schema, in which no key may be missing.
pub fn check(what: &str, json: &Json) {
    let validator = jsonschema::validator_for(&closed_schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(json).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n").chars().take(2000).collect::<String>());
}

#[test]
fn every_command_s_json_is_in_the_schema() {
    for line in [
        "--model gpt2 --seq 1000",
        "--model gemma3-1b --engine vllm --gpu l4",
        "--model gpt2 --engine all",
        "--model bart-large --engine all --gpu h100 --lang zh",
        "explain --model gpt2",
        "explain --model deepseek-v3 --engine vllm --gpu h100 --tp 8",
        "command --model gpt2 --engine vllm",
        "command --model llama3-8b --engine tensorrt-llm --kv-dtype fp8",
        "models",
        "models gemma3-1b",
        "models --families",
        "gpus",
        "gpus l4",
        "gpus mi300x",
        "explain-log ../tests/fixtures/logs/vllm-0.19.0-n027.log",
        "explain-log ../tests/fixtures/logs/sglang-o023.log",
        "explain-log ../tests/fixtures/logs/tensorrt-llm-o009.log --model kimi-k2 --lang zh",
        "explain-log ../tests/fixtures/logs/llamacpp-o032.log --model qwen3-30b-a3b",
    ] {
        let output = run(&format!("{line} --format json"));
        assert_eq!(output.status.code(), Some(0), "{line}");
        check(line, &json(&output));
    }
}

#[test]
fn every_failure_s_json_is_in_the_schema() {
    for (line, code) in [
        ("--model lama3-70b", 2),
        ("--model llama3-70b --seq 0", 2),
        ("--no-such-flag", 2),
        ("--model llama3-70b --users 99999999999999999999", 2),
        ("--model bert-base-uncased", 3),
        ("--model /nonexistent/config.json", 3),
        ("--model gpt2 --engine candle", 3),
        ("command --model gpt2", 2),
        ("gpus h100-81gb", 2),
        ("models lamma3-70b", 2),
        ("explain-log ../README.md", 3),
        ("explain-log /nonexistent.log", 3),
        ("--model gpt2 --profile ../README.md", 3),
    ] {
        let output = run(&format!("{line} --format json"));
        assert_eq!(output.status.code(), Some(code), "{line}");
        let json = json(&output);
        assert!(json["error"].is_object(), "{line}: {json}");
        check(line, &json);
    }
}

#[test]
fn the_schema_is_printed_as_the_library_has_it() {
    assert_eq!(stdout("schema").trim_end(), planner_core::render::json::SCHEMA_TEXT.trim_end());
}
