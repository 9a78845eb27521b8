//! The one table of flags. [`Request`], its defaults and setters, the parser, help, completions and the JSON's
//! `request` object come from it.

use serde_json::Value as Json;

use super::measured::Measured;
use super::values::{CacheKind, EngineId, FlashAttention, Ranks, Speculative, WeightType, on_off};
use crate::device::Device;
use crate::error::Result;
use crate::units::{Ratio, parse_count, parse_size, parse_tokens};

/// What a flag is about; the headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The model and its sessions.
    What,
    /// GPUs and how the model is divided over them.
    Where,
    /// The engine and its settings.
    Engine,
}

/// Which plans read a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Every plan.
    Every,
    /// The plan's own steps under every engine; an engine's command may still have no flag for it.
    Plan,
    /// Only the engines that name it (`Engine::reads`).
    Engines,
}

/// Another program's spelling of a flag, as typed with its dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    /// The spelling: `--tensor-parallel-size`, `-ctk`.
    pub typed: &'static str,
    /// The value that the other program's switch means.
    pub value: Option<&'static str>,
}

/// Whether the table holds what a command line says of its flags.
const HELP: bool = cfg!(feature = "help");

const fn alias(typed: &'static str) -> Alias {
    Alias { typed, value: None }
}

const fn switch(typed: &'static str, value: &'static str) -> Alias {
    Alias { typed, value: Some(value) }
}

/// One flag of a plan.
#[derive(Debug)]
#[non_exhaustive]
pub struct Flag {
    /// Name without its dashes.
    pub name: &'static str,
    /// One-letter form.
    pub short: Option<char>,
    /// Placeholder of its value in the help: `TOKENS`, `N`, `SIZE`; empty for a switch.
    pub value: &'static str,
    /// Heading.
    pub group: Group,
    /// Its line in the help.
    pub help: &'static str,
    /// Its default in the help; empty without one.
    pub default: &'static str,
    /// The engines' own spellings.
    pub aliases: &'static [Alias],
    /// Who reads it.
    pub reader: Reader,
    /// Its key in the page's address, where the page has a field for it.
    pub page: Option<&'static str>,
    set: fn(&mut Request, &str, &str) -> Result<()>,
    given: fn(&Request) -> bool,
    json: fn(&Request) -> Json,
    zero: fn(&Request) -> bool,
    takes_zero: bool,
}

impl Flag {
    const fn new(
        name: &'static str,
        value: &'static str,
        group: Group,
        help: &'static str,
        default: &'static str,
    ) -> Self {
        let (help, default) = if HELP { (help, default) } else { ("", "") };
        Self {
            name,
            short: None,
            value,
            group,
            help,
            default,
            aliases: &[],
            reader: if matches!(group, Group::Engine) { Reader::Engines } else { Reader::Every },
            page: None,
            set: |_, _, _| Ok(()),
            given: |_| false,
            json: |_| Json::Null,
            zero: |_| false,
            takes_zero: false,
        }
    }

    const fn takes_zero(self) -> Self {
        Self { takes_zero: true, ..self }
    }

    const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    const fn also(self, aliases: &'static [Alias]) -> Self {
        Self { aliases: if HELP { aliases } else { &[] }, ..self }
    }

    const fn reader(self, reader: Reader) -> Self {
        Self { reader, ..self }
    }

    const fn page(self, key: &'static str) -> Self {
        Self { page: Some(key), ..self }
    }

    /// Sets it from its text; `typed` is the spelling that an error names.
    ///
    /// # Errors
    /// What the text should be.
    pub fn set(&self, request: &mut Request, typed: &str, text: &str) -> Result<()> {
        (self.set)(request, typed, text)
    }

    /// Whether a request says anything other than the default.
    pub fn is_given(&self, request: &Request) -> bool {
        (self.given)(request)
    }

    /// Its value in the JSON's `request` object, without defaults; null where it is not given.
    pub fn json(&self, request: &Request) -> Json {
        (self.json)(request)
    }

    /// Whether a request has a 0 that no text of this flag could give.
    pub(crate) fn is_zero(&self, request: &Request) -> bool {
        !self.takes_zero && (self.zero)(request)
    }

    /// Its key in the JSON's `request` object.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Whether it takes no value.
    pub fn is_switch(&self) -> bool {
        self.value.is_empty()
    }
}

/// How a field of [`Request`] is written in JSON.
trait Field: PartialEq {
    fn json(&self) -> Json;

    fn is_zero(&self) -> bool {
        false
    }
}

impl Field for u64 {
    fn json(&self) -> Json {
        Json::from(*self)
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }
}

macro_rules! fields {
    ($($type:ty: $value:ident => $json:expr;)*) => {
        $(impl Field for $type {
            fn json(&self) -> Json {
                let $value = self;
                $json
            }
        })*
    };
}

fields! {
    bool: value => Json::from(*value);
    String: value => Json::from(value.as_str());
    Ratio: value => Json::from(value.to_string());
    Device: value => Json::from(value.id.as_str());
    WeightType: value => Json::from(value.name());
    EngineId: value => Json::from(value.name());
    Ranks: value => Json::from(value.to_string());
    Speculative: value => Json::from(value.to_string());
    CacheKind: value => Json::from(value.to_string());
    FlashAttention: value => Json::from(value.to_string());
}

impl<T: Field> Field for Option<T> {
    fn json(&self) -> Json {
        self.as_ref().map_or(Json::Null, Field::json)
    }

    fn is_zero(&self) -> bool {
        self.as_ref().is_some_and(Field::is_zero)
    }
}

macro_rules! flags {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $read:expr, $flag:expr;)*) => {
        /// A question about one model. An optional field is `None` until it is given.
        ///
        /// Built by its setters, or as a literal with `..Request::default()`. A value outside a field's range
        /// is an error when a plan is made.
        #[derive(Debug, Clone)]
        pub struct Request {
            $($(#[doc = $doc])+ pub $field: $type,)*
            /// What start-up logs measured: the one of this very run stands in for estimates. No flag: a program
            /// reads it from where it keeps it.
            pub measured: Vec<Measured>,
        }

        impl Default for Request {
            fn default() -> Self {
                Self { $($field: $default,)* measured: Vec::new() }
            }
        }

        impl Request {
            $($(#[doc = $doc])+
            #[must_use]
            pub fn $field(mut self, $field: impl Into<$type>) -> Self {
                self.$field = $field.into();
                self
            })*
        }

        /// Every flag of a plan, in the order of the help.
        pub static FLAGS: &[Flag] = &[$(Flag {
            set: |request, typed, text| {
                request.$field = $read(typed, text)?;
                Ok(())
            },
            given: |request| {
                let default: $type = $default;
                request.$field != default
            },
            json: |request| request.$field.json(),
            zero: |request| request.$field.is_zero(),
            ..$flag
        },)*];
    };
}

/// The reader of an optional field.
fn some<T>(read: impl Fn(&str, &str) -> Result<T>) -> impl Fn(&str, &str) -> Result<Option<T>> {
    move |typed, text| read(typed, text).map(Some)
}

/// A reader that also takes 0.
fn or_zero(read: impl Fn(&str, &str) -> Result<u64>) -> impl Fn(&str, &str) -> Result<Option<u64>> {
    move |typed, text| if text.trim() == "0" { Ok(Some(0)) } else { read(typed, text).map(Some) }
}

/// A dtype's name in lower case; `None` for `auto`.
fn dtype_name(_: &str, text: &str) -> Result<Option<String>> {
    let name = text.trim().to_ascii_lowercase();
    Ok((name != "auto").then_some(name))
}

fn weight_dtype(typed: &str, text: &str) -> Result<Option<WeightType>> {
    dtype_name(typed, text)?.map(|name| WeightType::parse(typed, &name)).transpose()
}

fn word(_: &str, text: &str) -> Result<Option<String>> {
    Ok(Some(text.to_owned()))
}

use Group::{Engine, What, Where};
use Reader::{Every, Plan};

flags! {
    /// Tokens of one session, at least 1. Default: the model's maximum, at most 8,192.
    seq: Option<u64> = None, some(parse_tokens),
        Flag::new("seq", "TOKENS", What, "Tokens held per session: 1000, 1k = 1000, 1K = 1024, 128K, 1M", "the model's maximum, at most 8192")
            .short('s').page("s");
    /// Sessions at once, at least 1. Default 1.
    users: u64 = 1, parse_count,
        Flag::new("users", "N", What, "Concurrent sessions", "1").short('u').page("u");
    /// Type of cached keys and values, by a name that the engine knows. Default: the engine's `auto`.
    kv_dtype: Option<String> = None, dtype_name,
        Flag::new("kv-dtype", "DTYPE", What, "Type of cached keys and values: auto, f32, f16, bf16, fp8, int8, int4, q8_0 … or a name the engine knows", "auto")
            .also(&[alias("--kv-cache-dtype"), alias("--kv_cache_dtype")]).reader(Plan).page("k");
    /// Type of cached keys alone. Default: `kv_dtype`.
    k_dtype: Option<String> = None, dtype_name,
        Flag::new("k-dtype", "DTYPE", What, "Type of cached keys alone", "")
            .also(&[alias("--cache-type-k"), alias("-ctk")]).reader(Plan);
    /// Type of cached values alone. Default: `kv_dtype`.
    v_dtype: Option<String> = None, dtype_name,
        Flag::new("v-dtype", "DTYPE", What, "Type of cached values alone", "")
            .also(&[alias("--cache-type-v"), alias("-ctv")]).reader(Plan);
    /// Type in which every parameter is counted. Default: as the configuration or the file says.
    weight_dtype: Option<WeightType> = None, weight_dtype,
        Flag::new("weight-dtype", "DTYPE", What, "Type of the weights: a dtype, or as a quantizer writes them: q4_k_m, awq, gptq, nvfp4, mxfp4, nf4, fp8_block …", "auto, from the configuration").reader(Plan).page("w");
    /// KV heads in place of the model's own, at least 1: all attention heads reproduce the article's figure.
    kv_heads: Option<u64> = None, some(parse_count),
        Flag::new("kv-heads", "N", What, "Override the number of KV heads; all attention heads reproduce the article's figure", "")
            .reader(Plan).page("kh");
    /// Encoder input tokens of an encoder-decoder model, at least 1. Default: the model's maximum, else 512.
    source_len: Option<u64> = None, some(parse_tokens),
        Flag::new("source-len", "TOKENS", What, "Encoder input tokens of an encoder-decoder model", "");
    /// Tokens at the start of every session that are stored once where the engine can, at least 1.
    shared_prefix: Option<u64> = None, some(parse_tokens),
        Flag::new("shared-prefix", "TOKENS", What, "Tokens at the start of every session that are stored once where the engine can", "");

    /// The GPU: memory, and compute capability where it is known.
    gpu: Option<Device> = None, |typed, text| Device::named(typed, text).map(Some),
        Flag::new("gpu", "GPU", Where, "GPU id from `kvplan gpus`, or a size such as 80GiB; a+b for unequal ones", "").short('g').page("g");
    /// Number of GPUs, from 1 to 4,096. Default: `tp` × `pp` × `dp`.
    gpus: Option<u64> = None, some(parse_count),
        Flag::new("gpus", "N", Where, "Number of GPUs", "tp × pp × dp").short('n').page("n");
    /// Nodes that the GPUs stand in, a divisor of their number. Default: nodes of 8 GPUs.
    nnodes: Option<u64> = None, some(parse_count),
        Flag::new("nnodes", "N", Where, "Nodes that the GPUs stand in", "nodes of 8 GPUs").reader(Plan);
    /// Tensor parallel size, at least 1: heads are divided. Default 1.
    tp: Option<u64> = None, some(parse_count),
        Flag::new("tp", "N", Where, "Tensor parallel size", "1")
            .also(&[alias("--tensor-parallel-size"), alias("--tp-size"), alias("--tp_size")]).page("tp");
    /// Pipeline parallel size, at least 1: layers are divided. Default 1.
    pp: Option<u64> = None, some(parse_count),
        Flag::new("pp", "N", Where, "Pipeline parallel size", "1")
            .also(&[alias("--pipeline-parallel-size"), alias("--pp-size"), alias("--pp_size")]).reader(Plan).page("pp");
    /// Data parallel size, at least 1: sessions are divided over replicas. Default 1.
    dp: Option<u64> = None, some(parse_count),
        Flag::new("dp", "N", Where, "Data parallel size", "1")
            .also(&[alias("--data-parallel-size"), alias("--dp-size")]).reader(Plan).page("dp");
    /// Decode-context parallel size, a divisor of `tp`: tokens are divided. Default 1.
    dcp: Option<u64> = None, some(parse_count),
        Flag::new("dcp", "N", Where, "Decode-context parallel size", "1")
            .also(&[alias("--decode-context-parallel-size")]).reader(Reader::Engines);
    /// Expert parallelism: routed experts stand whole on the ranks of `tp` × `dp`, shared out. Default off.
    ep: Option<Ranks> = None, some(Ranks::read),
        Flag::new("ep", "on|N", Where, "Expert parallelism: whole experts, shared out over the ranks of tp × dp", "off")
            .also(&[switch("--enable-expert-parallel", "on"), alias("--ep-size"), alias("--ep_size"), alias("--expert-parallel-size"), alias("--moe_expert_parallel_size")])
            .reader(Reader::Engines).page("ep");
    /// Copies of experts beside the model's own under expert parallelism (EPLB). Default 0.
    redundant_experts: Option<u64> = None, or_zero(parse_count),
        Flag::new("redundant-experts", "N", Where, "Copies of experts beside the model's own (EPLB)", "0")
            .takes_zero().also(&[alias("--ep-num-redundant-experts")]).reader(Reader::Engines);
    /// Attention data parallelism: groups of ranks within `tp` that each keep the cache of their own sessions; `on`
    /// takes `dp` for their number. Default off.
    dp_attention: Option<Ranks> = None, some(Ranks::read),
        Flag::new("dp-attention", "on|N", Where, "Data-parallel attention within --tp; on takes --dp for the number of groups", "off")
            .also(&[switch("--enable-dp-attention", "on"), switch("--enable_attention_dp", "on"), alias("--attn-dp-size")])
            .reader(Reader::Engines);
    /// Bytes for the cache on each GPU, at least 1: the budget is not computed then.
    kv_memory: Option<u64> = None, some(parse_size),
        Flag::new("kv-memory", "SIZE", Where, "Bytes for KV on each GPU; skips the budget", "")
            .also(&[alias("--kv-cache-memory-bytes")]).reader(Plan);
    /// Share of the GPU's memory that the engine may use, above 0 and up to 1. Default: the engine's own.
    memory_utilization: Option<Ratio> = None, some(Ratio::parse),
        Flag::new("memory-utilization", "SHARE", Where, "Share of the GPU's memory the engine may use", "0.92")
            .also(&[alias("--gpu-memory-utilization"), alias("--mem-fraction-static"), alias("--kv_cache_free_gpu_memory_fraction"), alias("--free_gpu_memory_fraction")])
            .reader(Plan).page("mu");
    /// Bytes kept free on each GPU in place of what the engine takes beside the weights. Default: what it takes by its
    /// own rule, 2 GiB by the definition.
    reserve: Option<u64> = None, or_zero(parse_size),
        Flag::new("reserve", "SIZE", Where, "Kept free on each GPU in place of all that the engine takes beside the weights", "2GiB").takes_zero().page("rs");

    /// The engine, and its version. Default: the definition, without any engine's rounding.
    engine: Option<EngineId> = None, |_: &str, text: &str| Ok(Some(EngineId::parse(text))),
        Flag::new("engine", "ENGINE", Engine, "Engine, also ENGINE@VERSION; all compares them", "architecture")
            .short('e').reader(Every).page("e");
    /// Attention backend by the engine's own name. Default: the one that the engine chooses.
    attention_backend: Option<String> = None, word,
        Flag::new("attention-backend", "NAME", Engine, "Where the engine's layout depends on it", "");
    /// Tokens of a cache block or page, at least 1. Default: the engine's own.
    block_size: Option<u64> = None, some(parse_count),
        Flag::new("block-size", "TOKENS", Engine, "Tokens of a cache block", "").also(&[alias("--page-size")]).page("bs");
    /// Tokens of one scheduler step, at least 1. Default: the engine's own, by the GPU.
    max_num_batched_tokens: Option<u64> = None, some(parse_tokens),
        Flag::new("max-num-batched-tokens", "TOKENS", Engine, "Tokens of one scheduler step", "")
            .also(&[alias("--chunked-prefill-size"), alias("--max_num_tokens")]).page("bt");
    /// Sessions of one scheduler step, at least 1. Default: the engine's own, by the GPU.
    max_num_seqs: Option<u64> = None, some(parse_count),
        Flag::new("max-num-seqs", "N", Engine, "Sessions of one scheduler step", "")
            .also(&[alias("--max-running-requests"), alias("--max_batch_size")]);
    /// Longest session that the engine admits, tokens, at least 1. Default: `seq`.
    max_model_len: Option<u64> = None, some(parse_tokens),
        Flag::new("max-model-len", "TOKENS", Engine, "Longest session the engine admits", "--seq")
            .also(&[alias("--context-length"), alias("--max_seq_len")]);
    /// Speculative decoding. Default: none.
    speculative: Option<Speculative> = None, some(Speculative::read),
        Flag::new("speculative", "KIND:N", Engine, "ngram:N, mtp:N or eagle:N", "");
    /// vLLM's and SGLang's asynchronous scheduling. Default: as the engine decides.
    async_scheduling: Option<bool> = None, some(on_off),
        Flag::new("async-scheduling", "on|off", Engine, "vLLM's asynchronous scheduling", "on")
            .also(&[switch("--no-async-scheduling", "off"), switch("--disable-overlap-schedule", "off")]);
    /// Prefix caching. Default: as the engine decides.
    prefix_caching: Option<bool> = None, some(on_off),
        Flag::new("prefix-caching", "on|off", Engine, "Prefix caching", "on")
            .also(&[switch("--enable-prefix-caching", "on"), switch("--no-enable-prefix-caching", "off"), switch("--disable-prefix-caching", "off"), switch("--disable-radix-cache", "off")]);
    /// llama.cpp: cells of the context in all, its `-c`; 0 is the model's training context. Default: enough for
    /// `users` slots of `seq`.
    ctx_size: Option<u64> = None, or_zero(parse_tokens),
        Flag::new("ctx-size", "TOKENS", Engine, "llama.cpp: context in all, its -c", "").takes_zero().also(&[alias("-c")]);
    /// llama.cpp: slots, at least 1. Default: `users`.
    n_parallel: Option<u64> = None, some(parse_count),
        Flag::new("n-parallel", "N", Engine, "llama.cpp: slots", "").also(&[alias("--parallel"), alias("-np")]);
    /// llama.cpp: tokens of the logical batch, at least 1. Default 2,048.
    batch: Option<u64> = None, some(parse_count),
        Flag::new("batch", "TOKENS", Engine, "llama.cpp: logical batch", "").also(&[alias("--batch-size"), alias("-b")]);
    /// llama.cpp: tokens of the physical batch; 0 is the logical batch. Default 512.
    ubatch: Option<u64> = None, or_zero(parse_count),
        Flag::new("ubatch", "TOKENS", Engine, "llama.cpp: physical batch", "").takes_zero().also(&[alias("--ubatch-size"), alias("-ub")]);
    /// llama.cpp: one cache for all slots. Default off.
    kv_unified: Option<bool> = None, some(on_off),
        Flag::new("kv-unified", "on|off", Engine, "llama.cpp: one cache for all slots", "")
            .also(&[switch("-kvu", "on"), switch("--no-kv-unified", "off"), switch("-no-kvu", "off")]);
    /// llama.cpp: flash attention. Default auto.
    flash_attn: FlashAttention = FlashAttention::Auto, FlashAttention::read,
        Flag::new("flash-attn", "auto|on|off", Engine, "llama.cpp: flash attention", "").also(&[alias("-fa")]);
    /// transformers: the cache class. Default dynamic.
    cache: CacheKind = CacheKind::Dynamic, CacheKind::read,
        Flag::new("cache", "KIND", Engine, "transformers: dynamic, static or quantized", "dynamic")
            .also(&[alias("--cache-implementation")]);
    /// llama.cpp: window layers keep the whole context. Default off.
    swa_full: bool = false, on_off,
        Flag::new("swa-full", "", Engine, "llama.cpp: window layers keep the whole context", "");
    /// Refuse a `model_type` that no family knows instead of planning it as plain attention. Default off.
    strict: bool = false, on_off,
        Flag::new("strict", "", Engine, "Refuse a model_type that no family knows instead of planning it as plain attention", "").reader(Every);
}
