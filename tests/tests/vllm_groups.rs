//! How vLLM 0.33.0's own planning code groups invented caches (`oracles/vllm/groups.py`), against this engine's.
//!
//! Models bring few mixes of caches; these are drawn at random, so that a mix no model has yet is grouped as
//! the engine would. `VLLM_GROUPS` names another file of answers.

use std::path::PathBuf;

use planner_core::engine::vllm::kv_cache::capacity::{Ranks, logged};
use planner_core::engine::vllm::kv_cache::group::{self, Group};
use planner_core::engine::vllm::kv_cache::spec::{
    BlockParams, Identity, Kind, PageStride, Spec, Specs, StaticName, TokensPerState,
};
use planner_core::engine::vllm::kv_cache::tensor_layout::{self, TensorLayout};
use planner_tests::{fixture, json};
use serde_json::{Value as Json, json};

/// `max_model_len`, and twice `max_num_batched_tokens`, of the oracle's configuration.
const RUN: BlockParams =
    BlockParams { max_model_len: 6_000, in_flight: 4_096, dcp: 1, align_states: false, encoder_tokens: 0 };

fn spec(of: &Json) -> Spec {
    let given = |key: &str| of[key].as_u64();
    let number = |key: &str| given(key).unwrap_or(0);
    let window = number("window");
    let kind = match of["kind"].as_str().unwrap() {
        "full" => Kind::Full,
        "sliding" => Kind::Sliding { window },
        "mla" => Kind::Mla,
        "sliding_mla" => Kind::SlidingMla { window },
        "chunked" => Kind::Chunked { chunk: number("chunk") },
        _ => Kind::State { speculative: number("speculative"), checkpoint: number("checkpoint") },
    };
    let [heads, head, head_v, element] = ["heads", "head", "head_v", "element"].map(number);
    let state = matches!(kind, Kind::State { .. });
    let cache_dtype = if of["cache_dtype"] == "fp8" { "fp8" } else { "auto" };
    Spec {
        kind,
        block_size: number("block"),
        slots: if state { 1 } else { heads },
        content: given("bytes").unwrap_or((head + head_v) * element),
        per_state: TokensPerState::tokens(given("tokens").unwrap_or(1)),
        padded: given("padded"),
        stride: match of["stride"][0].as_str() {
            Some("bytes") => PageStride::Bytes(of["stride"][1].as_u64().unwrap()),
            Some(_) => PageStride::KernelBlocks(of["stride"][1].as_u64().unwrap()),
            None => PageStride::Free,
        },
        dcp_sharded: !state && of["sharded"].as_bool().unwrap_or(true),
        identity: Identity {
            kv_heads: heads,
            head,
            head_v,
            cache_dtype: StaticName(cache_dtype),
            role: StaticName(""),
        },
    }
}

fn layout_of(name: &Json) -> TensorLayout {
    match name.as_str().unwrap() {
        "LBHNC" => TensorLayout::Lbhnc,
        "LBNHC" => TensorLayout::Lbnhc,
        "BLHNC" => TensorLayout::Blhnc,
        _ => TensorLayout::Blnhc,
    }
}

/// The engine's answer, in the words of the fixture, or `None` where it refuses.
fn answer(case: &Json) -> Option<Json> {
    let kinds: Vec<Spec> = case["specs"].as_array().unwrap().iter().map(spec).collect();
    let layers = case["layers"].as_array().unwrap();
    let specs: Specs = layers.iter().map(|kind| kinds[kind.as_u64().unwrap() as usize]).collect();
    if specs.kinds().iter().any(|spec| spec.padded.is_some_and(|padded| padded < spec.natural_page())) {
        return None;
    }
    let candidates: Vec<TensorLayout> = case["layouts"].as_array().unwrap().iter().map(layout_of).collect();
    let layout = tensor_layout::resolve(candidates.clone(), specs.kinds()).ok()?;
    let name = candidates.iter().position(|candidate| *candidate == layout)?;
    let groups = group::groups(&specs, layout).ok()?;
    let ranks = Ranks::of(groups, |groups: &[Group]| group::block_bytes(groups, layout), 1, |_| 0).ok()?;
    let memory = case["memory"].as_u64().unwrap();
    let blocks = ranks.num_blocks(&[memory]);
    // one block is never handed out
    if ranks.checked_blocks(&RUN).ok()? >= blocks {
        return None;
    }
    let (tokens, concurrency) = logged(blocks, ranks.logged_blocks(&RUN).ok()?, RUN.max_model_len);
    let of = |group: &group::Group| {
        let page = if group.mixed { group.specs.sum(Spec::page) } else { group.spec.page() };
        json!([group.layers, group.spec.block_size, page, group.mixed])
    };
    let groups: Vec<Json> = ranks.whole().iter().map(of).collect();
    Some(
        json!({ "layout": case["layouts"][name], "groups": groups, "num_blocks": blocks, "tokens": tokens, "concurrency": concurrency }),
    )
}

#[test]
fn invented_caches_are_grouped_as_the_engine_does() {
    let own = fixture("vllm_groups.json");
    let path = std::env::var("VLLM_GROUPS").map_or(own, PathBuf::from);
    let cases = json(&path);
    let cases = cases.as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let (ours, engine) = (answer(case), &case["expect"]);
        if ours.as_ref().unwrap_or(&Json::Null) != engine {
            wrong.push(format!("{case}\n    ours {}", ours.unwrap_or_default()));
        }
    }
    let shown = wrong.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} differ:\n{shown}", wrong.len(), cases.len());
    let answered = cases.iter().filter(|case| !case["expect"].is_null()).count();
    assert!(answered >= 500 && cases.len() > answered + 30, "{answered} of {} answered", cases.len());
}
