//! The tensors of a context's memory: `llama_model::create_memory` and the constructors of
//! `llama_kv_cache*`, `llama_memory_recurrent` and `llama_memory_hybrid*` (`0c1e57098`).

use super::architectures;
use super::context::{Context, pad};
use super::hparams::{Hparams, LayerHparams};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::units::{product, sum};

/// Tokens of a compressed row on DeepSeek V4's two kinds of layers (`DSV4_CSA_RATIO`, `DSV4_HCA_RATIO`).
const RATIOS: [(u64, &str, &str); 2] =
    [(4, "compressed_4", "compressor_4"), (128, "compressed_128", "compressor_128")];

/// One cache of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// What it holds: `full`, `sliding`, `recurrent` …
    pub kind: &'static str,
    /// Cells of each stream.
    pub cells: u64,
    /// Layers with tensors in it.
    pub layers: u64,
    /// Streams.
    pub streams: u64,
    /// Bytes of keys; of a state, its first tensor.
    pub k_bytes: u64,
    /// Bytes of values; of a state, its second tensor.
    pub v_bytes: u64,
    /// Bytes of both tensors by layer, for a split over devices.
    pub by_layer: Vec<(usize, u64)>,
}

impl Cache {
    /// Whether it is an attention cache rather than a state.
    pub fn is_attention(&self) -> bool {
        !matches!(self.kind, "recurrent" | "compressor_4" | "compressor_128" | "compressor_indexer")
    }

    /// All its bytes.
    pub fn bytes(&self) -> Result<u64> {
        sum(words!("bytes of a cache"), [self.k_bytes, self.v_bytes])
    }
}

/// Types and layout of a cache's rows.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// Type of keys.
    pub k: DType,
    /// Type of values.
    pub v: DType,
    /// Whether values are stored transposed: every layer then has the row of the widest.
    pub transposed: bool,
}

/// All caches of a context.
pub fn caches(shape: &Hparams, context: &Context, rows: Rows) -> Result<Vec<Cache>> {
    let builder = Builder { shape, context, rows };
    let mut all = Vec::new();
    if shape.is_compressed() {
        builder.compressed(&mut all)?;
        return Ok(all);
    }
    if architectures::recurrent(&shape.arch) != architectures::Recurrent::Only {
        builder.attention(&mut all)?;
        if let Some(indexer) = shape.indexer {
            let values = |layer: &LayerHparams| if indexer.values { layer.v } else { 0 };
            let indexed = |layer: &LayerHparams| layer.indexed;
            all.push(builder.cache("indexer", context.n_ctx_seq, context.streams(), indexed, |layer| {
                Ok((indexer.k, values(layer)))
            })?);
        }
    }
    if architectures::recurrent(&shape.arch) != architectures::Recurrent::Never {
        all.push(builder.recurrent()?);
    }
    Ok(all)
}

struct Builder<'a> {
    shape: &'a Hparams,
    context: &'a Context,
    rows: Rows,
}

impl Builder<'_> {
    /// A full cache and, where the architecture has window layers, a sliding one.
    fn attention(&self, all: &mut Vec<Cache>) -> Result<()> {
        let context = self.context;
        let row = |layer: &LayerHparams| self.attention_row(layer);
        let full_kind = if self.shape.mla { "latent" } else { "full" };
        let streams = context.streams();
        let Some(window) = self.shape.window else {
            all.push(self.cache(full_kind, context.n_ctx_seq, streams, |layer| layer.cached, row)?);
            return Ok(());
        };
        let window_kind = if architectures::is_chunked(&self.shape.arch) { "chunked" } else { "sliding" };
        let cells = context.window_cells(window, context.unified);
        let is_full = |layer: &LayerHparams| layer.cached && !layer.sliding;
        all.push(self.cache(full_kind, context.n_ctx_seq, streams, is_full, row)?);
        all.push(self.cache(window_kind, cells, streams, |layer| layer.cached && layer.sliding, row)?);
        Ok(())
    }

    fn attention_row(&self, layer: &LayerHparams) -> Result<(u64, u64)> {
        let overflow = || Error::overflow(words!("elements of a cache row"));
        let k = layer.k_row().ok_or_else(overflow)?;
        let v = match (self.shape.mla, self.rows.transposed) {
            (true, _) => 0,
            (false, true) => self.shape.widest_v().ok_or_else(overflow)?,
            (false, false) => layer.v_row().ok_or_else(overflow)?,
        };
        Ok((k, v))
    }

    /// One cache of the layers for which `holds` is true. `row` gives the elements of a cell's keys and values.
    fn cache(
        &self,
        kind: &'static str,
        cells: u64,
        streams: u64,
        holds: impl Fn(&LayerHparams) -> bool,
        row: impl Fn(&LayerHparams) -> Result<(u64, u64)>,
    ) -> Result<Cache> {
        let mut cache =
            Cache { kind, cells, layers: 0, streams, k_bytes: 0, v_bytes: 0, by_layer: Vec::new() };
        let bytes = |dtype: DType, elements| {
            product(words!("bytes of a cache"), &[whole_row(dtype, elements)?, cells, streams])
        };
        // the layer before, with the bytes of its keys and values
        let mut before: Option<(&LayerHparams, (u64, u64))> = None;
        for (index, layer) in self.shape.layers.iter().enumerate().filter(|(_, layer)| holds(layer)) {
            let (k, v) = match before {
                Some((other, same)) if other == layer => same,
                _ => {
                    let (k, v) = row(layer)?;
                    (bytes(self.rows.k, k)?, bytes(self.rows.v, v)?)
                }
            };
            before = Some((layer, (k, v)));
            cache.layers += 1;
            cache.k_bytes = sum(words!("bytes of a cache"), [cache.k_bytes, k])?;
            cache.v_bytes = sum(words!("bytes of a cache"), [cache.v_bytes, v])?;
            cache.by_layer.push((index, sum(words!("bytes of a cache"), [k, v])?));
        }
        Ok(cache)
    }

    /// Recurrent states (`llama_memory_recurrent`): f32, one row per sequence, whatever the context's length.
    fn recurrent(&self) -> Result<Cache> {
        let rows = self.context.sequences;
        let mut by_layer = Vec::new();
        for (index, layer) in self.shape.layers.iter().enumerate().filter(|(_, layer)| layer.recurrent) {
            let extra = if layer.extra { self.shape.extra_state } else { 0 };
            let elements = sum(words!("elements of a state"), [self.shape.state, extra])?;
            by_layer.push((index, product(words!("bytes of states"), &[elements, rows, DType::F32.bytes])?));
        }
        Ok(Cache {
            kind: "recurrent",
            cells: rows,
            layers: by_layer.len() as u64,
            streams: 1,
            k_bytes: sum(words!("bytes of states"), by_layer.iter().map(|(_, bytes)| *bytes))?,
            v_bytes: 0,
            by_layer,
        })
    }

    /// DeepSeek V4 (`llama_kv_cache_dsv4`): a window on every layer, compressed rows by ratio, index keys on
    /// layers of ratio 4, and the compressors' states in f32. Every sequence has a stream of its own.
    fn compressed(&self, all: &mut Vec<Cache>) -> Result<()> {
        let context = self.context;
        let streams = context.sequences;
        let window = self.shape.window.unwrap_or(0);
        let index = self.shape.indexer.map_or(0, |indexer| indexer.k);
        let row = |layer: &LayerHparams| {
            Ok((layer.k_row().ok_or_else(|| Error::overflow(words!("elements of a cache row")))?, 0))
        };
        let cells = |ratio: u64| pad(context.n_ctx_seq.div_ceil(ratio));
        all.push(self.cache(
            "sliding",
            context.window_cells(window, false),
            streams,
            |layer| layer.cached,
            row,
        )?);
        for (ratio, kind, _) in RATIOS {
            all.push(self.cache(kind, cells(ratio), streams, |layer| layer.compress == ratio, row)?);
        }
        all.push(self.cache(
            "indexer",
            cells(4),
            streams,
            |layer| layer.compress == 4,
            |_| Ok((index, 0)),
        )?);
        for (ratio, _, kind) in RATIOS {
            // open groups of ratio 4 overlap: twice the rows, each twice as wide
            let overlap = if ratio == 4 { 2 } else { 1 };
            all.push(self.state(kind, ratio, overlap * ratio, |layer| layer.k.saturating_mul(overlap))?);
        }
        all.push(self.state("compressor_indexer", 4, 8, |_| index.saturating_mul(2))?);
        Ok(())
    }

    /// Two f32 tensors, values and scores, of `rows` rows per sequence (`llama_dsv4_comp_state`).
    fn state(
        &self,
        kind: &'static str,
        ratio: u64,
        rows: u64,
        width: impl Fn(&LayerHparams) -> u64,
    ) -> Result<Cache> {
        let streams = self.context.sequences;
        let mut one = 0;
        let mut by_layer = Vec::new();
        let layers = self.shape.layers.iter().enumerate();
        for (index, layer) in layers.filter(|(_, layer)| layer.compress == ratio) {
            let bytes = product(words!("bytes of states"), &[width(layer), rows, streams, DType::F32.bytes])?;
            one = sum(words!("bytes of states"), [one, bytes])?;
            by_layer.push((index, product(words!("bytes of states"), &[bytes, 2])?));
        }
        let layers = by_layer.len() as u64;
        Ok(Cache { kind, cells: rows, layers, streams, k_bytes: one, v_bytes: one, by_layer })
    }
}

/// Bytes of a row, which must be whole blocks of its type (`ggml_row_size`).
fn whole_row(dtype: DType, elements: u64) -> Result<u64> {
    if !elements.is_multiple_of(dtype.elements) {
        return Err(Error::refused(
            Code::LlamacppRow,
            say!(
                "{0} is stored in blocks of {1} elements, and a row has {2}",
                dtype.name,
                dtype.elements,
                elements
            ),
        )
        .about("--kv-dtype")
        .way_out(say!("use {0}", "--kv-dtype f16")));
    }
    dtype.row_bytes(elements)
}
