//! What llama.cpp's settings make of a context, by hand: Llama 3 8B keeps 2 × 32 layers × 8 heads × 128 × 2 B =
//! 131,072 B for a cell, in whole blocks of 256 cells.

use planner_core::engine::{self, Details, Layout};
use planner_core::error::Error;
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::{catalog, spec::model::ModelSpec};
use serde_json::json;

const CELL: u64 = 131_072;

/// Asks a layout of the model for a run with these flags.
fn ask<T>(
    model: &ModelSpec,
    flags: &str,
    question: impl Fn(&dyn Layout, u64, u64) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut request = Request::default();
    request.set("engine", "llama.cpp").unwrap();
    let words: Vec<&str> = flags.split_whitespace().collect();
    for pair in words.chunks(2) {
        request.set(pair[0], pair[1]).unwrap();
    }
    let (run, _) = resolve(model, &request)?;
    let layout = engine::resolve("llama.cpp")?.0.layout(run)?;
    question(layout.as_ref(), request.users, run.tokens)
}

fn llama() -> ModelSpec {
    catalog::model("llama3-8b").unwrap()
}

fn session(flags: &str) -> u64 {
    ask(&llama(), flags, |layout, _, tokens| layout.session_bytes(tokens)).unwrap()
}

fn stages(flags: &str) -> Result<Vec<u64>, Error> {
    ask(&llama(), flags, |layout, users, tokens| layout.stage_bytes(users, tokens))
}

fn details(flags: &str) -> Details {
    ask(&llama(), flags, |layout, _, _| layout.details(None)).unwrap()
}

fn codes(flags: &str) -> Vec<&'static str> {
    details(flags).notes.iter().map(|note| note.code).collect()
}

#[test]
fn the_smallest_context_has_256_cells() {
    let floor = ask(&llama(), "seq 9000", |layout, _, _| layout.floor_bytes()).unwrap();
    assert_eq!(floor, 256 * CELL);
}

#[test]
fn a_session_is_a_slot() {
    // A context made for the session: 1,000 tokens take 1,024 cells.
    assert_eq!(session("seq 1000"), 1024 * CELL);
    assert_eq!(session("seq 1000 users 4"), 1024 * CELL);
    // Nothing asked: as long as the model was trained for.
    assert_eq!(session("users 1"), 8192 * CELL);
    assert_eq!(session("users 2"), session("users 2 seq 8192"));
    // A context of a size: 5,000 cells for 7 slots are 768 for each.
    assert_eq!(session("ctx-size 5000 users 7"), 768 * CELL);
    assert_eq!(session("ctx-size 8192 users 3 kv-unified on"), (8192 * CELL).div_ceil(3));
}

#[test]
fn layers_go_to_devices_in_order_with_the_output_as_one_more() {
    // Of 33 layers on two devices 17 are on the first; the output is on the second.
    let layer = 1024 * CELL / 32;
    assert_eq!(stages("seq 1000 tp 2").unwrap(), [17 * layer]);
    assert_eq!(stages("seq 1000 pp 2").unwrap(), [17 * layer, 15 * layer]);
    // Of four devices 9, 8, 8 and 7: each stage counts as its fullest one.
    assert_eq!(stages("seq 1000 tp 2 pp 2").unwrap(), [9 * layer, 8 * layer]);
    assert_eq!(stages("seq 1000 users 3").unwrap(), [3 * 1024 * CELL]);
}

#[test]
fn a_context_must_hold_its_sessions() {
    let refused = |flags: &str| format!("{:?}", stages(flags).unwrap_err());
    assert!(refused("seq 100 users 3 n-parallel 2").contains("fewer slots"));
    assert!(stages("seq 100 users 2 n-parallel 2").is_ok());
    assert!(refused("seq 4097 users 2 ctx-size 8192").contains("raise --ctx-size"));
    assert!(stages("seq 4096 users 2 ctx-size 8192").is_ok());
    // One pool for all: their sum counts.
    assert!(refused("seq 4097 users 2 ctx-size 8192 kv-unified on").contains("raise --ctx-size"));
    assert!(stages("seq 4096 users 2 ctx-size 8192 kv-unified on").is_ok());
    // Only a length that was asked for must find room.
    assert!(stages("users 2 ctx-size 8192").is_ok());
}

#[test]
fn notes_say_what_became_of_a_setting() {
    assert_eq!(codes("seq 1000"), [""; 0]);
    assert_eq!(codes("users 3 n-parallel 2 seq 100"), ["more_users_than_slots"]);
    assert_eq!(codes("users 2 n-parallel 2 seq 100"), [""; 0]);
    assert_eq!(codes("ctx-size 5000 n-parallel 7"), ["context_padded"]);
    assert_eq!(codes("ctx-size 8192 n-parallel 2"), [""; 0]);
    // 0 is the model's own length, not a size that was changed.
    assert_eq!(codes("ctx-size 0"), [""; 0]);
    assert_eq!(codes("seq 1000 tp 2"), ["layers_split"]);
    let nemotron = catalog::model("nemotron-h-56b").unwrap();
    let notes = ask(&nemotron, "seq 1000", |layout, _, _| Ok(layout.details(None)?.notes)).unwrap();
    assert_eq!(notes.iter().map(|note| note.code).collect::<Vec<_>>(), ["mlp_layers_with_states"]);
}

#[test]
fn any_common_start_is_reused_but_not_of_a_state() {
    assert_eq!(details("seq 1000").keys["min_prefix_hit_tokens"], json!(1));
    let mamba = catalog::model("qwen3.5-27b").unwrap();
    let keys = ask(&mamba, "seq 1000", |layout, _, _| Ok(layout.details(None)?.keys)).unwrap();
    assert_eq!(keys["min_prefix_hit_tokens"], json!(null));
    let caches: Vec<_> = keys["caches"].as_array().unwrap().iter().map(|cache| &cache["kind"]).collect();
    assert_eq!(caches, ["full", "recurrent"]);
}

#[test]
fn the_engine_reads_its_own_flags_in_its_own_version() {
    let (engine, version) = engine::resolve("llama.cpp").unwrap();
    assert_eq!((engine.versions(), version), (&["0c1e57098"][..], "0c1e57098"));
    let flags = ["ctx-size", "n-parallel", "batch", "ubatch", "kv-unified", "flash-attn", "swa-full"];
    assert_eq!(engine.reads(&Request::default()), flags);
}
