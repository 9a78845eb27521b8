//! vLLM: blocks from one pool, counted as its own planning code counts them.
//!
//! In the engine's order: [`model`] refuses models that the engine would not start, and reads the checkpoint's
//! cache type. [`settings`] resolves the flags. [`backend`] chooses an attention backend for every layer.
//! [`kv_cache`] makes specs, groups and blocks. [`memory`] computes what a GPU holds beside the cache.
//! [`allocation`] runs these steps. Each file names the engine's files that it restates. Version 0.33.0
//! throughout; [`version`] says what differs in older releases.

use super::command::Command;
use super::memory::BeforeCache;
use super::{Allocation, Engine, ResolvedRequest};
use crate::error::Result;
use crate::request::Request;
use crate::text::Words;
use crate::units::Ratio;
use version::Version;

pub mod allocation;
pub mod backend;
pub mod command;
pub mod kv_cache;
pub mod math;
pub mod memory;
pub mod model;
pub mod settings;
pub mod version;

/// vLLM's rule.
#[derive(Debug)]
pub struct Vllm;

impl Engine for Vllm {
    fn id(&self) -> &'static str {
        "vllm"
    }

    fn name(&self) -> &'static str {
        "vLLM"
    }

    fn versions(&self) -> &'static [&'static str] {
        version::VERSIONS
    }

    fn allocates_for_users(&self) -> bool {
        false
    }

    fn utilization(&self, run: &ResolvedRequest<'_>) -> Ratio {
        let older = Version::of(run.version).is_in(version::NINE_TENTHS);
        Ratio::decimal(if older { 90 } else { 92 }, 2)
    }

    fn before_cache(&self, run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
        memory::parts(run)
    }

    fn rule(&self) -> Words {
        words!(
            "whole blocks; groups of layers share pages, windows keep tokens in flight, states are padded to a page"
        )
    }

    fn citation(&self) -> &'static str {
        "vllm/v1/core/kv_cache_planning.py, kv_cache_utils.py, v1/kv_cache_interface.py"
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &[
            "dcp",
            "ep",
            "redundant-experts",
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
        let planned = allocation::plan(run)?;
        Ok(Box::new(planned))
    }
}
