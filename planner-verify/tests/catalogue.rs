//! Plans against measured caches, for catalogue models that span the kinds of layers.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use planner_core::request::Request;
use planner_core::{Result, catalog};
use planner_verify::{Options, Report, Watch, verify};

/// All tests of this program share one heap, so only one measures at a time.
static HEAP: Mutex<()> = Mutex::new(());

fn measured(model: &str, flags: &[(&str, &str)], options: Options) -> Result<Report> {
    let _one = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
    let mut request = Request::default();
    for (flag, value) in flags {
        request.set(flag, value)?;
    }
    let mut watch = Watch { progress: &mut |_, _| (), stop: &|| false };
    verify(&catalog::model(model)?, &request, &options, &mut watch)
}

fn cpu() -> Options {
    Options { device: Some("cpu".into()), layers: Some(2), ..Options::default() }
}

fn check(model: &str, flags: &[(&str, &str)], kinds: &[&str]) -> Result<Report> {
    check_at(model, flags, kinds, Vec::new())
}

fn check_at(model: &str, flags: &[(&str, &str)], kinds: &[&str], tokens: Vec<u64>) -> Result<Report> {
    let report = measured(model, flags, Options { tokens, ..cpu() })?;
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
    // Beyond the rows, the heap has one header per tensor.
    let last = report.points[2];
    let beyond = last.allocated_bytes.map(|bytes| bytes - last.measured_bytes);
    assert!(beyond.is_some_and(|bytes| bytes < 80 * 2 * 1024), "{beyond:?}");
    let module = report.module.map(|module| (module.predicted_bytes, module.measured_bytes));
    // Two layers and 24 tokens of four heads as wide.
    assert_eq!(module, Some((2 * 2 * 4 * 128 * 2 * 24, 2 * 2 * 4 * 128 * 2 * 24)));
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
    let last = report.points[3];
    assert_eq!((last.users, last.tokens), (1, 520));
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

/// One or more models of every kind of layer that the catalogue has, in their own types.
#[test]
fn no_byte_is_missing_for_any_kind_of_layer() -> Result<()> {
    for (model, kinds) in [
        ("mistral-7b-v0.1", &["sliding"][..]),
        ("gpt-oss-20b", &["sliding", "full"]),
        ("llama4-scout", &["chunked", "full"]),
        ("deepseek-v3.2", &["latent"]),
        ("kimi-linear-48b-a3b", &["state", "latent"]),
        ("mamba-130m", &["state"]),
        ("mamba2-130m", &["state"]),
        ("qwen3-next-80b-a3b", &["state", "full"]),
        ("lfm2-350m", &["state", "full"]),
        ("falcon-h1-0.5b", &["full"]),
        // No image unless --source-len says otherwise.
        ("llama3.2-vision-11b", &["full"]),
        ("t5-small", &["full"]),
        ("gemma3n-e2b", &["sliding", "full", "shared", "shared"]),
        // Keys of 192, values of 128.
        ("mimo-v2-flash", &["full", "sliding"]),
    ] {
        // Few tokens: that rings turn is seen with Gemma 3 and in small models.
        check_at(model, &[], kinds, vec![6, 20])?;
    }
    check_at("llama3.2-vision-11b", &[("source-len", "9")], &["full", "cross"], vec![6, 20]).map(|_| ())
}

#[test]
fn what_runs_is_what_a_step_leaves_and_a_peak_beyond_it() -> Result<()> {
    let options = Options { tokens: vec![8, 64], users: Some(3), layers: None, ..cpu() };
    let report = measured("gpt2", &[("kv-dtype", "f32")], options)?;
    let [_, single, batch] = report.points.as_slice() else { panic!("{:?}", report.points) };
    // 12 layers, keys and values of 768 in f32; all of them run when time allows, two at least.
    let layer = 2 * 768 * 4;
    assert_eq!((batch.users, batch.tokens, batch.predicted_bytes), (3, 64, 3 * 12 * layer * 64));
    assert_eq!(batch.measured_bytes, batch.predicted_bytes);
    assert_eq!(single.run_bytes, report.layers_measured * layer * 64);
    // Concatenation holds the old rows of keys or of values beside the new ones.
    assert!(single.transient_bytes.is_some_and(|bytes| bytes >= layer / 2 * 64));
    assert!(single.device_bytes.is_some());
    Ok(())
}

#[test]
fn what_is_told_to_stop_leaves_the_rows_until_then() -> Result<()> {
    let _one = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
    let done = Cell::new((0, 0));
    let options = Options { tokens: vec![8, 16, 24], ..cpu() };
    // One low stack at three counts; then the high one, at two counts before the interruption.
    let mut progress = |units, total| done.set((units, total));
    let stop = || done.get().0 >= 4 + 2 * 2;
    let mut watch = Watch { progress: &mut progress, stop: &stop };
    let report = verify(&catalog::model("gpt2")?, &Request::default(), &options, &mut watch)?;
    assert!(report.interrupted && report.matches(), "{report:?}");
    assert!(report.timing.is_none() && report.module.is_none());
    assert_eq!(report.points.iter().map(|point| point.tokens).collect::<Vec<_>>(), [8, 16]);
    assert_eq!(done.get().1, 4 + 4 * 2);
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
    let text = refused.map_or_else(|error| format!("{error:?}"), |_| String::new());
    assert!(text.contains("available") && text.contains("--verify-tokens up to"), "{text}");
    let crowd = Options { users: Some(1 << 40), ..cpu() };
    let text =
        measured("llama3-70b", &[], crowd).map_or_else(|error| format!("{error:?}"), |_| String::new());
    assert!(text.contains("--verify-users up to"), "{text}");
    assert!(measured("gpt2", &[("kv-dtype", "q8_0")], cpu()).is_err());
}
