//! `--verify` and `bench-cache` as a whole program: keys, agreement, and exit code 4 where a wrong
//! prediction is planted.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use crate::{json, kvplan};

/// 3 layers, 2 KV heads of 16, keys and values in f32.
const TINY: &str = r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "float32",
    "num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "intermediate_size": 96, "vocab_size": 100, "max_position_embeddings": 64}"#;

/// The file of that model, written once: tests run at the same time.
static CONFIG: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny.json");
    std::fs::write(&path, TINY).unwrap();
    path
});

fn run(arguments: &[&str]) -> Output {
    let mut command = kvplan(arguments.iter().copied());
    command.args(["--model", CONFIG.to_str().unwrap(), "--device", "cpu"]).output().unwrap()
}

#[test]
fn the_plan_s_bytes_are_the_measured_ones() {
    let flags = ["--seq", "40", "--verify", "--verify-tokens", "6,20", "--verify-layers", "2"];
    let output = run(&[&flags[..], &["--users", "3", "--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let all = json(&output);
    crate::schema::check("--verify", &all);
    let verify = all["verify"].clone();
    let row = 3 * 2 * 2 * 16 * 4;
    for (at, tokens) in [6, 20].into_iter().enumerate() {
        assert_eq!(verify["points"][at]["tokens"], tokens);
        assert_eq!(verify["points"][at]["predicted_bytes"], row * tokens);
        assert_eq!(verify["points"][at]["measured_bytes"], row * tokens);
        assert!(verify["points"][at]["allocated_bytes"].as_u64().unwrap() >= row * tokens);
    }
    // Once more as a batch of the plan's three sessions, at the middle count of tokens.
    let batch = &verify["points"][2];
    assert_eq!((&batch["users"], &batch["tokens"]), (&3.into(), &20.into()));
    assert_eq!(batch["measured_bytes"], 3 * row * 20);
    // Two of the three layers ran.
    assert_eq!(batch["run_bytes"], 3 * row * 20 / 3 * 2);
    assert_eq!(verify["kinds"][0]["stacks"], serde_json::json!([1, 2]));
    assert_eq!(verify["interrupted"], false);
    assert_eq!(verify["difference_bytes"], 0);
    assert_eq!((&verify["layers_measured"], &verify["layers_total"]), (&2.into(), &3.into()));
    assert_eq!(verify["extrapolated"], true);
    assert_eq!(verify["device"], "cpu");
    assert!(verify["backend"].as_str().unwrap().starts_with("candle"));
    for key in ["cached_seconds", "uncached_seconds", "speedup"] {
        assert!(verify[key].as_f64().unwrap() > 0.0, "{key}");
    }
}

#[test]
fn candle_s_own_llama_module_grows_as_its_engine_says() {
    let output = run(&["--seq", "40", "--verify", "--verify-tokens", "6", "--format", "json"]);
    let module = json(&output)["verify"]["module"].clone();
    // 24 tokens in 2 layers of 2 heads of 16, keys and values in f32.
    assert_eq!((&module["layers"], &module["tokens"]), (&2.into(), &24.into()));
    assert_eq!(module["predicted_bytes"], 24 * 2 * 2 * 2 * 16 * 4);
    assert_eq!(module["measured_bytes"], module["predicted_bytes"]);
}

#[test]
fn every_format_says_what_was_extrapolated() {
    let label = |layers: &str, format: &str| {
        let flags = ["--verify", "--verify-tokens", "6", "--verify-layers", layers, "--format", format];
        let output = run(&flags);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        match format {
            "csv" => text.contains("verify.extrapolated,true"),
            "json" => text.contains("\"extrapolated\": true"),
            // The table may break a heading, but not a word.
            _ => text.contains("EXTRAPOLATED") && text.contains("extrapolated)"),
        }
    };
    for format in ["table", "markdown", "csv", "json"] {
        assert!(label("2", format), "{format}: 2 of 3 layers ran");
        assert!(!label("3", format), "{format}: all layers ran");
    }
}

#[test]
fn a_wrong_prediction_exits_4() {
    for format in ["json", "table"] {
        let planted = ["--verify", "--verify-tokens", "6", "--verify-off-by", "1", "--format", format];
        assert_eq!(run(&planted).status.code(), Some(4));
    }
}

#[test]
fn the_experiment_gives_the_same_tokens_with_the_cache_and_without() {
    let drawing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps.svg");
    let flags = ["bench-cache", "--new-tokens", "12", "--runs", "2", "--format", "json", "--svg"];
    let output = run(&[&flags[..], &[drawing.to_str().unwrap()]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.starts_with("this will take about"), "{told}");
    let found = json(&output);
    crate::schema::check("bench-cache", &found);
    assert_eq!((&found["same_tokens"], &found["interrupted"]), (&true.into(), &false.into()));
    assert_eq!(found["cached"]["seconds"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["uncached"]["step_seconds"].as_array().map(Vec::len), Some(12));
    assert!(found["uncached"]["mean"].as_f64().unwrap() > 0.0);
    assert_eq!(found["speedup_tokens"], 12);
    assert_eq!(found["logits_compared"], 2 * 12);
    assert!(found["logit_difference"].as_f64().unwrap() < 1e-4);
    assert_eq!(found["article"]["speedup"], "4.73x");
    // The weights of 3 layers, 64 wide, with two norms and a gated feed-forward of 96; a last norm; an
    // embedding of 100 rows and a head that is not tied to it.
    let layer = 64 * (64 + 2 * 32 + 64) + 3 * 64 * 96 + 2 * 64;
    assert_eq!(found["weights"], 2 * 100 * 64 + 3 * layer + 64);
    let drawing = std::fs::read_to_string(drawing).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.contains("polyline"));
}

#[test]
fn weights_may_be_kept_in_bf16() {
    let flags = ["bench-cache", "--new-tokens", "12", "--runs", "1", "--format", "json", "--weight-dtype"];
    let output = run(&[&flags[..], &["bf16"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let found = json(&output);
    assert_eq!((&found["weight_dtype"], &found["same_tokens"]), (&"bf16".into(), &true.into()));
    // One row and many are multiplied by different routines.
    assert!(found["logit_difference"].as_f64().unwrap() < 1e-4);
    let refused = run(&[&flags[..], &["int4"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--weight-dtype"));
}

#[test]
fn the_experiment_is_shown_beside_the_article_s_figures_in_every_format() {
    for (format, wanted) in [("table", "speed-up at 12 new tokens"), ("csv", "4.73x"), ("markdown", "| ---:")]
    {
        let output = run(&["bench-cache", "--new-tokens", "12", "--runs", "1", "--format", format]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(wanted) && text.contains("11.885 ± 0.272"), "{text}");
    }
}

/// Ctrl-C prints what was finished and says so.
#[cfg(unix)]
#[test]
fn an_interrupted_experiment_keeps_what_it_has() {
    let mut command = kvplan([]);
    command.args(["bench-cache", "--model", "gpt2", "--new-tokens", "900", "--runs", "1", "--device", "cpu"]);
    command.args(["--uncached-runs", "0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The estimate is the sign that the runs begin.
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().starts_with("this will take about")));
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("INTERRUPTED"), "{text}");
    assert_eq!(output.status.code(), Some(130));
}
