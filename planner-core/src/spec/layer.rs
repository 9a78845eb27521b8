//! What one layer keeps for one session: its stores, each with a content and an extent.
//!
//! ```text
//! one row of a store          rows of one session
//!   KeysValues  heads × (k_dim + v_dim)   Full     every token
//!   Latent      rank + rope               Window   the last n tokens
//!   IndexKey    heads × dim               Chunk    the tokens of the current chunk
//!   State       conv + recurrent          Session  one, whatever the length
//!   Cross       heads × (k_dim + v_dim)   Source   every token of the encoder
//! ```
//!
//! A layer may have several stores: Falcon-H1 keeps keys, values and a state in every layer, DeepSeek V3.2 a
//! latent and an index key. A layer that reads another layer's cache has none.

use crate::dtype::DType;
use crate::error::Result;
use crate::units::{product, sum};

/// The content of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A key and a value per head: `heads × (k_dim + v_dim)` elements.
    KeysValues {
        /// Heads that are stored (`num_key_value_heads`).
        heads: u64,
        /// Width of one key.
        k_dim: u64,
        /// Width of one value; 0 where the value is the key.
        v_dim: u64,
    },
    /// One latent shared by all heads (MLA): `rank + rope` elements.
    Latent {
        /// `kv_lora_rank`.
        rank: u64,
        /// `qk_rope_head_dim`.
        rope: u64,
    },
    /// A key of a sparse-attention indexer: `heads × dim` elements.
    IndexKey {
        /// Heads stored.
        heads: u64,
        /// Width of one key.
        dim: u64,
    },
    /// A state whose size does not depend on length.
    State {
        /// The mixer it belongs to: `mamba1`, `mamba2`, `gated_delta`, `kda`, `short_conv` …
        mixer: &'static str,
        /// Elements of the convolution state, stored in the model's dtype.
        conv: u64,
        /// Elements of the recurrent state.
        recurrent: u64,
        /// Type of the recurrent state.
        recurrent_dtype: DType,
        /// Type of the convolution state.
        conv_dtype: DType,
    },
    /// Keys and values of the encoder's output, fixed at the source length.
    Cross {
        /// Heads that are stored.
        heads: u64,
        /// Width of one key.
        k_dim: u64,
        /// Width of one value.
        v_dim: u64,
    },
}

/// The tokens that a store has rows for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every token.
    Full,
    /// The last `n` tokens.
    Window(u64),
    /// The tokens of the current chunk of `n`.
    Chunk(u64),
    /// Once per session, whatever its length.
    Session,
    /// The encoder's tokens.
    Source,
}

macro_rules! layer_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What kind of layer it is, by its first store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum LayerKind {
            $($(#[$doc])* $variant,)*
        }

        impl LayerKind {
            /// Its name in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

layer_kinds! {
    /// A row for every token.
    Full = "full",
    /// Rows for the tokens of a sliding window.
    Sliding = "sliding",
    /// Rows for the tokens of the current chunk.
    Chunked = "chunked",
    /// One latent for all heads.
    Latent = "latent",
    /// Keys of a sparse-attention indexer.
    Index = "index",
    /// A state whose size does not depend on length.
    State = "state",
    /// Keys and values of the encoder's output.
    Cross = "cross",
    /// A layer that reads another layer's cache.
    Shared = "shared",
    /// A layer without a cache.
    None = "none",
}

impl std::fmt::Display for LayerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One store of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What one row holds.
    pub content: Content,
    /// Which tokens have a row.
    pub extent: Extent,
    /// Tokens that share one row (compressed caches); 1 for ordinary caches.
    pub tokens_per_row: u64,
    /// Further dimensions that engines need (`conv_kernel`, `groups` …).
    pub dims: Vec<(&'static str, u64)>,
    /// Engines that store it; empty means all.
    pub only: &'static [&'static str],
    /// Engines that do not store it.
    pub except: &'static [&'static str],
}

impl Store {
    /// Whether an engine keeps this store.
    pub fn is_kept_by(&self, engine: &str) -> bool {
        (self.only.is_empty() || self.only.contains(&engine)) && !self.except.contains(&engine)
    }

    /// One word for it.
    pub fn kind(&self) -> LayerKind {
        match (self.content, self.extent) {
            (Content::State { .. }, _) => LayerKind::State,
            (Content::Cross { .. }, _) => LayerKind::Cross,
            (Content::Latent { .. }, _) => LayerKind::Latent,
            (Content::IndexKey { .. }, _) => LayerKind::Index,
            (_, Extent::Chunk(_)) => LayerKind::Chunked,
            (_, Extent::Window(_)) => LayerKind::Sliding,
            _ => LayerKind::Full,
        }
    }

    /// A further dimension by name.
    pub fn dim(&self, name: &str) -> Option<u64> {
        self.dims.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// Rows of a session of `tokens` tokens, with an encoder input of `source` tokens.
    pub fn rows(&self, tokens: u64, source: u64) -> u64 {
        match self.extent {
            Extent::Full => tokens.div_ceil(self.tokens_per_row.max(1)),
            Extent::Window(n) | Extent::Chunk(n) => tokens.min(n).div_ceil(self.tokens_per_row.max(1)),
            Extent::Session => 1,
            Extent::Source => source,
        }
    }

    /// Bytes of one row with keys in `k` and values in `v`.
    pub fn row_bytes(&self, k: DType, v: DType) -> Result<u64> {
        let pair = |heads: u64, k_dim: u64, v_dim: u64| {
            let keys = k.row_bytes(product(words!("elements of a key row"), &[heads, k_dim])?)?;
            let values = v.row_bytes(product(words!("elements of a value row"), &[heads, v_dim])?)?;
            sum(words!("bytes of a cache row"), [keys, values])
        };
        match self.content {
            Content::KeysValues { heads, k_dim, v_dim } | Content::Cross { heads, k_dim, v_dim } => {
                pair(heads, k_dim, v_dim)
            }
            Content::Latent { rank, rope } => k.row_bytes(sum(words!("elements of a latent"), [rank, rope])?),
            Content::IndexKey { heads, dim } => {
                k.row_bytes(product(words!("elements of an index key"), &[heads, dim])?)
            }
            Content::State { conv, recurrent, recurrent_dtype, conv_dtype, .. } => sum(
                words!("bytes of a state"),
                [conv_dtype.row_bytes(conv)?, recurrent_dtype.row_bytes(recurrent)?],
            ),
        }
    }

    /// Bytes of a session.
    pub fn session_bytes(&self, tokens: u64, source: u64, k: DType, v: DType) -> Result<u64> {
        product(words!("bytes of a session"), &[self.rows(tokens, source), self.row_bytes(k, v)?])
    }
}

/// One layer of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Position in the model.
    pub index: u64,
    /// The layer whose cache it reads; it then has no stores of its own.
    pub owner: Option<u64>,
    /// Query heads that read it; 0 where it has no attention.
    pub query_heads: u64,
    /// Its stores.
    pub stores: Vec<Store>,
    /// Number of its class, from 0, by [`assign_classes`]: layers of a class have equal stores.
    pub class: usize,
}

/// Gives layers with equal stores one class, so that each class is counted once.
pub fn assign_classes(layers: &mut [Layer]) {
    let mut firsts: Vec<usize> = Vec::new();
    for at in 0..layers.len() {
        let (before, rest) = layers.split_at_mut(at);
        let Some(layer) = rest.first_mut() else { continue };
        let same = |first: &usize| before.get(*first).is_some_and(|other| other.stores == layer.stores);
        layer.class = firsts.iter().position(same).unwrap_or_else(|| {
            firsts.push(at);
            firsts.len() - 1
        });
    }
}

/// Layers with equal stores, wherever they are in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerClass<'a> {
    /// How many.
    pub layers: u64,
    /// The stores of each layer.
    pub stores: &'a [Store],
}

/// The classes of some layers, in order of their first layer.
pub fn classes(layers: &[Layer]) -> Vec<LayerClass<'_>> {
    let mut found: Vec<(usize, LayerClass<'_>)> = Vec::new();
    for layer in layers {
        match found.iter_mut().find(|(class, _)| *class == layer.class) {
            Some((_, class)) => class.layers += 1,
            None => found.push((layer.class, LayerClass { layers: 1, stores: &layer.stores })),
        }
    }
    found.into_iter().map(|(_, class)| class).collect()
}

impl Layer {
    /// What kind of layer it is, for people: the kind of its first store by the definition.
    pub fn kind(&self) -> LayerKind {
        if self.owner.is_some() {
            return LayerKind::Shared;
        }
        let mut kinds = self.stores.iter().filter(|store| store.is_kept_by("architecture")).map(Store::kind);
        kinds.next().unwrap_or(LayerKind::None)
    }
}
