//! vLLM: pages of blocks from one pool, as its own planning code counts them.
//!
//! The path restated, in its order: what the engine would not start is refused ([`architectures`], [`fields`],
//! [`length`], [`shards`]), settings and checkpoint decide the cache type ([`checkpoint`], [`resolve`]), every layer gets a
//! backend ([`serve`], [`select`], [`backend`], [`accept`], [`flash`], [`sparse`]), backends and states decide the block size
//! ([`rank`], [`block`], [`state`]), layers become specs ([`specs`], [`spec`]), specs become groups ([`group`],
//! [`pack`], [`layout`]), and groups and memory become blocks, tokens and concurrency ([`capacity`]).
//! Each file names the engine's files it restates. Version 0.33.0 throughout; of 0.20 to 0.24 only the
//! reserve of window layers for tokens in flight is known to differ, and restated.

use super::command::Command;
use super::{Engine, Layout, Run};
use crate::error::{Error, Result};
use crate::request::Request;

pub mod accept;
pub mod architectures;
pub mod backend;
pub mod block;
pub mod capacity;
pub mod checkpoint;
pub mod classes;
pub mod command;
pub mod config;
pub mod draft;
pub mod dtype;
pub mod facts;
pub mod fields;
pub mod flash;
pub mod group;
pub mod layout;
pub mod length;
pub mod math;
pub mod pack;
pub mod planned;
pub mod rank;
pub mod refusal;
pub mod resolve;
pub mod select;
pub mod serve;
pub mod settings;
pub mod shards;
pub mod sparse;
pub mod spec;
pub mod specs;
pub mod state;
pub mod transformers_classes;
pub mod v4;
pub mod windows;

/// vLLM's rule.
#[derive(Debug)]
pub struct Vllm;

impl Engine for Vllm {
    fn id(&self) -> &'static str {
        "vllm"
    }

    fn versions(&self) -> &'static [&'static str] {
        settings::VERSIONS
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &[
            "dcp",
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

    fn command(&self, run: &Run<'_>) -> Option<Command> {
        Some(command::command(run))
    }

    fn layout<'a>(&self, run: Run<'a>) -> Result<Box<dyn Layout + 'a>> {
        let planned = planned::plan(run).map_err(|refusal| {
            Error::unsupported(
                format!("vLLM {} refuses this model or setting", run.request.engine_version),
                refusal.to_string(),
            )
        })?;
        Ok(Box::new(planned))
    }
}
