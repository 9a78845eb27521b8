//! How many sessions run at once under vLLM: against its own KV cache manager (`oracles/vllm/sessions.py`, 0.33.0) and
//! against servers that were run (0.32.0 on a CPU, random checkpoints, a load of more sessions than run).

use planner_core::catalog;
use planner_core::engine::vllm::kv_cache::capacity::Ranks;
use planner_core::engine::vllm::kv_cache::group;
use planner_core::engine::vllm::kv_cache::running::Decoding;
use planner_core::engine::vllm::kv_cache::spec::{
    BlockParams, Identity, Kind, PageStride, Spec, Specs, StaticName, TokensPerState,
};
use planner_core::engine::vllm::kv_cache::tensor_layout::TensorLayout;
use planner_core::plan::plan;
use planner_tests::{fixture, json, request};
use serde_json::Value as Json;

fn spec(of: &Json) -> Spec {
    let number = |at: usize| of[at].as_u64().unwrap_or(0);
    let kind = match of[0].as_str().unwrap() {
        "full" => Kind::Full,
        "sliding" => Kind::Sliding { window: number(2) },
        "chunked" => Kind::Chunked { chunk: number(2) },
        _ => Kind::State { speculative: number(2), checkpoint: number(3) },
    };
    Spec {
        kind,
        block_size: number(1),
        slots: 1,
        content: 4,
        per_state: TokensPerState::ONE,
        padded: None,
        stride: PageStride::Free,
        dcp_sharded: false,
        identity: Identity {
            kv_heads: 1,
            head: 1,
            head_v: 1,
            cache_dtype: StaticName("auto"),
            role: StaticName(""),
        },
    }
}

/// The most sessions of a case that have their blocks; one block is never handed out.
fn most(case: &Json) -> u64 {
    let number = |key: &str| case[key].as_u64().unwrap();
    let one = |of: &Json| group::groups(&Specs::alike(spec(of), 1), TensorLayout::Lbnhc).unwrap();
    let groups = case["groups"].as_array().unwrap().iter().flat_map(one).collect();
    let ranks = Ranks::of(groups, |_| 1, 1, |_| 0).unwrap();
    let batches = number("batches");
    let run = BlockParams {
        max_model_len: number("max_model_len"),
        in_flight: number("batched") * batches,
        dcp: 1,
        align_states: case["prefix_caching"].as_bool().unwrap(),
        encoder_tokens: 0,
    };
    let decoding = Decoding { in_flight: batches - 1, lookahead: 0 };
    let fits = |users: &u64| {
        ranks.running_blocks(*users, number("length"), &run, decoding).unwrap() < number("blocks")
    };
    (1..).take_while(fits).last().unwrap_or(0)
}

/// Of sessions that begin together some may still be short when the last one is admitted: two cases run one or two more.
#[test]
fn as_many_sessions_run_as_vllm_s_manager_has_blocks_for() {
    let cases = json(&fixture("vllm_sessions.json"));
    let cases = cases["manager"].as_array().unwrap();
    let mut more = 0;
    for case in cases {
        let (ours, theirs) = (most(case), case["expect"].as_u64().unwrap());
        assert!(ours <= theirs && theirs - ours <= 2, "{ours} {case}");
        more += usize::from(ours < theirs);
    }
    assert!(cases.len() >= 38 && more <= 2, "{more} of {}", cases.len());
}

#[test]
fn as_many_sessions_run_as_servers_ran() {
    for case in json(&fixture("vllm_sessions.json"))["servers"].as_array().unwrap() {
        assert_eq!(most(case), case["expect"].as_u64().unwrap(), "{case}");
    }
}

/// `max_users` is what the start-up check grants; layers that free tokens let more run.
#[test]
fn granted_and_running_are_told_apart() {
    for (name, is_more) in [
        ("llama3.1-8b", false),
        ("deepseek-v2-lite", false),
        ("gemma3-27b", true),
        ("llama4-scout", true),
        ("deepseek-v4-flash", true),
    ] {
        let model = catalog::model(name).unwrap();
        let request = request("engine vllm gpu h200 tp 4 seq 20000 users 1").unwrap();
        let verdict = plan(&model, &request).unwrap().verdict.unwrap();
        assert!(verdict.max_users > 0, "{name}");
        assert_eq!(verdict.steady_users > verdict.max_users, is_more, "{name}: {verdict:?}");
    }
}
