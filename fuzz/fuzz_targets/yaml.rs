//! A YAML model file is planned under every engine, or refused with a message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::source::from_config_json;

fuzz_target!(|text: &str| {
    let Ok(config) = serde_yaml::from_str::<serde_json::Value>(text) else { return };
    match from_config_json(&config.to_string(), false) {
        Ok(model) => planner_fuzz::plan_everywhere(&model),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
