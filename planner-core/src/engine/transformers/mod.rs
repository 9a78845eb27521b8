//! Hugging Face transformers 5.23: what its cache objects hold after a prompt of every session's tokens, all
//! sessions in one batch.
//!
//! Rules, all of `transformers/cache_utils.py`:
//!
//! - `DynamicLayer` concatenates: `[batch, kv heads, tokens, head_dim]` for keys and for values.
//! - `DynamicSlidingWindowLayer` keeps the last `window − 1` tokens (`[:, :, -window + 1:, :]`). Chunked
//!   attention uses it too, with the chunk as its window. A window of 1 slices from `-0` and so keeps every
//!   token.
//! - `StaticLayer` allocates `--max-model-len` tokens, `StaticSlidingWindowLayer` at most the window. The
//!   encoder's keys and values have their own length.
//! - `DynamicIndexedLayer` and `StaticIndexedLayer` add the indexer's keys, one row per token.
//! - `LinearAttentionLayer` and the hybrid layers keep a convolution state and a recurrent state per session,
//!   in both kinds of cache.
//! - `DummyLayer` keeps nothing: for layers without attention, and for layers that read another layer's cache.
//! - Quantized layers (`QuantizedCache`): see `quantized.rs`.
//! - Compressed layers (`deepseek_v4/modeling_deepseek_v4.py`) keep a row per whole group of tokens
//!   (`tokens_per_state`), the projections of the open group's tokens (dimension `pending`, elements a token)
//!   and the last closed group's (`overlap`, elements). They have no static form. Their keys and values are one
//!   tensor under two names; the cache lists both, so both are counted.

use super::common::{self, kv_dtypes, share};
use super::memory::{BeforeCache, CENT, Constant, MemoryPart, PartKind, figures};
use super::report::{EngineReport, TransformersReport};
use super::{Allocation, Engine, ResolvedRequest, Term, step};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::parallel::stage_slices;
use crate::request::{CacheKind, Request};
use crate::spec::layer::{Content, Extent, Layer, Store};
use crate::text::Words;
use crate::units::{Ratio, product, sum};
use quantized::Stored;

mod quantized;

const ID: &str = "transformers";
const SESSION: Words = words!("bytes of a session");

figures! {
    /// The CUDA context of a process with PyTorch, and what its kernels and cuBLAS keep.
    CONTEXT = 50 * CENT, 25 * CENT, "5.23", "an estimate: 0.3 to 0.5 GiB a process since CUDA 11.7", [];
}

/// The rule of transformers.
#[derive(Debug)]
pub struct Transformers;

impl Engine for Transformers {
    fn id(&self) -> &'static str {
        ID
    }

    fn versions(&self) -> &'static [&'static str] {
        &["5.23.0"]
    }

    fn rule(&self) -> Words {
        words!(
            "tensors as they are; a full window keeps one token less; latents or expanded keys as the class stores them"
        )
    }

    fn citation(&self) -> &'static str {
        "transformers/cache_utils.py"
    }

    /// It has no share: what a GPU has may be taken.
    fn utilization(&self, _: &ResolvedRequest<'_>) -> Ratio {
        Ratio::decimal(1, 0)
    }

    fn before_cache(&self, run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
        BeforeCache::without_share(run, CONTEXT.part(PartKind::OutsideTorch))
    }

    fn constants(&self) -> &'static [Constant] {
        ALL
    }

    fn keeps_lengths_apart(&self) -> bool {
        false
    }

    fn reads(&self, request: &Request) -> &'static [&'static str] {
        match request.cache {
            CacheKind::Static => &["cache", "max-model-len"],
            CacheKind::Dynamic | CacheKind::Quantized => &["cache"],
        }
    }

    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        let stored = quantized::asked(run.request)?;
        let dtype = if stored.is_some() { run.model.dtype } else { cache_dtype(&run)? };
        let length = match run.request.cache {
            CacheKind::Dynamic | CacheKind::Quantized => None,
            CacheKind::Static => Some(static_length(&run)?),
        };
        if let Some(stored) = stored {
            quantized::check(&run, stored, |layer| kept(layer).collect())?;
        }
        let step = run.request.gpu.as_ref().map(|_| step::token_bytes(&run)).transpose()?;
        Ok(Box::new(Cache { run, dtype, length, stored, step }))
    }
}

/// An unquantized cache has the dtype that the model computes in.
fn cache_dtype(run: &ResolvedRequest<'_>) -> Result<DType> {
    let (k, _) = kv_dtypes(run.request, run.model.dtype)?;
    match k {
        DType::F32 | DType::F16 | DType::BF16 => Ok(k),
        _ => Err(Error::bad_value("--kv-dtype", k.name, quantized::NAMES)),
    }
}

/// Tokens a `StaticCache` allocates.
fn static_length(run: &ResolvedRequest<'_>) -> Result<u64> {
    let length = run.request.max_model_len.unwrap_or(run.tokens);
    if run.tokens > length {
        return Err(Error::bad_value(
            "--max-model-len",
            length,
            say!("at least the {0} tokens of a session", run.tokens),
        ));
    }
    let own = |store: &Store| match store.content {
        Content::State { mixer: "lightning", .. } => Some(words!("its own cache class")),
        _ if store.tokens_per_row > 1 => Some(words!("compressed layers, which have no static form")),
        _ if store.dim("decode_window").is_some() => {
            Some(words!("a static cache whose size depends on where the prompt ends"))
        }
        _ => None,
    };
    if let Some(why) = stores(&run.model.layers).find_map(own) {
        return Err(Error::refused(
            Code::TransformersStaticCache,
            say!("this model has no static cache: it has {0}", why),
        )
        .about("--cache")
        .way_out(say!("use {0}", "--cache dynamic")));
    }
    Ok(length)
}

fn kept(layer: &Layer) -> impl Iterator<Item = &Store> {
    layer.stores.iter().filter(|store| store.is_kept_by(ID))
}

fn stores(layers: &[Layer]) -> impl Iterator<Item = &Store> {
    layers.iter().flat_map(kept)
}

/// A cache object of transformers.
struct Cache<'a> {
    run: ResolvedRequest<'a>,
    dtype: DType,
    /// Tokens a static cache allocates.
    length: Option<u64>,
    /// How a quantized cache stores its elements.
    stored: Option<Stored>,
    /// Bytes that a token of a prompt works in, where a GPU is named.
    step: Option<u64>,
}

impl Cache<'_> {
    /// Tokens that a layer has rows for.
    fn held(&self, extent: Extent, tokens: u64) -> u64 {
        match (extent, self.length) {
            (Extent::Session, _) => 1,
            (Extent::Source, _) => self.run.encoder_tokens,
            (Extent::Full, None) => tokens,
            (Extent::Full, Some(length)) => length,
            (Extent::Window(1) | Extent::Chunk(1), None) => tokens,
            (Extent::Window(n) | Extent::Chunk(n), None) => tokens.min(n.saturating_sub(1)),
            (Extent::Window(n) | Extent::Chunk(n), Some(length)) => length.min(n),
        }
    }

    /// Bytes of one session in one store.
    fn store(&self, store: &Store, tokens: u64) -> Result<u64> {
        let held = self.held(store.extent, tokens);
        let elements = match store.content {
            Content::State { conv, recurrent, recurrent_dtype, conv_dtype, .. } => {
                // A convolution state is as wide as its kernel, one column more than the next token needs.
                let conv = match (store.dim("conv_kernel"), store.dim("conv_dim")) {
                    (Some(kernel), Some(dim)) => product(SESSION, &[kernel, dim])?,
                    _ => conv,
                };
                return sum(
                    SESSION,
                    [
                        self.state_dtype(conv_dtype).row_bytes(conv)?,
                        self.state_dtype(recurrent_dtype).row_bytes(recurrent)?,
                    ],
                );
            }
            Content::KeysValues { heads, k_dim, v_dim } | Content::Cross { heads, k_dim, v_dim } => {
                product(SESSION, &[heads, sum(SESSION, [k_dim, v_dim])?])?
            }
            Content::Latent { rank, rope } => sum(SESSION, [rank, rope])?,
            Content::IndexKey { heads, dim } => product(SESSION, &[heads, dim])?,
        };
        let group = store.tokens_per_row.max(1);
        let open = product(SESSION, &[held % group, store.dim("pending").unwrap_or(0)])?;
        let closed = if held >= group { store.dim("overlap").unwrap_or(0) } else { 0 };
        let total = sum(SESSION, [product(SESSION, &[held / group, elements])?, open, closed])?;
        match store.dim("element_bytes") {
            Some(bytes) => product(SESSION, &[total, bytes]),
            None => self.dtype.row_bytes(total),
        }
    }

    /// States in the model's dtype follow the dtype that the model is made to compute in.
    fn state_dtype(&self, own: DType) -> DType {
        let model = self.run.model.dtype;
        if own == model && own != DType::F32 { self.dtype } else { own }
    }

    /// Bytes of `users` sessions in one store.
    fn batch(&self, store: &Store, users: u64, tokens: u64) -> Result<u64> {
        match self.stored {
            None => product(SESSION, &[self.store(store, tokens)?, users]),
            Some(stored) => self.quantized(stored, store, users, tokens),
        }
    }

    /// Bytes of `users` sessions in some layers of a tensor-parallel rank.
    fn layers(&self, layers: &[Layer], users: u64, tokens: u64, tp: u64) -> Result<u64> {
        let mut total = 0;
        for (count, store) in common::kept(layers, ID) {
            let all = self.batch(&share(store, tp), users, tokens)?;
            total = sum(SESSION, [total, product(SESSION, &[all, count])?])?;
        }
        Ok(total)
    }

    /// Bytes of all sessions in one store. Groups and scales are over the batch.
    fn quantized(&self, stored: Stored, store: &Store, users: u64, tokens: u64) -> Result<u64> {
        let mut both = 0;
        for width in quantized::sides(store) {
            let elements = product(SESSION, &[users, tokens, width])?;
            both = sum(SESSION, [both, stored.side(elements, self.dtype.bytes)?])?;
        }
        Ok(both)
    }

    fn class(&self) -> &'static str {
        let mut mixers = stores(&self.run.model.layers).filter_map(|store| match store.content {
            Content::State { mixer, .. } => Some(mixer),
            _ => None,
        });
        match mixers.next() {
            Some("lightning") => return "MiniMaxCache",
            Some("xlstm" | "mlstm") => return "xLSTMCache",
            Some("rwkv") => return "list",
            _ => {}
        }
        if stores(&self.run.model.layers).any(|store| store.extent == Extent::Source) {
            return "EncoderDecoderCache";
        }
        match (self.stored, self.length) {
            (Some(_), _) => "QuantizedCache",
            (None, Some(_)) => "StaticCache",
            (None, None) => "DynamicCache",
        }
    }
}

impl Allocation for Cache<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        self.total_bytes(1, tokens)
    }

    fn terms(&self, tokens: u64) -> Result<Vec<Term>> {
        let term = |(layers, store): (u64, &Store)| {
            // Compressed layers also keep open groups.
            let whole = store.tokens_per_row <= 1;
            let row = store.row_bytes(self.dtype, self.dtype).ok().filter(|_| whole);
            Ok(Term::of_layers(store, layers, self.batch(store, 1, tokens)?, row))
        };
        common::kept(&self.run.model.layers, ID).map(term).collect()
    }

    fn total_bytes(&self, users: u64, tokens: u64) -> Result<u64> {
        self.layers(&self.run.model.layers, users, tokens, 1)
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        let parallel = self.run.parallel;
        let stages = stage_slices(&self.run.model.layers, parallel.pp);
        stages.into_iter().map(|own| self.layers(own, users, tokens, parallel.tp)).collect()
    }

    /// `generate` runs all prompts in one forward pass (`_prefill` of `generation/utils.py`).
    fn working(&self, users: u64, tokens: u64) -> Result<Vec<MemoryPart>> {
        let Some(step) = self.step else { return Ok(Vec::new()) };
        let part = step::prompts(&self.run, step, users, tokens)?;
        Ok(vec![part; usize::try_from(self.run.parallel.pp).unwrap_or(1)])
    }

    fn min_session_bytes(&self) -> Result<u64> {
        self.session_bytes(0)
    }

    fn report(&self, _: Option<&[u64]>) -> Result<EngineReport> {
        let report = TransformersReport {
            cache: self.class(),
            max_cache_len: self.length,
            backend: self.stored.map(Stored::backend),
        };
        let notes = self.stored.and_then(Stored::note).into_iter().collect();
        Ok(EngineReport::new(report, None, notes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::request::Request;
    use crate::source::from_config_json;

    /// 3 layers, 2 KV heads of 16.
    const TINY: &str = r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16",
        "num_hidden_layers": 3, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "intermediate_size": 64, "vocab_size": 100, "max_position_embeddings": 64}"#;

    fn total(flags: &[(&str, &str)]) -> Result<u64> {
        let model = from_config_json(TINY, true)?;
        let mut request = Request::default();
        for (flag, value) in [("engine", "transformers")].iter().chain(flags) {
            request.set(flag, value)?;
        }
        Ok(plan(&model, &request)?.engine.total_bytes)
    }

    #[test]
    fn a_dynamic_cache_holds_the_tokens_seen() {
        assert_eq!(total(&[("seq", "5"), ("users", "3")]), Ok(3 * 2 * 2 * 16 * 2 * 5 * 3));
        assert_eq!(total(&[("seq", "5"), ("kv-dtype", "f32")]), Ok(3 * 2 * 2 * 16 * 4 * 5));
    }

    #[test]
    fn a_static_cache_holds_its_maximum() {
        let flags = [("seq", "5"), ("cache", "static"), ("max-model-len", "40")];
        assert_eq!(total(&flags), Ok(3 * 2 * 2 * 16 * 2 * 40));
        assert!(total(&[("seq", "50"), ("cache", "static"), ("max-model-len", "40")]).is_err());
    }

    /// As transformers 5.23.0 allocates it for this model: 1,176 and 12,120 bytes for 1 × 6 and 3 × 21 tokens.
    #[test]
    fn an_fp8_cache_has_two_scales_per_layer_whatever_the_batch() {
        assert_eq!(total(&[("seq", "6"), ("kv-dtype", "fp8")]), Ok(1_176));
        assert_eq!(total(&[("seq", "21"), ("users", "3"), ("kv-dtype", "fp8")]), Ok(12_120));
        assert!(total(&[("seq", "6"), ("kv-dtype", "q8_0")]).is_err());
    }

    #[test]
    fn a_sliding_layer_keeps_one_token_less_than_its_window() -> Result<()> {
        let model = from_config_json(TINY, true)?;
        let request = Request::default();
        let (run, _) = crate::plan::resolve(&model, &request)?;
        let held = |length, extent, tokens| {
            Cache { run, dtype: DType::BF16, length, stored: None, step: None }.held(extent, tokens)
        };
        assert_eq!(held(None, Extent::Window(128), 127), 127);
        assert_eq!(held(None, Extent::Window(128), 5000), 127);
        assert_eq!(held(None, Extent::Chunk(8192), 9000), 8191);
        assert_eq!(held(None, Extent::Window(1), 9), 9);
        assert_eq!(held(Some(1024), Extent::Window(128), 17), 128);
        assert_eq!(held(Some(64), Extent::Window(128), 17), 64);
        Ok(())
    }
}
