//! Order of the cache's five axes in memory, as far as it decides the bytes of a block.
//!
//! Restates `vllm/v1/kv_cache_layout.py` (`KVCacheLayout`) and `get_supported_kv_cache_layouts` and
//! `resolve_kv_cache_layout` of `vllm/v1/attention/backends/utils.py`, vLLM 0.33.0.

use super::spec::Spec;
use crate::error::{Code, Error};

/// Axes from the outermost inward: L layers, B blocks, H heads, N tokens, C content. The engine has two further
/// layouts (LHBNC, BHLNC) whose pages are not contiguous: they come last by default, and no backend asks for
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TensorLayout {
    /// Layer, block, head, token.
    Lbhnc,
    /// Layer, block, token, head.
    Lbnhc,
    /// Block, layer, head, token.
    Blhnc,
    /// Block, layer, token, head.
    Blnhc,
}

impl TensorLayout {
    /// Whether a block holds the pages of all layers side by side.
    pub fn block_outermost(self) -> bool {
        matches!(self, Self::Blhnc | Self::Blnhc)
    }
}

/// Preference where no backend has one (`_DEFAULT_LAYOUT_PREFERENCE`).
pub const DEFAULT: [TensorLayout; 4] =
    [TensorLayout::Lbnhc, TensorLayout::Lbhnc, TensorLayout::Blnhc, TensorLayout::Blhnc];

/// The layouts that every backend accepts, preferred ones first. `declared` are the lists of those backends
/// that do not accept any layout.
///
/// # Errors
/// Backends without a common layout.
pub fn supported(declared: &[&'static [TensorLayout]]) -> Result<Vec<TensorLayout>, Error> {
    let Some(first) = declared.first() else {
        return Ok(DEFAULT.to_vec());
    };
    if declared.iter().all(|list| list == first) {
        return Ok(first.to_vec());
    }
    let votes = |layout: &TensorLayout| declared.iter().filter(|list| list.first() == Some(layout)).count();
    let mut shared: Vec<TensorLayout> =
        first.iter().copied().filter(|x| declared.iter().all(|list| list.contains(x))).collect();
    shared.sort();
    shared.sort_by_key(|layout| std::cmp::Reverse(votes(layout)));
    if shared.is_empty() {
        return Err(Error::quoted(
            Code::VllmCacheLayout,
            "No KV cache layout satisfies every supported set.",
        ));
    }
    Ok(shared)
}

/// The layout of the whole model. `kinds` are its distinct caches.
///
/// # Errors
/// No candidate is left. Where divided and undivided caches differ in pages, the block must be the outermost
/// axis.
pub fn resolve(candidates: Vec<TensorLayout>, kinds: &[Spec]) -> Result<TensorLayout, Error> {
    let mut candidates = candidates;
    let sharded = |yes: bool| kinds.iter().any(|s| s.is_attention() && s.dcp_sharded == yes);
    let pages = kinds.iter().any(|s| kinds.first().is_some_and(|first| s.page() != first.page()));
    if sharded(true) && sharded(false) && pages {
        candidates.retain(|layout| layout.block_outermost());
    }
    candidates.first().copied().ok_or_else(|| {
        Error::refused(
            Code::VllmCacheLayout,
            words!("The attention backends share no KV cache layout that this mix of pages fits."),
        )
    })
}
