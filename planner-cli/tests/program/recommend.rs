//! `recommend`: every row is what its plan answers when it is typed, and costs are the file's.

use std::process::Command;

use serde_json::Value as Json;

use crate::{json, run, stderr, stdout};

/// The plan that a row names, run through a shell's reading of its words.
fn typed(row: &Json) -> Json {
    let plan = row["plan"].as_str().unwrap();
    let words: Vec<&str> = plan.split(' ').collect();
    assert_eq!(words[0], "kvplan");
    let output = Command::new(crate::KVPLAN).args(&words[1..]).args(["--format", "json"]).output().unwrap();
    json(&output)
}

fn answers(line: &str) -> Json {
    let output = run(&format!("recommend {line} --format json"));
    assert!(output.status.success(), "{line}: {}", stderr(&output));
    let answers = json(&output);
    crate::schema::check(line, &answers);
    answers
}

/// Each row beside its plan; how many there are.
fn compare(line: &str) -> usize {
    let answers = answers(line);
    let mut rows = 0;
    for answer in answers["recommendations"].as_array().unwrap() {
        for row in answer["rows"].as_array().unwrap() {
            let plan = typed(row);
            let what = format!("{line}: {}", row["plan"]);
            assert_eq!(plan["verdict"]["fits"], true, "{what}");
            for (key, path) in [
                ("gpu", "/request/gpu"),
                ("gpus", "/request/gpus"),
                ("max_users", "/verdict/max_users"),
                ("steady_users", "/verdict/steady_users"),
                ("max_seq", "/verdict/max_seq"),
                ("limited_by", "/verdict/limited_by"),
                ("command", "/engine/command"),
            ] {
                assert_eq!(&row[key], plan.pointer(path).unwrap(), "{what}: {key}");
            }
            let asked = ["seq", "users", "engine"].map(|key| (&answer[key], &plan["request"][key]));
            assert!(asked.iter().all(|(asked, planned)| asked == planned), "{what}: {asked:?}");
            let least = plan["memory"]["gpus"]
                .as_array()
                .unwrap()
                .iter()
                .map(|gpu| gpu["kv_bytes_available"].as_u64());
            assert_eq!(row["kv_bytes_available"].as_u64(), least.min().unwrap(), "{what}");
            rows += 1;
        }
    }
    rows
}

#[test]
fn every_row_is_the_plan_that_it_names() {
    let mut rows = 0;
    for line in [
        "--model llama3.1-70b --users 50 --seq 16k --gpu h100,b200,l40s,rtx-4090",
        "--model gpt-oss-120b --users 8,40 --seq 4k,32k --gpu h100,rtx-4090 --kv-dtype auto,fp8",
        "--model qwen3-30b-a3b --users 16 --seq 8k --gpu l4,h100 --gpus 4 --all --engine vllm,sglang",
        "--model llama3.1-8b --users 4 --seq 8k --engine llama.cpp --gpu t4,rtx-3090 --by headroom --gpus 3",
        "--model llama3.1-8b --users 4 --seq 8k --engine architecture --gpu 24GiB --weight-dtype auto,int4",
        "--model deepseek-v3 --users 32 --seq 8k --gpu h200,b200 --engine sglang --tp 8,16 --gpus 16 --all",
        "--model llama3.1-8b --users 300 --seq 8k --gpu l4 --tp 1,2 --pp 1 --all --reserve 1GiB --max-num-seqs 512",
    ] {
        rows += compare(line);
    }
    assert!(rows > 60, "{rows} rows");
}

#[test]
fn the_fewest_gpus_are_the_plan_s_own() {
    for model in ["llama3.1-70b", "gemma3-27b", "phi4", "falcon-h1-34b"] {
        for gpu in ["h100-80gb", "l40s", "rtx-4090", "a100-40gb"] {
            let asked = format!("--model {model} --users 20 --seq 8000 --engine vllm --gpu {gpu}");
            let plan = json(&run(&format!("{asked} --format json")));
            let answers = answers(&asked);
            let row = &answers["recommendations"][0]["rows"][0];
            match plan["verdict"]["min_gpus"].as_u64().filter(|gpus| *gpus <= 16) {
                Some(gpus) => assert_eq!(row["gpus"], gpus, "{asked}"),
                None => assert!(row.is_null(), "{asked}: {row}"),
            }
        }
    }
}

/// Prices by hand: 2.5 and 0.40 an hour.
fn prices() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!(
        "kvplan-prices-{}-{:?}.yaml",
        std::process::id(),
        std::thread::current().id()
    ));
    let text = "currency: EUR\ndate: 2026-12-01\nsource: by hand\ngpus:\n  h100: 2.5\n  l4: {per_hour: 0.40, source: elsewhere, date: 2026-11-30}\n";
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn costs_are_gpus_times_the_price() {
    let path = prices();
    // 16,060,522,496 B of weights and 8 × 16,000 tokens × 131,072 B are 32,837,738,496 B. An L4 of 23,034 MiB gives
    // 0.92 × 24,152,899,584 B - 2 GiB = 20,073,183,969 B: two are needed. An H100 gives more than 70 GB.
    let line = format!(
        "--model llama3.1-8b --users 8 --seq 16k --gpu h100,l4,l40s --engine architecture --prices {}",
        path.display()
    );
    let answers = answers(&line);
    let rows = answers["recommendations"][0]["rows"].as_array().unwrap();
    let row = |gpu: &str| rows.iter().find(|row| row["gpu"] == gpu).unwrap();
    let (h100, l4, l40s) = (row("h100-80gb"), row("l4"), row("l40s"));
    assert_eq!((&h100["gpus"], &h100["cost_per_hour"]), (&1.into(), &"2.50".into()));
    assert_eq!((&l4["gpus"], &l4["cost_per_hour"]), (&2.into(), &"0.80".into()));
    assert_eq!(l4["price"]["source"], "elsewhere");
    assert_eq!((&l40s["cost_per_hour"], &l40s["price"]), (&Json::Null, &Json::Null));
    let order: Vec<&str> = rows.iter().map(|row| row["gpu"].as_str().unwrap()).collect();
    assert_eq!(order, ["l4", "h100-80gb", "l40s"], "the cheapest first, without a price last");
    for row in [h100, l4] {
        let millionths = |text: &Json| {
            let text = text.as_str().unwrap();
            let (whole, fraction) = text.split_once('.').unwrap();
            whole.parse::<u64>().unwrap() * 1_000_000 + format!("{fraction:0<6}").parse::<u64>().unwrap()
        };
        let (cost, users) = (millionths(&row["cost_per_hour"]), row["max_users"].as_u64().unwrap());
        // rounded to a ten thousandth
        assert!(millionths(&row["cost_per_user"]).abs_diff(cost / users) <= 51, "{row}");
    }
    let csv = stdout(&format!("recommend {line} --format csv"));
    assert!(csv.lines().nth(1).unwrap().contains(",EUR,0.80,"), "{csv}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn rows_are_ranked_as_asked() {
    let numbers = |line: &str, key: &str| -> Vec<u64> {
        let answers = answers(&format!("--model llama3.1-8b --users 8 --seq 16k {line}"));
        let rows = answers["recommendations"][0]["rows"].as_array().unwrap();
        rows.iter().map(|row| row[key].as_u64().unwrap()).collect()
    };
    let gpus = numbers("", "gpus");
    assert!(gpus.len() > 50 && gpus.is_sorted(), "{gpus:?}");
    let users = numbers("--by headroom --gpu h100,l4,b200,t4 --gpus 4", "max_users");
    assert!(users.len() == 4 && users.iter().rev().is_sorted(), "{users:?}");
    let all = numbers("--gpu h100 --gpus 4 --all", "gpus");
    assert!(all.len() > 4 && all.is_sorted() && all.iter().all(|gpus| *gpus <= 4), "{all:?}");
    assert_eq!(numbers("--gpu h100,l4,b200 --top 2", "rank"), [1, 2]);
}

#[test]
fn what_cannot_be_is_refused_or_left_out() {
    for (line, code, said) in [
        ("--model llama3.1-8b --by cost", 2, "--prices"),
        ("--model llama3.1-8b --gpus 4,8", 2, "--gpus"),
        ("--model llama3.1-8b --engine all", 2, "--engine"),
        ("--model llama3.1-8b --prices /nonexistent.yaml", 3, "/nonexistent.yaml"),
        ("--model llama3.1-8b --prices ../README.md", 3, "price file"),
        ("--model llama3.1-8b --tp 3", 3, "must be divisible by tensor parallel size (3)"),
        ("--model bert-base-uncased", 3, "KV cache"),
    ] {
        let output = run(&format!("recommend {line}"));
        assert_eq!(output.status.code(), Some(code), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{line}: {}", stderr(&output));
    }
    let answers = answers("--model llama3-70b --users 1 --seq 8k --gpu t4,l4 --gpus 4 --kv-dtype auto");
    let left: Vec<&Json> = answers["recommendations"][0]["left_out"].as_array().unwrap().iter().collect();
    // 141 GB of weights on 4 × 24 GB
    assert!(left.len() == 2 && left.iter().all(|left| left["limited_by"] == "weights"), "{left:?}");
}

#[test]
fn the_example_s_prices_are_read() {
    let csv = stdout(
        "recommend --model llama3.1-8b --users 8 --seq 8k --prices ../models/prices.example.yaml --format csv",
    );
    // each GPU of the file has a row with a price
    let priced = csv.lines().filter(|line| line.contains(",USD,")).count();
    let listed = std::fs::read_to_string("../models/prices.example.yaml").unwrap();
    let listed = listed.lines().skip_while(|line| *line != "gpus:").skip(1).count();
    assert_eq!(priced, listed, "{csv}");
}
