//! The answer: bytes, what fits, and why.
//!
//! Capacity is searched, never divided: windows, blocks and padding make bytes a step function of
//! tokens and users, but always a monotone one.

use crate::engine::architecture::ReferenceCache;
use crate::engine::command::Command;
use crate::engine::{Allocation, Details, ResolvedRequest, flag_support};
use crate::error::{Code, Result};
use crate::parallel::Parallel;
use crate::request::Request;
use crate::spec::layer::{Content, Extent, Layer, Store};
use crate::spec::model::{ModelSpec, Note};
use crate::units::{product, sum};

mod budget;
pub mod compare;
pub mod explain;
mod explain_engine;
mod resolve;
mod solve;

pub use budget::{GpuMemory, Memory};
pub(crate) use resolve::try_allocate;
pub use resolve::{adjust, reserve, resolve};
pub use solve::{Alternative, Candidate, Verdict, candidates, max_users_by_length};

/// Bytes per token from one position on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slope {
    /// First token (from 0) for which it holds.
    pub from_token: u64,
    /// Bytes that every `per_tokens` further tokens add.
    pub bytes: u64,
    /// 1, unless several tokens share one cached row.
    pub per_tokens: u64,
}

impl Slope {
    /// Bytes per token, rounded up where rows are shared.
    pub fn bytes_per_token(self) -> u64 {
        self.bytes.div_ceil(self.per_tokens.max(1))
    }
}

/// The article's figure: every query head cached, every token, in every attention layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AllHeads {
    pub bytes_per_token: u64,
    pub session_bytes: u64,
    pub total_bytes: u64,
}

/// Bytes by the model's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kv {
    /// What the token at position `--seq` adds.
    pub bytes_per_token: u64,
    /// Bytes per token by range.
    pub slopes: Vec<Slope>,
    /// States and cross-attention: independent of `--seq`.
    pub state_bytes_per_session: u64,
    /// One session.
    pub session_bytes: u64,
    /// All sessions.
    pub total_bytes: u64,
    /// All heads cached, for comparison.
    pub all_heads: Option<AllHeads>,
}

/// A run of equal layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerGroup<'a> {
    /// Its first layer.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The first layer, which stands for all.
    pub layer: &'a Layer,
    /// What the token at position `--seq` adds in all of them.
    pub bytes_per_token: u64,
    /// What one session takes in all of them.
    pub session_bytes: u64,
}

/// What the chosen engine allocates.
#[derive(Debug, Clone)]
pub struct EngineAnswer {
    /// Engine id.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One session, over all GPUs of a replica.
    pub session_bytes: u64,
    /// All sessions, over all replicas.
    pub total_bytes: u64,
    /// Before the first token counts.
    pub floor_bytes_per_session: u64,
    /// What only this engine has to say.
    pub details: Details,
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// The question.
    pub request: &'a Request,
    /// Tokens of one session.
    pub tokens: u64,
    /// Encoder tokens.
    pub source: u64,
    /// Parallel sizes.
    pub parallel: Parallel,
    /// Names of the dtypes of keys and values.
    pub kv_dtypes: (&'static str, &'static str),
    /// Bytes by the definition.
    pub kv: Kv,
    /// By layer.
    pub layers: Vec<LayerGroup<'a>>,
    /// By the engine.
    pub engine: EngineAnswer,
    /// GPU memory, where a GPU or `--kv-memory` is given.
    pub memory: Option<Memory>,
    /// What fits.
    pub verdict: Option<Verdict>,
    /// What the reader should know.
    pub notes: Vec<Note>,
}

impl Plan<'_> {
    /// What was asked of the engine.
    pub fn run(&self) -> ResolvedRequest<'_> {
        let Self { model, request, tokens, source, parallel, .. } = *self;
        ResolvedRequest { model, request, tokens, source, parallel }
    }

    /// What the engine allocates, for figures beyond those kept here.
    ///
    /// # Errors
    /// As [`plan`]: none for a plan that was made.
    pub fn allocation(&self) -> Result<Box<dyn Allocation + '_>> {
        self.request.engine.allocate(self.run())
    }

    /// The command that starts the engine with these settings, where it is a server.
    pub fn command(&self) -> Option<Command> {
        self.request.engine.command(&self.run())
    }
}

/// Plans: bytes by the definition, by the engine, and what fits.
pub fn plan<'a>(model: &'a ModelSpec, request: &'a Request) -> Result<Plan<'a>> {
    planned(model, request).map_err(|error| {
        let one_token = || ReferenceCache::of_definition(resolve(model, request)?.0)?.bytes(1);
        let error = error.told_by(request.engine.id(), request.engine_version);
        if error.code() == Code::Overflow && one_token().is_err() { error.of_model() } else { error }
    })
}

fn planned<'a>(model: &'a ModelSpec, request: &'a Request) -> Result<Plan<'a>> {
    let (run, mut notes) = resolve(model, request)?;
    let truth = ReferenceCache::of_definition(run)?;
    let layout = request.engine.allocate(run)?;
    let memory = Memory::of(&run)?;
    let kv = kv(&run, &truth)?;
    let available = memory.as_ref().map(Memory::available);
    let details = layout.details(available.as_deref())?;
    notes.extend(details.notes.iter().cloned());
    notes.extend(flag_support::shared_prefix(&run, layout.as_ref())?);
    let per_replica = run.parallel.users_per_replica(request.users);
    let engine = EngineAnswer {
        id: request.engine.id(),
        version: request.engine_version,
        session_bytes: layout.session_bytes(run.tokens)?,
        total_bytes: match run.parallel.dp {
            1 => layout.total_bytes(request.users, run.tokens)?,
            dp => {
                product(words!("bytes of all sessions"), &[layout.total_bytes(per_replica, run.tokens)?, dp])?
            }
        },
        floor_bytes_per_session: layout.min_session_bytes()?,
        details,
    };
    let (memory, verdict) = match memory {
        Some(mut memory) => {
            memory.set_used(&layout.stage_bytes(per_replica, run.tokens)?);
            let verdict = solve::verdict(&run, layout.as_ref(), &memory)?;
            (Some(memory), Some(verdict))
        }
        None => (None, None),
    };
    let (k, v) = truth.dtypes();
    let layers = layer_groups(&run, &truth)?;
    Ok(Plan {
        model,
        request,
        tokens: run.tokens,
        source: run.source,
        parallel: run.parallel,
        kv_dtypes: (k.name, v.name),
        kv,
        layers,
        engine,
        memory,
        verdict,
        notes,
    })
}

fn marginal(tokens: u64, bytes: impl Fn(u64) -> Result<u64>) -> Result<u64> {
    Ok(bytes(tokens)?.saturating_sub(bytes(tokens.saturating_sub(1))?))
}

fn kv(run: &ResolvedRequest<'_>, truth: &ReferenceCache<'_>) -> Result<Kv> {
    let session_bytes = truth.bytes(run.tokens)?;
    let slopes = slopes(truth)?;
    let shares_rows = slopes.iter().any(|slope| slope.per_tokens > 1);
    let bytes_per_token = if shares_rows {
        let holding = slopes.iter().rev().find(|slope| slope.from_token < run.tokens);
        holding.map_or(0, |slope| slope.bytes_per_token())
    } else {
        marginal(run.tokens, |tokens| truth.bytes(tokens))?
    };
    Ok(Kv {
        bytes_per_token,
        slopes,
        state_bytes_per_session: truth.bytes(0)?,
        session_bytes,
        total_bytes: product(words!("bytes of all sessions"), &[session_bytes, run.request.users])?,
        all_heads: all_heads(run, truth)?,
    })
}

fn kept(stores: &[Store]) -> impl Iterator<Item = &Store> {
    stores.iter().filter(|store| store.is_kept_by("architecture"))
}

/// Where windows fill, and what a token costs between those points.
fn slopes(truth: &ReferenceCache<'_>) -> Result<Vec<Slope>> {
    let (k, v) = truth.dtypes();
    let mut edges = vec![0];
    let mut period = 1;
    for store in truth.groups().iter().flat_map(|(_, stores)| kept(stores)) {
        if let Extent::Window(n) | Extent::Chunk(n) = store.extent {
            edges.push(n);
        }
        period = lcm(period, store.tokens_per_row);
    }
    edges.sort_unstable();
    edges.dedup();
    let mut slopes: Vec<Slope> = Vec::new();
    for from_token in edges {
        let mut bytes = 0;
        for (layers, stores) in truth.groups() {
            for store in kept(stores) {
                let grows = match store.extent {
                    Extent::Full => true,
                    Extent::Window(n) | Extent::Chunk(n) => from_token < n,
                    Extent::Session | Extent::Source => false,
                };
                if grows {
                    let rows = period / store.tokens_per_row.max(1);
                    let own = product(words!("bytes per token"), &[store.row_bytes(k, v)?, rows, *layers])?;
                    bytes = sum(words!("bytes per token"), [bytes, own])?;
                }
            }
        }
        if slopes.last().is_none_or(|slope| slope.bytes != bytes) {
            slopes.push(Slope { from_token, bytes, per_tokens: period });
        }
    }
    Ok(slopes)
}

fn lcm(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a.max(1), b.max(1));
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a.max(1) / x).saturating_mul(b.max(1))
}

/// 2 × layers × attention heads × head width × tokens × bytes, over the layers with attention.
fn all_heads(run: &ResolvedRequest<'_>, truth: &ReferenceCache<'_>) -> Result<Option<AllHeads>> {
    let (k, v) = truth.dtypes();
    let mut bytes_per_token = 0;
    // layers alike in what counts here, and their bytes
    let mut seen: Vec<((u64, u64), u64)> = Vec::new();
    for layer in run.model.layers.iter().filter(|layer| layer.query_heads > 0) {
        let owner = layer.owner.and_then(|owner| run.model.layers.get(owner as usize));
        let like = (owner.map_or(layer.same, |owner| owner.same), layer.query_heads);
        let own = match seen.iter().find(|(other, _)| *other == like) {
            Some((_, own)) => *own,
            None => {
                let own = kept(&layer.stores).find_map(widths);
                let own = own.or_else(|| owner.and_then(|owner| kept(&owner.stores).find_map(widths)));
                let bytes = match own {
                    Some((k_dim, v_dim)) => {
                        let keys =
                            k.row_bytes(product(words!("bytes per token"), &[layer.query_heads, k_dim])?)?;
                        let values =
                            v.row_bytes(product(words!("bytes per token"), &[layer.query_heads, v_dim])?)?;
                        sum(words!("bytes per token"), [keys, values])?
                    }
                    None => 0,
                };
                seen.push((like, bytes));
                bytes
            }
        };
        bytes_per_token = sum(words!("bytes per token"), [bytes_per_token, own])?;
    }
    if bytes_per_token == 0 {
        return Ok(None);
    }
    let session_bytes = product(words!("bytes with all heads"), &[bytes_per_token, run.tokens])?;
    let total_bytes = product(words!("bytes with all heads"), &[session_bytes, run.request.users])?;
    Ok(Some(AllHeads { bytes_per_token, session_bytes, total_bytes }))
}

/// Widths of one head's key and value as attention uses them; a latent says what it expands to.
fn widths(store: &Store) -> Option<(u64, u64)> {
    match store.content {
        Content::KeysValues { k_dim, v_dim, .. } => Some((k_dim, if v_dim == 0 { k_dim } else { v_dim })),
        Content::Latent { .. } => Some((store.dim("expanded_k")?, store.dim("expanded_v")?)),
        _ => None,
    }
}

fn layer_groups<'a>(run: &ResolvedRequest<'a>, truth: &ReferenceCache<'_>) -> Result<Vec<LayerGroup<'a>>> {
    let (k, v) = truth.dtypes();
    let mut groups: Vec<LayerGroup<'a>> = Vec::new();
    for layer in &run.model.layers {
        let same = |last: &LayerGroup<'_>| {
            last.layer.same == layer.same && last.layer.owner.is_some() == layer.owner.is_some()
        };
        match groups.last_mut() {
            Some(last) if same(last) => last.count += 1,
            _ => groups.push(LayerGroup {
                first: layer.index,
                count: 1,
                layer,
                bytes_per_token: 0,
                session_bytes: 0,
            }),
        }
    }
    // what a token and a session take in a layer that keeps the same
    let mut seen: Vec<(u64, u64, u64)> = Vec::new();
    for group in &mut groups {
        let same = group.layer.same;
        let (token, session) = match seen.iter().find(|(other, ..)| *other == same) {
            Some((_, token, session)) => (*token, *session),
            None => {
                let bytes = |tokens: u64| {
                    let mut total = 0;
                    for store in kept(&group.layer.stores) {
                        let own = store.session_bytes(tokens, run.source, k, v)?;
                        total = sum(words!("bytes of a layer"), [total, own])?;
                    }
                    Ok(total)
                };
                let found = (marginal(run.tokens, bytes)?, bytes(run.tokens)?);
                seen.push((same, found.0, found.1));
                found
            }
        };
        group.bytes_per_token = product(words!("bytes of a layer"), &[token, group.count])?;
        group.session_bytes = product(words!("bytes of a layer"), &[session, group.count])?;
    }
    Ok(groups)
}
