//! Pools of full rows, of window rows and of states (`DefaultPoolConfigurator`,
//! `HybridSWAPoolConfigurator`, `SWARequestCapPoolConfigurator`, `_handle_max_mamba_cache`).

use super::rows::{self, Cost};
use super::settings::{self, Settings};
use super::{classes, memory};
use crate::engine::report::{EngineReport, Pool, RowGroup, SglangReport};
use crate::engine::{Allocation, ResolvedRequest, Term, Unit, flag_support, without_shared};
use crate::error::{Code, Error, Result};
use crate::spec::layer::Extent;
use crate::text::Words;
use crate::units::{product, sum};

/// `swa_full_tokens_ratio`: tokens of the window pool per token of the full pool, 8 / 10.
const WINDOW_SHARE: (u64, u64) = (8, 10);
/// `mamba_full_memory_ratio` 0.9: states get 9 parts of 19 of the memory.
const STATE_PARTS: (u64, u64) = (9, 19);
/// `SGLANG_SWA_EVICTION_INTERVAL`: rows that have left the window are freed every 128 tokens.
pub(super) const EVICTION: u64 = 128;
/// `speculative_ngram_max_bfs_breadth`: branches in a tree of looked-up drafts.
const BREADTH: u64 = 10;

pub(super) struct Pools<'a> {
    run: ResolvedRequest<'a>,
    settings: Settings,
    stages: Vec<Cost>,
    /// Bytes of one slot on every stage: the engine plans all stages with the one that has the most states.
    slot: u64,
    /// The longest window in the window pool.
    window: Option<u64>,
    /// Rows for the encoder's tokens of one session.
    source: u64,
}

/// What one stage's memory holds.
#[derive(Debug, Clone, Copy)]
struct PoolSizes {
    tokens: u64,
    window_tokens: u64,
    slots: u64,
}

impl<'a> Pools<'a> {
    pub fn new(run: ResolvedRequest<'a>, settings: Settings) -> Result<Self> {
        let (costs, window) = rows::layers(&run, &settings)?;
        let mut stages = Vec::new();
        for own in stage_slices(&costs, run.parallel.pp) {
            let mut all = Cost::default();
            for cost in own {
                all = all.plus(*cost)?;
            }
            stages.push(rows::with_drafts(&run, &settings, all, own.len() as u64)?);
        }
        if rows::has_window_pool(&run) && stages.iter().any(|stage| stage.window == 0) {
            return Err(Error::quoted(
                Code::SglangNoWindowLayer,
                "Hybrid SWA model must have at least one SWA layer",
            )
            .about(&run.model.architecture));
        }
        let slot = stages.iter().map(|stage| stage.state).max().unwrap_or(0);
        let mut stores = run.model.layers.iter().flat_map(|layer| &layer.stores);
        let source = if stores.any(|store| store.extent == Extent::Source) { run.encoder_tokens } else { 0 };
        Ok(Self { run, settings, stages, slot, window, source })
    }

    fn pages(&self, tokens: u64) -> Result<u64> {
        let page = self.settings.page;
        product(words!("rows of a session"), &[tokens.div_ceil(page), page])
    }

    /// Rows that one session takes in the full pool and in the window pool. Rows that have left the window are
    /// freed in whole pages, every [`EVICTION`] tokens; one further page is allocated ahead.
    fn rows(&self, tokens: u64) -> Result<(u64, u64)> {
        let full = sum(words!("rows of a session"), [self.pages(tokens)?, self.source])?;
        let Some(window) = self.window else { return Ok((full, 0)) };
        let kept = sum(words!("rows of a window"), [window, EVICTION, self.settings.page])?;
        Ok((full, full.min(self.pages(kept)?)))
    }

    /// Rows that a session shares with another that begins alike: whole pages. None where the model has windows
    /// or states, which a cached prefix no longer holds.
    fn shared_rows(&self, tokens: u64) -> u64 {
        if !self.settings.prefix_caching || self.window.is_some() || self.slot > 0 {
            return 0;
        }
        self.run.shared_prefix(tokens, self.settings.page)
    }

    /// Slots for `users` running sessions: each takes several, and one more is never handed out.
    fn slots(&self, users: u64) -> Result<u64> {
        sum(words!("slots"), [product(words!("slots"), &[users, self.settings.slots])?, 1])
    }

    /// `sliding_window_size`: the longest window, less the token itself for classes that do not count it.
    fn window_size(&self) -> Option<u64> {
        let own = u64::from(classes::window_excludes_itself(&self.run.model.architecture));
        Some(self.window?.saturating_sub(own))
    }

    /// `compute_swa_request_cap`: an upper bound on the rows of a stage's window pool. It holds where the
    /// number of requests is set, prefixes are not cached and a layer of the stage keeps all tokens. The pool
    /// then has the requests' windows, their drafts and up to two prefill chunks.
    fn window_cap(&self, stage: Cost) -> Result<Option<u64>> {
        let (Some(window), Some(requests)) = (self.window_size(), self.settings.max_requests) else {
            return Ok(None);
        };
        if self.settings.prefix_caching || stage.full == 0 {
            return Ok(None);
        }
        const WHAT: Words = words!("rows of a window");
        let page = self.settings.page;
        let cut = product(WHAT, &[EVICTION, self.settings.looked_up.unwrap_or(1)])?;
        let each = sum(WHAT, [window, cut, page, self.decode_rows()?])?;
        let chunks = product(WHAT, &[if self.settings.overlap { 2 } else { 1 }, memory::chunk(&self.run)])?;
        let rows = sum(WHAT, [product(WHAT, &[each, requests])?, chunks, page])?;
        Ok(Some(rows.next_multiple_of(page)))
    }

    /// Rows that a request takes ahead of a step: a page, or the tokens of a tree of drafts. With overlap they
    /// are taken twice, for the next step is planned meanwhile (`get_alloc_len_per_decode`,
    /// `spec_decode_alloc_len_per_request`, `speculative_ngram_max_bfs_breadth`, `_handle_ngram`).
    fn decode_rows(&self) -> Result<u64> {
        const WHAT: Words = words!("rows of a window");
        let (page, Some(drafts)) = (self.settings.page, self.settings.looked_up) else {
            return Ok(self.settings.page);
        };
        let deep = (drafts / BREADTH).max(1);
        if self.settings.overlap {
            return product(WHAT, &[2, drafts.max(product(WHAT, &[deep, BREADTH])?)]);
        }
        let deep = if page > 1 { (deep + page).next_multiple_of(page) } else { deep };
        Ok(drafts.next_multiple_of(page).max(product(WHAT, &[deep, BREADTH])?))
    }

    /// Rows that the window pool must have where sessions take `rows` of them: always more than a window and a
    /// page (`validate_swa_pool_size`).
    fn least_windows(&self, rows: u64) -> Result<u64> {
        let Some(window) = self.window_size() else { return Ok(rows) };
        Ok(rows.max(self.pages(sum(words!("rows of a window"), [window, self.settings.page, 1])?)?))
    }

    /// Tokens that every stage must have so that sessions find `full` and `window` rows. The stage with the
    /// fewest tokens decides for all. A model without windows has no window rows.
    fn needed_tokens(&self, full: u64, window: u64) -> Result<u64> {
        let (share, whole) = WINDOW_SHARE;
        let mut most = 0;
        for stage in &self.stages {
            let own = match stage.full {
                0 => window,
                _ if self.window_cap(*stage)?.is_some() => full,
                _ => {
                    let windows = product(words!("rows of a window"), &[self.least_windows(window)?, whole])?;
                    full.max(windows.div_ceil(share).next_multiple_of(self.settings.page))
                }
            };
            most = own.max(most);
        }
        Ok(most)
    }

    /// The least memory of a stage that holds `users` sessions of `tokens`: their rows and slots.
    fn needed(&self, stage: Cost, users: u64, tokens: u64) -> Result<u64> {
        const WHAT: Words = words!("bytes of the pools");
        let (full, window) = self.rows(tokens)?;
        let full = without_shared(users, full, self.shared_rows(tokens))?;
        let window = product(WHAT, &[window, users])?;
        let fixed_requests = !self.settings.prefix_caching && self.settings.max_requests.is_some();
        flag_support::check_max_num_seqs(self.settings.max_requests, users)?;
        let tokens = self.needed_tokens(full, window)?;
        let windows = match (self.window_cap(stage)?, stage.full) {
            (Some(cap), _) => product(WHAT, &[cap, stage.window])?,
            (None, 0) => product(WHAT, &[tokens, stage.window])?,
            (None, _) => {
                let (share, whole) = WINDOW_SHARE;
                product(WHAT, &[tokens, share, stage.window])?.div_ceil(whole)
            }
        };
        let rows = sum(WHAT, [product(WHAT, &[tokens, stage.full])?, windows])?;
        if self.slot == 0 {
            return Ok(rows);
        }
        if let Some(requests) = self.settings.max_requests.filter(|_| fixed_requests) {
            return sum(WHAT, [rows, product(WHAT, &[self.slots(requests)?, self.slot])?]);
        }
        let states = product(WHAT, &[self.slots(users)?, self.slot])?;
        // The engine divides the memory between states and rows first, so each share must be large enough.
        let (part, parts) = STATE_PARTS;
        let by_states = product(WHAT, &[states, parts])?.div_ceil(part);
        let by_rows = product(WHAT, &[rows, parts])?.div_ceil(parts - part);
        Ok(by_states.max(by_rows))
    }

    fn given(&self, stage: Cost, available: u64) -> Result<PoolSizes> {
        let mut room = u128::from(available);
        let mut slots = 0;
        if self.slot > 0 {
            let (part, parts) = (u128::from(STATE_PARTS.0), u128::from(STATE_PARTS.1));
            let slot = u128::from(self.slot);
            let all = match (self.settings.prefix_caching, self.settings.max_requests) {
                (false, Some(requests)) => u128::from(requests) + 1,
                _ => room * part / parts / slot,
            };
            slots = all.saturating_sub(1);
            room = room.saturating_sub((slots + 1) * slot);
        }
        let (full, window) = (u128::from(stage.full), u128::from(stage.window));
        let (share, parts) = (u128::from(WINDOW_SHARE.0), u128::from(WINDOW_SHARE.1));
        let tokens = match (full, window, self.window_cap(stage)?) {
            // a stage without rows limits nothing where another has rows and states are kept
            // (`_zero_kv_max_tokens`)
            (0, 0, _) if self.slot > 0 && self.stages.iter().any(|stage| stage.full > 0) => {
                u128::from(u64::MAX)
            }
            (0, 0, _) => u128::from(settings::context(&self.run)),
            (0, window, _) => room / window,
            (full, window, Some(cap)) => room.saturating_sub(u128::from(cap) * window) / full,
            (full, window, None) => room * parts / (full * parts + window * share),
        };
        let clip = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
        let page = self.settings.page;
        Ok(PoolSizes { tokens: clip(tokens) / page * page, slots: clip(slots), window_tokens: 0 })
    }

    /// Rows of a stage's window pool once all stages have `tokens` (`_solve_pool_sizes`). `own` is the number
    /// of tokens that this stage alone would have.
    fn window_tokens(&self, stage: Cost, tokens: u64, own: u64) -> Result<u64> {
        let (share, parts) = (u128::from(WINDOW_SHARE.0), u128::from(WINDOW_SHARE.1));
        let page = self.settings.page;
        Ok(match self.window_cap(stage)? {
            Some(cap) if tokens < own => cap.min(tokens),
            Some(cap) => cap,
            None if stage.full == 0 => tokens,
            None => u64::try_from(u128::from(tokens) * share / parts).unwrap_or(u64::MAX) / page * page,
        })
    }

    /// Sizes that all stages share: the stage with the fewest tokens decides. No tokens where a window pool
    /// would be too small.
    fn least(&self, available: &[u64]) -> Result<Option<PoolSizes>> {
        let each = self.stages.iter().zip(available).map(|(stage, room)| self.given(*stage, *room));
        let each = each.collect::<Result<Vec<PoolSizes>>>()?;
        let Some(mut least) = each.iter().copied().reduce(|a, b| PoolSizes {
            tokens: a.tokens.min(b.tokens),
            window_tokens: 0,
            slots: a.slots.min(b.slots),
        }) else {
            return Ok(None);
        };
        if self.window.is_none() {
            return Ok(Some(least));
        }
        least.window_tokens = u64::MAX;
        for (stage, own) in self.stages.iter().zip(&each) {
            let rows = self.window_tokens(*stage, least.tokens, own.tokens)?;
            let shared = stage.full > 0 && self.window_cap(*stage)?.is_none();
            if shared && rows < self.least_windows(0)? {
                return Ok(Some(PoolSizes { tokens: 0, window_tokens: 0, ..least }));
            }
            least.window_tokens = rows.min(least.window_tokens);
        }
        Ok(Some(least))
    }

    /// `resolve_max_num_reqs`.
    fn max_requests(&self, given: PoolSizes) -> u64 {
        let context = settings::context(&self.run);
        let usual = u128::from(given.tokens) * 512 / u128::from(context.max(1));
        let usual = u64::try_from(usual).unwrap_or(u64::MAX).clamp(2048, 4096);
        let most = self.settings.max_requests.unwrap_or(usual).min(given.tokens / 2);
        if self.slot > 0 { most.min(given.slots / self.settings.slots) } else { most }
    }

    fn sum_of(&self, bytes: impl Fn(Cost) -> Result<u64>) -> Result<u64> {
        let each: Result<Vec<u64>> = self.stages.iter().map(|stage| bytes(*stage)).collect();
        product(
            words!("bytes of all GPUs"),
            &[sum(words!("bytes of all stages"), each?)?, self.run.parallel.tp],
        )
    }
}

/// Layers of each stage: the remainder goes one each to the last stages (`distributed/utils.py`,
/// `get_pp_indices`).
pub(super) fn stage_layers(layers: u64, pp: u64) -> Vec<u64> {
    let (each, rest) = (layers / pp, layers % pp);
    (0..pp).map(|stage| each + u64::from(stage >= pp - rest)).collect()
}

/// What each stage holds of a list of layers.
pub(super) fn stage_slices<T>(costs: &[T], pp: u64) -> Vec<&[T]> {
    let mut left = costs;
    let take = |layers: u64| {
        let (own, others) = left.split_at(layers as usize);
        left = others;
        own
    };
    stage_layers(costs.len() as u64, pp).into_iter().map(take).collect()
}

impl Allocation for Pools<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        const WHAT: Words = words!("bytes of a session");
        let (full, window) = self.rows(tokens)?;
        self.sum_of(|stage| {
            let parts = [
                product(WHAT, &[full, stage.full])?,
                product(WHAT, &[window, stage.window])?,
                product(WHAT, &[stage.state, self.settings.slots])?,
            ];
            sum(WHAT, parts)
        })
    }

    fn terms(&self, tokens: u64) -> Result<Vec<Term>> {
        let (full, window) = self.rows(tokens)?;
        let gpus = self.run.parallel.tp;
        let of = |kind, count, bytes| Term::new(kind, [count, (bytes, Unit::Bytes)], gpus);
        let stage = |stage: &Cost| {
            [
                of("full", (full, Unit::Rows), stage.full),
                of("window", (window, Unit::Rows), stage.window),
                of("state", (self.settings.slots, Unit::Slots), stage.state),
            ]
        };
        Ok(self.stages.iter().flat_map(stage).collect())
    }

    fn shared_bytes(&self, tokens: u64) -> Result<u64> {
        let rows = self.shared_rows(tokens);
        self.sum_of(|stage| product(words!("bytes of a prefix"), &[rows, stage.full]))
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        self.stages.iter().map(|stage| self.needed(*stage, users, tokens)).collect()
    }

    fn min_session_bytes(&self) -> Result<u64> {
        self.sum_of(|stage| product(words!("bytes of the states"), &[stage.state, self.settings.slots]))
    }

    fn report(&self, available: Option<&[u64]>) -> Result<EngineReport> {
        let given = available.map(|available| self.least(available)).transpose()?.flatten();
        let page = self.settings.page;
        let length = self.run.request.max_model_len.unwrap_or(self.run.tokens).max(1);
        let has_states = self.slot > 0;
        let report = SglangReport {
            pool: Pool {
                block_size: page,
                num_blocks: given.map(|given| given.tokens / page),
                kv_cache_tokens: given.map(|given| given.tokens),
                max_concurrency: given.map(|given| given.tokens as f64 / length as f64),
            },
            max_running_requests: given.map(|given| self.max_requests(given)),
            swa_tokens: self.window.map(|_| given.map(|given| given.window_tokens)),
            state_slots: has_states.then(|| given.map(|given| given.slots)),
            state_slots_per_request: has_states.then_some(self.settings.slots),
            cache_dtype: self.settings.dtype.name,
            groups: Some(self.groups()?),
        };
        let hit = self.settings.prefix_caching.then_some(page);
        let notes = settings::page_note(&self.run, page).into_iter().collect();
        Ok(EngineReport::new(report, hit, notes))
    }
}

impl Pools<'_> {
    fn groups(&self) -> Result<Vec<RowGroup>> {
        let (full, window) = self.rows(self.run.tokens)?;
        let first = self.stages.first().copied().unwrap_or_default();
        let pools = [
            ("full", first.full, full),
            ("window", first.window, window),
            ("state", first.state, self.settings.slots),
        ];
        let group = |(kind, row_bytes, rows_per_session)| RowGroup { kind, row_bytes, rows_per_session };
        Ok(pools.into_iter().filter(|(_, bytes, _)| *bytes > 0).map(group).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `get_pp_indices(10, rank, 4)`: 0–2, 2–4, 4–7, 7–10.
    #[test]
    fn the_last_stages_take_the_remainder() {
        let costs = [Cost::default(); 10];
        let counts: Vec<usize> = stage_slices(&costs, 4).iter().map(|own| own.len()).collect();
        assert_eq!(counts, [2, 2, 3, 3]);
        assert_eq!(stage_slices(&costs[..2], 3).iter().map(|own| own.len()).collect::<Vec<_>>(), [0, 1, 1]);
    }
}
