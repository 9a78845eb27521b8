//! DeepSeek V4's pools (`DSV4PoolConfigurator`): windows, compressed rows of 4 and of 128 tokens, index keys,
//! and the states of groups that are still open.
//!
//! - A row is 448 fp8 elements, 64 bf16 rotary elements and 8 B of scales: 584 B. A page of rows is padded to a
//!   multiple of 576 B: a page of two rows (256 / 128 tokens) takes 1,728 B instead of 1,168 B.
//! - Every layer has a window pool with a tenth of the tokens. Each of its pages also has 8 rows for open
//!   groups of ratio 4: 4 × (head dim + index dim) f32 each.
//! - Layers of ratio 128 have a ring of 128 rows for every request that may run, 2 × head dim f32 each.
//! - Every rank holds all of this: there is one KV head.

use super::settings::{self, Settings};
use crate::engine::report::{EngineReport, Pool, SglangReport};
use crate::engine::{Allocation, ResolvedRequest, Term, Unit, flag_support};
use crate::error::{Code, Error, Result};
use crate::spec::layer::{Content, Extent, Layer};
use crate::text::Words;
use crate::units::{product, sum};

/// `DSV4_DEFAULT_SWA_FULL_TOKENS_RATIO`: the window pool has one token for ten of the full pool.
const WINDOW_PARTS: u64 = 10;
/// Fractions of a byte are counted in 2560ths: 256 tokens share a page's padding, and ten tokens share one of
/// the window pool.
const PARTS: u64 = 2560;
const PAGE: u64 = 256;
const PAGE_ALIGNMENT: u64 = 576;
/// `get_compress_state_ring_size`.
const RING_4: u64 = 8;
const RING_128: u64 = 128;
const WHAT: Words = words!("bytes of the pools");

#[derive(Debug, Clone, Copy, Default)]
struct Stage {
    /// What a token costs, in 2560ths of a byte.
    token: u64,
    /// Layers of ratio 128.
    ring_layers: u64,
}

pub(super) struct Pools<'a> {
    run: ResolvedRequest<'a>,
    stages: Vec<Stage>,
    requests: u64,
    head: u64,
    window: u64,
    prefix_caching: bool,
}

impl<'a> Pools<'a> {
    pub fn new(run: ResolvedRequest<'a>, settings: Settings) -> Result<Self> {
        let mut stages = Vec::new();
        let (mut head, mut window) = (0, 0);
        for own in super::pools::stage_slices(&run.model.layers, run.parallel.pp) {
            let mut stage = Stage::default();
            for layer in own {
                let (cost, width, tokens) = layer_cost(layer)?;
                stage.token = sum(WHAT, [stage.token, cost])?;
                stage.ring_layers += u64::from(ratio(layer) == Some(128));
                (head, window) = (width, window.max(tokens));
            }
            stages.push(stage);
        }
        let requests = settings.max_requests.unwrap_or(256);
        let prefix_caching = settings.prefix_caching;
        Ok(Self { run, stages, requests, head, window, prefix_caching })
    }

    /// Bytes of the rings: there is one for every request that may run.
    fn fixed(&self, stage: Stage) -> Result<u64> {
        let slots = sum(WHAT, [self.requests, 1])?;
        let rows = sum(WHAT, [product(WHAT, &[slots, RING_128])?, RING_128, 1])?;
        product(WHAT, &[rows.div_ceil(128) * 128, 2, self.head, 4, stage.ring_layers])
    }

    fn tokens(&self, stage: Stage, available: u64) -> Result<u64> {
        let room = available.saturating_sub(self.fixed(stage)?);
        let tokens = u128::from(room) * u128::from(PARTS) / u128::from(stage.token.max(1));
        Ok(u64::try_from(tokens).unwrap_or(u64::MAX) / PAGE * PAGE)
    }

    /// Tokens that the full pool must have so that `users` sessions fit, their windows included.
    fn needed_tokens(&self, users: u64, tokens: u64) -> Result<u64> {
        let pages = |tokens: u64| product(WHAT, &[tokens.div_ceil(PAGE), PAGE, users]);
        let kept = tokens.min(sum(WHAT, [self.window, super::pools::EVICTION, PAGE])?);
        Ok(pages(tokens)?.max(product(WHAT, &[pages(kept)?, WINDOW_PARTS])?))
    }

    /// The fewest tokens of the full pool: the window pool, a tenth of them, must be larger than a window and a
    /// page, or no request is admitted (`validate_swa_pool_size`).
    fn least_tokens(&self) -> Result<u64> {
        let rows = sum(WHAT, [self.window, PAGE, 1])?;
        product(WHAT, &[rows.next_multiple_of(PAGE), WINDOW_PARTS])
    }

    fn token_bytes(&self, stage: Stage, tokens: u64) -> Result<u64> {
        let bytes = (u128::from(tokens) * u128::from(stage.token)).div_ceil(u128::from(PARTS));
        u64::try_from(bytes).map_err(|_| Error::overflow(WHAT))
    }
}

/// How many tokens one compressed row of the layer stands for; none where the layer keeps no such rows.
fn ratio(layer: &Layer) -> Option<u64> {
    layer.stores.iter().map(|store| store.tokens_per_row).find(|tokens| *tokens > 1)
}

/// What a token costs in a layer, in 2560ths of a byte; then the width of a row, and the window.
fn layer_cost(layer: &Layer) -> Result<(u64, u64, u64)> {
    let mut window = None;
    let mut index = 0;
    for store in layer.stores.iter().filter(|store| store.is_kept_by("sglang")) {
        match (store.content, store.extent) {
            (Content::Latent { rank, rope }, Extent::Window(tokens)) => window = Some((rank, rope, tokens)),
            (Content::IndexKey { dim, .. }, _) => index = dim,
            _ => {}
        }
    }
    let Some((rank, rope, tokens)) = window else {
        return Err(Error::refused(
            Code::SglangDeepseekV4Window,
            words!("every layer of DeepSeek-V4 keeps a window of latents, and one of this model does not"),
        ));
    };
    let row = sum(WHAT, [rank, product(WHAT, &[rope, 2])?, 8])?;
    // A row with its share of the page's padding, in 256ths of a byte.
    let padded = |rows: u64| -> Result<u64> {
        let page = product(WHAT, &[rows, row])?.div_ceil(PAGE_ALIGNMENT) * PAGE_ALIGNMENT;
        product(WHAT, &[page, PAGE / rows])
    };
    let head = sum(WHAT, [rank, rope])?;
    let mut in_window = padded(PAGE)?;
    let mut compressed = 0;
    match ratio(layer) {
        None => {}
        Some(4) => {
            // 8 rows of open groups for the 256 tokens of a page
            in_window = sum(WHAT, [in_window, product(WHAT, &[RING_4, 4, 4, sum(WHAT, [head, index])?])?])?;
            let keys = product(WHAT, &[sum(WHAT, [index, index / 128 * 4])?, PAGE])?;
            compressed = sum(WHAT, [padded(PAGE / 4)?, keys])? / 4;
        }
        Some(128) => compressed = padded(PAGE / 128)? / 128,
        Some(other) => {
            return Err(Error::refused(
                Code::SglangDeepseekV4Ratio,
                say!("its pools have rows of 4 and of 128 tokens, not of {0}", other),
            )
            .about("compress_ratios"));
        }
    }
    Ok((sum(WHAT, [in_window, product(WHAT, &[compressed, WINDOW_PARTS])?])?, head, tokens))
}

impl Allocation for Pools<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        let one = |stage: &Stage| {
            let ring = product(WHAT, &[RING_128, 2, self.head, 4, stage.ring_layers])?;
            sum(WHAT, [self.token_bytes(*stage, self.needed_tokens(1, tokens)?)?, ring])
        };
        let each: Result<Vec<u64>> = self.stages.iter().map(one).collect();
        product(
            words!("bytes of all GPUs"),
            &[sum(words!("bytes of all stages"), each?)?, self.run.parallel.tp],
        )
    }

    fn terms(&self, tokens: u64) -> Result<Vec<Term>> {
        let tokens = (self.needed_tokens(1, tokens)?, Unit::Tokens);
        let (rows, row) = ((RING_128, Unit::Rows), (product(WHAT, &[2, self.head, 4])?, Unit::Bytes));
        let gpus = self.run.parallel.tp;
        let stage = |stage: &Stage| {
            let pool = Term { over: PARTS, ..Term::new("pool", [tokens, (stage.token, Unit::Bytes)], gpus) };
            [pool, Term::new("ring", [(stage.ring_layers, Unit::Layers), rows, row], gpus)]
        };
        Ok(self.stages.iter().flat_map(stage).collect())
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        flag_support::check_max_num_seqs(Some(self.requests), users)?;
        let tokens = self.needed_tokens(users, tokens)?.max(self.least_tokens()?);
        let needed = |stage: &Stage| sum(WHAT, [self.token_bytes(*stage, tokens)?, self.fixed(*stage)?]);
        self.stages.iter().map(needed).collect()
    }

    fn min_session_bytes(&self) -> Result<u64> {
        self.session_bytes(0)
    }

    fn report(&self, available: Option<&[u64]>) -> Result<EngineReport> {
        let each = |room: &[u64]| -> Result<Vec<u64>> {
            self.stages.iter().zip(room).map(|(stage, room)| self.tokens(*stage, *room)).collect()
        };
        let tokens = available.map(each).transpose()?.and_then(|tokens| tokens.into_iter().min());
        let least = self.least_tokens()?;
        let tokens = tokens.map(|tokens| if tokens < least { 0 } else { tokens });
        let length = self.run.request.max_model_len.unwrap_or(self.run.tokens).max(1);
        let report = SglangReport {
            pool: Pool {
                block_size: PAGE,
                num_blocks: tokens.map(|tokens| tokens / PAGE),
                kv_cache_tokens: tokens,
                max_concurrency: tokens.map(|tokens| tokens as f64 / length as f64),
            },
            max_running_requests: tokens.map(|tokens| self.requests.min(tokens / 2)),
            swa_tokens: Some(tokens.map(|tokens| tokens / WINDOW_PARTS / PAGE * PAGE)),
            state_slots: None,
            state_slots_per_request: None,
            cache_dtype: "fp8",
            groups: None,
        };
        let hit = self.prefix_caching.then_some(PAGE);
        let notes = settings::page_note(&self.run, PAGE).into_iter().collect();
        Ok(EngineReport::new(report, hit, notes))
    }
}
