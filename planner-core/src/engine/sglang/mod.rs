//! SGLang 0.5.23: token pools made of rows that share one budget. Window layers may have a pool of their own;
//! states have slots.
//!
//! Restates the engine's own code (`tests/oracles/sglang`): `ServerArgs.resolve_once`, `ModelConfig`,
//! `model_executor/pool_configurator.py` and `mem_cache/kv_cache_configurator.py`. In short:
//!
//! - A token costs one row in every layer, by the configuration's own head count and widths. This holds for
//!   layers that read another layer's cache, too. A rank has `max(1, kv_heads // tp)` heads; a latent is whole
//!   on every rank.
//! - Only the classes of `classes::has_window_pool` have a second pool for their windows, with 0.8 × the tokens
//!   of the first. Every other class keeps all tokens of its window layers.
//! - States get 9 parts of 19 of the memory, and one slot more than can be handed out. A request takes 1 slot
//!   without prefix caching, otherwise 3, and 4 or 5 where the class takes snapshots while a step is in flight.
//! - A page holds 1 token unless the attention backend or the model's class says otherwise.

use crate::engine::command::Command;
use crate::engine::memory::{BeforeCache, Constant};
use crate::engine::{Allocation, Engine, ResolvedRequest, ShareOf};
use crate::error::Result;
use crate::parallel::Parallel;
use crate::request::Request;
use crate::text::Words;
use crate::units::Ratio;

mod classes;
mod command;
mod deepseek_v4;
mod memory;
mod parts;
mod pools;
mod rows;
mod settings;
mod states;

/// SGLang's rule.
#[derive(Debug)]
pub struct Sglang;

impl Engine for Sglang {
    fn id(&self) -> &'static str {
        "sglang"
    }

    fn name(&self) -> &'static str {
        "SGLang"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["0.5.23"]
    }

    fn allocates_for_users(&self) -> bool {
        false
    }

    fn utilization(&self, run: &ResolvedRequest<'_>) -> Ratio {
        memory::fraction(run)
    }

    fn utilization_of(&self) -> ShareOf {
        ShareOf::FreeBeforeWeights
    }

    fn before_cache(&self, run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
        parts::of(run)
    }

    fn constants(&self) -> &'static [Constant] {
        parts::ALL
    }

    fn rule(&self) -> Words {
        words!(
            "rows of a token pool; some classes keep window layers in a pool of their own, states take slots"
        )
    }

    fn citation(&self) -> &'static str {
        "sglang/srt/model_executor/pool_configurator.py, mem_cache/kv_cache_configurator.py"
    }

    /// `check_server_args` of `arg_groups/validation_hook.py`: "multi-node data-parallel replicas are not supported; use
    /// attention DP (--attn-dp-size) across nodes".
    fn attention_groups(&self, parallel: Parallel, node: u64) -> u64 {
        let over_nodes = parallel.dp > 1 && parallel.gpus() > node;
        if over_nodes && parallel.tp.is_multiple_of(parallel.dp) { parallel.dp } else { 1 }
    }

    fn expert_group(&self, parallel: Parallel) -> u64 {
        parallel.tensor_ranks()
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &[
            "ep",
            "redundant-experts",
            "dp-attention",
            "attention-backend",
            "block-size",
            "max-num-batched-tokens",
            "max-num-seqs",
            "max-model-len",
            "speculative",
            "async-scheduling",
            "prefix-caching",
        ]
    }

    fn command(&self, run: &ResolvedRequest<'_>) -> Option<Command> {
        Some(command::command(run))
    }

    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        let settings = settings::Settings::new(&run)?;
        if classes::is_v4(&run.model.architecture) {
            return Ok(Box::new(deepseek_v4::Pools::new(run, settings)?));
        }
        Ok(Box::new(pools::Pools::new(run, settings)?))
    }
}
