//! candle-transformers' own llama module, beside what the `candle` engine says of it.
//!
//! The module keeps its cache to itself, so what counts is how the heap grows between two counts of
//! tokens and between one layer and two: offsets such as rotary tables and tensor headers cancel.
//! Query heads are as many as KV heads and the feed-forward is narrow, on which no cache depends.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama};
use planner_core::spec::layer::{Content, Extent};
use planner_core::spec::model::ModelSpec;

use crate::alloc::live_bytes;

/// The two counts of tokens, the prompt included.
pub const TOKENS: [usize; 2] = [8, 24];

/// Tokens of the prompt.
const PROMPT: usize = 4;

const VOCAB: usize = 128;

/// How one layer of the module grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Heap bytes that one layer's cache gained between the two counts of tokens.
    pub layer_bytes: u64,
}

/// The heads and width of a model that the llama module runs: every layer the same, keys as wide as values.
pub fn shape(model: &ModelSpec) -> Option<(usize, usize)> {
    if model.model_type != "llama" {
        return None;
    }
    let first = model.layers.first()?;
    let [store] = first.stores.as_slice() else { return None };
    let same = model.layers.iter().all(|layer| layer.owner.is_none() && layer.stores == first.stores);
    match (store.content, store.extent) {
        (Content::KeysValues { heads, k_dim, v_dim }, Extent::Full) if same && k_dim == v_dim => {
            Some((usize::try_from(heads).ok()?, usize::try_from(k_dim).ok()?))
        }
        _ => None,
    }
}

/// Runs the module with one layer and with two.
pub fn run((kv_heads, head_dim): (usize, usize), dtype: DType) -> Result<Growth> {
    let one = grown(1, kv_heads, head_dim, dtype)?;
    let two = grown(2, kv_heads, head_dim, dtype)?;
    Ok(Growth { layer_bytes: u64::try_from(two - one).unwrap_or(0) })
}

fn grown(layers: usize, kv_heads: usize, head_dim: usize, dtype: DType) -> Result<i128> {
    let device = Device::Cpu;
    let config = Config {
        hidden_size: kv_heads * head_dim,
        intermediate_size: 64,
        vocab_size: VOCAB,
        num_hidden_layers: layers,
        num_attention_heads: kv_heads,
        num_key_value_heads: kv_heads,
        use_flash_attn: false,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: 64,
        tie_word_embeddings: true,
    };
    let model = Llama::load(VarBuilder::zeros(dtype, &device), &config)?;
    let mut cache = Cache::new(true, dtype, &config, &device)?;
    let ids = |count: usize| Tensor::ones((1, count), DType::U32, &device);
    drop(model.forward(&ids(PROMPT)?, 0, &mut cache)?);
    let mut live = [0_i128; 2];
    let mut seen = PROMPT;
    for (&tokens, live) in TOKENS.iter().zip(&mut live) {
        while seen < tokens {
            drop(model.forward(&ids(1)?, seen, &mut cache)?);
            seen += 1;
        }
        *live = live_bytes();
    }
    Ok(live[1] - live[0])
}
