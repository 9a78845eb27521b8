//! The figures of a list's combinations are those of the plans typed one by one.

use std::ops::ControlFlow;

use planner_core::plan::{adjusted, outcomes, plan};
use planner_core::request::Request;
use planner_core::request::lists::{Values, flag};
use planner_core::{catalog, engine};
use planner_tests::request;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const MODELS: [&str; 9] = [
    "llama3.1-8b",
    "llama3-70b",
    "gemma3-27b",
    "gpt-oss-120b",
    "qwen3-30b-a3b",
    "deepseek-v2-lite",
    "falcon-h1-34b",
    "mamba2-2.7b",
    "bart-large",
];
const GPUS: [&str; 5] = ["h100-80gb", "rtx-4090", "l4", "b200", "24GiB"];

/// Compares each outcome of a request with the plan of the same request; how many were planned.
fn compare(model: &str, line: &str, users: &[u64]) -> usize {
    let (model, request) = (catalog::model(model).unwrap(), request(line).unwrap());
    let Ok(own) = adjusted(&model, &request) else { return 0 };
    let (mut seen, mut planned) = (Vec::new(), 0);
    outcomes(&own, &request, users.iter().copied(), |users, outcome| {
        seen.push(users);
        let typed = Request { users, ..request.clone() };
        match (plan(&model, &typed), outcome) {
            (Ok(plan), Ok(outcome)) => {
                planned += 1;
                let what = format!("{} {line} --users {users}", model.id);
                assert_eq!(outcome.tokens, plan.tokens, "{what}");
                assert_eq!(outcome.parallel, plan.parallel, "{what}");
                assert_eq!(
                    (outcome.engine, outcome.version),
                    (plan.engine.id, plan.engine.version),
                    "{what}"
                );
                assert_eq!(outcome.session_bytes, plan.engine.session_bytes, "{what}");
                assert_eq!(outcome.total_bytes, plan.engine.total_bytes, "{what}");
                let fitting =
                    outcome.fitting.map(|fitting| (fitting.fits, fitting.max_users, fitting.steady_users));
                let verdict = plan
                    .verdict
                    .as_ref()
                    .map(|verdict| (verdict.fits, verdict.max_users, verdict.steady_users));
                assert_eq!(fitting, verdict, "{what}");
                if let (Some(fitting), Some(memory)) = (outcome.fitting, &plan.memory) {
                    let most = memory.gpus.iter().map(|gpu| gpu.kv_bytes_used).max();
                    assert_eq!(Some(fitting.kv_bytes_used), most, "{what}");
                    let own =
                        |gpu: &&planner_core::plan::GpuMemory| gpu.kv_bytes_used == fitting.kv_bytes_used;
                    let rooms = memory.gpus.iter().filter(own).map(|gpu| gpu.kv_bytes_available);
                    assert!(rooms.into_iter().any(|room| room == fitting.kv_bytes_available), "{what}");
                    assert_eq!(fitting.weights_fit, memory.weights_fit, "{what}");
                }
            }
            (plan, outcome) => assert_eq!(plan.err(), outcome.err(), "{} {line} --users {users}", model.id),
        }
        ControlFlow::Continue(())
    });
    assert_eq!(seen, users, "one outcome for each number of users, in order");
    planned
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_cell_is_the_plan_typed_alone(
        model in select(&MODELS[..]),
        engine in select(engine::all().iter().map(|engine| engine.id()).collect::<Vec<_>>()),
        place in select(&[
            "", "--kv-memory 20GiB", "--gpu h100-80gb", "--gpu rtx-4090 --gpus 2", "--gpu l4 --tp 2", "--gpu b200 --pp 2",
            "--gpu h100-80gb --dp 2", "--gpu 24GiB", "--gpu h100-80gb --tp 8",
        ][..]),
        settings in subsequence(vec![
            "--kv-dtype fp8", "--weight-dtype int4", "--max-num-seqs 32", "--max-model-len 40k", "--cache static",
            "--kv-unified on", "--ctx-size 64k", "--shared-prefix 1000", "--n-parallel 4",
        ], 0..=2),
        seq in select(&[1_u64, 1000, 8192, 32_000, 131_072, 1 << 50][..]),
        users in subsequence(vec![1_u64, 2, 7, 64, 500, 1 << 40], 1..=4),
    ) {
        let line = format!("--engine {engine} {place} {} --seq {seq}", settings.join(" "));
        compare(model, &line, &users);
    }
}

#[test]
fn each_engine_s_cells_are_compared() {
    for engine in engine::all() {
        let line = format!("--engine {} --gpu h100-80gb --seq 2000", engine.id());
        assert_eq!(compare("llama3.1-8b", &line, &[1, 20, 2000]), 3, "{line}");
    }
}

/// Room of exactly 10 sessions of 20 users × 1,000 tokens of the article: 65,536,000,000 B ÷ 327,680 B × tokens.
#[test]
fn cells_by_hand() {
    for (dtype, seq, most) in
        [("auto", 1000, 200), ("auto", 2000, 100), ("auto", 4000, 50), ("fp8", 1000, 400), ("fp8", 8000, 50)]
    {
        let line = format!("--kv-memory 65536000000 --kv-dtype {dtype} --seq {seq}");
        let (model, request) = (catalog::model("llama3-70b").unwrap(), request(&line).unwrap());
        outcomes(&model, &request, [20, most, most + 1], |users, outcome| {
            let fitting = outcome.unwrap().fitting.unwrap();
            assert_eq!((fitting.max_users, fitting.fits), (most, users <= most), "{line} --users {users}");
            ControlFlow::Continue(())
        });
    }
}

#[test]
fn a_list_sets_its_flag_to_each_value() {
    for (name, text) in [
        ("seq", "1k,2k"),
        ("users", "3,5"),
        ("gpu", GPUS[..2].join(",").as_str()),
        ("gpus", "2,4"),
        ("tp", "2,4"),
        ("pp", "2,4"),
        ("dp", "2,4"),
        ("engine", "vllm,llama.cpp"),
        ("kv-dtype", "bf16,fp8"),
        ("weight-dtype", "bf16,int4"),
    ] {
        let values = Values::read(flag(name).unwrap(), "--typed", text).unwrap();
        for (index, one) in text.split(',').enumerate() {
            let mut listed = Request::default();
            values.put(index, &mut listed);
            let mut single = Request::default();
            single.set(name, one).unwrap();
            let json = |request: &Request| flag(name).unwrap().json(request);
            assert_eq!(json(&listed), json(&single), "--{name} {one}");
            assert_ne!(json(&listed), json(&Request::default()), "--{name} {one}");
        }
    }
}

/// Ranks hold equal shares: two unequal GPUs have the room of two of the smaller one.
#[test]
fn unequal_gpus_are_bound_by_the_least() {
    let model = catalog::model("llama3.1-8b").unwrap();
    // an RTX 4090 of 24,564 MiB and an RTX 3060 of 12,288 MiB
    for (engine, sizes) in
        [("architecture", ""), ("vllm", "--tp 2"), ("sglang", "--pp 2"), ("tensorrt-llm", "--tp 2")]
    {
        let plan_of = |gpu: &str, sizes: &str| {
            let line = format!("--engine {engine} --gpu {gpu} --seq 2000 --users 4 {sizes}");
            let request = request(&line).unwrap();
            let plan = plan(&model, &request).unwrap();
            let memory = plan.memory.as_ref().unwrap().gpus[0].total_bytes;
            let codes: Vec<&str> = plan.notes.iter().map(|note| note.code).collect();
            (plan.parallel.gpus(), memory, plan.max_users(), codes.contains(&"unequal_gpus"))
        };
        let (gpus, memory, users, told) = plan_of("rtx-4090+rtx-3060-12gb", sizes);
        let of_two = if sizes.is_empty() { "--gpus 2" } else { sizes };
        let (_, least, fewest, untold) = plan_of("rtx-3060-12gb", of_two);
        assert_eq!((gpus, memory, users), (2, least, fewest), "{engine}");
        assert!(told && !untold, "{engine}");
        assert_ne!(plan_of("rtx-4090", of_two).2, users, "{engine}");
    }
    for (line, subject) in [
        ("--gpu rtx-4090+rtx-3060-12gb --engine llama.cpp", "--gpu"),
        ("--gpu rtx-4090+rtx-3060-12gb --gpus 3", "--gpus"),
        ("--gpu rtx-4090+rtx-3060-12gb --tp 4", "--gpus"),
    ] {
        let error = plan(&model, &request(line).unwrap()).map(|_| ()).unwrap_err();
        assert_eq!(error.subject(), Some(subject), "{line}: {error}");
    }
    assert!(request("--gpu rtx-4090+rtx-3061").is_err());
}
