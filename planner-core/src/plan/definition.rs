//! Bytes by the model's definition: per token, per session, by layer, and with all heads cached.

use crate::dtype::DType;
use crate::engine::ResolvedRequest;
use crate::engine::architecture::ReferenceCache;
use crate::error::Result;
use crate::memo::Memo;
use crate::spec::layer::{Content, Extent, Layer, Store};
use crate::units::{ascending, lcm, product, sum};

/// Bytes per token from one position on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slope {
    /// First token (from 0) for which it holds.
    pub from_token: u64,
    /// Bytes of `per_tokens` further tokens.
    pub bytes: u64,
    /// Tokens that share one row; 1 for ordinary caches.
    pub per_tokens: u64,
}

impl Slope {
    /// Bytes per token, rounded up where rows are shared.
    pub fn bytes_per_token(self) -> u64 {
        self.bytes.div_ceil(self.per_tokens.max(1))
    }
}

/// The article's figure: every query head cached, every token, in every attention layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllHeads {
    /// Bytes of one token.
    pub bytes_per_token: u64,
    /// Bytes of one session.
    pub session_bytes: u64,
    /// Bytes of all sessions.
    pub total_bytes: u64,
}

/// Bytes by the model's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kv {
    /// Bytes that the token at position `--seq` adds to a session.
    pub bytes_per_token: u64,
    /// Bytes per token by range.
    pub slopes: Vec<Slope>,
    /// Bytes of states and cross-attention of one session, whatever its length.
    pub state_bytes_per_session: u64,
    /// Bytes of one session.
    pub session_bytes: u64,
    /// Bytes of all sessions.
    pub total_bytes: u64,
    /// All heads cached, for comparison.
    pub all_heads: Option<AllHeads>,
}

/// A run of equal layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerGroup {
    /// Its first layer.
    pub first: u64,
    /// How many layers.
    pub count: u64,
    pub(super) at: usize,
    /// Bytes that the token at position `--seq` adds in all of them.
    pub bytes_per_token: u64,
    /// Bytes of one session in all of them.
    pub session_bytes: u64,
}

fn marginal(tokens: u64, bytes: impl Fn(u64) -> Result<u64>) -> Result<u64> {
    Ok(bytes(tokens)?.saturating_sub(bytes(tokens.saturating_sub(1))?))
}

pub(super) fn kv(run: &ResolvedRequest<'_>, reference: &ReferenceCache<'_>) -> Result<Kv> {
    let session_bytes = reference.bytes(run.tokens)?;
    let slopes = slopes(reference)?;
    let shares_rows = slopes.iter().any(|slope| slope.per_tokens > 1);
    let bytes_per_token = if shares_rows {
        let holding = slopes.iter().rev().find(|slope| slope.from_token < run.tokens);
        holding.map_or(0, |slope| slope.bytes_per_token())
    } else {
        marginal(run.tokens, |tokens| reference.bytes(tokens))?
    };
    Ok(Kv {
        bytes_per_token,
        slopes,
        state_bytes_per_session: reference.bytes(0)?,
        session_bytes,
        total_bytes: product(words!("bytes of all sessions"), &[session_bytes, run.request.users])?,
        all_heads: all_heads(run, reference)?,
    })
}

fn kept(stores: &[Store]) -> impl Iterator<Item = &Store> {
    stores.iter().filter(|store| store.is_kept_by("architecture"))
}

/// Where windows fill, and the bytes of a token between those points.
fn slopes(reference: &ReferenceCache<'_>) -> Result<Vec<Slope>> {
    let (k, v) = reference.dtypes();
    let mut edges = vec![0];
    let mut period = 1;
    for store in reference.classes().iter().flat_map(|class| kept(class.stores)) {
        if let Extent::Window(n) | Extent::Chunk(n) = store.extent {
            edges.push(n);
        }
        period = lcm(period, store.tokens_per_row.max(1));
    }
    let mut slopes: Vec<Slope> = Vec::new();
    for from_token in ascending(edges) {
        let mut bytes = 0;
        for class in reference.classes() {
            for store in kept(class.stores) {
                let grows = match store.extent {
                    Extent::Full => true,
                    Extent::Window(n) | Extent::Chunk(n) => from_token < n,
                    Extent::Session | Extent::Source => false,
                };
                if grows {
                    let rows = period / store.tokens_per_row.max(1);
                    let own =
                        product(words!("bytes per token"), &[store.row_bytes(k, v)?, rows, class.layers])?;
                    bytes = sum(words!("bytes per token"), [bytes, own])?;
                }
            }
        }
        if slopes.last().is_none_or(|slope| slope.bytes != bytes) {
            slopes.push(Slope { from_token, bytes, per_tokens: period });
        }
    }
    Ok(slopes)
}

/// 2 × layers × attention heads × head width × tokens × bytes, over the layers with attention.
fn all_heads(run: &ResolvedRequest<'_>, reference: &ReferenceCache<'_>) -> Result<Option<AllHeads>> {
    let (k, v) = reference.dtypes();
    let mut bytes_per_token = 0;
    let mut by_class = Memo::new();
    for layer in run.model.layers.iter().filter(|layer| layer.query_heads > 0) {
        let owner = layer.owner.and_then(|owner| run.model.layers.get(owner as usize));
        let stores = || kept(&layer.stores).chain(owner.into_iter().flat_map(|owner| kept(&owner.stores)));
        let class = (owner.map_or(layer.class, |owner| owner.class), layer.query_heads);
        let own = by_class.get_or(class, || {
            let Some((k_dim, v_dim)) = stores().find_map(widths) else { return Ok(0) };
            let side = |dtype: DType, dim: u64| {
                dtype.row_bytes(product(words!("bytes per token"), &[layer.query_heads, dim])?)
            };
            sum(words!("bytes per token"), [side(k, k_dim)?, side(v, v_dim)?])
        })?;
        bytes_per_token = sum(words!("bytes per token"), [bytes_per_token, own])?;
    }
    if bytes_per_token == 0 {
        return Ok(None);
    }
    let session_bytes = product(words!("bytes with all heads"), &[bytes_per_token, run.tokens])?;
    let total_bytes = product(words!("bytes with all heads"), &[session_bytes, run.request.users])?;
    Ok(Some(AllHeads { bytes_per_token, session_bytes, total_bytes }))
}

/// Widths of one head's key and value in attention; those of a latent after its expansion.
fn widths(store: &Store) -> Option<(u64, u64)> {
    match store.content {
        Content::KeysValues { k_dim, v_dim, .. } => Some((k_dim, if v_dim == 0 { k_dim } else { v_dim })),
        Content::Latent { .. } => Some((store.dim("expanded_k")?, store.dim("expanded_v")?)),
        _ => None,
    }
}

pub(super) fn layer_groups(
    run: &ResolvedRequest<'_>,
    reference: &ReferenceCache<'_>,
) -> Result<Vec<LayerGroup>> {
    let (k, v) = reference.dtypes();
    let mut groups: Vec<LayerGroup> = Vec::new();
    let mut by_class = Memo::new();
    let mut last: Option<&Layer> = None;
    for (at, layer) in run.model.layers.iter().enumerate() {
        let alike = |last: &Layer| last.class == layer.class && last.owner.is_some() == layer.owner.is_some();
        match groups.last_mut().filter(|_| last.is_some_and(alike)) {
            Some(group) => group.count += 1,
            None => {
                groups.push(LayerGroup {
                    first: layer.index,
                    count: 1,
                    at,
                    bytes_per_token: 0,
                    session_bytes: 0,
                });
            }
        }
        last = Some(layer);
    }
    for group in &mut groups {
        let Some(layer) = run.model.layers.get(group.at) else { continue };
        let bytes = |tokens: u64| {
            let stores = kept(&layer.stores);
            let bytes = stores.map(|store| store.session_bytes(tokens, run.encoder_tokens, k, v));
            sum(words!("bytes of a layer"), bytes.collect::<Result<Vec<_>>>()?)
        };
        let (token, session) =
            by_class.get_or(layer.class, || Ok((marginal(run.tokens, bytes)?, bytes(run.tokens)?)))?;
        group.bytes_per_token = product(words!("bytes of a layer"), &[token, group.count])?;
        group.session_bytes = product(words!("bytes of a layer"), &[session, group.count])?;
    }
    Ok(groups)
}
