//! Damaged GGUF files, YAML model files and expressions of the family language: a value or an error with a message,
//! never a panic. `fuzz/` has the same entry points for libFuzzer.

use std::sync::LazyLock;

use planner_core::engine::llamacpp::from_gguf::model;
use planner_core::plan::plan;
use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_core::source::gguf::Header;
use planner_models::{FAMILIES, MODELS, expr};
use planner_tests::fixture;
use proptest::prelude::*;
use serde_json::Value;

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let names = ["deepseek-v2-lite", "gemma3-270m", "gpt-oss-20b", "lfm2-350m", "llama3.2-1b", "mamba-130m"];
    names.iter().map(|name| std::fs::read(fixture(&format!("gguf/{name}.gguf"))).unwrap()).collect()
});

static EXPRESSIONS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let definitions =
        FAMILIES.iter().flat_map(|family| family.definitions).map(|(_, expression)| *expression);
    let modules = FAMILIES.iter().flat_map(|family| family.modules.iter().chain(family.layer_modules));
    definitions.chain(modules.map(|module| module.is)).collect()
});

/// A change of a text or file: where, to what, and whether the rest is cut off.
fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, bool)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), prop::bool::weighted(0.1)), 1..6)
}

fn damaged(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8, bool)]) -> Vec<u8> {
    for (at, byte, cut) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        bytes[at] = *byte;
        if *cut {
            bytes.truncate(at);
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_gguf_file_is_planned_or_refused(file in 0..FILES.len(), changes in damage()) {
        let bytes = damaged(FILES[file].clone(), &changes);
        match Header::read(&mut bytes.as_slice()).and_then(|header| model("damaged", &header)) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(model) => {
                if let Err(error) = plan(&model, &Request::default()) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_damaged_yaml_file_is_planned_or_refused(at in 0..MODELS.len(), changes in damage()) {
        let yaml = serde_yaml::to_string(&serde_json::from_str::<Value>(MODELS[at].config).unwrap()).unwrap();
        let text = String::from_utf8_lossy(&damaged(yaml.into_bytes(), &changes)).into_owned();
        if let Ok(config) = serde_yaml::from_str::<Value>(&text)
            && let Err(error) = from_config_json(&config.to_string(), false)
        {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_damaged_expression_is_parsed_or_refused(at in 0..EXPRESSIONS.len(), changes in damage()) {
        let bytes = damaged(EXPRESSIONS[at].as_bytes().to_vec(), &changes);
        let text = String::from_utf8_lossy(&bytes);
        if let Err(why) = expr::parse(&text) {
            prop_assert!(!why.is_empty());
        }
    }

    #[test]
    fn any_text_is_an_expression_or_is_refused(text in "[a-z0-9 .,?:()\\[\\]'+*/%<>=!&|-]{0,60}") {
        if let Err(why) = expr::parse(&text) {
            prop_assert!(!why.is_empty());
        }
    }
}

#[test]
fn expressions_of_the_families_are_parsed() {
    assert!(EXPRESSIONS.len() >= 1000, "{} expressions", EXPRESSIONS.len());
    for expression in EXPRESSIONS.iter() {
        assert!(expr::parse(expression).is_ok(), "{expression}");
    }
}

/// A guard, since the parser is recursive.
#[test]
fn an_expression_nested_too_deep_is_refused() {
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("a[", "]"), ("a ? ", " : 1")] {
        let text = open.repeat(100) + "1" + &close.repeat(100);
        assert!(expr::parse(&text).is_err_and(|why| why.contains("less nesting")), "{open}");
    }
}
