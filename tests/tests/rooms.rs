//! What SGLang, llama.cpp, TensorRT-LLM, transformers and candle leave for the cache: logs, and sums that hold for every
//! engine.

use planner_core::catalog;
use planner_core::engine::memory::PartKind;
use planner_core::engine::{self, Engine, ShareOf};
use planner_core::plan::plan;
use planner_core::request::Request;
use planner_tests::rooms::rows;

#[test]
fn sglang_leaves_what_its_logs_say() {
    for row in rows("sglang") {
        let gpu = row.gpu();
        let ours = [gpu.kv_bytes_available, gpu.weight_bytes.unwrap(), gpu.shared_bytes.unwrap()];
        for ((name, most), ours) in
            [("kv_gib", 0.01), ("weights_gib", 0.06), ("free_gib", 0.002)].into_iter().zip(ours)
        {
            let Some(logged) = row.figure(name) else { continue };
            let error = ours as f64 / planner_tests::room::GIB / logged - 1.0;
            assert!(error.abs() <= most, "{} {name}: {error:+.4}", row.id());
        }
    }
}

#[test]
fn constants_were_set_on_logs() {
    let ids: Vec<&str> = rows("sglang").iter().map(|row| row.id()).collect();
    for constant in with_parts().flat_map(|engine| engine.constants()) {
        assert!(!constant.source.is_empty() && !constant.releases.is_empty(), "{}", constant.name);
        assert!(constant.derived_on.iter().all(|id| ids.contains(id)), "{}", constant.name);
    }
}

/// To the hundredth of a MiB that the log prints where outputs are the peak; within 1 % of a layer's with flash
/// attention, within 4 % without.
#[test]
fn compute_buffers_are_those_that_llama_cpp_prints() {
    for row in rows("llama.cpp") {
        let (ours, logged) = (row.buffer(), row.figure("mib").unwrap());
        let most = match row.device() {
            "CPU" if row.id().ends_with("without") => 0.04 * logged,
            "CPU" => 0.01 * logged,
            _ => 0.005,
        };
        assert!((ours - logged).abs() <= most, "{}: {ours:.3} MiB, {logged:.2} logged", row.id());
    }
}

/// All engines but the definition, which keeps a fixed reserve.
fn with_parts() -> impl Iterator<Item = &'static dyn Engine> {
    engine::all().into_iter().filter(|engine| engine.id() != "architecture")
}

fn asked(engine: &str, tp: u64, pp: u64, flags: &[(&str, &str)]) -> Request {
    let mut request = Request { tp: Some(tp), pp: Some(pp), seq: Some(64), ..Request::default() };
    for (flag, value) in [("engine", engine), ("gpu", "h200-141gb")].iter().chain(flags) {
        request.set(flag, value).unwrap();
    }
    request
}

/// On every rank of every engine: parts and room are the budget, and what the share leaves out is the rest of the total.
#[test]
fn parts_and_room_add_up_on_every_rank() {
    let mut fitting = 0;
    for engine in with_parts() {
        for entry in planner_models::MODELS.iter().step_by(7) {
            let model = catalog::build(entry).unwrap();
            for (tp, pp) in [(1, 1), (2, 1), (8, 1), (2, 2)] {
                let request = asked(engine.id(), tp, pp, &[("users", "2")]);
                let Ok(plan) = plan(&model, &request) else { continue };
                let what = format!("{} {} tp {tp} pp {pp}", engine.id(), model.id);
                let share = plan.utilization();
                for gpu in &plan.memory.as_ref().unwrap().gpus {
                    let parts: u64 = gpu.parts.iter().map(|part| part.bytes).sum();
                    let (budget, total) = (gpu.budget_bytes.unwrap(), gpu.total_bytes.unwrap());
                    assert_eq!(gpu.weight_bytes.unwrap() + gpu.reserve_bytes.unwrap(), parts, "{what}");
                    assert_eq!(gpu.kv_bytes_available, budget.saturating_sub(parts), "{what}");
                    let inside = |(low, high): (u64, u64), bytes| (low..=high).contains(&bytes);
                    assert!(
                        gpu.parts.iter().all(|part| part.range.is_none_or(|range| inside(range, part.bytes)))
                    );
                    if parts > budget {
                        continue;
                    }
                    let shared = gpu.shared_bytes.unwrap();
                    let left_out = match engine.utilization_of() {
                        ShareOf::Total | ShareOf::FreeBeforeWeights => shared - share.of(shared),
                        ShareOf::FreeAfterWeights => shared - gpu.kv_bytes_available,
                    };
                    assert_eq!(parts + gpu.kv_bytes_available + left_out, total, "{what}");
                    fitting += 1;
                }
            }
        }
    }
    assert!(fitting > 1000, "{fitting}");
}

/// `--reserve` stands for all but the weights, under every engine.
#[test]
fn a_reserve_replaces_all_but_the_weights() {
    let model = catalog::model("llama3-8b").unwrap();
    for engine in with_parts() {
        let request = asked(engine.id(), 1, 1, &[("reserve", "3GiB")]);
        let plan = plan(&model, &request).unwrap();
        let gpu = &plan.memory.as_ref().unwrap().gpus[0];
        let kinds: Vec<PartKind> = gpu.parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [PartKind::Weights, PartKind::Reserve], "{}", engine.id());
        assert_eq!(gpu.reserve_bytes, Some(3 << 30), "{}", engine.id());
    }
}

/// The most users and the longest session that a plan names are so when they are asked for, where a step's memory grows
/// with them too.
#[test]
fn most_users_and_longest_session_hold_when_asked_for() {
    let model = catalog::model("llama3.1-8b").unwrap();
    for engine in ["llama.cpp", "transformers", "candle", "sglang", "tensorrt-llm"] {
        let fits = |flags: &[(&str, String)]| {
            let flags: Vec<(&str, &str)> =
                flags.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
            let mut request = asked(engine, 1, 1, &[("gpu", "l40s")]);
            for (flag, value) in flags {
                request.set(flag, value).unwrap();
            }
            plan(&model, &request).unwrap().verdict.unwrap()
        };
        let asked = fits(&[("seq", "4096".into()), ("users", "2".into())]);
        assert!(asked.fits, "{engine}");
        let users = |users: u64| fits(&[("seq", "4096".into()), ("users", users.to_string())]).fits;
        assert!(users(asked.max_users) && !users(asked.max_users + 1), "{engine}: {}", asked.max_users);
        let longest = asked.max_seq.unwrap();
        let seq = |tokens: u64| fits(&[("seq", tokens.to_string()), ("users", "2".into())]).fits;
        assert!(seq(longest), "{engine}: {longest}");
        assert!(longest == 131_072 || !seq(longest + 1), "{engine}: {longest}");
    }
}
