//! How vLLM puts layers into groups that share one block table, and makes their pages fit one pool.
//!
//! Restates `get_kv_cache_groups` and what it calls in `vllm/v1/core/kv_cache_planning.py`,
//! vLLM 0.33.0. Layers are indices into the slice of specs, in the model's order.

use super::layout::Layout;
use super::math::ceil_div;
use super::pack;
use super::refusal::Refusal;
use super::spec::{Kind, PerState, Spec, Specs};

/// Layers that share a block table, each with the spec that it has after unification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Layers in the model's order.
    pub layers: Vec<usize>,
    /// Their specs.
    pub specs: Specs,
    /// The spec that stands for the group when it holds no layer of a rank.
    pub spec: Spec,
    /// Whether the layers keep pages of their own (`UniformTypeKVCacheSpecs`).
    pub mixed: bool,
}

impl Group {
    /// A group of some layers of all, or none where there is no layer.
    pub(super) fn of(layers: Vec<usize>, all: &Specs, mixed: bool) -> Option<Self> {
        let specs = all.part(&layers);
        let spec = *specs.iter().next()?;
        Some(Self { layers, specs, spec, mixed })
    }

    fn whole(specs: Specs, mixed: bool) -> Option<Self> {
        let spec = *specs.iter().next()?;
        Some(Self { layers: (0..specs.of().len()).collect(), specs, spec, mixed })
    }
}

/// Groups the layers of the whole model.
///
/// # Errors
/// Refuses page sizes that can be neither scaled nor padded to one another.
pub fn groups(specs: Specs, layout: Layout) -> Result<Vec<Group>, Refusal> {
    let kinds = specs.kinds();
    let Some(first) = kinds.first() else { return Ok(Vec::new()) };
    if merges_with_all(first, kinds) {
        return Ok(Group::whole(specs, false).into_iter().collect());
    }
    if kinds.iter().all(|s| first.uniform_with(s)) {
        return Ok(Group::whole(specs, true).into_iter().collect());
    }
    if let Some(packed) = pack::groups(&specs, layout) {
        return Ok(packed);
    }
    match unify(kinds) {
        Ok(unified) => Ok(uniform_pages(&unified, specs.of())),
        Err(refusal) => match full_allocation(&specs) {
            Some(group) => Ok(vec![group]),
            None => Err(refusal),
        },
    }
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
            Err(Refusal::new(words!(
                "page size is not divisible by the maximum page size and cannot be padded. Padding is \
                 only supported for non-MLA attention layers."
            )))
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
    let specs: Specs = of.iter().filter_map(|kind| kinds.get(*kind)).copied().collect();
    let mut out = Vec::new();
    for (_, layers) in &buckets {
        let number = layers.len().div_ceil(size.max(1));
        for start in 0..number {
            let dealt = layers.iter().skip(start).step_by(number);
            out.extend(Group::of(dealt.copied().collect(), &specs, false));
        }
    }
    out
}

fn one_type(kinds: &[Spec]) -> bool {
    kinds
        .first()
        .is_none_or(|first| merges_with_all(first, kinds) || kinds.iter().all(|s| first.uniform_with(s)))
}

/// `_promote_local_kv_cache_specs`: windows and chunks get full allocation. `kinds` and what is made of
/// them stand at the same places.
fn promote(kinds: &[Spec]) -> Option<Vec<Spec>> {
    if one_type(kinds) {
        return Some(kinds.to_vec());
    }
    let mut full = kinds.iter().filter(|s| s.is_full()).map(|s| s.block_size);
    let first = full.next()?;
    let block = full.all(|block| block == first).then_some(first);
    let promoted: Vec<Spec> = kinds
        .iter()
        .map(|spec| {
            let kind = match spec.kind {
                Kind::Sliding { window } => Kind::Full { window: Some(window), chunk: None },
                Kind::Chunked { chunk } => Kind::Full { window: None, chunk: Some(chunk) },
                Kind::SlidingMla { .. } => Kind::Mla,
                _ => return *spec,
            };
            let block_size = block.unwrap_or(spec.block_size);
            let grown = spec.natural_page().saturating_mul(block_size) / spec.block_size.max(1);
            let padded = spec.padded.map(|p| p.max(grown));
            Spec { kind, block_size, padded, retained: 0, ..*spec }
        })
        .collect();
    one_type(&promoted).then_some(promoted)
}

/// `_try_get_full_allocation_fallback_groups`: a latent cache beside a window draft it cannot unify with.
fn full_allocation(specs: &Specs) -> Option<Group> {
    let kinds = specs.kinds();
    if kinds.iter().any(|s| matches!(s.kind, Kind::SlidingMla { .. } | Kind::Chunked { .. })) {
        return None;
    }
    let latent = kinds.iter().any(|s| s.kind == Kind::Mla);
    let window = kinds.iter().any(|s| matches!(s.kind, Kind::Sliding { .. }));
    if !(latent && window) {
        return None;
    }
    let promoted = promote(kinds)?;
    let first = promoted.first()?;
    if !promoted.iter().all(|s| first.uniform_with(s)) {
        return None;
    }
    Group::whole(specs.of().iter().filter_map(|kind| promoted.get(*kind)).copied().collect(), true)
}

/// Bytes that one block id costs on a rank (`_get_kv_cache_bytes_per_block`): the widest group.
pub fn block_bytes(groups: &[Group], layout: Layout) -> u64 {
    let widest = |page: fn(&Spec) -> u64| groups.iter().map(|g| g.specs.sum(page)).max().unwrap_or(0);
    if layout.block_outermost() {
        let kinds = groups.iter().flat_map(|g| g.specs.kinds());
        super::math::round_up(widest(Spec::page), super::spec::shared_stride(kinds))
    } else {
        widest(Spec::strided_page)
    }
}

/// The groups as one rank sees them: only its own layers (`_project_kv_cache_groups_to_worker`).
pub fn project(groups: &[Group], here: impl Fn(usize) -> bool) -> Vec<Group> {
    groups
        .iter()
        .map(|g| {
            let own = |(_, layer): &(usize, &usize)| here(**layer);
            let (places, layers): (Vec<usize>, Vec<usize>) =
                g.layers.iter().enumerate().filter(own).map(|(place, layer)| (place, *layer)).unzip();
            let specs = g.specs.part(&places);
            let spec = match specs.kinds().first() {
                Some(own) if g.mixed => *own,
                _ => g.spec,
            };
            Group { layers, specs, spec, mixed: g.mixed }
        })
        .collect()
}

/// States of a page in whole tokens, for reports: 1 unless several tokens share a state.
pub fn tokens_per_state(spec: &Spec) -> u64 {
    let PerState { num, den } = spec.per_state;
    ceil_div(num, den.max(1)).max(1)
}
