//! How vLLM puts layers into groups that share one block table, and makes their pages fit one pool.
//!
//! Restates `get_kv_cache_groups` and what it calls in `vllm/v1/core/kv_cache_planning.py`,
//! vLLM 0.33.0. Layers are indices into the slice of specs, in the model's order.

use super::layout::Layout;
use super::math::ceil_div;
use super::pack;
use super::refusal::Refusal;
use super::spec::{Kind, PerState, Spec};

/// Layers that share a block table, each with the spec that it has after unification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// (layer, its spec) in the model's order.
    pub layers: Vec<(usize, Spec)>,
    /// The spec that stands for the group when it holds no layer of a rank.
    pub spec: Spec,
    /// Whether the layers keep pages of their own (`UniformTypeKVCacheSpecs`).
    pub mixed: bool,
}

impl Group {
    pub(super) fn of(layers: Vec<(usize, Spec)>, mixed: bool) -> Option<Self> {
        let spec = layers.first()?.1;
        Some(Self { layers, spec, mixed })
    }
}

/// Groups the layers of the whole model.
///
/// # Errors
/// Refuses page sizes that can be neither scaled nor padded to one another.
pub fn groups(specs: &[Spec], layout: Layout, no_hybrid: bool) -> Result<Vec<Group>, Refusal> {
    let promoted;
    let specs = if no_hybrid {
        promoted = promote(specs)?;
        promoted.as_slice()
    } else {
        specs
    };
    let all: Vec<(usize, Spec)> = specs.iter().copied().enumerate().collect();
    let Some(first) = specs.first() else { return Ok(Vec::new()) };
    let (kinds, of) = distinct(specs);
    if merges_with_all(first, &kinds) {
        return Ok(Group::of(all, false).into_iter().collect());
    }
    if kinds.iter().all(|s| first.uniform_with(s)) {
        return Ok(Group::of(all, true).into_iter().collect());
    }
    if let Some(packed) = pack::groups(&all, layout) {
        return Ok(packed);
    }
    match unify(&kinds) {
        Ok(unified) => Ok(uniform_pages(&unified, &of)),
        Err(refusal) => match full_allocation(specs) {
            Some(group) => Ok(vec![group]),
            None => Err(refusal),
        },
    }
}

/// Every layer's spec once, in the order of first appearance, and which of them each layer has.
fn distinct(specs: &[Spec]) -> (Vec<Spec>, Vec<usize>) {
    let mut kinds: Vec<Spec> = Vec::new();
    let mut of: Vec<usize> = Vec::with_capacity(specs.len());
    for spec in specs {
        let last = of.last().copied().filter(|&at| kinds.get(at) == Some(spec));
        let known = last.or_else(|| kinds.iter().position(|kind| kind == spec));
        of.push(known.unwrap_or(kinds.len()));
        if known.is_none() {
            kinds.push(*spec);
        }
    }
    (kinds, of)
}

/// Whether one merged spec stands for all; `specs` are distinct.
fn merges_with_all(first: &Spec, specs: &[Spec]) -> bool {
    specs.iter().all(|a| first.merges(a))
        && specs
            .iter()
            .enumerate()
            .all(|(i, a)| !matches!(a.kind, Kind::Full { .. }) || specs.iter().skip(i).all(|b| a.merges(b)))
}

/// `unify_kv_cache_spec_page_size`: smaller pages grow by whole blocks, or are padded.
fn unify(specs: &[Spec]) -> Result<Vec<Spec>, Refusal> {
    let largest = specs.iter().map(Spec::page).max().unwrap_or(0);
    specs
        .iter()
        .map(|spec| {
            let page = spec.page();
            if page == largest {
                return Ok(*spec);
            }
            if matches!(spec.kind, Kind::State { .. }) {
                return Ok(Spec { padded: Some(largest), ..*spec });
            }
            if page > 0 && largest % page == 0 && spec.padded.is_none() {
                return Ok(spec.with_block(spec.block_size.saturating_mul(largest / page)));
            }
            if page > 0 && !matches!(spec.kind, Kind::Mla) && largest % page != 0 {
                return Ok(Spec { padded: Some(largest), ..*spec });
            }
            Err(Refusal::new(
                "page size is not divisible by the maximum page size and cannot be padded. Padding is \
                 only supported for non-MLA attention layers.",
            ))
        })
        .collect()
}

/// `_get_kv_cache_groups_uniform_page_size`: `of` names the kind of every layer.
fn uniform_pages(kinds: &[Spec], of: &[usize]) -> Vec<Group> {
    // layers with one spec, in the order of first appearance
    let first: Vec<usize> =
        kinds.iter().map(|kind| kinds.iter().position(|other| other == kind).unwrap_or(0)).collect();
    let mut same: Vec<(&Spec, Vec<usize>)> = kinds.iter().map(|kind| (kind, Vec::new())).collect();
    for (i, kind) in of.iter().enumerate() {
        if let Some((_, layers)) = first.get(*kind).and_then(|&at| same.get_mut(at)) {
            layers.push(i);
        }
    }
    // then those whose specs merge
    let mut buckets: Vec<(Vec<&Spec>, Vec<usize>)> = Vec::new();
    for (spec, layers) in same.into_iter().filter(|(_, layers)| !layers.is_empty()) {
        match buckets.iter_mut().find(|(all, _)| all.iter().all(|s| s.merges(spec))) {
            Some((all, names)) => {
                all.push(spec);
                names.extend(layers);
            }
            None => buckets.push((vec![spec], layers)),
        }
    }
    let counts = || buckets.iter().map(|(_, layers)| layers.len());
    let (smallest, largest) = (counts().min().unwrap_or(1), counts().max().unwrap_or(1));
    // "less than one and a half times": 2 x largest < 3 x smallest
    let size = if 2 * largest < 3 * smallest { largest } else { smallest };
    let mut out = Vec::new();
    for (_, layers) in &buckets {
        let number = layers.len().div_ceil(size.max(1));
        for start in 0..number {
            let dealt = layers.iter().skip(start).step_by(number);
            let part = dealt.filter_map(|&i| Some((i, *kinds.get(*of.get(i)?)?))).collect();
            out.extend(Group::of(part, false));
        }
    }
    out
}

/// `_promote_local_kv_cache_specs` on the sharded and the replicated layers apart
/// (`unify_hybrid_kv_cache_specs`): windows and chunks get full allocation.
fn promote(specs: &[Spec]) -> Result<Vec<Spec>, Refusal> {
    let mut out = specs.to_vec();
    for replicated in [false, true] {
        let side = |s: &Spec| (s.is_attention() && !s.dcp_sharded) == replicated;
        let part: Vec<Spec> = specs.iter().filter(|s| side(s)).copied().collect();
        let promoted = promote_part(&part)?;
        let mut next = promoted.into_iter();
        for spec in out.iter_mut().filter(|s| side(s)) {
            if let Some(new) = next.next() {
                *spec = new;
            }
        }
    }
    Ok(out)
}

fn one_type(specs: &[Spec]) -> bool {
    let (kinds, _) = distinct(specs);
    kinds
        .first()
        .is_none_or(|first| merges_with_all(first, &kinds) || kinds.iter().all(|s| first.uniform_with(s)))
}

fn promote_part(specs: &[Spec]) -> Result<Vec<Spec>, Refusal> {
    if one_type(specs) {
        return Ok(specs.to_vec());
    }
    let full: Vec<u64> = specs.iter().filter(|s| s.is_full()).map(|s| s.block_size).collect();
    let block = match full.split_first() {
        Some((first, rest)) if rest.iter().all(|b| b == first) => Some(*first),
        _ => None,
    };
    let promoted: Vec<Spec> = specs
        .iter()
        .map(|spec| {
            let kind = match spec.kind {
                Kind::Sliding { window } => Kind::Full { window: Some(window), chunk: None },
                Kind::Chunked { chunk } => Kind::Full { window: None, chunk: Some(chunk) },
                Kind::SlidingMla { .. } => Kind::Mla,
                _ => return *spec,
            };
            if full.is_empty() {
                return *spec;
            }
            let block_size = block.unwrap_or(spec.block_size);
            let grown = spec.natural_page().saturating_mul(block_size) / spec.block_size.max(1);
            let padded = spec.padded.map(|p| p.max(grown));
            Spec { kind, block_size, padded, retained: 0, ..*spec }
        })
        .collect();
    if one_type(&promoted) {
        Ok(promoted)
    } else {
        Err(Refusal::new("Failed to promote local KV cache specs to one unified type."))
    }
}

/// `_try_get_full_allocation_fallback_groups`: a latent cache beside a window draft it cannot unify with.
fn full_allocation(specs: &[Spec]) -> Option<Group> {
    if specs.iter().any(|s| matches!(s.kind, Kind::SlidingMla { .. } | Kind::Chunked { .. })) {
        return None;
    }
    let latent = specs.iter().any(|s| s.kind == Kind::Mla);
    let window = specs.iter().any(|s| matches!(s.kind, Kind::Sliding { .. }));
    if !(latent && window) {
        return None;
    }
    let promoted = promote_part(specs).ok()?;
    let first = promoted.first()?;
    if !promoted.iter().all(|s| first.uniform_with(s)) {
        return None;
    }
    Group::of(promoted.into_iter().enumerate().collect(), true)
}

/// Bytes that one block id costs on a rank (`_get_kv_cache_bytes_per_block`): the widest group.
pub fn block_bytes(groups: &[Group], layout: Layout) -> u64 {
    let widest = |page: fn(&Spec) -> u64| {
        let group = |g: &Group| g.layers.iter().map(|(_, s)| page(s)).fold(0, u64::saturating_add);
        groups.iter().map(group).max().unwrap_or(0)
    };
    if layout.block_outermost() {
        let layers = groups.iter().flat_map(|g| g.layers.iter().map(|(_, s)| s));
        super::math::round_up(widest(Spec::page), super::spec::shared_stride(layers))
    } else {
        widest(Spec::strided_page)
    }
}

/// The groups as one rank sees them: only its own layers (`_project_kv_cache_groups_to_worker`).
pub fn project(groups: &[Group], here: impl Fn(usize) -> bool) -> Vec<Group> {
    groups
        .iter()
        .map(|g| {
            let layers: Vec<(usize, Spec)> = g.layers.iter().filter(|(i, _)| here(*i)).copied().collect();
            let spec = match layers.first() {
                Some((_, own)) if g.mixed => *own,
                _ => g.spec,
            };
            Group { layers, spec, mixed: g.mixed }
        })
        .collect()
}

/// States of a page in whole tokens, for reports: 1 unless several tokens share a state.
pub fn tokens_per_state(spec: &Spec) -> u64 {
    let PerState { num, den } = spec.per_state;
    ceil_div(num, den.max(1)).max(1)
}
