//! The shape of a measured layer: heads, widths, windows, ranks and states of the model itself.

use candle_core::DType;
use planner_core::dtype::DType as Planned;
use planner_core::error::Code;
use planner_core::spec::layer::{Content, Extent, Layer, Store};
use planner_core::{Error, Result};

use crate::{attention, latent, messages, state};

/// Width of a query's part without position where the family does not say.
const DEFAULT_NOPE: u64 = 128;

/// Columns of a convolution state where the family does not say.
const DEFAULT_COLUMNS: u64 = 4;

/// A layer's token mixer, with the sizes that its cache depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixer {
    /// Keys and values per head; `one` where one tensor is both.
    Attention {
        /// Heads and widths.
        widths: attention::Widths,
        /// Whether the value is the key.
        one: bool,
    },
    /// A latent for all heads.
    Latent(latent::Widths),
    /// A state.
    State(state::Sizes),
}

/// One store of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreShape {
    /// The mixer.
    pub mixer: Mixer,
    /// The tokens that have rows.
    pub extent: Extent,
    /// Types of keys and of values.
    pub dtypes: (DType, DType),
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerShape {
    /// Its stores, or those of the layer whose cache it reads.
    pub stores: Vec<StoreShape>,
    /// Whether it reads the first layer's cache instead of keeping its own.
    pub shared: bool,
}

/// candle's type for each planned dtype.
pub fn dtype(planned: Planned) -> Result<DType> {
    match planned {
        Planned::F32 => Ok(DType::F32),
        Planned::F16 => Ok(DType::F16),
        Planned::BF16 => Ok(DType::BF16),
        Planned::FP8 => Ok(DType::F8E4M3),
        other => Err(Error::bad_value("--kv-dtype", other.name, messages::TENSOR_DTYPES)),
    }
}

/// A tensor's size as a machine word.
pub fn size(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::overflow(messages::TENSOR_SIZE))
}

impl LayerShape {
    /// The shape of a layer with the stores of `layer`: its own, or its owner's where it reads another layer's
    /// cache.
    pub fn of(layer: &Layer, stores: &[Store], (k, v): (Planned, Planned)) -> Result<Self> {
        let kept = stores.iter().filter(|store| store.is_kept_by("architecture"));
        let stores =
            kept.map(|store| store_shape(store, layer.query_heads, (k, v))).collect::<Result<_>>()?;
        Ok(Self { stores, shared: layer.owner.is_some() })
    }

    /// Elements of its projections from a model `hidden` wide.
    pub fn elements(&self, hidden: u64) -> u64 {
        self.stores.iter().map(|store| store.elements(hidden)).fold(0, u64::saturating_add)
    }
}

fn store_shape(store: &Store, query_heads: u64, (k, v): (Planned, Planned)) -> Result<StoreShape> {
    if store.tokens_per_row > 1 {
        return Err(
            Error::refused(Code::MeasureCache, messages::NO_COMPRESSED_DECODER).about(messages::SHARED_ROWS)
        );
    }
    let attention = |heads: u64, k_dim: u64, v_dim: u64, queries: u64| -> Result<Mixer> {
        let one = v_dim == 0;
        let kv_heads = size(heads)?;
        // As many query heads as the model has, rounded to a multiple of the KV heads.
        let group = size(queries)?.checked_div(kv_heads).unwrap_or(1).max(1);
        let widths = attention::Widths {
            query_heads: kv_heads * group,
            kv_heads,
            k_dim: size(k_dim)?,
            v_dim: if one { size(k_dim)? } else { size(v_dim)? },
        };
        Ok(Mixer::Attention { widths, one })
    };
    let mut dtypes = (dtype(k)?, dtype(v)?);
    let mixer = match store.content {
        Content::KeysValues { heads, k_dim, v_dim } | Content::Cross { heads, k_dim, v_dim } => {
            attention(heads, k_dim, v_dim, query_heads)?
        }
        Content::IndexKey { heads, dim } => attention(heads, dim, 0, heads)?,
        Content::Latent { rank, rope } => Mixer::Latent(latent::Widths {
            heads: size(query_heads.max(1))?,
            rank: size(rank)?,
            rope: size(rope)?,
            nope: size(store.dim("expanded_k").map_or(DEFAULT_NOPE, |k| k.saturating_sub(rope)).max(1))?,
            v_dim: size(store.dim("expanded_v").unwrap_or(DEFAULT_NOPE))?,
        }),
        Content::State { conv, recurrent, recurrent_dtype, conv_dtype, .. } => {
            dtypes = (dtype(recurrent_dtype)?, dtype(conv_dtype)?);
            let wanted = store.dim("conv_kernel").unwrap_or(DEFAULT_COLUMNS).max(1);
            let columns = (1..=wanted).rev().find(|columns| conv % columns == 0).unwrap_or(1);
            Mixer::State(state::Sizes {
                recurrent: size(recurrent)?,
                conv: size(conv)?,
                columns: size(columns)?,
                recurrent_dtype: dtypes.0,
                conv_dtype: dtypes.1,
            })
        }
    };
    Ok(StoreShape { mixer, extent: store.extent, dtypes })
}

impl StoreShape {
    fn elements(&self, hidden: u64) -> u64 {
        let product = |factors: [usize; 2]| (factors[0] as u64).saturating_mul(factors[1] as u64);
        let hidden_times = |width: usize| hidden.saturating_mul(width as u64);
        let parts = match self.mixer {
            Mixer::Attention { widths: w, .. } => {
                vec![
                    hidden_times(w.query_heads * (w.k_dim + w.v_dim)),
                    hidden_times(w.kv_heads * (w.k_dim + w.v_dim)),
                ]
            }
            Mixer::Latent(w) => vec![
                hidden_times(w.rank + w.rope + w.heads * (w.nope + w.rope + w.v_dim)),
                product([w.heads * w.rank, w.nope + w.v_dim]),
            ],
            Mixer::State(s) => {
                let channels = s.conv / s.columns.max(1);
                // A matrix of `recurrent` elements is written by rows and columns; each is at most the
                // elements.
                vec![hidden_times(2 * channels), hidden_times(s.recurrent.min(1 << 20)), s.recurrent as u64]
            }
        };
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Elements of a session of `tokens` tokens; a ring has its whole window.
    pub fn cache_elements(&self, tokens: u64, source: u64) -> u64 {
        let rows = match self.extent {
            Extent::Window(rows) | Extent::Chunk(rows) => rows,
            Extent::Source => source,
            _ => tokens,
        };
        match self.mixer {
            Mixer::Attention { widths: w, one } => {
                let row = w.kv_heads * if one { w.k_dim } else { w.k_dim + w.v_dim };
                rows.saturating_mul(row as u64)
            }
            Mixer::Latent(w) => rows.saturating_mul((w.rank + w.rope) as u64),
            Mixer::State(sizes) => (sizes.recurrent + sizes.conv) as u64,
        }
    }

    /// The largest number of tokens that may be stored at once without disturbing a ring.
    pub fn chunk(&self) -> usize {
        match self.extent {
            Extent::Window(rows) | Extent::Chunk(rows) => (rows as usize).saturating_sub(1).max(1),
            _ => usize::MAX,
        }
    }
}
