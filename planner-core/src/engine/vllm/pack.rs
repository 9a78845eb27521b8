//! Groups of layers whose pages differ and lie side by side in one block.
//!
//! Restates `_get_packed_kv_cache_groups` and `_approximate_gcd` of
//! `vllm/v1/core/kv_cache_planning.py`, vLLM 0.33.0: DeepSeek-V4 and other block-outermost caches.

use super::group::Group;
use super::layout::Layout;
use super::math::ceil_div;
use super::spec::{Kind, Spec};

/// Layers of one kind, with their places among them by page size in the order of first appearance.
struct Bucket {
    layers: Vec<(usize, Spec)>,
    pages: Vec<(u64, Vec<usize>)>,
    balanced: bool,
}

impl Bucket {
    fn of(layers: Vec<(usize, Spec)>) -> Self {
        let mut pages: Vec<(u64, Vec<usize>)> = Vec::new();
        for (at, (_, spec)) in layers.iter().enumerate() {
            let page = spec.page();
            match pages.iter_mut().find(|(other, _)| *other == page) {
                Some((_, places)) => places.push(at),
                None => pages.push((page, vec![at])),
            }
        }
        let count = |x: &(u64, Vec<usize>)| x.1.len();
        let balanced = pages.iter().all(|p| pages.first().is_some_and(|q| count(p) == count(q)));
        Self { layers, pages, balanced }
    }

    /// Layers of its most common page.
    fn repeats(&self) -> u64 {
        self.pages.iter().map(|(_, names)| names.len() as u64).max().unwrap_or(0)
    }

    fn first(&self) -> Option<&Spec> {
        self.layers.first().map(|(_, spec)| spec)
    }

    /// Page bytes of the largest of the `n` groups it splits into.
    fn widest(&self, n: u64) -> u64 {
        let part = |(page, names): &(u64, Vec<usize>)| ceil_div(names.len() as u64, n).saturating_mul(*page);
        self.pages.iter().map(part).fold(0, u64::saturating_add)
    }
}

/// Layers that may lie in one block, and the distinct specs among them.
type Part = (Vec<(usize, Spec)>, Vec<Spec>);

/// `None` where the layout or the pages do not call for packing.
pub fn groups(all: &[(usize, Spec)], layout: Layout) -> Option<Vec<Group>> {
    let page = all.first()?.1.page();
    if !layout.block_outermost() || all.iter().all(|(_, s)| s.page() == page) {
        return None;
    }
    let mut parts: Vec<Part> = Vec::new();
    for (i, spec) in all {
        match parts.iter_mut().find(|(_, kinds)| kinds.iter().all(|s| s.uniform_with(spec))) {
            Some((part, kinds)) => {
                part.push((*i, *spec));
                if !kinds.contains(spec) {
                    kinds.push(*spec);
                }
            }
            None => parts.push((vec![(*i, *spec)], vec![*spec])),
        }
    }
    let buckets: Vec<Bucket> = parts.into_iter().map(|(part, _)| Bucket::of(part)).collect();
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
    let is_state = |b: &Bucket| {
        b.first().is_some_and(|s| match s.kind {
            Kind::State { .. } | Kind::Ring => true,
            Kind::Sliding { .. } | Kind::SlidingMla { .. } => repeats.is_none(),
            _ => false,
        })
    };
    let split = |b: &Bucket| if is_state(b) { b.layers.len() as u64 } else { number(b) };
    let anchor = buckets.iter().map(|b| b.widest(split(b))).max().unwrap_or(0);
    let mut out = Vec::new();
    for b in &buckets {
        let mut n = number(b);
        let first = b.first().map_or(0, Spec::page);
        if anchor > 0 && is_state(b) && first > 0 {
            n = n.max(ceil_div(b.layers.len() as u64, (anchor / first).max(1)));
        }
        if n <= 1 {
            out.extend(Group::of(b.layers.clone(), true));
            continue;
        }
        // a pattern repeat is one layer of each page size
        let repeats = b.pages.iter().map(|(_, names)| names.len()).min().unwrap_or(0);
        for start in 0..n as usize {
            let chosen = (start..repeats).step_by(n as usize);
            let layers = chosen
                .flat_map(|r| {
                    b.pages.iter().filter_map(move |(_, names)| b.layers.get(*names.get(r)?).copied())
                })
                .collect();
            out.extend(Group::of(layers, true));
        }
    }
    Some(out)
}

/// `_approximate_gcd`: the divisor of at least `floor` that pads `counts` least; ties go to the larger.
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
