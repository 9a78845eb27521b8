//! The page's planner answers what the core answers.
#![allow(clippy::unwrap_used)]

#[path = "../examples/shared/tables.rs"]
mod tables;

use planner_core::engine;
use planner_core::render::json;
use planner_core::request::Request;
use planner_core::text::Lang;
use planner_core::{catalog, plan};
use planner_web::gguf::File;
use planner_web::{parts, planner};
use serde_json::{Value, json};

fn load() {
    assert!(planner_web::load(tables::planner_data()) > 100);
    parts::install("refusals");
}

fn number(answer: &Value, path: &str) -> Option<u64> {
    answer.pointer(path).and_then(Value::as_u64)
}

#[test]
fn the_families_of_the_data_file_are_those_compiled_in() {
    let compiled = format!("{:?}", planner_models::FAMILIES);
    load();
    let types: Vec<&str> = planner_models::model_types().collect();
    let read: Vec<_> = planner_models::FAMILIES
        .iter()
        .filter_map(|family| planner_models::family_of(family.model_types.first()?.0))
        .collect();
    assert!(!std::ptr::eq(read[0], &planner_models::FAMILIES[0]), "these are the installed ones");
    for (read, own) in read.iter().zip(planner_models::FAMILIES.iter().filter(|f| !f.model_types.is_empty()))
    {
        assert_eq!(format!("{read:?}"), format!("{own:?}"));
    }
    assert!(types.iter().all(|name| compiled.contains(name)) && types.len() > 20);
}

#[test]
fn every_model_of_the_catalogue_has_the_cores_own_json() {
    load();
    // every model by definition; every engine for a part of them, since each is slow unoptimized
    let all = planner_models::MODELS.iter().enumerate().flat_map(|(i, model)| {
        let engines = if i % 7 == 0 { usize::MAX } else { 1 };
        engine::all().into_iter().take(engines).map(move |engine| (model, engine.id()))
    });
    for (model, engine) in all {
        let flags = [("seq", "5000"), ("users", "3"), ("gpu", "h100-80gb"), ("engine", engine)];
        let mut request = Request::default();
        for (flag, text) in flags {
            request.set(flag, text).unwrap();
        }
        let core = catalog::model(model.id)
            .and_then(|spec| plan::plan(&spec, &request).map(|plan| json::plan(&plan, Lang::En)));
        let asked = serde_json::json!({"model": model.id, "flags": serde_json::Map::from_iter(
            flags.map(|(flag, text)| (flag.to_owned(), Value::from(text))))});
        let page = planner::plan(&asked.to_string());
        match core {
            Ok(core) => assert_eq!(page, core, "{} {engine}", model.id),
            Err(error) => assert_eq!(page["error"]["code"], error.code().as_str(), "{} {engine}", model.id),
        }
    }
}

/// 2 x 80 layers x 8 heads x 128 x 2 B, x 1,000 tokens x 20 users.
#[test]
fn llama3_70b_takes_the_bytes_of_the_hand_calculation() {
    load();
    let answer = planner::plan(r#"{"model": "llama3-70b", "flags": {"seq": "1000", "users": "20"}}"#);
    assert_eq!(number(&answer, "/kv/bytes_per_token"), Some(327_680), "{answer}");
    assert_eq!(number(&answer, "/kv/total_bytes"), Some(6_553_600_000));
}

#[test]
fn an_error_names_its_field() {
    load();
    for (request, field) in [
        (r#"{"model": "lama3-70b", "flags": {}}"#, "model"),
        (r#"{"model": "bert-base-uncased", "flags": {}}"#, "model"),
        (r#"{"model": "llama3-70b", "flags": {"seq": "0"}}"#, "seq"),
        (r#"{"model": "llama3-70b", "flags": {"users": "many"}}"#, "users"),
        (r#"{"model": "llama3-70b", "flags": {"users": "1000000000000000000000000000000"}}"#, "users"),
        (r#"{"model": "llama3-70b", "flags": {"gpu": "nope"}}"#, "gpu"),
        (r#"{"config": "<html>", "flags": {}}"#, "config"),
        (r#"{"config": "[1]", "flags": {}}"#, "config"),
        ("nonsense", "model"),
    ] {
        let answer = planner::plan(request);
        assert_eq!(answer["error"]["field"], field, "{request}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap_or_default().is_empty());
    }
}

#[test]
fn the_curve_passes_the_verdict_and_falls() {
    load();
    let request = r#"{"model": "llama3-70b", "flags": {"seq": "1000", "gpu": "h100-80gb", "tp": "4"}}"#;
    let most = number(&planner::plan(request), "/verdict/max_users");
    assert!(most.is_some());
    let curve = planner::curve(request);
    let points = curve["points"].as_array().unwrap();
    let at = points.iter().find(|point| point["seq"] == 1000).unwrap();
    assert_eq!(at["max_users"].as_u64(), most);
    let users: Vec<u64> = points.iter().filter_map(|point| point["max_users"].as_u64()).collect();
    assert!(users.len() > 5 && users.is_sorted_by(|a, b| a >= b), "{users:?}");
}

#[test]
fn a_gguf_file_is_planned_as_the_core_plans_it() {
    load();
    parts::install("llamacpp");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gguf/llama3.2-1b.gguf");
    let start = std::fs::read(path).unwrap();
    let give = |name, start, bytes| planner::gguf(&File { name, start, bytes, index: 0, files: 1 }, "en");
    let all = start.len() as u64;
    assert_eq!(give("llama3.2-1b.gguf", &start, all), json!({"name": "llama3.2-1b.gguf"}));
    let answer = planner::plan(r#"{"gguf": "llama3.2-1b.gguf", "flags": {"seq": "1000", "users": "1"}}"#);
    // 2 x 16 layers x 8 heads x 64 x 2 B
    assert_eq!(number(&answer, "/kv/bytes_per_token"), Some(32_768), "{answer}");
    assert_eq!(give("long.gguf", &start[..100], all), json!({"more": true}));
    let cut = give("cut.gguf", &start[..100], 100);
    assert!(cut["error"]["message"].is_string(), "{cut}");
    let other = planner::plan(r#"{"gguf": "other.gguf", "flags": {}}"#);
    assert_eq!(other["error"]["field"], "config");
}
