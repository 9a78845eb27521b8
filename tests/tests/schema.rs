//! `kvplan schema` describes every key of a plan and of a failure, under every engine.

use std::collections::BTreeSet;

use planner_core::render::json::{failure, plan as to_json};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::text::{Lang, Sentence};
use planner_core::{Error, catalog, engine, plan};
use planner_models::MODELS;
use planner_tests::{closed_schema, request};
use serde_json::{Value, json};

/// The part of the schema for one kind of answer.
fn validator(of: &str) -> jsonschema::Validator {
    let mut schema = closed_schema();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = format!("#/$defs/{of}").into();
    jsonschema::validator_for(&schema).unwrap()
}

fn errors(validator: &jsonschema::Validator, json: &Value) -> Vec<String> {
    let shown = |error: jsonschema::ValidationError<'_>| {
        format!("{}: {}", error.instance_path(), error.to_string().chars().take(200).collect::<String>())
    };
    validator.iter_errors(json).map(shown).collect()
}

fn check(validator: &jsonschema::Validator, json: &Value, what: &str) {
    let errors = errors(validator, json);
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
}

/// The plan of a model as JSON, where there is one.
fn planned(model: &ModelSpec, request: &Request, lang: Lang) -> Option<Value> {
    plan::plan(model, request).ok().map(|plan| to_json(&plan, lang))
}

#[test]
fn every_plan_of_the_catalogue_is_valid() {
    let validator = validator("plan");
    let mut kinds = BTreeSet::new();
    for entry in MODELS {
        let model = catalog::build(entry).unwrap();
        for line in ["", "--gpu h100 --users 1000000", "--kv-memory 40GiB --seq 1M"] {
            for lang in [Lang::En, Lang::Zh] {
                let json = planned(&model, &request(line).unwrap(), lang).unwrap();
                check(&validator, &json, &format!("{} {line}", entry.id));
                let layers = json["layers"].as_array().unwrap();
                kinds.extend(layers.iter().map(|layer| layer["kind"].as_str().unwrap().to_owned()));
            }
        }
    }
    // The schema lists the catalogue's kinds and no more; no model has a layer with an index alone.
    let schema = closed_schema();
    let listed = &schema["$defs"]["plan"]["properties"]["layers"]["items"]["properties"]["kind"]["enum"];
    let listed: BTreeSet<String> =
        listed.as_array().unwrap().iter().map(|kind| kind.as_str().unwrap().to_owned()).collect();
    kinds.insert("index".to_owned());
    assert_eq!(kinds, listed);
}

/// One model for each kind of cache.
const KINDS: &[(&str, &str)] = &[
    ("full", "llama3-8b"),
    ("sliding", "gemma3-1b"),
    ("sinks", "gpt-oss-20b"),
    ("chunked", "llama4-scout"),
    ("latent", "deepseek-v3"),
    ("index", "deepseek-v3.2"),
    ("compressed", "deepseek-v4-flash"),
    ("hybrid", "qwen3.5-27b"),
    ("states", "mamba2-2.7b"),
    ("encoder-decoder", "bart-large"),
    ("shared", "gemma4-e2b"),
];

#[test]
fn every_key_of_every_engine_is_in_the_schema() {
    let plans = validator("plan");
    let settings = [
        "",
        "--gpu h200 --tp 8 --users 3",
        "--kv-memory 40GiB --seq 2000 --users 1000",
        "--gpu h100 --pp 2 --kv-dtype fp8 --prefix-caching off",
        "--gpu h100 --cache quantized --kv-dtype int4",
        "--cache static --max-model-len 5000 --seq 2000 --speculative mtp:1",
    ];
    for engine in engine::all() {
        let own = validator(&engine.id().replace(['.', '-'], "_"));
        let mut answered = 0;
        for (kind, id) in KINDS {
            let model = catalog::model(id).unwrap();
            for line in settings {
                let request = request(&format!("--engine {} {line}", engine.id())).unwrap();
                let Some(json) = planned(&model, &request, Lang::En) else { continue };
                let what = format!("{} {kind} {id} {line}", engine.id());
                check(&own, &json["engine"], &what);
                check(&plans, &json, &what);
                answered += 1;
            }
        }
        // candle has modules for the fewest models.
        assert!(answered >= 6, "{} answered {answered}", engine.id());
    }
}

#[test]
fn a_failure_is_valid() {
    let error = Error::overflow(Sentence::verbatim("bytes"));
    check(&validator("failure"), &failure(Lang::En, &error), "failure");
}

#[test]
fn a_wrong_answer_is_not_valid() {
    let validator = validator("plan");
    let model = catalog::model("llama3-70b").unwrap();
    let right = planned(&model, &request("--engine vllm --gpu h100").unwrap(), Lang::En).unwrap();
    check(&validator, &right, "as it is");
    for (at, value) in [
        ("/kv/bytes_per_token", json!(-1)),
        ("/kv/session_bytes", json!("many")),
        ("/engine/block_size", json!(null)),
        ("/engine/id", json!("sglang")),
        ("/layers/0/kind", json!("wide")),
        ("/verdict/limited_by", json!("time")),
        ("/memory/gpus", json!([])),
    ] {
        let mut wrong = right.clone();
        *wrong.pointer_mut(at).unwrap() = value;
        assert!(!validator.is_valid(&wrong), "{at}");
    }
    for at in
        ["", "/kv", "/engine", "/engine/groups/0", "/model", "/layers/0", "/layers/0/stores/0", "/verdict"]
    {
        let mut wrong = right.clone();
        wrong.pointer_mut(at).unwrap()["unheard_of"] = json!(1);
        assert!(!validator.is_valid(&wrong), "a key more in `{at}`");
    }
}
