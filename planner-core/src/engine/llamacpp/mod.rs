//! llama.cpp: the cache tensors of one context, `0c1e57098` as vendored in llama-cpp-python 0.3.36.
//!
//! A context has a number of slots (`--n-parallel`) and a number of cells (`--ctx-size`). It allocates
//! everything at once: bytes = Σ layers of row bytes × cells × streams. A session takes a slot, whether it
//! fills it or not.
//!
//! [`context`] resolves the settings, [`validate`] refuses what the engine refuses, [`mod@caches`] computes the
//! tensors of a [`hparams::Hparams`]. Those hyper-parameters come from GGUF metadata ([`metadata`]); for any
//! other model the rules of the engine's converter write that metadata first ([`convert`]).

use std::borrow::Cow;

use self::caches::{Cache, caches};
use self::context::{Context, ContextArgs, MAX_SEQUENCES};
use self::hparams::Hparams;
use self::metadata::Metadata;
use super::command::Command;
use super::memory::{BeforeCache, Constant, MemoryPart};
use super::report::{CellCache, EngineReport, LlamaCppReport};
use super::{Allocation, Engine, ResolvedRequest};
use crate::error::{Code, Error, Result};
use crate::request::Request;
use crate::spec::model::Note;
use crate::text::Words;
use crate::units::{Ratio, product, sum};

pub mod architectures;
pub mod caches;
pub mod classes;
pub mod command;
pub mod compute;
pub mod config;
pub mod context;
pub mod convert;
pub mod convert_attention;
pub mod convert_state;
pub mod from_gguf;
pub mod hparams;
pub mod metadata;
mod parts;
pub mod validate;

/// The engine.
#[derive(Debug)]
pub struct LlamaCpp;

impl Engine for LlamaCpp {
    fn id(&self) -> &'static str {
        "llama.cpp"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["0c1e57098"]
    }

    fn rule(&self) -> Words {
        words!("all cells of the context are allocated at start, in multiples of 256; states in f32")
    }

    fn citation(&self) -> &'static str {
        "src/llama-context.cpp, llama-kv-cache*.cpp, llama-memory-recurrent.cpp"
    }

    /// It has no share: all of a device's memory may be taken.
    fn utilization(&self, _: &ResolvedRequest<'_>) -> Ratio {
        Ratio::decimal(1, 0)
    }

    fn before_cache(&self, run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
        parts::of(run)
    }

    fn constants(&self) -> &'static [Constant] {
        parts::ALL
    }

    fn keeps_lengths_apart(&self) -> bool {
        false
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &["ctx-size", "n-parallel", "batch", "ubatch", "kv-unified", "flash-attn", "swa-full"]
    }

    fn one_kv_dtype(&self) -> bool {
        false
    }

    fn command(&self, run: &ResolvedRequest<'_>) -> Option<Command> {
        let users = run.parallel.users_per_replica(run.request.users);
        Some(command::command(run, cells(run, users, run.tokens).ok()?, slots(run, users)))
    }

    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        let made = || match Metadata::of(&run.model.config) {
            Some(metadata) => metadata.shape(),
            None => convert::shape(run.model),
        };
        let mut shape = match run.model.converted.get_or(made) {
            Some(kept) => Cow::Borrowed(kept.as_ref().map_err(Clone::clone)?),
            None => Cow::Owned(made()?),
        };
        if let Some(why) = architectures::no_cache(&shape.arch) {
            return Err(Error::NoCache { architecture: shape.arch.clone(), why: why.into() });
        }
        let request = run.request;
        if let Some(heads) = request.kv_heads.filter(|_| !shape.mla) {
            for layer in shape.to_mut().layers.iter_mut().filter(|layer| layer.heads > 0) {
                layer.heads = heads;
            }
        }
        let cache_type = |flag: &str, own: Option<&str>| match own {
            Some(_) => validate::cache_type(flag, own),
            None => validate::cache_type("--kv-dtype", request.kv_dtype.as_deref()),
        };
        let k = cache_type("--k-dtype", request.k_dtype.as_deref())?;
        let v = cache_type("--v-dtype", request.v_dtype.as_deref())?;
        let rows = validate::rows(&shape, k, v, request.flash_attn)?;
        if shape.window.is_some()
            && architectures::recurrent(&shape.arch) == architectures::Recurrent::Never
            && !shape.layers.iter().any(|layer| layer.sliding)
        {
            return Err(Error::refused(
                Code::LlamacppNoWindowLayer,
                say!(
                    "{0} has a window and no layer that slides: is_swa_any fails in create_memory",
                    shape.arch
                ),
            )
            .about(&shape.arch));
        }
        let layout = Contexts { run, shape, rows };
        layout.asked_context(layout.users(), run.tokens)?;
        Ok(Box::new(layout))
    }
}

/// `--ctx-size` for `users` sessions of `tokens`: what is given; without it as many cells as the sessions need;
/// the model's training context where neither users nor tokens are given.
fn cells(run: &ResolvedRequest<'_>, users: u64, tokens: u64) -> Result<Option<u64>> {
    let request = run.request;
    if request.ctx_size.is_some() || (request.seq.is_none() && request.users == 1) {
        return Ok(request.ctx_size);
    }
    product(words!("cells"), &[slots(run, users).max(users.min(MAX_SEQUENCES)), tokens]).map(Some)
}

/// `--n-parallel`, or a slot for each of `users` as far as there can be: the others wait.
fn slots(run: &ResolvedRequest<'_>, users: u64) -> u64 {
    run.request.n_parallel.unwrap_or(users.min(MAX_SEQUENCES))
}

/// A model's contexts, for any number of sessions.
struct Contexts<'a> {
    run: ResolvedRequest<'a>,
    shape: Cow<'a, Hparams>,
    rows: caches::Rows,
}

impl Contexts<'_> {
    fn asked_context(&self, users: u64, tokens: u64) -> Result<Context> {
        self.context(cells(&self.run, users, tokens)?, slots(&self.run, users))
    }

    /// Sessions of one replica.
    fn users(&self) -> u64 {
        self.run.parallel.users_per_replica(self.run.request.users)
    }

    fn context(&self, ctx_size: Option<u64>, sequences: u64) -> Result<Context> {
        let request = self.run.request;
        let asked = ContextArgs {
            ctx_size,
            sequences,
            batch: request.batch,
            ubatch: request.ubatch,
            unified: request.kv_unified.unwrap_or(false),
            swa_full: request.swa_full,
        };
        Context::resolve(&self.shape, asked)
    }

    fn caches(&self, context: &Context) -> Result<Vec<Cache>> {
        caches(&self.shape, context, self.rows)
    }

    fn bytes(&self, context: &Context) -> Result<u64> {
        let caches = self.caches(context)?;
        sum(words!("bytes of a context"), caches.iter().map(Cache::bytes).collect::<Result<Vec<_>>>()?)
    }

    /// Refuses a context that is too small for `users` sessions of `tokens`, where its size or its slots are
    /// given.
    fn holds(&self, context: &Context, users: u64, tokens: u64) -> Result<()> {
        let request = self.run.request;
        if request.n_parallel.is_some() && users > context.sequences {
            return Err(Error::refused(
                Code::LlamacppTooFewSlots,
                say!("{0} slots are fewer than {1} sessions", context.sequences, users),
            )
            .about("--n-parallel")
            .way_out(say!("use {0}", format!("--n-parallel {users}"))));
        }
        let needed = if context.unified { users.saturating_mul(tokens) } else { tokens };
        if request.ctx_size.is_some() && request.seq.is_some() && needed > context.n_ctx_seq {
            let streams = context.streams();
            return Err(Error::refused(
                Code::LlamacppContextTooSmall,
                say!("each stream has {0} cells, and {1} are needed", context.n_ctx_seq, needed),
            )
            .about("--ctx-size")
            .way_out(say!("use {0}", format!("--ctx-size {}", needed.saturating_mul(streams)))));
        }
        Ok(())
    }
}

impl Allocation for Contexts<'_> {
    /// Bytes of one slot: of the given context, or of a context made for one session.
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        if self.run.request.ctx_size.is_some() {
            let context = self.asked_context(self.users(), tokens)?;
            return Ok(self.bytes(&context)?.div_ceil(context.sequences));
        }
        let asked = self.run.request.seq.is_some() || self.run.request.users > 1;
        self.bytes(&self.context(asked.then_some(tokens), 1)?)
    }

    fn total_bytes(&self, users: u64, tokens: u64) -> Result<u64> {
        self.bytes(&self.asked_context(users, tokens)?)
    }

    /// Layers are assigned to devices in order (`get_layer_buft_list`): layer `i` of `n` to device
    /// `i × devices / (n + 1)`. The output counts as one more layer.
    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        let context = self.asked_context(users, tokens)?;
        self.holds(&context, users, tokens)?;
        let parallel = self.run.parallel;
        let (tp, stages) = (parallel.tp.max(1) as usize, parallel.pp.max(1) as usize);
        let mut devices = vec![0_u64; tp * stages];
        let count = devices.len();
        for (layer, bytes) in self.caches(&context)?.iter().flat_map(|cache| &cache.by_layer) {
            if let Some(device) = devices.get_mut(layer * count / (self.shape.layers.len() + 1)) {
                *device = sum(words!("bytes of a device"), [*device, *bytes])?;
            }
        }
        Ok(devices.chunks(tp).map(|stage| stage.iter().copied().max().unwrap_or(0)).collect())
    }

    fn max_sessions(&self) -> Option<u64> {
        Some(self.run.request.n_parallel.unwrap_or(MAX_SEQUENCES))
    }

    /// The compute buffer of each stage's fullest device.
    fn working(&self, users: u64, tokens: u64) -> Result<Vec<MemoryPart>> {
        let context = self.asked_context(users, tokens)?;
        let parallel = self.run.parallel;
        let devices = parallel.tp.saturating_mul(parallel.pp);
        let graph = compute::Graph::new(&self.shape, self.run.model, &context, !self.rows.transposed);
        let of = |stage| graph.buffer(devices, stage + 1 == parallel.pp);
        (0..parallel.pp).map(of).collect()
    }

    /// Bytes of the smallest context: one slot of 256 cells.
    fn min_session_bytes(&self) -> Result<u64> {
        self.bytes(&self.context(Some(1), 1)?)
    }

    fn report(&self, _: Option<&[u64]>) -> Result<EngineReport> {
        let context = self.asked_context(self.users(), self.run.tokens)?;
        let caches = self.caches(&context)?;
        let total = |pick: &dyn Fn(&Cache) -> u64| sum(words!("bytes of a context"), caches.iter().map(pick));
        let attention = |cache: &Cache, bytes: u64| if cache.is_attention() { bytes } else { 0 };
        let recurrent = |cache: &Cache| if cache.kind == "recurrent" { cache.k_bytes } else { 0 };
        let listed = |cache: &Cache| CellCache {
            kind: cache.kind,
            cells: cache.cells,
            layers: cache.layers,
            streams: cache.streams,
            k_bytes: cache.k_bytes,
            v_bytes: cache.v_bytes,
        };
        let report = LlamaCppReport {
            n_ctx: context.n_ctx,
            n_ctx_seq: context.n_ctx_seq,
            n_ubatch: context.n_ubatch,
            k_bytes: total(&|cache| attention(cache, cache.k_bytes))?,
            v_bytes: total(&|cache| attention(cache, cache.v_bytes))?,
            recurrent_bytes: total(&recurrent)?,
            architecture: self.shape.arch.clone(),
            caches: caches.iter().filter(|cache| cache.layers > 0).map(listed).collect(),
        };
        // the server finds any common start in a slot's cells; a state cannot be cut back
        let has_state = caches.iter().any(|cache| !cache.is_attention());
        Ok(EngineReport::new(report, (!has_state).then_some(1), self.notes(&context)))
    }
}

impl Contexts<'_> {
    fn notes(&self, context: &Context) -> Vec<Note> {
        let request = self.run.request;
        let mut notes = Vec::new();
        if self.users() > context.sequences {
            let text = say!("{0} users share {1} slots: the others wait", self.users(), context.sequences);
            notes.push(Note::new("more_users_than_slots", text));
        }
        if let Some(size) = request.ctx_size.filter(|&size| size > 0 && size != context.n_ctx) {
            let text = say!(
                "--ctx-size {0} becomes {1}: {2} cells for each stream, in whole blocks of 256",
                size,
                context.n_ctx,
                context.n_ctx_seq
            );
            notes.push(Note::new("context_padded", text));
        }
        if self.shape.arch == "nemotron_h_moe" && convert_state::has_dense_layers(self.run.model) {
            notes.push(Note::new(
                "mlp_layers_with_states",
                words!("llama.cpp's converter writes this model's MLP layers as layers with a state; a GGUF file that \
                 gives them a feed-forward width takes less"),
            ));
        }
        if self.run.parallel.tp > 1 {
            notes.push(Note::new(
                "layers_split",
                words!("llama.cpp splits whole layers over GPUs: each figure is that of the fullest GPU"),
            ));
        }
        notes
    }
}
