//! Laws that hold for every model: linear in users, monotone in length, limits that are exact.

use std::sync::LazyLock;

use planner_core::catalog;
use planner_core::plan::{Limit, plan};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_models::MODELS;
use proptest::prelude::*;

static SPECS: LazyLock<Vec<ModelSpec>> =
    LazyLock::new(|| MODELS.iter().map(|entry| catalog::build(entry).unwrap()).collect());

fn request(seq: u64, users: u64) -> Request {
    Request { seq: Some(seq), users, ..Request::default() }
}

fn session(model: &ModelSpec, seq: u64) -> u64 {
    plan(model, &request(seq, 1)).unwrap().kv.session_bytes
}

fn with_room(seq: u64, users: u64, kv_memory: u64) -> Request {
    Request { kv_memory: Some(kv_memory), ..request(seq, users) }
}

fn any_model() -> impl Strategy<Value = &'static ModelSpec> {
    (0..SPECS.len()).prop_map(|at| &SPECS[at])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn bytes_are_linear_in_users(model in any_model(), seq in 1_u64..200_000, users in 1_u64..10_000) {
        let many = plan(model, &request(seq, users)).unwrap().kv;
        prop_assert_eq!(many.total_bytes, session(model, seq) * users);
    }

    #[test]
    fn a_longer_session_is_never_smaller(model in any_model(), seq in 1_u64..500_000, more in 1_u64..50_000) {
        prop_assert!(session(model, seq + more) >= session(model, seq));
    }

    #[test]
    fn slopes_add_up_to_the_session(model in any_model(), seq in 1_u64..300_000) {
        let kv = plan(model, &request(seq, 1)).unwrap().kv;
        if kv.slopes.iter().all(|slope| slope.per_tokens == 1) {
            let mut sum = kv.state_bytes_per_session;
            for (at, slope) in kv.slopes.iter().enumerate() {
                let end = kv.slopes.get(at + 1).map_or(seq, |next| next.from_token.min(seq));
                sum += slope.bytes * end.saturating_sub(slope.from_token);
            }
            prop_assert_eq!(sum, kv.session_bytes);
        }
    }

    #[test]
    fn layers_add_up_to_the_session(model in any_model(), seq in 1_u64..300_000) {
        let request = request(seq, 1);
        let plan = plan(model, &request).unwrap();
        let sum: u64 = plan.layers.iter().map(|group| group.session_bytes).sum();
        prop_assert_eq!(sum, plan.kv.session_bytes);
        let layers: u64 = plan.layers.iter().map(|group| group.count).sum();
        prop_assert_eq!(layers, model.layers.len() as u64);
    }

    #[test]
    fn the_longest_sequence_fits_and_one_more_does_not(model in any_model(), users in 1_u64..200, room in 1_u64..(1 << 38)) {
        let verdict = plan(model, &with_room(1, users, room)).unwrap().verdict.unwrap();
        let fits = |seq: u64| plan(model, &with_room(seq, users, room)).unwrap().verdict.unwrap();
        if let Some(longest) = verdict.max_seq.filter(|tokens| *tokens > 0) {
            prop_assert!(fits(longest).fits);
            // The other limit agrees: at the longest length these users are among the most.
            prop_assert!(fits(longest).max_users >= users);
        }
        if verdict.limited_by == Limit::KvCache {
            let next = fits(verdict.max_seq.unwrap() + 1);
            prop_assert!(!next.fits);
            prop_assert!(next.max_users < users);
        }
    }
}

/// For every model of the catalogue, not a sample: n users fit, n + 1 do not.
#[test]
fn max_users_is_the_largest_that_fits() {
    for model in SPECS.iter() {
        for (seq, room) in [(1, 1 << 28), (1_000, 1 << 33), (8_192, 5 << 30), (70_001, 60 << 30)] {
            let verdict = |users: u64| plan(model, &with_room(seq, users, room)).unwrap().verdict.unwrap();
            let most = verdict(1).max_users;
            if most > 0 {
                assert!(verdict(most).fits, "{}: {most} users of {seq} tokens in {room}", model.id);
            }
            assert!(!verdict(most + 1).fits, "{}: {} users of {seq} tokens in {room}", model.id, most + 1);
            assert_eq!(most, room / session(model, seq), "{}: division agrees for whole sessions", model.id);
        }
    }
}

/// Whatever is offered when it does not fit, fits.
#[test]
fn every_alternative_fits_when_planned() {
    let mut offered = 0;
    for model in SPECS.iter() {
        let mut request = request(4_096, 5_000);
        request.set("gpu", "h100-80gb").unwrap();
        for offer in plan(model, &request).unwrap().verdict.unwrap().alternatives {
            let mut changed = request.clone();
            for change in &offer.changes {
                changed.set(change.flag().trim_start_matches('-'), &change.value()).unwrap();
            }
            let verdict = plan(model, &changed).unwrap().verdict.unwrap();
            assert!(verdict.fits, "{}: {offer:?}", model.id);
            assert_eq!(verdict.max_users, offer.max_users, "{}: {offer:?}", model.id);
            offered += 1;
        }
    }
    assert!(offered > 60, "only {offered} alternatives were offered");
}

/// A state of fixed size fills at no length: the room limits users alone.
#[test]
fn a_cache_that_does_not_grow_is_limited_by_nothing() {
    let model = SPECS.iter().find(|model| model.id == "codestral-mamba-7b").unwrap();
    let verdict = plan(model, &with_room(1, 1, session(model, 1))).unwrap().verdict.unwrap();
    assert_eq!((verdict.fits, verdict.max_users, verdict.limited_by), (true, 1, Limit::Nothing));
    let verdict = plan(model, &with_room(1, 1, session(model, 1) - 1)).unwrap().verdict.unwrap();
    assert_eq!((verdict.fits, verdict.max_users, verdict.limited_by), (false, 0, Limit::KvCache));
}
