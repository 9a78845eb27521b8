//! GGUF files as models.

use crate::{gguf_file, json, kvplan, run, stderr};

#[test]
fn a_gguf_file_is_planned() {
    let file = gguf_file("gemma3-270m.gguf");
    let flags = "--engine llama.cpp --ctx-size 8192 --n-parallel 4 --format json";
    let output = run(&format!("--model {file} {flags}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json = json(&output);
    assert_eq!(json["engine"]["n_ctx_seq"], 2048);
    let kinds: Vec<&str> = json["engine"]["caches"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|cache| cache["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["full", "sliding"]);
    assert!(json["engine"]["floor_bytes_per_session"].as_u64() > Some(0));
}

#[test]
fn a_refusal_of_the_engine_has_its_reason() {
    let file = gguf_file("deepseek-v2-lite.gguf");
    let flags = "--engine llama.cpp --k-dtype q8_0 --v-dtype f16 --format json";
    let output = kvplan(["--model", &file]).args(flags.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = format!("{} {}", stderr(&output), json(&output));
    assert!(said.contains("does not support different K (q8_0) and V (f16)"), "{said}");
}
