//! The room for the cache against what vLLM printed when it started.
//!
//! Rows of `vllm/memory.json` hold a run and its log's figures in GiB. Constants were set on the `derived` ones; the
//! `checked` ones were not looked at for that. Those of `capacity` say tokens and concurrency of a room.

use std::sync::LazyLock;

use planner_core::engine::memory::{MemoryPart, PartKind};
use planner_core::engine::vllm::memory::{self, constants};
use planner_core::plan::{GpuMemory, adjust, plan, resolve};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::{catalog, source};
use planner_tests::fixture;
use serde_json::Value as Json;

static ROWS: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(&std::fs::read_to_string(fixture("vllm/memory.json")).unwrap()).unwrap()
});

const GIB: f64 = (1_u64 << 30) as f64;

fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB
}

fn request(row: &Json) -> Request {
    let mut request = Request::default();
    let words: Vec<&str> =
        row["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    for pair in words.chunks(2) {
        request.set(pair[0].trim_start_matches("--"), pair[1]).unwrap();
    }
    request
}

fn model(row: &Json) -> ModelSpec {
    match row["model"].as_str() {
        Some(id) => catalog::model(id).unwrap(),
        None => source::from_config_json(&row["config"].to_string(), false).unwrap(),
    }
}

/// The GPU that the log speaks of: a pipeline's prints its first rank.
fn gpu(row: &Json) -> GpuMemory {
    let request = request(row);
    let model = adjust(model(row), &request).unwrap();
    plan(&model, &request).unwrap().memory.unwrap().gpus.remove(0)
}

/// Ours and the log's room, and ours and its weights, by row.
fn rooms(rows: &str) -> Vec<(String, f64, f64, f64, Option<f64>)> {
    let of = |row: &Json| {
        let gpu = gpu(row);
        let logged = &row["logged"];
        (
            row["id"].as_str().unwrap().to_owned(),
            gib(gpu.kv_bytes_available),
            logged["kv_gib"].as_f64().unwrap(),
            gib(gpu.weight_bytes.unwrap()),
            // from 0.27 on the line holds what is outside PyTorch's allocator too
            logged["weights_gib"]
                .as_f64()
                .filter(|_| !row["args"][1].as_str().unwrap().starts_with("vllm@0.28")),
        )
    };
    ROWS[rows].as_array().unwrap().iter().map(of).collect()
}

fn mean(errors: impl Iterator<Item = f64>) -> f64 {
    let errors: Vec<f64> = errors.collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

#[test]
fn rooms_are_those_of_the_logs() {
    for (rows, most) in [("derived", 0.001), ("checked", 0.0025)] {
        let rooms = rooms(rows);
        for (id, ours, logged, ..) in &rooms {
            assert!((ours - logged).abs() <= 0.05 * logged, "{id}: {ours:.2} GiB, logged {logged:.2}");
        }
        let error = mean(rooms.iter().map(|(_, ours, logged, ..)| (ours / logged - 1.0).abs()));
        assert!(error < most, "{rows}: {error:.5} in the mean over {}", rooms.len());
    }
}

#[test]
fn weights_are_those_of_the_logs() {
    for rows in ["derived", "checked"] {
        let rooms = rooms(rows);
        for (id, _, _, ours, logged) in &rooms {
            let Some(logged) = logged else { continue };
            assert!((ours / logged - 1.0).abs() <= 0.011, "{id}: {ours:.2} GiB, logged {logged:.2}");
        }
        let error =
            mean(rooms.iter().filter_map(|(_, _, _, ours, logged)| Some((ours / (*logged)? - 1.0).abs())));
        assert!(error < 0.002, "{rows}: {error:.5} in the mean");
    }
}

/// Tokens and concurrency of a log lie between those of its room rounded down and up.
#[test]
fn capacity_is_that_of_the_logs() {
    for row in ROWS["capacity"].as_array().unwrap() {
        let answer = |room: f64| {
            let mut request = request(row);
            request.kv_memory = Some((room * GIB) as u64);
            let model = adjust(model(row), &request).unwrap();
            let keys = plan(&model, &request).unwrap().engine.details.keys;
            (keys["kv_cache_tokens"].as_f64().unwrap(), keys["max_concurrency"].as_f64().unwrap())
        };
        let logged = row["kv_gib"].as_f64().unwrap();
        let (low, high) = (answer(logged - 0.005), answer(logged + 0.005));
        if let Some(tokens) = row["tokens"].as_f64() {
            assert!((low.0..=high.0).contains(&tokens), "{}: {} to {} tokens", row["args"], low.0, high.0);
        }
        if let Some(most) = row["concurrency"].as_f64() {
            assert!(
                (low.1 - 0.005..=high.1 + 0.005).contains(&most),
                "{}: {} to {}",
                row["args"],
                low.1,
                high.1
            );
        }
    }
}

#[test]
fn constants_name_rows_that_are_there() {
    let derived: Vec<&str> =
        ROWS["derived"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    for constant in constants::ALL {
        for id in constant.derived_on {
            assert!(derived.contains(id), "{} was set on {id}, which is no derived row", constant.name);
        }
    }
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

/// More tensor-parallel ranks never raise the weights of one, under any release and with whole experts too; an
/// estimate lies within its range.
#[test]
fn more_ranks_never_raise_the_weights_of_one() {
    let mut compared = 0;
    for entry in planner_models::MODELS {
        let model = catalog::build(entry).unwrap();
        for expert_parallel in [false, true] {
            let mut before = u64::MAX;
            for tp in [1, 2, 4, 8, 16] {
                let request = asked(tp, 1);
                let Ok((run, _)) = resolve(&model, &request) else { continue };
                let parts = &memory::parts(&run, expert_parallel).unwrap().unwrap().stages[0];
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
