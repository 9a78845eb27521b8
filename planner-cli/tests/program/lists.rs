//! Lists: rows are counted, in order, and each is the answer to its combination typed alone.

use serde_json::Value as Json;

use crate::{json, run, stderr, stdout};

/// The rows of a line's CSV, by column.
fn csv(line: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let output = run(&format!("{line} --format csv"));
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// The JSON lines of a line, and its exit code.
fn lines(line: &str) -> (Vec<Json>, Option<i32>) {
    let output = run(&format!("{line} --format json"));
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code())
}

const ASKED: &str =
    "--model llama3.1-8b --gpu l4,h100-80gb --seq 1k,8k,64k --users 1,50 --tp 1,2,3 --engine vllm,llama.cpp";

/// The combinations of `ASKED` in order, the last flag fastest.
fn combinations() -> Vec<[&'static str; 5]> {
    let mut all = Vec::new();
    for engine in ["vllm", "llama.cpp"] {
        for gpu in ["l4", "h100-80gb"] {
            for tp in ["1", "2", "3"] {
                for seq in ["1000", "8000", "64000"] {
                    all.extend(["1", "50"].map(|users| [engine, gpu, tp, seq, users]));
                }
            }
        }
    }
    all
}

#[test]
fn csv_has_a_row_for_each_combination_in_order() {
    let rows = csv(ASKED);
    assert_eq!(rows.len(), 2 * 2 * 3 * 3 * 2);
    for (row, [engine, gpu, tp, seq, users]) in rows.iter().zip(combinations()) {
        let own = ["engine", "gpu", "tp", "seq", "users"].map(|column| row[column].as_str());
        assert_eq!(own, [engine, gpu, tp, seq, users]);
    }
    assert_eq!(rows, csv(ASKED), "the same again");
}

#[test]
fn every_row_is_the_combination_typed_alone() {
    let (documents, code) = lines(ASKED);
    assert_eq!(code, Some(0));
    for (at, ([engine, gpu, tp, seq, users], row)) in combinations().into_iter().zip(csv(ASKED)).enumerate() {
        let line = format!(
            "--model llama3.1-8b --gpu {gpu} --seq {seq} --users {users} --tp {tp} --engine {engine} --format json"
        );
        let alone = json(&run(&line));
        let mut document = documents[at].clone();
        if let Some(error) = alone.get("error") {
            let values = document.as_object_mut().unwrap().remove("request").unwrap();
            assert_eq!(
                (&values["gpu"], &values["tp"]),
                (&gpu.into(), &tp.parse::<u64>().unwrap().into()),
                "{line}"
            );
            assert_eq!(row["error"], error["code"].as_str().unwrap(), "{line}");
            assert_eq!(row["message"], error["message"].as_str().unwrap(), "{line}");
            assert_eq!(row["fits"], "", "{line}");
        } else {
            for (column, path) in [
                ("version", "/request/engine_version"),
                ("gpus", "/request/gpus"),
                ("fits", "/verdict/fits"),
                ("max_users", "/verdict/max_users"),
                ("steady_users", "/verdict/steady_users"),
                ("session_bytes", "/engine/session_bytes"),
                ("total_bytes", "/engine/total_bytes"),
                ("kv_bytes_available", "/memory/gpus/0/kv_bytes_available"),
                ("kv_bytes_used", "/memory/gpus/0/kv_bytes_used"),
            ] {
                let value = alone.pointer(path).unwrap();
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(row[column], value, "{line}: {column}");
            }
            assert_eq!(row["error"], "", "{line}");
        }
        assert_eq!(document, alone, "{line}");
    }
}

#[test]
fn every_line_of_json_is_in_the_schema() {
    let (documents, _) = lines(ASKED);
    assert!(documents.iter().any(|document| document.get("error").is_some()));
    for document in &documents {
        crate::schema::check(ASKED, document);
    }
}

#[test]
fn exit_codes_say_whether_all_fit_and_whether_any_is_planned() {
    for (line, code) in [
        ("--gpu h100,l40s --seq 1k,2k --check", 0),
        ("--gpu h100,l40s --seq 1k,128k --users 1,5,500 --check", 1),
        // one is refused, so not all fit
        ("--gpu h100 --tp 1,3 --check", 1),
        ("--gpu h100 --tp 1,3", 0),
        ("--gpu h100 --tp 3,5", 3),
        ("--seq 1k,many", 2),
        ("--gpu h100,h101", 2),
        ("--seq 1k,2k --verify", 2),
        ("--seq 1k --plot", 2),
        ("--gpu h100,l4 --plot", 2),
        ("--seq 1k,2k --check", 2),
    ] {
        for format in ["table", "csv", "json", "markdown"] {
            let output = run(&format!("--model llama3.1-8b {line} --format {format}"));
            assert_eq!(output.status.code(), Some(code), "{line} --format {format}: {}", stderr(&output));
        }
    }
}

#[test]
fn every_engine_joins_in_where_another_flag_has_a_list() {
    let rows = csv("--model llama3.1-8b --seq 1k,2k --engine all");
    let engines = planner_core::engine::all();
    assert_eq!(rows.len(), 2 * engines.len());
    assert!(
        rows.iter()
            .zip(engines.iter().flat_map(|engine| [engine, engine]))
            .all(|(row, engine)| row["engine"] == engine.id())
    );
}

#[test]
fn a_matrix_holds_the_cells_that_csv_has() {
    let line = "--model llama3-70b --kv-memory 65536000000 --kv-dtype auto,fp8 --seq 1k,2k,4k --users 150";
    let text = stdout(line);
    // 65,536,000,000 B hold 200 sessions of 1,000 tokens × 327,680 B, and twice as many of fp8
    for row in ["auto          200  100 < 150   50 < 150", "fp8           400        200  100 < 150"] {
        assert!(text.contains(row), "{text}");
    }
    let most: Vec<String> = csv(line).into_iter().map(|mut row| row.remove("max_users").unwrap()).collect();
    assert_eq!(most, ["200", "100", "50", "400", "200", "100"]);
    for cell in ["| auto | 200 | 100 < 150 | 50 < 150 |", "| fp8 | 400 | 200 | 100 < 150 |"] {
        assert!(stdout(&format!("{line} --format markdown")).contains(cell));
    }
}

#[test]
fn a_drawing_has_a_line_for_each_value_of_the_other_flags() {
    let path = std::env::temp_dir().join(format!("kvplan-lists-{}.svg", std::process::id()));
    let line = format!(
        "--model llama3.1-8b --gpu h100,l40s,b200 --seq 1k..64k --users 1,9 --svg {} --format csv",
        path.display()
    );
    let output = run(&line);
    assert!(output.status.success(), "{}", stderr(&output));
    let drawing = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let named = |name: &str| drawing.lines().filter(|line| line.trim() == name).count();
    // once where the line begins, once in the legend
    assert_eq!(["h100-80gb", "l40s", "b200"].map(named), [2, 2, 2]);
    assert!(drawing.trim_end().ends_with("</svg>"));
    let failed = run("--model llama3.1-8b --seq 1k,2k --svg /nonexistent/a.svg");
    assert_eq!(failed.status.code(), Some(3), "{}", stderr(&failed));
}

#[test]
fn a_chart_names_every_line() {
    let text = stdout("--model llama3.1-8b --gpu h100,l40s,b200 --seq 1k..64k --plot");
    let chart = text.split("\n\n").find(|part| part.contains('⠀')).unwrap();
    for name in ["h100-80gb", "l40s", "b200"] {
        assert_eq!(chart.matches(name).count(), 1, "{chart}");
    }
    assert!(chart.lines().all(|line| line.chars().count() <= 80), "{chart}");
}

#[test]
fn a_reader_that_goes_away_ends_the_rows() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let arguments = "--model llama3-70b --gpu h100 --tp 4 --seq 1..100000:1 --users 1..1000:1 --format csv";
    let mut program =
        Command::new(crate::KVPLAN).args(arguments.split(' ')).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("model,engine"), "{first}");
    // 10⁸ rows would take minutes
    assert!(program.wait().unwrap().success());
}
