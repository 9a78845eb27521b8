//! A decoder with an open cache: the model's attention and state shapes, seeded weights, real steps.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::silu;
use planner_core::spec::layer::Extent;

use crate::attention::{AttendedRows, Attention, Kind, QUERY_BLOCK, Span};
use crate::kept::{Kept, positions, tensor_bytes};
use crate::latent::Latent;
use crate::shape::{LayerShape, Mixer, StoreShape};
use crate::state::{Recurrent, StateKept};
use crate::weights::Weights;

/// Sizes that no cache depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelDims {
    /// Width of the model.
    pub hidden: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Width of the feed-forward.
    pub inner: usize,
    /// Whether the feed-forward has a gate (three matrices instead of two).
    pub gated: bool,
    /// Tokens of the encoder's output.
    pub encoder_tokens: usize,
    /// Rows of a learned position table; 0 for rotary positions.
    pub positions: usize,
}

impl ModelDims {
    /// Elements of the weights outside the layers' mixers, for `layers` layers.
    pub fn elements(&self, layers: usize) -> u64 {
        let matrices = if self.gated { 3 } else { 2 };
        let rows = self.vocab + self.encoder_tokens + self.positions + layers * matrices * self.inner;
        (self.hidden as u64).saturating_mul(rows as u64)
    }
}

/// The contents of one store.
#[derive(Debug)]
enum StoreKept {
    Rows(Vec<Kept>),
    Source(Option<Vec<Tensor>>),
    State(StateKept),
    /// The cache of another layer.
    Nothing,
}

/// The caches of all sessions in a batch.
#[derive(Debug)]
pub struct Caches {
    layers: Vec<Vec<StoreKept>>,
    sessions: usize,
    /// Tokens of each session.
    tokens: usize,
}

impl Caches {
    /// Bytes of each layer's cache.
    pub fn layer_bytes(&self) -> Result<Vec<u64>> {
        let store = |kept: &StoreKept| -> Result<u64> {
            Ok(match kept {
                StoreKept::Rows(rows) => rows.iter().map(Kept::bytes).sum::<Result<u64>>()?,
                StoreKept::Source(tensors) => tensors.iter().flatten().map(tensor_bytes).sum(),
                StoreKept::State(state) => state.bytes(),
                StoreKept::Nothing => 0,
            })
        };
        self.layers.iter().map(|stores| stores.iter().map(store).sum::<Result<u64>>()).collect()
    }
}

#[derive(Debug)]
enum Projections {
    Attention(Attention),
    Latent(Latent),
    State(Recurrent),
}

#[derive(Debug)]
struct Layer {
    stores: Vec<(StoreShape, Projections)>,
    shared: bool,
    feed: Vec<Tensor>,
}

/// A stack of layers between an embedding and its transpose.
#[derive(Debug)]
pub struct Decoder {
    embedding: Tensor,
    positions: Option<Tensor>,
    source: Option<Tensor>,
    layers: Vec<Layer>,
    device: Device,
    parameters: u64,
}

impl Decoder {
    /// A decoder of these layers with the weights of a seed.
    pub fn new(layers: &[LayerShape], dims: ModelDims, seed: u64, device: &Device) -> Result<Self> {
        let mut weights = Weights::new(seed, device);
        let ModelDims { hidden, vocab, inner, gated, encoder_tokens, positions } = dims;
        let embedding = weights.matrix(vocab, hidden)?;
        let positions = match positions {
            0 => None,
            rows => Some(weights.matrix(rows, hidden)?),
        };
        let has_source =
            layers.iter().flat_map(|layer| &layer.stores).any(|store| store.extent == Extent::Source);
        let source = if has_source { Some(weights.tensor(&[encoder_tokens, hidden], 1)?) } else { None };
        let mut built = Vec::with_capacity(layers.len());
        for layer in layers {
            let mut stores = Vec::with_capacity(layer.stores.len());
            for store in &layer.stores {
                let own = !layer.shared;
                let projections = match store.mixer {
                    Mixer::Attention { widths, one } => {
                        // The encoder's rows have no position in the decoder to rotate to.
                        let rotary = positions.is_none() && store.extent != Extent::Source;
                        let kind = Kind { own, one, rotary };
                        Projections::Attention(Attention::new(&mut weights, hidden, widths, kind)?)
                    }
                    Mixer::Latent(widths) => {
                        Projections::Latent(Latent::new(&mut weights, hidden, widths, own)?)
                    }
                    Mixer::State(sizes) => Projections::State(Recurrent::new(&mut weights, hidden, sizes)?),
                };
                stores.push((*store, projections));
            }
            let mut feed = vec![weights.matrix(hidden, inner)?, weights.matrix(inner, hidden)?];
            if gated {
                feed.push(weights.matrix(hidden, inner)?);
            }
            built.push(Layer { stores, shared: layer.shared, feed });
        }
        Ok(Self {
            embedding,
            positions,
            source,
            layers: built,
            device: device.clone(),
            parameters: weights.elements(),
        })
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Elements of all weights.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// The empty caches of one session.
    pub fn caches(&self) -> Caches {
        self.caches_of(1)
    }

    /// The empty caches of a batch of sessions.
    pub fn caches_of(&self, sessions: usize) -> Caches {
        let empty = |layer: &Layer| {
            let kept = |(store, _): &(StoreShape, Projections)| match store.mixer {
                Mixer::State(_) => StoreKept::State(StateKept::default()),
                _ if layer.shared => StoreKept::Nothing,
                _ if store.extent == Extent::Source => StoreKept::Source(None),
                Mixer::Attention { one: true, .. } | Mixer::Latent(_) => {
                    StoreKept::Rows(vec![Kept::new(store.extent, store.dtypes.0)])
                }
                Mixer::Attention { .. } => StoreKept::Rows(vec![
                    Kept::new(store.extent, store.dtypes.0),
                    Kept::new(store.extent, store.dtypes.1),
                ]),
            };
            layer.stores.iter().map(kept).collect()
        };
        Caches { layers: self.layers.iter().map(empty).collect(), sessions, tokens: 0 }
    }

    /// Tokens that may be fed at once without disturbing a ring.
    pub fn chunk(&self) -> usize {
        let stores = self.layers.iter().flat_map(|layer| &layer.stores);
        stores.map(|(store, _)| store.chunk()).min().unwrap_or(usize::MAX).min(QUERY_BLOCK)
    }

    /// Feeds one session's tokens and returns the logits after the last, `[vocab]`, in f32.
    pub fn forward(&self, tokens: &[u32], caches: &mut Caches) -> Result<Tensor> {
        self.forward_batch(tokens, caches)?.squeeze(0)
    }

    /// Feeds an equal number of tokens to each session, in the order of sessions, and returns the logits after
    /// the last token of each, `[sessions, vocab]`, in f32.
    pub fn forward_batch(&self, tokens: &[u32], caches: &mut Caches) -> Result<Tensor> {
        let sessions = caches.sessions;
        let span = Span { sessions, first: caches.tokens, tokens: tokens.len() / sessions };
        let ids = Tensor::from_slice(tokens, tokens.len(), &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        if let Some(positions) = &self.positions {
            let rows = positions.narrow(0, span.first, span.tokens)?;
            x = x.reshape((sessions, span.tokens, ()))?.broadcast_add(&rows)?.flatten(0, 1)?;
        }
        // Rows that the first layer's queries attended to, for the layers that read its cache.
        let mut owner: Vec<Option<AttendedRows>> = Vec::new();
        for (at, (layer, kept)) in self.layers.iter().zip(&mut caches.layers).enumerate() {
            let normed = norm(&x)?;
            for (number, ((store, projections), kept)) in layer.stores.iter().zip(kept).enumerate() {
                let read = if layer.shared { owner.get(number).cloned().flatten() } else { None };
                let (mixed, seen) = self.mix(&normed, span, store, projections, kept, read)?;
                if at == 0 {
                    owner.push(seen);
                }
                x = (x + mixed)?;
            }
            let normed = norm(&x)?;
            let [up, down, gate @ ..] = layer.feed.as_slice() else { continue };
            let inner = match gate {
                [gate] => (silu(&normed.matmul(gate)?)? * normed.matmul(up)?)?,
                _ => normed.matmul(up)?.gelu()?,
            };
            x = (x + inner.matmul(down)?)?;
        }
        caches.tokens += span.tokens;
        let last = x.reshape((sessions, span.tokens, ()))?.narrow(1, span.tokens - 1, 1)?.squeeze(1)?;
        norm(&last.contiguous()?)?.matmul(&self.embedding.t()?)
    }

    fn mix(
        &self,
        x: &Tensor,
        span: Span,
        store: &StoreShape,
        projections: &Projections,
        kept: &mut StoreKept,
        read: Option<AttendedRows>,
    ) -> Result<(Tensor, Option<AttendedRows>)> {
        let extent = store.extent;
        let fresh = match (projections, &*kept) {
            (Projections::Attention(attention), StoreKept::Rows(_)) => attention.keys_values(x, span)?,
            (Projections::Latent(latent), StoreKept::Rows(_)) => {
                latent.latents(x, span)?.into_iter().collect()
            }
            _ => Vec::new(),
        };
        let seen = match kept {
            StoreKept::Rows(rows) => {
                let tensors = rows.iter_mut().zip(&fresh).map(|(kept, new)| kept.append(new));
                let positions = positions(extent, span.first, span.tokens);
                Some(AttendedRows { tensors: tensors.collect::<Result<_>>()?, positions })
            }
            StoreKept::Source(tensors) => {
                if tensors.is_none() {
                    *tensors = Some(self.source_rows(store, projections, span.sessions)?);
                }
                tensors.clone().map(|tensors| AttendedRows { tensors, positions: Vec::new() })
            }
            StoreKept::State(_) => None,
            StoreKept::Nothing => read,
        };
        let mixed = match (projections, kept, &seen) {
            (Projections::State(recurrent), StoreKept::State(state), _) => {
                recurrent.forward(x, span, state)?
            }
            (Projections::Attention(attention), _, Some(seen)) => attention.forward(x, span, seen, extent)?,
            (Projections::Latent(latent), _, Some(seen)) => latent.forward(x, span, seen, extent)?,
            _ => candle_core::bail!("a layer reads a cache that no layer before it keeps"),
        };
        Ok((mixed, seen))
    }

    /// Keys and values of the encoder's output, in the store's types, for every session.
    fn source_rows(
        &self,
        store: &StoreShape,
        projections: &Projections,
        sessions: usize,
    ) -> Result<Vec<Tensor>> {
        let (Projections::Attention(attention), Some(source)) = (projections, &self.source) else {
            candle_core::bail!("only attention looks at an encoder's output");
        };
        let span = Span { sessions: 1, first: 0, tokens: source.dim(0)? };
        let rows = attention.keys_values(source, span)?;
        let dtypes = [store.dtypes.0, store.dtypes.1];
        rows.iter()
            .zip(dtypes)
            .map(|(rows, dtype)| rows.to_dtype(dtype)?.repeat((sessions, 1, 1))?.copy())
            .collect()
    }

    /// The logits after a sequence that is computed anew from its first token.
    pub fn recompute(&self, tokens: &[u32]) -> Result<Tensor> {
        self.forward(tokens, &mut self.caches())
    }

    /// Waits for the device, so that a clock counts the computation.
    pub fn wait(&self) -> Result<()> {
        self.device.synchronize()
    }
}

/// The token of the largest logit.
pub fn greedy(logits: &Tensor) -> Result<u32> {
    logits.argmax(D::Minus1)?.to_scalar::<u32>()
}

/// Root-mean-square normalization without a weight.
fn norm(x: &Tensor) -> Result<Tensor> {
    let x = x.to_dtype(DType::F32)?;
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean + 1e-6)?.sqrt()?)
}
