//! Laws for every model under every engine: bytes never fall with length or users, a plan that fits still fits
//! when it is made smaller, and no engine hands out more than it has.

use std::sync::LazyLock;

use planner_core::catalog;
use planner_core::engine;
use planner_core::plan::{Plan, plan};
use planner_core::request::{EngineId, Request};
use planner_core::spec::layer::Content;
use planner_core::spec::model::ModelSpec;
use planner_models::MODELS;
use planner_tests::{engine_keys, engine_name};
use proptest::prelude::*;

static SPECS: LazyLock<Vec<ModelSpec>> =
    LazyLock::new(|| MODELS.iter().map(|entry| catalog::build(entry).unwrap()).collect());

fn any_model() -> impl Strategy<Value = &'static ModelSpec> {
    (0..SPECS.len()).prop_map(|at| &SPECS[at])
}

/// A question to one engine, with room for the cache on each GPU.
fn any_request() -> impl Strategy<Value = Request> {
    let sizes = (0..engine::all().len(), 1_u64..2_000, 1_u64..40, 20_u32..37, any::<bool>(), any::<bool>());
    sizes.prop_map(|(engine, seq, users, room, split, prefix)| Request {
        engine: Some(EngineId::named(engine::all()[engine].id())),
        seq: Some(seq),
        users,
        kv_memory: Some(1 << room),
        pp: split.then_some(2),
        prefix_caching: (!prefix).then_some(false),
        ..Request::default()
    })
}

/// Bytes of one session, of all sessions, and on the fullest GPU.
fn bytes(plan: &Plan<'_>) -> [u64; 3] {
    let used = plan.memory.iter().flat_map(|memory| &memory.gpus).map(|gpu| gpu.kv_bytes_used);
    [plan.engine.session_bytes, plan.engine.total_bytes, used.max().unwrap_or(0)]
}

/// transformers keeps the tokens of a compressed cache's open group until the group is full, and then one row,
/// which has fewer bytes.
fn closes_groups(model: &ModelSpec, request: &Request) -> bool {
    let shares =
        |layer: &planner_core::spec::layer::Layer| layer.stores.iter().any(|store| store.tokens_per_row > 1);
    engine_name(request) == "transformers" && model.layers.iter().any(shares)
}

/// SGLang subtracts whole slots for states from its memory first. More memory may hold one more slot and leave
/// fewer tokens.
fn cuts_states_first(model: &ModelSpec, request: &Request) -> bool {
    let mut stores = model.layers.iter().flat_map(|layer| &layer.stores);
    engine_name(request) == "sglang" && stores.any(|store| matches!(store.content, Content::State { .. }))
}

fn fits(plan: &Plan<'_>) -> bool {
    plan.verdict.as_ref().is_some_and(|verdict| verdict.fits)
}

/// Most engines answer for most models: the laws below are not about refusals.
#[test]
fn engines_answer_for_most_models() {
    for engine in engine::all() {
        let request =
            Request { engine: Some(EngineId::named(engine.id())), seq: Some(100), ..Request::default() };
        let answered = SPECS.iter().filter(|model| plan(model, &request).is_ok()).count();
        let least = if engine.id() == "candle" { 3 } else { 2 };
        assert!(answered * least >= SPECS.len(), "{} answers {answered} of {}", engine.id(), SPECS.len());
    }
}

/// The products of `explain` add up to its figure; the GPUs hold at least that; and a session holds no more
/// before its first token.
#[test]
fn the_terms_of_a_session_are_its_bytes() {
    let mut shown = 0;
    for engine in engine::all() {
        for tp in [1, 2] {
            let request = Request {
                engine: Some(EngineId::named(engine.id())),
                seq: Some(3_000),
                tp: Some(tp),
                ..Request::default()
            };
            for model in SPECS.iter() {
                let Ok(plan) = plan(model, &request) else { continue };
                let layout = plan.allocation().unwrap();
                let stages: u64 = layout.stage_bytes(1, plan.tokens).unwrap().iter().sum();
                let session = plan.engine.session_bytes;
                assert!(stages * tp >= session, "{} {}: {stages} B on a GPU", model.id, engine.id());
                assert!(layout.min_session_bytes().unwrap() <= session, "{} {}", model.id, engine.id());
                let terms = layout.terms(plan.tokens).unwrap();
                // Reports of these engines show the products.
                if ["architecture", "llama.cpp"].contains(&engine.id()) {
                    assert!(terms.is_empty());
                    continue;
                }
                let bytes: u64 = terms.iter().map(|term| term.bytes().unwrap()).sum();
                assert_eq!(bytes, session, "{} {} --tp {tp}", model.id, engine.id());
                shown += 1;
            }
        }
    }
    assert!(shown > 5 * SPECS.len(), "only {shown} have terms");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn bytes_never_fall_with_length_or_users(model in any_model(), request in any_request(), longer in 1_u64..300, others in 1_u64..5) {
        let longest = Some(4_000);
        let base = Request { max_model_len: longest, ..request };
        let seq = base.seq.map(|seq| seq + longer);
        let long = Request { seq, ..base.clone() };
        let more = Request { users: base.users + others, ..base.clone() };
        if !closes_groups(model, &base)
            && let (Ok(small), Ok(long)) = (plan(model, &base), plan(model, &long))
        {
            for (small, long) in bytes(&small).into_iter().zip(bytes(&long)) {
                prop_assert!(small <= long, "{} {}: {small} B at {:?}, {long} B at {seq:?}", model.id, engine_name(&base), base.seq);
            }
        }
        if let (Ok(few), Ok(many)) = (plan(model, &base), plan(model, &more)) {
            for (few, many) in bytes(&few).into_iter().zip(bytes(&many)).skip(1) {
                prop_assert!(few <= many, "{} {}: {few} B for {}, {many} B for {}", model.id, engine_name(&base), base.users, more.users);
            }
        }
    }

    #[test]
    fn what_fits_still_fits_with_a_token_or_a_user_less(model in any_model(), request in any_request()) {
        let Ok(whole) = plan(model, &request) else { return Ok(()) };
        if fits(&whole) && !closes_groups(model, &request) {
            let seq = request.seq.map(|seq| (seq - 1).max(1));
            for less in [Request { seq, ..request.clone() }, Request { users: (request.users - 1).max(1), ..request.clone() }] {
                let smaller = plan(model, &less);
                prop_assert!(smaller.as_ref().is_ok_and(fits), "{} {}: {less:?}: {smaller:?}", model.id, engine_name(&request));
            }
        }
    }

    #[test]
    fn no_engine_hands_out_more_than_it_has(model in any_model(), request in any_request(), more in 0_u64..(1 << 34)) {
        let Ok(plan_now) = plan(model, &request) else { return Ok(()) };
        let keys = &engine_keys(&plan_now.engine.report);
        let number = |key: &str| keys.get(key).and_then(serde_json::Value::as_u64);
        let block = keys.get("block_bytes").and_then(|list| list.as_array()?.iter().filter_map(serde_json::Value::as_u64).max());
        let memory = request.kv_memory.unwrap_or(0);
        if let (Some(blocks), Some(block)) = (number("num_blocks"), block) {
            prop_assert!(u128::from(blocks) * u128::from(block) <= u128::from(memory), "{}", model.id);
            prop_assert!(u128::from(blocks + 1) * u128::from(block) > u128::from(memory), "{}", model.id);
        }
        // more memory never means fewer blocks, tokens or users
        let larger = Request { kv_memory: Some(memory + more), ..request.clone() };
        if let Ok(larger) = plan(model, &larger) {
            let keys = if cuts_states_first(model, &request) { &[][..] } else { &["num_blocks", "kv_cache_tokens"] };
            for key in keys {
                let after = engine_keys(&larger.engine.report).get(*key).and_then(serde_json::Value::as_u64);
                prop_assert!(number(key) <= after, "{} {}: {key}", model.id, engine_name(&request));
            }
            let users = |plan: &Plan<'_>| plan.verdict.as_ref().map(|verdict| verdict.max_users);
            prop_assert!(users(&plan_now) <= users(&larger), "{} {}", model.id, engine_name(&request));
        }
    }

    #[test]
    fn tensor_parallelism_never_raises_what_a_gpu_holds(model in any_model(), seq in 1_u64..200_000, power in 1_u32..5) {
        let with = |tp: u64| {
            let request = Request { seq: Some(seq), tp: Some(tp), kv_memory: Some(1 << 40), ..Request::default() };
            plan(model, &request).map(|plan| bytes(&plan)[2])
        };
        if let (Ok(half), Ok(whole)) = (with(1 << power), with(1 << (power - 1))) {
            prop_assert!(half <= whole, "{}: {half} B of {whole} B at tp {}", model.id, 1 << power);
        }
    }
}
