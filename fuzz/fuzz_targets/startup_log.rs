//! A start-up log is read and its run planned, or nothing of it is recognised; a profile is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::plan::plan;
use planner_core::{catalog, request::Request};
use planner_log::profile::{Kept, measured};
use planner_log::{StartupLog, compare, question};

fuzz_target!(|bytes: &[u8]| {
    let _ = Kept::read("fuzzed.json", bytes);
    let Some(log) = StartupLog::read(bytes) else { return };
    let asked = question(&log, Request::default());
    let Ok(model) = catalog::model("llama3.1-8b") else { return };
    let planned = plan(&model, &asked.request).ok();
    compare(&log, planned.as_ref());
    if let Some(planned) = &planned {
        let _ = measured(&log, planned);
    }
});
