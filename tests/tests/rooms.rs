//! What SGLang, llama.cpp, TensorRT-LLM, transformers and candle leave for the cache: logs, and sums that hold for every
//! engine.

use planner_core::catalog;
use planner_core::engine::memory::PartKind;
use planner_core::engine::{self, Engine, ShareOf};
use planner_core::plan::{GpuMemory, plan};
use planner_core::render::explain::sections;
use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Lang;
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

/// 61 layers of 16 groups x 1,024 x 4,096: bf16 on Hopper; on Blackwell the checkpoint's FP8, with a byte of scale for each
/// 128 x 128.
#[test]
fn sglang_loads_deepseek_v4_s_grouped_projection_by_the_card() {
    let model = catalog::model("deepseek-v4-pro").unwrap();
    let weights = |gpu: &str| {
        let request = planner_tests::request(&format!("engine sglang gpu {gpu} tp 8 seq 8000")).unwrap();
        plan(&model, &request).unwrap().memory.unwrap().gpus[0].weight_bytes.unwrap()
    };
    let parameters = 61 * 16 * 1024 * 4096_u64;
    let by_hand = (2 * parameters - parameters - parameters / (128 * 128)) / 8;
    assert!((weights("h200") - weights("b200")).abs_diff(by_hand) <= 61, "{by_hand}");
}

/// gpt-oss-120b: 36 layers of 128 experts, three matrices of 2,880 x 2,880 in 17/32 B. FlashInfer's kernel takes 2,944 x
/// 3,072, Triton's on Hopper pads what it sums over to 3,072; experts that are shared out over Hopper's ranks are bf16.
#[test]
fn sglang_pads_mxfp4_experts_to_their_kernel() {
    let model = catalog::model("gpt-oss-120b").unwrap();
    let weights = |flags: &str| {
        let request = planner_tests::request(&format!("engine sglang seq 8000 {flags}")).unwrap();
        plan(&model, &request).unwrap().memory.unwrap().gpus[0].weight_bytes.unwrap()
    };
    let plain = weights("gpu a100-80gb");
    let mxfp4 = |area: u64| 36 * 128 * area / 32 * 17;
    // biases, 76 MB, are padded as their matrices are
    let near = |ours: u64, by_hand: u64| assert!(ours.abs_diff(by_hand) < 16 << 20, "{ours} {by_hand}");
    near(weights("gpu b200") - plain, mxfp4(3 * (2944 * 3072 - 2880 * 2880)));
    near(weights("gpu h100-80gb") - plain, mxfp4(3 * (3072 * 2880 - 2880 * 2880)));
    let (divided, shared) = (weights("gpu a100-80gb tp 2"), weights("gpu h100-80gb tp 2 ep on"));
    // 1,440 a rank is 1,472 in Triton's tile
    let experts = 36 * 64 * 3 * 2880 * 2880 * 2;
    let cut = mxfp4(3 * 1472 * 2880);
    near(shared + cut, divided + experts);
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

/// 64 wide, 4 heads of 16, 2 KV heads, 128 inner, a vocabulary of 100, bf16.
fn tiny(layers: u64, tied: bool) -> ModelSpec {
    let config = format!(
        r#"{{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16", "num_hidden_layers": {layers},
        "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100,
        "max_position_embeddings": 64, "tie_word_embeddings": {tied}}}"#
    );
    from_config_json(&config, true).unwrap()
}

/// Bytes of one kind on each GPU.
fn bytes(model: &ModelSpec, kind: PartKind, request: &Request) -> Vec<u64> {
    let memory = plan(model, request).unwrap().memory.unwrap();
    let of = |gpu: &GpuMemory| gpu.parts.iter().filter(|part| part.kind == kind).map(|part| part.bytes).sum();
    memory.gpus.iter().map(of).collect()
}

const NORM: u64 = 64 * 2;
/// Queries and outputs 64 × 64, keys and values 64 × 32, three matrices of 64 × 128, and two norms.
const LAYER: u64 = (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) * 2 + 2 * NORM;
/// 64 positions and 256 more, in whole 128, of 16 elements in f32.
const ROTARY: u64 = 384 * 16 * 4;

/// Vocabularies of 128 padded rows, one layer more on the later stage, KV heads copied once there are more ranks than
/// heads.
#[test]
fn sglang_s_ranks_hold_what_their_layers_cut() {
    let table = 128 * 64 * 2;
    let weights =
        |layers, tp, pp| bytes(&tiny(layers, false), PartKind::Weights, &asked("sglang", tp, pp, &[]));
    assert_eq!(weights(3, 1, 1), [2 * table + 3 * LAYER + NORM + ROTARY]);
    let halves = table + (LAYER - 2 * NORM) / 2 + 2 * NORM + NORM + ROTARY;
    assert_eq!(weights(1, 2, 1), [halves, halves]);
    let quarters = (2 * 64 * 16 + 2 * 64 * 16 + 3 * 64 * 32) * 2;
    assert_eq!(weights(1, 4, 1), [table / 2 + quarters + 3 * NORM + ROTARY; 4]);
    assert_eq!(weights(3, 1, 2), [table + LAYER + ROTARY, table + 2 * LAYER + NORM + ROTARY]);
}

/// The table of tokens is on the host, and once more on the last device where the output is that table; three layers
/// and the output are four places for two devices.
#[test]
fn llama_cpp_s_devices_hold_their_layers() {
    let table = 100 * 64 * 2;
    let weights = |tied, pp| bytes(&tiny(3, tied), PartKind::Weights, &asked("llama.cpp", 1, pp, &[]));
    assert_eq!(weights(false, 1), [3 * LAYER + NORM + table]);
    assert_eq!(weights(true, 1), [3 * LAYER + NORM + table]);
    assert_eq!(weights(false, 2), [2 * LAYER, LAYER + NORM + table]);
}

/// 8,192 tokens by three states of 128 and 4.25 of 64 in bf16, and the logits of 128 prompts of 64 tokens, in bf16 and
/// f32.
#[test]
fn tensorrt_llm_runs_a_step_of_prompts() {
    let activation = bytes(&tiny(1, true), PartKind::Activation, &asked("trtllm", 1, 1, &[]));
    assert_eq!(activation, [8192 * 2 * (3 * 128 + 17 * 64 / 4) + 128 * 100 * 6]);
}

/// The number that a text begins with, grouping commas left out.
fn leading(text: &str) -> f64 {
    let digits: String = text
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_digit() || matches!(c, ',' | '.'))
        .filter(|c| *c != ',')
        .collect();
    digits.parse().unwrap_or_else(|_| panic!("no number in `{text}`"))
}

/// What `explain` writes of a GPU's memory is true: a line is a formula with its result, a part that is taken off the
/// result before it, or what is left of it.
#[test]
fn explained_budgets_add_up() {
    let model = catalog::model("llama3-8b").unwrap();
    for engine in engine::all() {
        let request = asked(engine.id(), 1, 1, &[]);
        let plan = plan(&model, &request).unwrap();
        let title = "memory of one GPU";
        let section = sections(&plan, Lang::En).into_iter().find(|section| section.title == title).unwrap();
        let (mut left, mut parts) = (0.0, 0);
        for line in &section.lines {
            let right = |result: f64, want: f64| {
                assert!((result - want).abs() <= 1.0, "{}: {line}: {want} B", engine.id());
            };
            if let Some(part) = line.strip_prefix("− ") {
                left -= leading(part);
                parts += 1;
            } else if let Some(rest) = line.strip_prefix("= ") {
                right(leading(rest), left);
            } else if let Some((formula, result)) = line.split_once(" = ") {
                let term = |text: &str| text.split(" × ").map(leading).product::<f64>();
                let difference =
                    |text: &str| text.split(" − ").map(term).reduce(|rest, term| rest - term).unwrap();
                left = leading(result);
                right(left, formula.split(" + ").map(difference).sum());
            } else {
                left = leading(line);
            }
        }
        assert!(parts >= 1 && left > 0.0, "{}: {:?}", engine.id(), section.lines);
        assert!(
            (left - plan.memory.unwrap().gpus[0].kv_bytes_available as f64).abs() <= 1.0,
            "{}",
            engine.id()
        );
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
