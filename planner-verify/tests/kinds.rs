//! Every kind of layer in small models, with bytes worked out by hand.

use std::sync::{Mutex, PoisonError};

use planner_core::dtype::DType;
use planner_core::request::Request;
use planner_core::spec::layer::{Content, Extent, Layer, Store};
use planner_core::{Result, catalog};
use planner_verify::{Options, Report, Watch, verify};

static HEAP: Mutex<()> = Mutex::new(());

fn store(content: Content, extent: Extent) -> Store {
    Store { content, extent, tokens_per_row: 1, dims: Vec::new(), only: &[], except: &[] }
}

fn keys_values(heads: u64, k_dim: u64, v_dim: u64, extent: Extent) -> Store {
    store(Content::KeysValues { heads, k_dim, v_dim }, extent)
}

fn state(conv: u64, recurrent: u64) -> Store {
    let content = Content::State {
        mixer: "mamba2",
        conv,
        recurrent,
        recurrent_dtype: DType::F32,
        conv_dtype: DType::BF16,
    };
    store(content, Extent::Session)
}

/// Measures a model of these layers: each a list of stores, or the layer whose cache it reads.
fn measured(layers: &[std::result::Result<Vec<Store>, u64>], flags: &[(&str, &str)]) -> Result<Report> {
    let _one = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
    let mut model = catalog::model("gpt2")?;
    model.hidden_size = 64;
    model.layers = layers
        .iter()
        .enumerate()
        .map(|(index, layer)| Layer {
            index: index as u64,
            owner: layer.as_ref().err().copied(),
            query_heads: 4,
            stores: layer.clone().unwrap_or_default(),
            class: index,
        })
        .collect();
    let mut request = Request::default();
    for (flag, value) in [("kv-dtype", "bf16")].iter().chain(flags) {
        request.set(flag, value)?;
    }
    let options =
        Options { device: Some("cpu".into()), tokens: vec![5, 9, 30], layers: Some(2), ..Options::default() };
    let mut watch = Watch { progress: &mut |_, _| (), stop: &|| false };
    let report = verify(&model, &request, &options, &mut watch)?;
    assert_eq!(report.difference_bytes(), 0, "{:?}", report.points);
    assert!(report.matches(), "logits {}", report.logit_difference);
    Ok(report)
}

fn bytes(report: &Report) -> Vec<u64> {
    let [single @ .., batch] = report.points.as_slice() else { return Vec::new() };
    // Two sessions of nine tokens take twice one session's bytes.
    assert_eq!((batch.users, batch.tokens), (2, 9));
    assert_eq!(batch.measured_bytes, 2 * single[1].measured_bytes);
    single.iter().map(|point| point.measured_bytes).collect()
}

#[test]
fn keys_wider_than_values() -> Result<()> {
    let layer = vec![keys_values(2, 24, 16, Extent::Full)];
    let report = measured(&[Ok(layer.clone()), Ok(layer.clone()), Ok(layer)], &[])?;
    assert_eq!(bytes(&report), [5, 9, 30].map(|tokens| 3 * 2 * (24 + 16) * 2 * tokens));
    assert!(report.extrapolated);
    Ok(())
}

#[test]
fn one_tensor_as_key_and_value() -> Result<()> {
    let report = measured(&[Ok(vec![keys_values(1, 32, 0, Extent::Full)])], &[])?;
    assert_eq!(bytes(&report), [5, 9, 30].map(|tokens| 32 * 2 * tokens));
    assert!(!report.extrapolated);
    Ok(())
}

#[test]
fn windows_and_chunks_rotate() -> Result<()> {
    let report = measured(
        &[
            Ok(vec![keys_values(2, 16, 16, Extent::Window(12))]),
            Ok(vec![keys_values(2, 16, 16, Extent::Chunk(7))]),
            Ok(vec![keys_values(1, 16, 16, Extent::Full)]),
        ],
        &[],
    )?;
    let row = 2 * 16 * 2;
    assert_eq!(
        bytes(&report),
        [2 * row * (5 + 5) + 5 * row, 2 * row * (9 + 7) + 9 * row, 2 * row * (12 + 7) + 30 * row]
    );
    // A ring holds its whole window from the first token.
    assert!(report.points[0].allocated_bytes.is_some_and(|bytes| bytes >= 2 * row * (12 + 7) + 5 * row));
    Ok(())
}

#[test]
fn layers_that_read_another_s_cache_keep_nothing() -> Result<()> {
    let report = measured(
        &[
            Ok(vec![keys_values(2, 16, 16, Extent::Window(12))]),
            Ok(vec![keys_values(2, 16, 16, Extent::Full)]),
            Err(1),
            Err(1),
            Err(0),
        ],
        &[],
    )?;
    let row = 2 * 2 * 16 * 2;
    assert_eq!(bytes(&report), [row * 10, row * 18, row * (12 + 30)]);
    let kinds: Vec<_> = report.kinds.iter().map(|kind| (kind.kind, kind.layers, kind.layer_bytes)).collect();
    assert_eq!(kinds[2..], [("shared", 2, 0), ("shared", 1, 0)]);
    Ok(())
}

#[test]
fn states_do_not_grow() -> Result<()> {
    let both = vec![state(24, 192), keys_values(1, 16, 16, Extent::Full)];
    let report = measured(&[Ok(vec![state(24, 192)]), Ok(vec![state(24, 192)]), Ok(both)], &[])?;
    assert_eq!(bytes(&report), [5, 9, 30].map(|tokens| 3 * (192 * 4 + 24 * 2) + 2 * 16 * 2 * tokens));
    Ok(())
}

#[test]
fn latents_and_index_keys() -> Result<()> {
    let latent = store(Content::Latent { rank: 32, rope: 8 }, Extent::Full);
    let index = store(Content::IndexKey { heads: 1, dim: 16 }, Extent::Full);
    let report = measured(&[Ok(vec![latent.clone(), index]), Ok(vec![latent])], &[])?;
    assert_eq!(bytes(&report), [5, 9, 30].map(|tokens| (2 * 40 + 16) * 2 * tokens));
    Ok(())
}

#[test]
fn the_encoder_s_keys_and_values_are_kept_once() -> Result<()> {
    let cross = store(Content::Cross { heads: 4, k_dim: 16, v_dim: 16 }, Extent::Source);
    let layer = vec![keys_values(4, 16, 16, Extent::Full), cross];
    let report = measured(&[Ok(layer.clone()), Ok(layer)], &[("source-len", "20")])?;
    assert_eq!(bytes(&report), [5, 9, 30].map(|tokens| 2 * 4 * 32 * 2 * (20 + tokens)));
    Ok(())
}

#[test]
fn rows_that_tokens_share_are_refused() -> Result<()> {
    let mut shared = keys_values(1, 16, 16, Extent::Full);
    shared.tokens_per_row = 4;
    assert!(measured(&[Ok(vec![shared])], &[]).is_err());
    Ok(())
}
