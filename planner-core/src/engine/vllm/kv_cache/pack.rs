//! Groups whose pages differ in size and lie side by side in one block.
//!
//! Restates `_get_packed_kv_cache_groups` and `_approximate_gcd` of
//! `vllm/v1/core/kv_cache_planning.py`, vLLM 0.33.0: DeepSeek-V4 and other block-outermost caches.

use super::group::Group;
use super::spec::{Kind, Spec, Specs};
use super::tensor_layout::TensorLayout;
use crate::engine::vllm::math::ceil_div;

/// Layers of one kind by page size, sizes in the order of first appearance.
struct Bucket<'a> {
    all: &'a Specs,
    layers: Vec<usize>,
    pages: Vec<(u64, Vec<usize>)>,
    balanced: bool,
    first: Spec,
}

impl<'a> Bucket<'a> {
    fn of(all: &'a Specs, layers: Vec<usize>, first: Spec) -> Self {
        let page_of: Vec<u64> = all.kinds().iter().map(Spec::page).collect();
        let mut pages: Vec<(u64, Vec<usize>)> = Vec::new();
        for layer in &layers {
            let Some(page) = all.of().get(*layer).and_then(|kind| page_of.get(*kind)) else { continue };
            match pages.iter_mut().find(|(other, _)| other == page) {
                Some((_, own)) => own.push(*layer),
                None => pages.push((*page, vec![*layer])),
            }
        }
        let count = |x: &(u64, Vec<usize>)| x.1.len();
        let balanced = pages.iter().all(|p| pages.first().is_some_and(|q| count(p) == count(q)));
        Self { all, layers, pages, balanced, first }
    }

    /// How many layers have its most common page size.
    fn repeats(&self) -> u64 {
        self.pages.iter().map(|(_, layers)| layers.len() as u64).max().unwrap_or(0)
    }

    /// Page bytes of the largest group, after a split into `n` groups.
    fn widest(&self, n: u64) -> u64 {
        let part =
            |(page, layers): &(u64, Vec<usize>)| ceil_div(layers.len() as u64, n).saturating_mul(*page);
        self.pages.iter().map(part).fold(0, u64::saturating_add)
    }

    fn group(&self, layers: Vec<usize>) -> Option<Group> {
        Group::of(layers, self.all, true)
    }
}

/// `None` where neither the layout nor the pages need packing.
pub fn groups(all: &Specs, layout: TensorLayout) -> Option<Vec<Group>> {
    let kinds = all.kinds();
    let page = kinds.first()?.page();
    if !layout.block_outermost() || kinds.iter().all(|s| s.page() == page) {
        return None;
    }
    // kinds that may lie in one block
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for (at, spec) in kinds.iter().enumerate() {
        let fits = |part: &&mut Vec<usize>| {
            part.iter().filter_map(|other| kinds.get(*other)).all(|s| s.uniform_with(spec))
        };
        match parts.iter_mut().find(fits) {
            Some(part) => part.push(at),
            None => parts.push(vec![at]),
        }
    }
    let bucket = |part: &Vec<usize>| {
        let layers = all.of().iter().enumerate().filter(|(_, kind)| part.contains(kind));
        let first = kinds.get(*part.first()?)?;
        Some(Bucket::of(all, layers.map(|(layer, _)| layer).collect(), *first))
    };
    let buckets: Vec<Bucket> = parts.iter().filter_map(bucket).collect();
    let floor =
        buckets.iter().filter(|b| b.balanced && b.pages.len() > 1).map(Bucket::repeats).max().unwrap_or(0);
    let repeats = (floor > 0).then(|| {
        let counts: Vec<u64> = buckets.iter().filter(|b| b.balanced).map(Bucket::repeats).collect();
        least_padding(&counts, floor)
    });
    let number = |b: &Bucket| match repeats {
        Some(r) if b.balanced => ceil_div(b.repeats(), r),
        _ => 1,
    };
    let is_state = |b: &Bucket| match b.first.kind {
        Kind::State { .. } => true,
        Kind::Sliding { .. } | Kind::SlidingMla { .. } => repeats.is_none(),
        _ => false,
    };
    let split = |b: &Bucket| if is_state(b) { b.layers.len() as u64 } else { number(b) };
    let anchor = buckets.iter().map(|b| b.widest(split(b))).max().unwrap_or(0);
    let mut out = Vec::new();
    for b in buckets {
        let mut n = number(&b);
        let first = b.first.page();
        if anchor > 0 && is_state(&b) && first > 0 {
            n = n.max(ceil_div(b.layers.len() as u64, (anchor / first).max(1)));
        }
        if n <= 1 {
            out.extend(b.group(b.layers.clone()));
            continue;
        }
        // a pattern repeat is one layer of each page size
        let repeats = b.pages.iter().map(|(_, layers)| layers.len()).min().unwrap_or(0);
        for start in 0..n as usize {
            let chosen = (start..repeats).step_by(n as usize);
            let layers = chosen.flat_map(|r| b.pages.iter().filter_map(move |(_, own)| own.get(r).copied()));
            out.extend(b.group(layers.collect()));
        }
    }
    Some(out)
}

/// `_approximate_gcd`: the divisor of at least `floor` with the least padding of `counts`; of equals the
/// larger.
fn least_padding(counts: &[u64], floor: u64) -> u64 {
    let low = floor.max(1);
    let high = counts.iter().copied().max().unwrap_or(low);
    let padding = |d: u64| counts.iter().map(|x| (d - x % d) % d).sum::<u64>();
    let mut best = (low, padding(low));
    for d in low..=high {
        let pad = padding(d);
        if pad <= best.1 {
            best = (d, pad);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::least_padding;

    #[test]
    fn forty_three_windows_beside_twenty_one_pairs_split_by_twenty_two() {
        // 43 sliding layers, 21 pairs: of 21..=43, 22 pads 43 by 1 and 21 by 1
        assert_eq!(least_padding(&[43, 21], 21), 22);
    }

    #[test]
    fn a_tie_goes_to_the_larger_divisor() {
        assert_eq!(least_padding(&[4, 4], 1), 4);
    }
}
