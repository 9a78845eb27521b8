//! The slowest plans of all models and engines: `cargo bench -p planner-tests --bench slowest`.
//!
//! With the name of a GPU behind `--` each plan searches for what fits on it as well. Prints, for each engine, how many models it plans, the median and the slowest ones; each plan is the
//! fastest of some runs, so that what else the machine does counts little.

use std::time::{Duration, Instant};

use planner_core::catalog;
use planner_core::device::Device;
use planner_core::engine;
use planner_core::plan::plan;
use planner_core::request::{EngineId, Request};
use planner_core::spec::model::ModelSpec;
use planner_models::MODELS;

const RUNS: u32 = 15;
const SHOWN: usize = 5;

fn fastest(model: &ModelSpec, request: &Request) -> Option<Duration> {
    let once = || {
        let start = Instant::now();
        let answer = std::hint::black_box(plan(std::hint::black_box(model), request));
        answer.ok().map(|_| start.elapsed())
    };
    once()?;
    (0..RUNS).filter_map(|_| once()).min()
}

fn main() {
    let models: Vec<ModelSpec> = MODELS.iter().filter_map(|entry| catalog::build(entry).ok()).collect();
    let gpu = std::env::args().skip(1).find_map(|name| Device::resolve(&name).ok());
    for engine in engine::all() {
        let request = Request {
            seq: Some(1000),
            users: 20,
            gpu: gpu.clone(),
            engine: Some(EngineId::named(engine.id())),
            ..Request::default()
        };
        let time = |model: &ModelSpec| Some((fastest(model, &request)?, model.id.clone()));
        let mut times: Vec<(Duration, String)> = models.iter().filter_map(time).collect();
        times.sort();
        let median = times.get(times.len() / 2).map_or(Duration::ZERO, |(time, _)| *time);
        let over = times.iter().filter(|(time, _)| *time > Duration::from_micros(20)).count();
        println!("{}: {} models, median {median:.1?}, over 20 µs: {over}", engine.id(), times.len());
        for (time, id) in times.iter().rev().take(SHOWN) {
            println!("    {time:>9.1?}  {id}");
        }
    }
}
