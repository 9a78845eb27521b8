//! The compute buffer: what the nodes of the largest graph take at once on a device.
//!
//! `llama_context::sched_reserve` of `src/llama-context.cpp` reserves a graph of `n_ubatch` tokens whose outputs are as
//! many rows as `n_outputs_max`, by itself a whole ubatch; `ggml-alloc.c` places its nodes so that what is read no more is
//! written over. Two places are the largest: the last, where logits stand beside the normed states that they are made of,
//! and a layer, where the masks of the caches stand as well. The first is exact; what a layer keeps was read off
//! contexts of the engine on a CPU (`tests/fixtures/llamacpp/buffers.json`).

use super::context::Context;
use super::hparams::Hparams;
use crate::engine::memory::{MemoryPart, PartKind};
use crate::error::Result;
use crate::spec::model::ModelSpec;
use crate::text::Words;
use crate::units::{product, sum};

const BUFFER: Words = words!("bytes of a compute buffer");

/// Bytes of an element of a node.
const F32: u64 = 4;

/// Copies of a graph's inputs where several devices run it (`GGML_SCHED_MAX_COPIES`).
const COPIES: u64 = 4;

/// The largest graph of a context.
pub struct Graph<'a> {
    shape: &'a Hparams,
    context: &'a Context,
    hidden: u64,
    inner: u64,
    vocabulary: u64,
    /// Whether attention is computed without its scores (`flash_attn`).
    flash: bool,
}

impl<'a> Graph<'a> {
    /// Of a model in a context.
    pub fn new(shape: &'a Hparams, model: &ModelSpec, context: &'a Context, flash: bool) -> Self {
        Self {
            shape,
            context,
            hidden: model.hidden_size,
            inner: model.inner_size,
            vocabulary: model.vocab_size,
            flash,
        }
    }

    /// The buffer of one of so many devices, which has the outputs or not: at least what it is where an output is one
    /// row a slot, as `llama-server` asks for from b10434 on.
    ///
    /// # Errors
    /// Sums beyond 64 bits.
    pub fn buffer(&self, devices: u64, outputs: bool) -> Result<MemoryPart> {
        let copies = if devices > 1 { COPIES } else { 1 };
        let layer = sum(BUFFER, [product(BUFFER, &[self.masks()?, copies])?, self.layer()?])?;
        if !outputs {
            return Ok(MemoryPart::estimate(PartKind::ComputeBuffer, layer, layer / 2));
        }
        let rows = self.context.n_ubatch;
        let bytes = layer.max(self.outputs(rows)?);
        let least = layer.max(self.outputs(rows.min(self.context.sequences))?);
        let exact = bytes > layer && devices == 1;
        let low = if devices > 1 { least / 2 } else { least };
        let high = if exact { bytes } else { sum(BUFFER, [bytes, layer / 2])? };
        let range = (low < high).then_some((low, high));
        Ok(MemoryPart { kind: PartKind::ComputeBuffer, bytes, range })
    }

    /// Logits of so many tokens, and the states that they are made of.
    ///
    /// # Errors
    /// Sums beyond 64 bits.
    pub fn outputs(&self, rows: u64) -> Result<u64> {
        product(BUFFER, &[rows, sum(BUFFER, [self.vocabulary, self.hidden])?, F32])
    }

    /// Masks of the caches: a row of cells for every token, in f16 with flash attention
    /// (`build_attn_inp_kv_impl` of `src/llama-graph.cpp`).
    ///
    /// # Errors
    /// Sums beyond 64 bits.
    pub fn masks(&self) -> Result<u64> {
        let attends =
            |sliding: bool| self.shape.layers.iter().any(|own| own.cached && own.sliding == sliding);
        let full = if attends(false) { self.context.n_ctx_seq } else { 0 };
        let window = self.shape.window.filter(|_| attends(true));
        let window = window.map_or(0, |window| self.context.window_cells(window, self.context.unified));
        let cells = sum(BUFFER, [full, window])?;
        product(BUFFER, &[cells, self.context.n_ubatch, if self.flash { 2 } else { F32 }])
    }

    /// States of a ubatch inside a layer: in its feed-forward part the inner states of gate, up and their product, the
    /// layer's input and output and the queries; without flash attention the scores of all heads instead where they are
    /// more.
    ///
    /// # Errors
    /// Sums beyond 64 bits.
    pub fn layer(&self) -> Result<u64> {
        let queries = |own: &super::hparams::LayerHparams| own.query_heads.saturating_mul(own.k);
        let queries = self.shape.layers.iter().map(queries).max().unwrap_or(0);
        let inner = product(BUFFER, &[3, self.inner])?;
        let around = product(BUFFER, &[3, self.hidden])?;
        let states = product(BUFFER, &[self.context.n_ubatch, F32, sum(BUFFER, [inner, queries, around])?])?;
        if self.flash {
            return Ok(states);
        }
        let heads =
            self.shape.layers.iter().filter(|own| own.cached).map(|own| own.query_heads).max().unwrap_or(0);
        let cells = self.context.n_ctx_seq;
        let scores = product(BUFFER, &[heads, cells, self.context.n_ubatch, F32])?;
        let around = product(BUFFER, &[4, self.hidden])?;
        let beside = product(BUFFER, &[self.context.n_ubatch, F32, sum(BUFFER, [around, queries])?])?;
        Ok(states.max(sum(BUFFER, [scores, beside])?))
    }
}
