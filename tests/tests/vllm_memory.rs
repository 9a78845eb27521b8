//! The room for the cache against what vLLM printed when it started, and what holds for the parts of every model.

use std::fs;
use std::path::Path;

use planner_core::catalog;
use planner_core::engine::memory::{MemoryPart, PartKind};
use planner_core::engine::vllm::memory::{self, constants};
use planner_core::plan::{plan, resolve};
use planner_core::request::{Ranks, Request};
use planner_tests::engine_keys;
use planner_tests::room::{GIB, compared, logs, mean, table};

#[test]
fn rooms_are_those_of_the_logs() {
    for (section, most) in [("derived", 0.001), ("checked", 0.0025)] {
        let rows = compared(section);
        for row in &rows {
            assert!(row.error().abs() <= 0.05, "{}: {:.2} GiB", row.log.id(), row.room);
        }
        let error = mean(rows.iter().map(|row| row.error()));
        assert!(error < most, "{section}: {error:.5} in the mean over {}", rows.len());
    }
}

#[test]
fn weights_are_those_of_the_logs() {
    for section in ["derived", "checked"] {
        let rows = compared(section);
        for row in &rows {
            let error = row.weights_error().unwrap_or(0.0);
            assert!(error.abs() <= 0.011, "{}: {:.2} GiB", row.log.id(), row.weights);
        }
        let error = mean(rows.iter().filter_map(|row| row.weights_error()));
        assert!(error < 0.002, "{section}: {error:.5} in the mean");
    }
}

/// Tokens and concurrency of a log lie between those of its room rounded down and up.
#[test]
fn capacity_is_that_of_the_logs() {
    for log in logs("capacity") {
        let model = log.model();
        let answer = |room: f64| {
            let request = Request { kv_memory: Some((room * GIB) as u64), ..log.request() };
            let keys = engine_keys(&plan(&model, &request).unwrap().engine.report);
            ["kv_cache_tokens", "max_concurrency"].map(|key| keys[key].as_f64().unwrap())
        };
        let room = log.figure("kv_gib").unwrap();
        let (low, high) = (answer(room - 0.005), answer(room + 0.005));
        // concurrency is printed to a hundredth
        for (at, name, rounding) in [(0, "tokens", 0.0), (1, "concurrency", 0.005)] {
            let Some(logged) = log.figure(name) else { continue };
            let range = low[at] - rounding..=high[at] + rounding;
            assert!(range.contains(&logged), "{} {name}: {logged} is not in {range:?}", log.model().id);
        }
    }
}

#[test]
fn constants_were_set_on_derived_logs() {
    let derived: Vec<&str> = logs("derived").iter().map(|log| log.id()).collect();
    for constant in constants::ALL {
        for id in constant.derived_on {
            assert!(derived.contains(id), "{} was set on {id}", constant.name);
        }
    }
}

#[test]
fn the_public_table_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/room.md");
    assert!(
        fs::read_to_string(path).unwrap() == table(),
        "docs/room.md is out of date: cargo run -p planner-tests --example room > docs/room.md"
    );
}

fn asked(tp: u64, pp: u64) -> Request {
    let mut request = Request { tp: Some(tp), pp: Some(pp), seq: Some(64), ..Request::default() };
    request.set("engine", "vllm").unwrap();
    request.set("gpu", "h200-141gb").unwrap();
    request
}

/// Every GPU's parts and room are its budget, where they fit.
#[test]
fn parts_and_room_add_up_to_the_budget() {
    let mut fitting = 0;
    for entry in planner_models::MODELS.iter().step_by(4) {
        let model = catalog::build(entry).unwrap();
        let request = asked(2, 2);
        let Ok(plan) = plan(&model, &request) else { continue };
        for gpu in &plan.memory.as_ref().unwrap().gpus {
            let parts: u64 = gpu.parts.iter().map(|part| part.bytes).sum();
            let budget = gpu.budget_bytes.unwrap();
            assert_eq!(gpu.kv_bytes_available, budget.saturating_sub(parts), "{}", model.id);
            assert_eq!(gpu.weight_bytes.unwrap() + gpu.reserve_bytes.unwrap(), parts, "{}", model.id);
            fitting += u64::from(parts <= budget);
        }
    }
    assert!(fitting > 100, "{fitting}");
}

/// More tensor-parallel ranks never raise the weights of one, with whole experts too; an estimate lies within its
/// range.
#[test]
fn more_ranks_never_raise_the_weights_of_one() {
    let mut compared = 0;
    for entry in planner_models::MODELS {
        let model = catalog::build(entry).unwrap();
        for ep in [None, Some(Ranks::On)] {
            let mut before = u64::MAX;
            for tp in [1, 2, 4, 8, 16] {
                let request = asked(tp, 1).ep(ep);
                let Ok((run, _)) = resolve(&model, &request) else { continue };
                let parts = &memory::parts(&run).unwrap().unwrap().stages[0];
                let inside = |part: &MemoryPart| {
                    part.range.is_none_or(|(low, high)| (low..=high).contains(&part.bytes))
                };
                assert!(parts[0].kind == PartKind::Weights && parts.iter().all(inside), "{}", model.id);
                assert!(
                    parts[0].bytes <= before,
                    "{}: {} B at tp {tp}, {before} before",
                    model.id,
                    parts[0].bytes
                );
                before = parts[0].bytes;
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}
