//! Where experts and sessions stand under expert parallelism and data-parallel attention.
//!
//! Weights of a rank are those that public deployments reported for these models and sizes (vLLM's "Model loading took"),
//! within 2 %; the rest is arithmetic by hand from the parts of a model.

use planner_core::catalog;
use planner_core::plan::{Plan, plan};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_tests::request;

fn model(name: &str) -> ModelSpec {
    catalog::model(name).unwrap()
}

const GIB: f64 = (1_u64 << 30) as f64;

fn answered(name: &str, line: &str, check: impl FnOnce(&Plan<'_>)) {
    let request: Request = request(line).unwrap();
    check(&plan(&model(name), &request).unwrap_or_else(|error| panic!("{name} {line}: {error:?}")));
}

fn weights(plan: &Plan<'_>) -> f64 {
    plan.memory.as_ref().unwrap().gpus[0].weight_bytes.unwrap() as f64 / GIB
}

#[test]
fn weights_of_a_rank_with_expert_parallelism_are_those_reported() {
    for (name, line, reported) in [
        ("deepseek-v4-pro", "--gpu h200 --dp 8 --ep on", 121.5),
        ("kimi-k2", "--gpu h200 --dp 16 --ep on", 72.3),
        ("qwen3-coder-480b-a35b", "--gpu h20 --dp 8 --ep on --weight-dtype fp8", 67.0),
    ] {
        answered(name, &format!("--engine vllm {line}"), |plan| {
            let error = weights(plan) / reported - 1.0;
            assert!(error.abs() < 0.02, "{name}: {:.2} GiB, reported {reported}", weights(plan));
        });
    }
}

/// 156.9 sessions of 2²⁰ tokens in all were logged for 8 B200.
#[test]
fn concurrency_of_deepseek_v4_flash_on_eight_replicas_is_the_one_logged() {
    answered("deepseek-v4-flash", "--engine vllm@0.23.0 --gpu b200 --dp 8 --ep on --seq 1M", |plan| {
        let each = plan.engine.report.pool().unwrap().max_concurrency.unwrap();
        let error = 8.0 * each / 156.9 - 1.0;
        assert!(error.abs() < 0.02, "{:.1} in all", 8.0 * each);
    });
}

fn part(name: &str, part: &str) -> u64 {
    model(name).parts.iter().filter(|known| known.name == part).map(|part| part.bytes).sum()
}

/// DeepSeek-V3 has 256 routed experts: 16 ranks hold 16 each, 24 ranks at most 11, 16 ranks with 16 copies 17.
#[test]
fn whole_experts_are_shared_out_over_all_replicas() {
    let (all, routed) = (model("deepseek-v3").weight_bytes, part("deepseek-v3", "experts"));
    let each = routed / 256;
    for (line, experts, tp) in [
        ("--dp 16 --ep on", 16, 1),
        ("--tp 2 --dp 8 --ep on", 16, 2),
        ("--dp 24 --ep on", 11, 1),
        ("--dp 16 --ep on --redundant-experts 16", 17, 1),
        ("--dp 16 --ep off", 256, 1),
        ("--tp 8 --dp 8 --dp-attention on --ep 8", 32, 8),
    ] {
        answered("deepseek-v3", &format!("--gpu h200 {line}"), |plan| {
            let held = plan.memory.as_ref().unwrap().gpus[0].weight_bytes.unwrap();
            let attention = part("deepseek-v3", "attention");
            let dense = if line.contains("attention") {
                attention + (all - routed - attention).div_ceil(tp)
            } else {
                (all - routed).div_ceil(tp)
            };
            let want = dense + each * experts;
            assert!(held.abs_diff(want) < 4096, "{line}: {held} B, by hand {want} B");
        });
    }
}

/// `--enable-dp-attention` stays within `--tp`; replicas beyond a node do not run under SGLang.
#[test]
fn data_parallel_attention_takes_no_further_gpus() {
    for (line, gpus, tp, replicas) in [
        ("--engine sglang --tp 8 --dp 8 --dp-attention on", 8, 1, 8),
        ("--engine sglang --tp 8 --dp 8", 8, 1, 8),
        ("--engine sglang --tp 16 --dp-attention 4", 16, 4, 4),
        ("--engine sglang --tp 8 --dp 2 --dp-attention 4", 16, 2, 8),
        // one node of 16; two of 4
        ("--engine sglang --tp 8 --dp 2 --nnodes 1", 16, 8, 2),
        ("--engine sglang --tp 4 --dp 2 --nnodes 2", 4, 2, 2),
        ("--engine sglang --tp 2 --dp 4", 8, 2, 4),
        ("--engine tensorrt-llm --tp 8 --dp-attention on", 8, 1, 8),
        ("--engine vllm --tp 8 --dp 8", 64, 8, 8),
    ] {
        answered("deepseek-v3", &format!("--gpu h200 {line}"), |plan| {
            let parallel = plan.parallel;
            assert_eq!((parallel.gpus(), parallel.tp(), parallel.dp()), (gpus, tp, replicas), "{line}");
            assert_eq!(plan.memory.as_ref().unwrap().gpus.len() as u64, gpus, "{line}");
        });
    }
}

#[test]
fn sizes_that_no_engine_takes_are_refused_by_their_flag() {
    for (name, line, code, subject) in [
        ("llama3-8b", "--engine vllm --tp 2 --ep on", "vllm.no_experts", "--ep"),
        ("deepseek-v3", "--engine vllm --tp 8 --ep 4", "bad_value", "--ep"),
        (
            "deepseek-v3",
            "--engine vllm --tp 8 --redundant-experts 8",
            "vllm.no_experts",
            "--redundant-experts",
        ),
        (
            "deepseek-v3",
            "--engine vllm --tp 8 --ep on --redundant-experts 9",
            "vllm.uneven_experts",
            "--redundant-experts",
        ),
        ("deepseek-v3", "--engine sglang --tp 8 --ep 3", "bad_value", "--ep"),
        ("deepseek-v3", "--engine sglang --tp 8 --dp-attention 3", "bad_value", "--dp-attention"),
        ("deepseek-v3", "--engine sglang --tp 8 --nnodes 3", "bad_value", "--nnodes"),
        ("deepseek-v3", "--engine vllm --tp 8 --dp-attention 8", "engine.no_dp_attention", "--dp-attention"),
        ("llama3-8b", "--engine candle --tp 2 --dp-attention on", "engine.no_dp_attention", "--dp-attention"),
    ] {
        let request = request(line).unwrap();
        let error = plan(&model(name), &request).expect_err(line);
        assert_eq!((error.code().as_str(), error.subject()), (code, Some(subject)), "{name} {line}");
    }
}

/// A node's groups of ranks, not a stage for each GPU.
#[test]
fn a_rack_is_replicas_of_a_nodes_ranks() {
    for (name, gpus, tp, dp, pp) in [
        ("deepseek-v3", 72, 8, 9, 1),
        ("llama3-70b", 72, 8, 9, 1),
        ("llama3-70b", 12, 4, 3, 1),
        ("bloom", 9, 1, 1, 9),
    ] {
        answered(name, &format!("--gpu gb200 --gpus {gpus}"), |plan| {
            let parallel = plan.parallel;
            assert_eq!((parallel.tp(), parallel.dp(), parallel.pp()), (tp, dp, pp), "{name} on {gpus}");
        });
    }
}

/// Every model of the catalogue under every engine that says what stands beside the cache.
#[test]
fn more_tensor_ranks_never_raise_the_weights_of_one() {
    let mut compared = 0;
    for entry in planner_models::MODELS {
        let model = catalog::build(entry).unwrap();
        for engine in ["architecture", "vllm", "sglang", "tensorrt-llm"] {
            let weights = |tp: u64| {
                let request = request(&format!("--engine {engine} --gpu h200 --seq 1000 --tp {tp}")).unwrap();
                let plan = plan(&model, &request).ok()?;
                let most = plan.memory.as_ref()?.gpus.iter().filter_map(|gpu| gpu.weight_bytes).max();
                most.map(|bytes| (tp, bytes))
            };
            let known: Vec<(u64, u64)> = [1, 2, 4, 8, 16].into_iter().filter_map(weights).collect();
            for pair in known.windows(2) {
                let [(fewer, more_bytes), (more, bytes)] = pair else { continue };
                assert!(
                    bytes <= more_bytes,
                    "{} under {engine}: {more_bytes} B at {fewer}, {bytes} B at {more}",
                    entry.id
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 2000, "{compared} pairs");
}

/// Parts and room are the budget, on every rank of every engine.
#[test]
fn parts_and_room_add_up_to_the_budget() {
    let mut added = 0;
    for entry in planner_models::MODELS.iter().step_by(3) {
        let model = catalog::build(entry).unwrap();
        for engine in planner_core::engine::all() {
            for sizes in ["", "--tp 2", "--pp 2", "--tp 8 --ep on", "--reserve 3GiB"] {
                let line = format!("--engine {} --gpu h200 --seq 1000 --users 2 {sizes}", engine.id());
                let request = request(&line).unwrap();
                let Ok(plan) = plan(&model, &request) else { continue };
                let memory = plan.memory.as_ref().unwrap();
                for gpu in memory.gpus.iter().filter(|gpu| gpu.kv_bytes_available > 0) {
                    let parts: u64 = gpu.parts.iter().map(|part| part.bytes).sum();
                    let budget = gpu.budget_bytes.unwrap();
                    assert_eq!(
                        parts + gpu.kv_bytes_available,
                        budget,
                        "{} {line}, rank {}",
                        entry.id,
                        gpu.rank
                    );
                    let ranges = gpu.parts.iter().filter_map(|part| Some((part.bytes, part.range?)));
                    assert!(ranges.clone().all(|(bytes, (low, high))| low <= bytes && bytes <= high));
                    added += 1;
                }
            }
        }
    }
    assert!(added > 3000, "{added} GPUs");
}
