//! The figures that must never change, from the command line, in every format.
//!
//! By hand: 2 × 80 layers × 8 KV heads × 128 × 2 B = 327,680 B; with all 64 heads 2,621,440 B, the
//! article's figure; DeepSeek-V3 61 × (512 + 64) × 2 B = 70,272 B; GPT-2 2 × 12 × 12 × 64 × 2 B = 36,864 B.

use serde_json::Value;

use crate::stdout;

/// A question, where JSON and CSV answer it, the bytes, and the bytes as people read them.
const TRUTHS: &[(&str, &str, u64, &str)] = &[
    ("--model llama3-70b --seq 1000 --users 20", "kv.bytes_per_token", 327_680, "327,680"),
    ("--model llama3-70b --seq 1 --kv-dtype f16", "kv.bytes_per_token", 327_680, "327,680"),
    ("--model llama3-70b --seq 1 --kv-dtype bf16", "kv.bytes_per_token", 327_680, "327,680"),
    ("--model llama3-70b --seq 1 --kv-heads 64", "kv.bytes_per_token", 2_621_440, "2,621,440"),
    ("--model llama3-70b --seq 1000 --users 20", "kv.total_bytes", 6_553_600_000, "6,553,600,000"),
    (
        "--model llama3-70b --seq 1000 --users 20 --kv-heads 64",
        "kv.total_bytes",
        52_428_800_000,
        "52,428,800,000",
    ),
    ("--model deepseek-v3 --seq 1 --kv-dtype bf16", "kv.bytes_per_token", 70_272, "70,272"),
    ("--model gpt2 --seq 1 --kv-dtype f16", "kv.bytes_per_token", 36_864, "36,864"),
];

#[test]
fn json_holds_every_truth() {
    for (question, path, bytes, _) in TRUTHS {
        let json: Value = serde_json::from_str(&stdout(&format!("{question} --format json"))).unwrap();
        let pointer = format!("/{}", path.replace('.', "/"));
        assert_eq!(json.pointer(&pointer), Some(&Value::from(*bytes)), "{question} {path}");
    }
}

#[test]
fn csv_holds_every_truth() {
    for (question, path, bytes, _) in TRUTHS {
        let csv = stdout(&format!("{question} --format csv"));
        assert!(csv.lines().any(|line| line == format!("{path},{bytes}")), "{question} {path}");
    }
}

#[test]
fn tables_hold_every_truth() {
    for (question, _, _, shown) in TRUTHS {
        let table = stdout(question);
        assert!(table.lines().any(|line| line.contains(&format!(" {shown} B "))), "{question}:\n{table}");
    }
}

#[test]
fn markdown_holds_every_truth() {
    for (question, _, _, shown) in TRUTHS {
        let markdown = stdout(&format!("{question} --format markdown"));
        assert!(
            markdown.lines().any(|line| line.contains(&format!("| {shown} |"))),
            "{question}:\n{markdown}"
        );
    }
}

#[test]
fn all_heads_figure_is_shown() {
    let question = "--model llama3-70b --seq 1000 --users 20";
    let json: Value = serde_json::from_str(&stdout(&format!("{question} --format json"))).unwrap();
    assert_eq!(json["kv"]["all_heads"]["bytes_per_token"], 2_621_440);
    assert_eq!(json["kv"]["all_heads"]["total_bytes"], 52_428_800_000_u64);
    let table = stdout(question);
    let truth = table.find("327,680 B").unwrap();
    let article = table.find("2,621,440 B").unwrap();
    assert!(truth < article, "the truth comes first:\n{table}");
}
