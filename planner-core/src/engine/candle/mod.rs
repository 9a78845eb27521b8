//! candle 0.11.1: what the model modules of candle-transformers allocate, all sessions in one batch.
//!
//! Used bytes are rows that hold tokens; allocated bytes are the storage behind them. Both are after a token
//! was decoded: right after the prompt, a module with a fused projection still holds the whole projection
//! through a view.
//!
//! Rules, `candle-nn/src/kv_cache.rs` unless said otherwise:
//!
//! - `Tensor::cat` and `ConcatKvCache::append` make a tensor of exactly the tokens seen. Modules that use them
//!   keep `num_key_value_heads` (before `repeat_kv`) and every token: a sliding window is only a mask
//!   (`mistral.rs:prepare_decoder_attention_mask`, likewise in gemma2, qwen2, phi3, mixtral …).
//! - `Cache::append`: `max_seq_len` rows at the first append. When they are full, it adds `grow_by` rows, the
//!   `max_seq_len` that it was made with.
//! - `RotatingCache::append`: the whole window at the first append.
//! - `deepseek2.rs:Attention::forward` expands the latent before it stores it: keys of
//!   `qk_nope_head_dim + qk_rope_head_dim` and values of `v_head_dim` for every query head.
//! - `t5.rs:T5Attention::forward` and `marian.rs:Attention::forward` cache the decoder's own keys and values,
//!   not the encoder's; `whisper/model.rs:MultiHeadAttention::forward` caches the encoder's only.
//! - `mamba.rs:State`: `2·d_model × 16` and four rows of `2·d_model`. Each row is a view of a projection twice
//!   as wide (`MambaBlock::forward`), so more is allocated than used.
//! - `mamba2.rs:State`: the recurrent state and four columns of the convolution, in the model's dtype.
//! - `lfm2.rs:ShortConv::forward`: `hidden × conv_l_cache`.
//! - `recurrent_gemma.rs:RecurrentBlock::forward`: `lru_width × (conv1d_width − 1)`, a view of `conv1d_width`
//!   columns, and a state in f32.
//! - The `quantized_*.rs` modules, which read GGUF files: see `modules`.
//!
//! The cache has the dtype that the model computes in. Every module runs on one device.

use serde_json::Value as Json;

use super::common::kept;
use super::memory::{BeforeCache, CENT, Constant, MemoryPart, PartKind, figures};
use super::report::{CandleReport, EngineReport};
use super::{Allocation, Engine, ResolvedRequest, Term, step};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::request::Request;
use crate::spec::layer::{Content, Extent, Store};
use crate::spec::model::{ModelSpec, Note};
use crate::text::Words;
use crate::units::{Ratio, product, sum};

mod checks;
mod modules;

use modules::{Keep, Module};

const ID: &str = "candle";
const SESSION: Words = words!("bytes of a session");

/// Rows of the convolution that `mamba.rs` and `mamba2.rs` keep: `D_CONV`.
const MAMBA_CONV: u64 = 4;

figures! {
    /// The CUDA context of a process without PyTorch, kernels and cuBLAS included.
    CONTEXT = 45 * CENT, 25 * CENT, "0.11", "an estimate: 0.3 to 0.7 GiB by the card and the driver", [];
}

/// The rule of candle.
#[derive(Debug)]
pub struct Candle;

impl Engine for Candle {
    fn id(&self) -> &'static str {
        ID
    }

    fn versions(&self) -> &'static [&'static str] {
        &["0.11.1"]
    }

    fn rule(&self) -> Words {
        words!("what candle's own module stores: some widen the cache or ignore the window")
    }

    fn citation(&self) -> &'static str {
        "candle-nn/src/kv_cache.rs, candle-transformers/src/models"
    }

    /// It has no share: what a GPU has may be taken.
    fn utilization(&self, _: &ResolvedRequest<'_>) -> Ratio {
        Ratio::decimal(1, 0)
    }

    fn before_cache(&self, run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
        BeforeCache::without_share(run, CONTEXT.part(PartKind::Driver))
    }

    fn constants(&self) -> &'static [Constant] {
        ALL
    }

    fn keeps_lengths_apart(&self) -> bool {
        false
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &[]
    }

    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        let model = run.model;
        let module = module(model)?;
        let dtype = checks::all(&run, module)?;
        let step = run.request.gpu.as_ref().map(|_| step::token_bytes(&run)).transpose()?;
        Ok(Box::new(Cache { run, module, dtype, step }))
    }
}

/// Family name of models from a GGUF file.
const GGUF: &str = "gguf";

/// The module that runs a model.
fn module(model: &ModelSpec) -> Result<&'static Module> {
    let refuse = |code, why| Error::refused(code, why).about(&model.model_type);
    if model.family != GGUF {
        return modules::of(&model.model_type).ok_or_else(|| {
            refuse(
                Code::CandleNoModule,
                say!("candle-transformers has no module for model_type `{0}`", model.model_type),
            )
        });
    }
    modules::of_gguf(&model.model_type).ok_or_else(|| match model.model_type.as_str() {
        // `quantized_qwen3.rs:AttentionWeights::forward`: `interleaved_cache` holds the prompt, `raw_cache` the
        // prompt and all later tokens.
        "qwen3" => refuse(
            Code::CandleNotRestatedGguf,
            words!("the module `quantized_qwen3` (it keeps the prompt twice on a CPU)").into(),
        ),
        other => refuse(Code::CandleNotRestatedGguf, say!("a GGUF file of `{0}`", other)),
    })
}

/// Bytes of a session: rows that hold tokens, and the storage behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    used: u64,
    allocated: u64,
}

impl Held {
    const NOTHING: Self = Self { used: 0, allocated: 0 };

    const fn exactly(bytes: u64) -> Self {
        Self { used: bytes, allocated: bytes }
    }
}

/// Rows that hold tokens, and rows allocated.
fn rows_kept(keep: Keep, max_position: Option<u64>, extent: Extent, tokens: u64) -> (u64, u64) {
    if tokens == 0 {
        return (0, 0);
    }
    let whole = |size: u64| (tokens, tokens.div_ceil(size.max(1)).saturating_mul(size));
    match (keep, extent) {
        (Keep::Grown(size), _) => whole(size),
        (Keep::Preallocated, Extent::Window(window) | Extent::Chunk(window)) => (tokens.min(window), window),
        (Keep::Context | Keep::Preallocated, _) => whole(max_position.unwrap_or(tokens)),
        _ => (tokens, tokens),
    }
}

/// The cache of one module.
struct Cache<'a> {
    run: ResolvedRequest<'a>,
    module: &'static Module,
    dtype: DType,
    /// Bytes that a token of a prompt works in, where a GPU is named.
    step: Option<u64>,
}

impl Cache<'_> {
    fn session(&self, tokens: u64) -> Result<Held> {
        let mut total = Held::NOTHING;
        for (layers, store) in kept(&self.run.model.layers, ID) {
            let held = self.store(store, tokens)?;
            total.used = sum(SESSION, [total.used, product(SESSION, &[held.used, layers])?])?;
            total.allocated = sum(SESSION, [total.allocated, product(SESSION, &[held.allocated, layers])?])?;
        }
        Ok(total)
    }

    fn store(&self, store: &Store, tokens: u64) -> Result<Held> {
        let keep = self.module.keep;
        match store.content {
            Content::State { conv, recurrent, .. } => self.state(store, conv, recurrent, tokens),
            Content::Cross { .. } if keep == Keep::CrossOnly => {
                let row = store.row_bytes(self.dtype, self.dtype)?;
                Ok(Held::exactly(product(SESSION, &[row, self.run.encoder_tokens])?))
            }
            Content::Cross { .. } | Content::IndexKey { .. } => Ok(Held::NOTHING),
            Content::KeysValues { .. } if keep == Keep::CrossOnly => Ok(Held::NOTHING),
            Content::KeysValues { .. } => {
                let row = store.row_bytes(self.dtype, self.dtype)?;
                let (used, allocated) = rows_kept(keep, self.run.model.max_position, store.extent, tokens);
                Ok(Held {
                    used: product(SESSION, &[row, used])?,
                    allocated: product(SESSION, &[row, allocated])?,
                })
            }
            Content::Latent { .. } => {
                let row = self.dtype.row_bytes(self.expanded()?)?;
                Ok(Held::exactly(product(SESSION, &[row, tokens])?))
            }
        }
    }

    /// Elements per token of `deepseek2.rs`: the keys and values of every query head.
    fn expanded(&self) -> Result<u64> {
        let config = self.run.model.text_config();
        let key = |name: &'static str| {
            config
                .get(name)
                .and_then(Json::as_u64)
                .ok_or_else(|| Error::missing(name, words!("the configuration of candle's `deepseek2`")))
        };
        let width = sum(SESSION, [key("qk_nope_head_dim")?, key("qk_rope_head_dim")?, key("v_head_dim")?])?;
        product(SESSION, &[key("num_attention_heads")?, width])
    }

    fn state(&self, store: &Store, conv: u64, recurrent: u64, tokens: u64) -> Result<Held> {
        let own = self.dtype.row_bytes(recurrent)?;
        // The definition needs one column less than the kernel has; most modules keep no more than that.
        let width = store.dim("conv_dim").unwrap_or(conv);
        let all = product(SESSION, &[width, store.dim("conv_kernel").unwrap_or(1)])?;
        match self.module.file {
            "mamba" => {
                let row = self.dtype.row_bytes(width)?;
                // At first the four rows are one row of zeros under four names. Later each of the last four
                // tokens has its own, a view of a projection of two rows.
                let seen = tokens.min(MAMBA_CONV);
                let rows = 2 * seen + u64::from(seen < MAMBA_CONV);
                Ok(Held {
                    used: sum(SESSION, [own, product(SESSION, &[row, MAMBA_CONV])?])?,
                    allocated: sum(SESSION, [own, product(SESSION, &[row, rows])?])?,
                })
            }
            "mamba2" => Ok(Held::exactly(sum(SESSION, [own, self.dtype.row_bytes(all)?])?)),
            _ if tokens == 0 => Ok(Held::NOTHING),
            "recurrent_gemma" => {
                let f32_state = DType::F32.row_bytes(recurrent)?;
                // The view leaves one column of `lru_width` behind it.
                let spare = if conv == 0 { 0 } else { recurrent };
                Ok(Held {
                    used: sum(SESSION, [f32_state, self.dtype.row_bytes(conv)?])?,
                    allocated: sum(
                        SESSION,
                        [f32_state, self.dtype.row_bytes(sum(SESSION, [conv, spare])?)?],
                    )?,
                })
            }
            _ => Ok(Held::exactly(sum(SESSION, [self.dtype.row_bytes(all)?, own])?)),
        }
    }

    fn notes(&self) -> Vec<Note> {
        let window =
            self.run.model.layers.iter().flat_map(|layer| &layer.stores).find_map(|store| {
                match store.extent {
                    Extent::Window(window) | Extent::Chunk(window) => Some(window),
                    _ => None,
                }
            });
        match (self.module.keep, window) {
            (Keep::Concatenated, Some(window)) if self.run.tokens > window => vec![Note::new(
                "candle_window_is_a_mask",
                say!(
                    "candle's `{0}` keeps every token: the window of {1} is only a mask",
                    self.module.file,
                    window
                ),
            )],
            (Keep::Expanded, _) => vec![Note::new(
                "candle_expands_latent",
                words!("candle's `deepseek2` caches keys and values of every head, not the latent"),
            )],
            _ => Vec::new(),
        }
    }
}

impl Allocation for Cache<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        Ok(self.session(tokens)?.allocated)
    }

    fn terms(&self, tokens: u64) -> Result<Vec<Term>> {
        let term = |(layers, store): (u64, &Store)| {
            let row = match store.content {
                Content::Latent { .. } => self.dtype.row_bytes(self.expanded()?),
                _ => store.row_bytes(self.dtype, self.dtype),
            };
            Ok(Term::of_layers(store, layers, self.store(store, tokens)?.allocated, row.ok()))
        };
        kept(&self.run.model.layers, ID).map(term).collect()
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        Ok(vec![self.total_bytes(users, tokens)?])
    }

    /// A prompt goes through at once, and attention keeps the scores of all its heads, before and after the softmax, in
    /// f32 (`CausalSelfAttention::forward` of `candle-transformers/src/models/llama.rs`, without its flash attention).
    fn working(&self, users: u64, tokens: u64) -> Result<Vec<MemoryPart>> {
        let Some(step) = self.step else { return Ok(Vec::new()) };
        let part = step::prompts(&self.run, step, users, tokens)?;
        let heads = self.run.model.attention_heads.unwrap_or(0);
        let scores = product(step::ACTIVATION, &[users, heads, tokens, tokens, 2, 4])?;
        let bytes = sum(step::ACTIVATION, [part.bytes, scores])?;
        Ok(vec![MemoryPart::estimate(PartKind::Activation, bytes, bytes / 2)])
    }

    fn min_session_bytes(&self) -> Result<u64> {
        self.session_bytes(0)
    }

    fn report(&self, _: Option<&[u64]>) -> Result<EngineReport> {
        let parallel = self.run.parallel;
        let sessions = product(SESSION, &[parallel.users_per_replica(self.run.request.users), parallel.dp])?;
        let held = self.session(self.run.tokens)?;
        let all = |bytes: u64| product(words!("bytes of all sessions"), &[bytes, sessions]);
        let report = CandleReport {
            module: format!("candle_transformers::models::{}", self.module.file.replace('/', "::")),
            cache: match self.module.keep {
                Keep::Concatenated | Keep::CrossOnly => "concatenated",
                Keep::Grown(_) => "grown",
                Keep::Context | Keep::Preallocated => "preallocated",
                Keep::Expanded => "expanded",
                Keep::State => "state",
            },
            used_bytes: all(held.used)?,
            allocated_bytes: all(held.allocated)?,
        };
        Ok(EngineReport::new(report, None, self.notes()))
    }
}

#[cfg(test)]
mod tests;
