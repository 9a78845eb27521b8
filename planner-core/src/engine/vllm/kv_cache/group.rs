//! How vLLM puts layers into groups with one block table each, and makes their pages fit one pool.
//!
//! Restates `get_kv_cache_groups` and its helpers in `vllm/v1/core/kv_cache_planning.py`, vLLM 0.33.0. A layer
//! is an index into the slice of specs, in the model's order.

use super::pack;
use super::spec::{Kind, Spec, Specs};
use super::tensor_layout::TensorLayout;
use crate::error::{Code, Error};

/// Layers with one block table, and their specs after unification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Layers in the model's order.
    pub layers: Vec<usize>,
    /// Their specs.
    pub specs: Specs,
    /// The group's spec; it also stands for the group on a rank without any of its layers.
    pub spec: Spec,
    /// Whether the layers keep pages of their own (`UniformTypeKVCacheSpecs`).
    pub mixed: bool,
}

impl Group {
    /// A group of some layers; `None` without any.
    pub(super) fn of(layers: Vec<usize>, all: &Specs, mixed: bool) -> Option<Self> {
        let specs = all.part(&layers);
        let spec = *specs.kinds().first()?;
        // where specs merge, the engine takes the first layer's page for all
        let specs = if mixed { specs } else { Specs::alike(spec, layers.len()) };
        Some(Self { layers, specs, spec, mixed })
    }

    fn whole(all: &Specs, mixed: bool) -> Option<Self> {
        Self::of((0..all.of().len()).collect(), all, mixed)
    }
}

/// Groups the layers of the whole model.
///
/// # Errors
/// Page sizes that can be neither scaled nor padded to one another.
pub fn groups(specs: &Specs, layout: TensorLayout) -> Result<Vec<Group>, Error> {
    let kinds = specs.kinds();
    let Some(first) = kinds.first() else { return Ok(Vec::new()) };
    if kinds.iter().all(|spec| first.merges(spec)) {
        return Ok(Group::whole(specs, false).into_iter().collect());
    }
    if kinds.iter().all(|s| first.uniform_with(s)) {
        return Ok(Group::whole(specs, true).into_iter().collect());
    }
    if let Some(packed) = pack::groups(specs, layout) {
        let dealt: usize = packed.iter().map(|group| group.layers.len()).sum();
        return if dealt == specs.of().len() {
            Ok(packed)
        } else {
            Err(Error::refused(
                Code::VllmCacheGroups,
                words!("it asserts that every layer is in a KV cache group"),
            ))
        };
    }
    match unify(kinds) {
        Ok(unified) => Ok(uniform_pages(&specs.map(unified))),
        Err(unfit) => match full_allocation(specs).filter(|_| unfit.latent) {
            Some(group) => Ok(vec![group]),
            None => Err(unfit.why),
        },
    }
}

/// Why pages cannot be made equal.
struct GroupingError {
    why: Error,
    /// Whether a latent's page is the one that differs: the engine has a fallback for it.
    latent: bool,
}

/// `unify_kv_cache_spec_page_size`: a smaller page gets more tokens, in whole blocks, or padding.
fn unify(kinds: &[Spec]) -> Result<Vec<Spec>, GroupingError> {
    let largest = kinds.iter().map(Spec::page).max().unwrap_or(0);
    kinds
        .iter()
        .map(|spec| {
            let page = spec.page().max(1);
            if page == largest {
                return Ok(*spec);
            }
            if matches!(spec.kind, Kind::State { .. }) {
                return Ok(Spec { padded: Some(largest), ..*spec });
            }
            if largest % page == 0 {
                if spec.padded.is_some() {
                    let why = Error::refused(
                        Code::VllmPageSize,
                        words!("it asserts that a padded page grows with its block"),
                    );
                    return Err(GroupingError { why, latent: false });
                }
                return Ok(spec.with_block(spec.block_size.saturating_mul(largest / page)));
            }
            if matches!(spec.kind, Kind::Mla) {
                let why = Error::quoted(
                    Code::VllmPageSize,
                    "page size is not divisible by the maximum page size and cannot be padded. Padding is \
                     only supported for non-MLA attention layers.",
                );
                return Err(GroupingError { why, latent: true });
            }
            Ok(Spec { padded: Some(largest), ..*spec })
        })
        .collect()
}

/// `_get_kv_cache_groups_uniform_page_size`.
fn uniform_pages(specs: &Specs) -> Vec<Group> {
    // layers whose specs merge, grouped by spec in the order of first appearance
    let mut buckets: Vec<(Vec<&Spec>, Vec<usize>)> = Vec::new();
    for (kind, spec) in specs.kinds().iter().enumerate() {
        let own = specs.of().iter().enumerate().filter(|(_, of)| **of == kind).map(|(layer, _)| layer);
        match buckets.iter_mut().find(|(all, _)| all.iter().all(|s| s.merges(spec))) {
            Some((all, layers)) => {
                all.push(spec);
                layers.extend(own);
            }
            None => buckets.push((vec![spec], own.collect())),
        }
    }
    let counts = || buckets.iter().map(|(_, layers)| layers.len());
    let (smallest, largest) = (counts().min().unwrap_or(1), counts().max().unwrap_or(1));
    // less than one and a half times as many: 2 × largest < 3 × smallest
    let size = if 2 * largest < 3 * smallest { largest } else { smallest };
    let mut out = Vec::new();
    for (_, layers) in &buckets {
        let number = layers.len().div_ceil(size.max(1));
        for start in 0..number {
            let dealt = layers.iter().skip(start).step_by(number);
            out.extend(Group::of(dealt.copied().collect(), specs, false));
        }
    }
    out
}

/// `_try_get_full_allocation_fallback_groups`: where a latent cache and windows cannot be unified, the windows
/// are allocated in full.
fn full_allocation(specs: &Specs) -> Option<Group> {
    let block_size = specs.kinds().iter().find(|spec| spec.is_full())?.block_size;
    let promote = |spec: &Spec| match spec.kind {
        Kind::Sliding { .. } => {
            let grown =
                crate::engine::vllm::math::scaled(spec.natural_page(), block_size, spec.block_size.max(1));
            Spec { kind: Kind::Full, block_size, padded: spec.padded.map(|page| page.max(grown)), ..*spec }
        }
        _ => *spec,
    };
    let promoted = specs.map(specs.kinds().iter().map(promote));
    let first = promoted.kinds().first()?;
    let alike = promoted.kinds().iter().all(|spec| first.uniform_with(spec));
    if alike { Group::whole(&promoted, true) } else { None }
}

/// Bytes of one block id on a rank (`_get_kv_cache_bytes_per_block`): those of the widest group.
pub fn block_bytes(groups: &[Group], layout: TensorLayout) -> u64 {
    let widest = |page: fn(&Spec) -> u64| groups.iter().map(|g| g.specs.sum(page)).max().unwrap_or(0);
    if layout.block_outermost() {
        let kinds = groups.iter().flat_map(|g| g.specs.kinds());
        crate::engine::vllm::math::round_up(widest(Spec::page), super::spec::shared_stride(kinds))
    } else {
        widest(Spec::strided_page)
    }
}

/// The groups on one rank, with its own layers only (`_project_kv_cache_groups_to_worker`).
pub fn project(groups: &[Group], here: impl Fn(usize) -> bool) -> Vec<Group> {
    groups
        .iter()
        .map(|g| {
            let own = |(_, layer): &(usize, &usize)| here(**layer);
            let (places, layers): (Vec<usize>, Vec<usize>) =
                g.layers.iter().enumerate().filter(own).map(|(place, layer)| (place, *layer)).unzip();
            let specs = g.specs.part(&places);
            let spec = specs.kinds().first().copied().unwrap_or(g.spec);
            Group { layers, specs, spec, mixed: g.mixed }
        })
        .collect()
}
