//! An expression of the family language is parsed, or refused with a message.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = planner_models::expr::parse(text) {
        assert!(!error.is_empty());
    }
});
