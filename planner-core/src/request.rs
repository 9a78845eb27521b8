//! The question: every flag of a plan, read and checked once for the command line and the page.

use std::fmt;

use crate::device::Device;
use crate::dtype::DType;
use crate::engine::{self, Engine};
use crate::error::{Error, Known, Result};
use crate::parallel::Parallel;
use crate::units::{Ratio, parse_count, parse_size, parse_tokens};

/// llama.cpp's `--flash-attn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum FlashAttention {
    #[default]
    Auto,
    On,
    Off,
}

/// The cache class of transformers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheKind {
    /// Grows with the tokens seen.
    #[default]
    Dynamic,
    /// Allocates `--max-model-len` at once.
    Static,
    /// Packs groups of elements (`--kv-dtype` says how).
    Quantized,
}

/// Extra layers and states of speculative decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speculative {
    /// Prompt look-up with `n` drafted tokens: no layers of its own.
    Ngram(u64),
    /// The model's own prediction layers, drafting `n` tokens.
    Mtp(u64),
    /// An EAGLE head of one layer drafting `n` tokens.
    Eagle(u64),
}

/// As it is given.
impl fmt::Display for Speculative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ngram(n) => write!(f, "ngram:{n}"),
            Self::Mtp(n) => write!(f, "mtp:{n}"),
            Self::Eagle(n) => write!(f, "eagle:{n}"),
        }
    }
}

/// A question about one model. Everything optional is `None` until it is given.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Request {
    pub seq: Option<u64>,
    pub users: u64,
    pub gpu: Option<Device>,
    pub gpus: Option<u64>,
    pub tp: Option<u64>,
    pub pp: Option<u64>,
    pub dp: Option<u64>,
    pub dcp: Option<u64>,
    pub engine: &'static dyn Engine,
    pub engine_version: &'static str,
    pub kv_dtype: Option<String>,
    pub k_dtype: Option<String>,
    pub v_dtype: Option<String>,
    pub weight_dtype: Option<DType>,
    pub kv_heads: Option<u64>,
    pub kv_memory: Option<u64>,
    pub memory_utilization: Option<Ratio>,
    pub reserve: Option<u64>,
    pub attention_backend: Option<String>,
    pub block_size: Option<u64>,
    pub max_num_batched_tokens: Option<u64>,
    pub max_num_seqs: Option<u64>,
    pub max_model_len: Option<u64>,
    pub ctx_size: Option<u64>,
    pub n_parallel: Option<u64>,
    pub batch: Option<u64>,
    pub ubatch: Option<u64>,
    pub kv_unified: Option<bool>,
    pub flash_attention: FlashAttention,
    pub swa_full: bool,
    pub cache: CacheKind,
    pub source_len: Option<u64>,
    pub shared_prefix: Option<u64>,
    pub speculative: Option<Speculative>,
    pub async_scheduling: Option<bool>,
    pub prefix_caching: Option<bool>,
    pub strict: bool,
}

impl Default for Request {
    fn default() -> Self {
        let engine = engine::default();
        Self {
            seq: None,
            users: 1,
            gpu: None,
            gpus: None,
            tp: None,
            pp: None,
            dp: None,
            dcp: None,
            engine,
            engine_version: engine.versions()[0],
            kv_dtype: None,
            k_dtype: None,
            v_dtype: None,
            weight_dtype: None,
            kv_heads: None,
            kv_memory: None,
            memory_utilization: None,
            reserve: None,
            attention_backend: None,
            block_size: None,
            max_num_batched_tokens: None,
            max_num_seqs: None,
            max_model_len: None,
            ctx_size: None,
            n_parallel: None,
            batch: None,
            ubatch: None,
            kv_unified: None,
            flash_attention: FlashAttention::Auto,
            swa_full: false,
            cache: CacheKind::Dynamic,
            source_len: None,
            shared_prefix: None,
            speculative: None,
            async_scheduling: None,
            prefix_caching: None,
            strict: false,
        }
    }
}

impl Request {
    /// Sets one flag, named without its dashes, from its text.
    pub fn set(&mut self, flag: &str, text: &str) -> Result<()> {
        let name = format!("--{flag}");
        let name = name.as_str();
        let count = || parse_count(name, text).map(Some);
        let tokens = || parse_tokens(name, text).map(Some);
        let switch = || on_off(name, text).map(Some);
        match flag {
            "seq" => self.seq = tokens()?,
            "users" => self.users = parse_count(name, text)?,
            "gpu" => self.gpu = Some(Device::resolve(text)?),
            "gpus" => self.gpus = count()?,
            "tp" => self.tp = count()?,
            "pp" => self.pp = count()?,
            "dp" => self.dp = count()?,
            "dcp" => self.dcp = count()?,
            "engine" => (self.engine, self.engine_version) = engine::resolve(text)?,
            "kv-dtype" => self.kv_dtype = dtype_name(text),
            "k-dtype" => self.k_dtype = dtype_name(text),
            "v-dtype" => self.v_dtype = dtype_name(text),
            "weight-dtype" => {
                self.weight_dtype = match dtype_name(text) {
                    Some(dtype) => Some(DType::parse(name, &dtype)?),
                    None => None,
                }
            }
            "kv-heads" => self.kv_heads = count()?,
            "kv-memory" => self.kv_memory = Some(parse_size(name, text)?),
            "memory-utilization" => self.memory_utilization = Some(Ratio::parse(name, text)?),
            "reserve" => self.reserve = Some(if text.trim() == "0" { 0 } else { parse_size(name, text)? }),
            "attention-backend" => self.attention_backend = Some(text.to_owned()),
            "block-size" => self.block_size = count()?,
            "max-num-batched-tokens" => self.max_num_batched_tokens = tokens()?,
            "max-num-seqs" => self.max_num_seqs = count()?,
            "max-model-len" => self.max_model_len = tokens()?,
            // llama.cpp's own 0: the model's training context, and the batch's size
            "ctx-size" => self.ctx_size = if text.trim() == "0" { Some(0) } else { tokens()? },
            "n-parallel" => self.n_parallel = count()?,
            "batch" => self.batch = count()?,
            "ubatch" => self.ubatch = if text.trim() == "0" { Some(0) } else { count()? },
            "kv-unified" => self.kv_unified = switch()?,
            "flash-attn" => {
                self.flash_attention = match text {
                    "auto" => FlashAttention::Auto,
                    _ if on_off(name, text).is_ok_and(|on| on) => FlashAttention::On,
                    _ if on_off(name, text).is_ok() => FlashAttention::Off,
                    _ => return Err(Error::bad_value(name, text, words!("auto, on or off"))),
                }
            }
            "swa-full" => self.swa_full = on_off(name, text)?,
            "cache" => {
                self.cache = match text {
                    "dynamic" => CacheKind::Dynamic,
                    "static" => CacheKind::Static,
                    "quantized" => CacheKind::Quantized,
                    _ => return Err(Error::bad_value(name, text, words!("dynamic, static or quantized"))),
                }
            }
            "source-len" => self.source_len = tokens()?,
            "shared-prefix" => self.shared_prefix = tokens()?,
            "speculative" => self.speculative = Some(speculative(name, text)?),
            "async-scheduling" => self.async_scheduling = switch()?,
            "prefix-caching" => self.prefix_caching = switch()?,
            "strict" => self.strict = on_off(name, text)?,
            _ => return Err(Error::Unknown { what: Known::Flag, name: name.to_owned(), near: Vec::new() }),
        }
        Ok(())
    }

    /// The parallel sizes: what is not given follows from `--gpus`, which tensor parallelism takes
    /// when nothing else says where they go.
    pub fn parallel(&self) -> Result<Parallel> {
        let (pp, dcp) = (self.pp.unwrap_or(1), self.dcp.unwrap_or(1));
        let sizes = match (self.gpus, self.tp, self.dp) {
            (None, tp, dp) => Parallel { tp: tp.unwrap_or(1), pp, dp: dp.unwrap_or(1), dcp },
            (Some(gpus), tp, dp) => {
                let given = [tp, self.pp, dp].into_iter().flatten().try_fold(1_u64, u64::checked_mul);
                let given = given.filter(|&given| gpus % given == 0).ok_or_else(|| {
                    Error::bad_value("--gpus", gpus, words!("a multiple of --tp × --pp × --dp"))
                })?;
                let rest = gpus / given;
                match (tp, dp) {
                    (None, dp) => Parallel { tp: rest, pp, dp: dp.unwrap_or(1), dcp },
                    (Some(tp), None) => Parallel { tp, pp, dp: rest, dcp },
                    (Some(tp), Some(dp)) if rest == 1 || self.pp.is_none() => {
                        Parallel { tp, pp: pp * rest, dp, dcp }
                    }
                    _ => {
                        return Err(Error::bad_value(
                            "--gpus",
                            gpus,
                            words!("the product of --tp, --pp and --dp"),
                        ));
                    }
                }
            }
        };
        sizes.gpus()?;
        if sizes.tp % sizes.dcp != 0 {
            return Err(Error::bad_value(
                "--dcp",
                sizes.dcp,
                say!("a divisor of --tp, which is {0}", sizes.tp),
            ));
        }
        Ok(sizes)
    }
}

/// The name of a dtype in lower case; `auto` is no name.
fn dtype_name(text: &str) -> Option<String> {
    let name = text.trim().to_ascii_lowercase();
    (name != "auto").then_some(name)
}

fn on_off(flag: &str, text: &str) -> Result<bool> {
    match text {
        "on" | "true" | "1" | "" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(Error::bad_value(flag, text, words!("on or off"))),
    }
}

fn speculative(flag: &str, text: &str) -> Result<Speculative> {
    let (kind, tokens) = text.split_once(':').unwrap_or((text, ""));
    let tokens = if tokens.is_empty() { 1 } else { parse_count(flag, tokens)? };
    match kind {
        "ngram" => Ok(Speculative::Ngram(tokens)),
        "mtp" => Ok(Speculative::Mtp(tokens)),
        "eagle" | "eagle3" => Ok(Speculative::Eagle(tokens)),
        _ => Err(Error::bad_value(flag, text, words!("ngram:N, mtp:N or eagle:N, N drafted tokens"))),
    }
}
