//! Plans against measured caches, for catalogue models that span the kinds of layers.

use std::sync::{Mutex, PoisonError};

use planner_core::request::Request;
use planner_core::{Result, catalog};
use planner_verify::{Options, Report, verify};

/// The heap is one for all tests of this program, so only one measures at a time.
static HEAP: Mutex<()> = Mutex::new(());

fn measured(model: &str, flags: &[(&str, &str)], options: Options) -> Result<Report> {
    let _one = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
    let mut request = Request::default();
    for (flag, value) in flags {
        request.set(flag, value)?;
    }
    verify(&catalog::model(model)?, &request, &options)
}

fn cpu() -> Options {
    Options { device: Some("cpu".into()), ..Options::default() }
}

fn check(model: &str, flags: &[(&str, &str)], kinds: &[&str]) -> Result<Report> {
    let report = measured(model, flags, cpu())?;
    assert_eq!(report.difference_bytes(), 0, "{model}: {:?}", report.points);
    assert!(report.logit_difference <= report.logit_tolerance, "{model}: logits {}", report.logit_difference);
    let found: Vec<_> = report.kinds.iter().map(|kind| kind.kind).collect();
    assert_eq!(found, kinds, "{model}");
    assert!(report.points.len() > 2 && report.decoded_steps > 10, "{model}");
    Ok(report)
}

#[test]
fn grouped_heads_as_llama3_70b_has_them() -> Result<()> {
    let report = check("llama3-70b", &[], &["full"])?;
    // 2 × 80 layers × 8 KV heads × 128 × 2 bytes.
    assert_eq!(report.points[0].measured_bytes, 327_680 * report.points[0].tokens);
    assert_eq!((report.layers_total, report.layers_measured, report.extrapolated), (80, 2, true));
    // A header per tensor is all that the heap holds beyond the rows.
    let last = report.points[report.points.len() - 1];
    let beyond = last.allocated_bytes.map(|bytes| bytes - last.measured_bytes);
    assert!(beyond.is_some_and(|bytes| bytes < 80 * 2 * 1024), "{beyond:?}");
    let module = report.module.map(|module| (module.predicted_bytes, module.measured_bytes));
    assert_eq!(module, Some((327_680 * 16, 327_680 * 16)));
    Ok(())
}

#[test]
fn every_head_of_its_own_as_gpt2_has_them() -> Result<()> {
    let report = check("gpt2", &[("kv-dtype", "f32")], &["full"])?;
    assert_eq!(report.points[0].measured_bytes, 2 * 12 * 12 * 64 * 4 * report.points[0].tokens);
    assert!(report.same_tokens);
    Ok(())
}

#[test]
fn one_head_for_all_as_falcon_7b_has_it() -> Result<()> {
    check("falcon-7b", &[], &["full"]).map(|_| ())
}

#[test]
fn a_window_stops_growing_as_in_gemma3_1b() -> Result<()> {
    let report = check("gemma3-1b", &[("kv-dtype", "f16")], &["sliding", "full"])?;
    let last = report.points[report.points.len() - 1];
    assert_eq!(last.tokens, 520);
    // 22 of 26 layers keep 512 tokens, 4 keep all; 1 KV head of 256.
    assert_eq!(last.measured_bytes, (22 * 512 + 4 * 520) * 2 * 256 * 2);
    Ok(())
}

#[test]
fn a_latent_for_all_heads_as_deepseek_v2_lite_has_it() -> Result<()> {
    let report = check("deepseek-v2-lite", &[], &["latent"])?;
    assert_eq!(report.points[0].measured_bytes, 27 * (512 + 64) * 2 * report.points[0].tokens);
    Ok(())
}

#[test]
fn keys_and_values_of_their_own_types() -> Result<()> {
    let report = check("gpt2", &[("k-dtype", "f16"), ("v-dtype", "fp8")], &["full"])?;
    assert_eq!(report.points[0].measured_bytes, 12 * 12 * 64 * (2 + 1) * report.points[0].tokens);
    Ok(())
}

#[test]
fn a_planted_wrong_prediction_is_found() -> Result<()> {
    let report = measured("gpt2", &[], Options { planted_bytes: 1, tokens: vec![8], ..cpu() })?;
    assert_eq!(report.difference_bytes(), -1);
    assert!(!report.matches());
    Ok(())
}

#[test]
fn what_does_not_fit_in_memory_is_refused_before_it_is_allocated() {
    let refused = measured("llama3-70b", &[], Options { tokens: vec![1 << 40], ..cpu() });
    assert!(refused.is_err_and(|error| format!("{error:?}").contains("available")));
    assert!(measured("gpt2", &[("kv-dtype", "q8_0")], cpu()).is_err());
}
