//! What `kvplan schema` prints describes what `--format json` prints, for answers and for failures.

use planner_core::render::json::{SCHEMA_TEXT, failure, plan as to_json};
use planner_core::request::Request;
use planner_core::text::Lang;
use planner_core::text::Sentence;
use planner_core::{Error, catalog, plan};
use planner_models::MODELS;
use serde_json::Value;

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(SCHEMA_TEXT).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn check(validator: &jsonschema::Validator, json: &Value, what: &str) {
    let errors: Vec<String> =
        validator.iter_errors(json).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
}

#[test]
fn every_plan_of_the_catalogue_is_valid() {
    let validator = validator();
    for entry in MODELS {
        let model = catalog::build(entry).unwrap();
        for flags in
            [&[][..], &[("gpu", "h100"), ("users", "1000000")], &[("kv-memory", "40GiB"), ("seq", "1M")]]
        {
            let mut request = Request::default();
            flags.iter().for_each(|(flag, value)| request.set(flag, value).unwrap());
            let plan = plan::plan(&model, &request).unwrap();
            for lang in [Lang::En, Lang::Zh] {
                check(&validator, &to_json(&plan, lang), entry.id);
            }
        }
    }
}

#[test]
fn a_failure_is_valid_and_a_wrong_answer_is_not() {
    let validator = validator();
    check(&validator, &failure(Lang::En, &Error::overflow(Sentence::verbatim("bytes"))), "failure");
    let model = catalog::model("llama3-70b").unwrap();
    let request = Request::default();
    let mut json = to_json(&plan::plan(&model, &request).unwrap(), Lang::En);
    json["kv"]["bytes_per_token"] = Value::from(-1);
    assert!(!validator.is_valid(&json));
}
