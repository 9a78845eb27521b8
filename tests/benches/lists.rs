//! One plan of a list of lengths and users: `cargo bench -p planner-tests --bench lists`.

use std::ops::ControlFlow;
use std::time::Instant;

use planner_core::plan::outcomes;
use planner_core::request::{EngineId, Request};
use planner_core::{Gpu, catalog, engine};

/// Lengths and users of each engine's list.
const LENGTHS: u64 = 100;
const USERS: u64 = 100;

fn main() {
    let Ok(model) = catalog::model("llama3.1-70b") else { return };
    let Ok(gpu) = Gpu::resolve("h100-80gb") else { return };
    for engine in engine::all() {
        let mut request = Request::default().engine(EngineId::named(engine.id())).gpu(gpu.clone()).tp(4_u64);
        let start = Instant::now();
        let mut planned = 0_u32;
        for seq in 1..=LENGTHS {
            request.seq = Some(seq * 320);
            outcomes(&model, &request, 1..=USERS, |_, found| {
                planned += u32::from(found.is_ok());
                ControlFlow::Continue(())
            });
        }
        let each = start.elapsed() / u32::try_from(LENGTHS * USERS).unwrap_or(1);
        println!("{}: {planned} of {} planned, {each:.1?} each", engine.id(), LENGTHS * USERS);
    }
}
