//! A config.json is planned under every engine, or refused with a message.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match planner_core::source::from_config_json(text, false) {
        Ok(model) => planner_fuzz::plan_everywhere(&model),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
