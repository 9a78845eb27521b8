//! Released models against transformers' own answers (`tests/oracles/transformers`): every cache to the
//! byte, layer by layer where the answer says so, and parameter counts.

use planner_core::plan::plan;
use planner_tests::transformers::{answers, has_cross, model, total};
use planner_tests::{fixture, request, text};
use serde_json::Value;

/// Models whose parameters differ from transformers', and why.
const OTHER_PARAMETERS: &[(&str, &str)] =
    &[("stepfun-ai__Step-3.7-Flash", FLAT), ("stepfun-ai__Step-3.7-Flash-FP8", FLAT)];
const FLAT: &str =
    "the file has the text's keys at the top, where Step3p7Config does not look: it builds its defaults";

/// Cases with other bytes, and why: a model and its batch × length.
const OTHER_CACHES: &[(&str, &str)] = &[];

#[test]
fn every_cache_is_what_transformers_holds() {
    let (mut equal, mut wrong) = (0, Vec::new());
    for (name, answer) in answers() {
        let cases = answer["caches"].as_array().into_iter().flatten();
        let cases: Vec<&Value> = cases.filter(|case| case["bytes"].as_u64().is_some_and(|n| n > 0)).collect();
        if cases.is_empty() {
            continue;
        }
        let model = match model(&name) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for case in cases {
            let label =
                format!("{name} {} × {} static {}", case["batch"], case["seq"], case["max_cache_len"]);
            let excused = OTHER_CACHES.iter().any(|(excused, _)| label.starts_with(excused));
            match total(&model, case) {
                Ok(bytes) if Some(bytes) == case["bytes"].as_u64() => {
                    assert!(!excused, "{label} is equal now: take it off OTHER_CACHES");
                    equal += 1;
                }
                _ if excused => {}
                other => wrong.push(format!("{label}: {other:?}, transformers {}", case["bytes"])),
            }
        }
    }
    assert!(wrong.is_empty(), "{equal} equal, {} not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal >= 900, "only {equal} cases: are the answers there?");
}

#[test]
fn parameters_are_what_transformers_builds() {
    let (mut equal, mut wrong) = (0, Vec::new());
    for (name, answer) in answers() {
        let Some(count) = answer["parameters"].as_u64() else { continue };
        let excused = OTHER_PARAMETERS.iter().any(|(excused, _)| *excused == name);
        match model(&name) {
            Ok(model) if model.parameters == count => {
                assert!(!excused, "{name} is equal now: take it off OTHER_PARAMETERS");
                equal += 1;
            }
            _ if excused => {}
            Ok(model) => wrong.push(format!("{name}: {}, transformers {count}", model.parameters)),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{equal} equal, {} not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal >= 150, "only {equal} models: are the answers there?");
}

/// A static cache that transformers cannot make is refused, not guessed.
#[test]
fn a_static_cache_that_transformers_cannot_make_is_refused() {
    let refusals = ["KeyError: 'heavily_compressed_attention'", "ValueError: MiniMax uses cache of its own"];
    let mut seen = 0;
    for (name, answer) in answers() {
        for case in answer["caches"].as_array().into_iter().flatten() {
            let error = case["error"].as_str().unwrap_or("");
            if case.get("max_cache_len").is_some() && refusals.iter().any(|own| error.starts_with(own)) {
                assert!(total(&model(&name).unwrap(), case).is_err(), "{name} has no static cache");
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "no answer of that kind is there");
}

/// Classes with their sizes changed at random (`variants.jsonl`): a family that is a rule gets each of them
/// exactly, a class without a family is refused, and nothing is planned wrongly.
#[test]
fn changed_sizes_change_the_answer_as_in_transformers() {
    let (equal, refused) = every_line_is_equal("transformers/variants.jsonl");
    assert!(equal >= 2_300 && refused <= 20, "{equal} cases equal, {refused} classes refused");
}

/// Configurations from public repositories (`found.jsonl`), cut-down and odd ones included.
#[test]
fn configurations_found_in_public_give_what_transformers_holds() {
    let (equal, refused) = every_line_is_equal("transformers/found.jsonl");
    assert!(equal >= 380 && refused == 0, "{equal} cases equal, {refused} configurations refused");
}

/// How many cases of a file are equal and how many of its lines are refused; panics where one is wrong.
fn every_line_is_equal(file: &str) -> (usize, usize) {
    let text = text(&fixture(file));
    let (mut equal, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in text.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let name = answer["name"].as_str().unwrap();
        let Ok(model) = planner_core::source::from_config_json(&answer["config"].to_string(), false) else {
            refused += 1;
            continue;
        };
        if Some(model.parameters) != answer["parameters"].as_u64() {
            wrong.push(format!(
                "{name}: {} parameters, transformers {}",
                model.parameters, answer["parameters"]
            ));
        }
        for case in answer["caches"].as_array().unwrap() {
            // A case cannot be asked without its encoder's length.
            if case["source"].is_null() && has_cross(&model) {
                continue;
            }
            match total(&model, case) {
                Ok(bytes) if Some(bytes) == case["bytes"].as_u64() => equal += 1,
                other => wrong.push(format!("{name} {case}: {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{equal} equal, {} not:\n{}", wrong.len(), wrong.join("\n"));
    (equal, refused)
}

/// Quantized caches of released models' prompts (`quantized.jsonl`): transformers' own layers, or its refusal.
#[test]
fn quantized_caches_are_what_transformers_packs() {
    let text = text(&fixture("transformers/quantized.jsonl"));
    let (mut equal, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut models = std::collections::BTreeMap::new();
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap().to_owned();
        let model = models.entry(name).or_insert_with_key(|name| model(name).unwrap());
        let (dtype, seq, batch) = (case["dtype"].as_str().unwrap(), &case["seq"], &case["batch"]);
        let line = format!("engine transformers cache quantized kv-dtype {dtype} seq {seq} users {batch}");
        let request = request(&line).unwrap();
        let ours = plan(model, &request).map(|plan| plan.engine.total_bytes);
        match (ours, case["bytes"].as_u64()) {
            (Ok(bytes), Some(theirs)) if bytes == theirs => equal += 1,
            (Err(_), None) => refused += 1,
            (ours, _) => wrong.push(format!("{case}: {ours:?}")),
        }
    }
    assert!(wrong.is_empty(), "{equal} equal, {refused} refused, {} not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal > 0 && refused > 0, "{equal} equal, {refused} refused");
}
