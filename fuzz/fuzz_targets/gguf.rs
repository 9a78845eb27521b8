//! The header of a GGUF file is read and its model planned, or it is refused with a message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::engine::llamacpp::from_gguf::model;
use planner_core::source::gguf::Header;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    match Header::read(&mut rest).and_then(|header| model("fuzzed.gguf", &header)) {
        Ok(model) => planner_fuzz::plan_everywhere(&model),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
