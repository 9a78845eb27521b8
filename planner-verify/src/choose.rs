//! The extent of a measurement: counts of tokens and sessions, and heights of stacks.

use planner_core::engine::ResolvedRequest;
use planner_core::spec::layer::Extent;
use planner_core::text::Sentence;
use planner_core::units::human_bytes;
use planner_core::{Error, Result};

use crate::attention::QUERY_BLOCK;
use crate::decoder::ModelDims;
use crate::kinds::Kind;
use crate::measure::Count;
use crate::shape::{Mixer, StoreShape, size};
use crate::verify::Options;
use crate::{memory, messages};

/// Default counts of tokens.
pub const DEFAULT_TOKENS: &[u64] = &[8, 24, 48];

/// Windows up to this are exceeded by default, so that the layer is seen to stop growing.
pub const PASSED_WINDOW: u64 = 1024;

/// By how much a count exceeds a window.
const BEYOND: u64 = 8;

/// The fewest and the most sessions of the default batch.
const LEAST_BATCH: u64 = 2;
const MOST_BATCH: u64 = 8;

/// The model is narrowed to this width, on which no cache depends.
const HIDDEN: u64 = 512;

/// Rows of the embedding.
const VOCAB: u64 = 512;

/// Bytes of an element in computation, and the most in a cache.
const ELEMENT: u64 = size_of::<f32>() as u64;

/// The sizes of a run. Sizes that no cache depends on are narrowed.
pub fn model_dims(run: &ResolvedRequest<'_>) -> Result<ModelDims> {
    let hidden = size(run.model.hidden_size.clamp(1, HIDDEN))?;
    Ok(ModelDims {
        hidden,
        vocab: size(run.model.vocab_size.clamp(2, VOCAB))?,
        inner: 2 * hidden,
        gated: true,
        encoder_tokens: size(run.encoder_tokens.max(1))?,
        positions: 0,
    })
}

/// Counts at which bytes are read: each number of tokens for one session, then one for a batch of sessions.
///
/// The numbers are those asked for, or the default ones and one beyond every window that is not long. The batch
/// has the sessions asked for; else the plan's, if they are few; else two.
pub fn counts(kinds: &[Kind], options: &Options, users: u64) -> Result<Vec<Count>> {
    let asked = &options.tokens;
    let mut tokens: Vec<u64> = if asked.is_empty() { DEFAULT_TOKENS.to_vec() } else { asked.clone() };
    if asked.is_empty() {
        let stores = kinds.iter().flat_map(|kind| &kind.shape.stores);
        tokens.extend(stores.filter_map(|store| match store.extent {
            Extent::Window(rows) | Extent::Chunk(rows) if rows <= PASSED_WINDOW => Some(rows + BEYOND),
            _ => None,
        }));
    }
    tokens.sort_unstable();
    tokens.dedup();
    let size = |value: u64, flag: &str| {
        usize::try_from(value).map_err(|_| Error::overflow(Sentence::verbatim(flag)))
    };
    let single = |&tokens: &u64| Ok(Count { users: 1, tokens: size(tokens, "--verify-tokens")? });
    let mut counts = tokens.iter().map(single).collect::<Result<Vec<_>>>()?;
    let batch = options.users.unwrap_or(users.clamp(LEAST_BATCH, MOST_BATCH));
    if let Some(middle) = counts.get(counts.len() / 2).filter(|_| batch > 1) {
        counts.push(Count { users: size(batch, "--verify-users")?, tokens: middle.tokens });
    }
    Ok(counts)
}

/// Bytes of a stack of `height` layers with its caches at the largest count, and the working memory of one
/// layer.
fn stack_bytes(kind: &Kind, height: u64, dims: ModelDims, counts: &[Count]) -> u64 {
    let owner = u64::from(kind.owner.is_some());
    let mixers = kind.shape.elements(dims.hidden as u64).saturating_mul(height.saturating_add(owner));
    let layers = usize::try_from(height.saturating_add(owner)).unwrap_or(usize::MAX);
    let weights = dims.elements(layers).saturating_add(mixers);
    let stores = || kind.shape.stores.iter();
    let caches = counts.iter().map(|count| {
        let (tokens, users) = (count.tokens as u64, count.users as u64);
        let cache = stores().map(|store| store.cache_elements(tokens, dims.encoder_tokens as u64));
        let cache = cache.fold(0, u64::saturating_add).saturating_mul(height.saturating_add(owner));
        let rows = tokens.saturating_add(dims.encoder_tokens as u64);
        let working = stores().map(|store| work(store, rows)).fold(0, u64::max);
        users.saturating_mul(cache.saturating_add(working))
    });
    weights.saturating_add(caches.max().unwrap_or(0)).saturating_mul(ELEMENT)
}

/// Elements in attention over `rows` rows: copies of keys and values in f32, and scores.
fn work(store: &StoreShape, rows: u64) -> u64 {
    let (per_row, heads) = match store.mixer {
        Mixer::Attention { widths: w, .. } => (3 * w.kv_heads * (w.k_dim + w.v_dim), w.query_heads),
        Mixer::Latent(w) => (4 * (w.rank + w.rope), w.heads),
        Mixer::State(sizes) => return 4 * (sizes.recurrent + sizes.conv) as u64,
    };
    rows.saturating_mul((per_row + 3 * heads * QUERY_BLOCK) as u64)
}

/// Bytes of all high stacks, which exist at the same time.
fn all_bytes(kinds: &[Kind], heights: &[usize], dims: ModelDims, counts: &[Count]) -> u64 {
    let stacks = kinds.iter().zip(heights);
    stacks.map(|(kind, &height)| stack_bytes(kind, height as u64, dims, counts)).fold(0, u64::saturating_add)
}

/// Refuses counts for which even the lowest stacks do not fit, with counts that do.
pub fn check_memory(kinds: &[Kind], dims: ModelDims, counts: &[Count], budget: u64) -> Result<()> {
    let least: Vec<usize> = kinds.iter().map(Kind::least).collect();
    let needed = |counts: &[Count]| all_bytes(kinds, &least, dims, counts);
    memory::check_or(needed(counts), budget, || {
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let with_tokens = |tokens: u64| needed(&[Count { users: 1, tokens: size(tokens) }]);
        let most = counts.iter().map(|count| count.tokens).max().unwrap_or(1);
        let tokens = memory::max_satisfying(budget, most as u64, with_tokens);
        if tokens == 0 {
            return messages::LOWEST_STACKS_NEED.say(&[&human_bytes(with_tokens(1))]);
        }
        let (bytes, layers) = (human_bytes(with_tokens(tokens)), least.iter().sum::<usize>());
        let Some(batch) = counts.iter().find(|count| count.users > 1) else {
            return messages::TOKENS_FIT.say(&[&tokens, &bytes, &layers]);
        };
        let with_users = |users: u64| needed(&[Count { users: size(users), ..*batch }]);
        let users = memory::max_satisfying(budget, batch.users as u64, with_users);
        messages::TOKENS_AND_USERS_FIT.say(&[&tokens, &bytes, &layers, &users, &batch.tokens])
    })
}

/// The heights of the high stacks: as many layers as seconds and bytes allow. Every kind has an equal share of
/// the seconds; what one kind does not need goes to the others.
///
/// `costs` are the seconds of one layer of each kind.
pub fn heights(
    kinds: &[Kind],
    costs: &[f64],
    seconds: f64,
    most: Option<usize>,
    fits: impl Fn(&[usize]) -> bool,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    let whole = |at: usize| costs[at] * kinds[at].layers as f64;
    order.sort_by(|&a, &b| whole(a).total_cmp(&whole(b)));
    let mut heights: Vec<usize> = kinds.iter().map(Kind::least).collect();
    let mut left = seconds;
    for (done, &at) in order.iter().enumerate() {
        let kind = &kinds[at];
        let share = left / (order.len() - done) as f64;
        let affordable = if costs[at] > 0.0 { (share / costs[at]) as usize } else { kind.most() };
        let wanted = affordable.min(most.unwrap_or(usize::MAX)).min(kind.most()).max(kind.least());
        left = (left - wanted as f64 * costs[at]).max(0.0);
        heights[at] = wanted;
    }
    while !fits(&heights) {
        // The highest stack is lowered. The lowest stacks were checked to fit.
        let highest = (0..kinds.len()).filter(|&at| heights[at] > kinds[at].least());
        let Some(at) = highest.max_by_key(|&at| heights[at]) else { break };
        heights[at] = (heights[at] * 3 / 4).max(kinds[at].least());
    }
    heights
}

/// Whether stacks of these heights fit.
pub fn fits(kinds: &[Kind], heights: &[usize], dims: ModelDims, counts: &[Count], budget: u64) -> bool {
    all_bytes(kinds, heights, dims, counts) <= budget
}
