//! One row per module of candle-transformers: how it is built and fed.

use candle_core::{DType, Result, Tensor};
use candle_transformers::models::{
    bigcode, deepseek2, falcon, gemma, gemma2, gemma3, gemma4, glm4_new, granite, granitemoehybrid, helium,
    lfm2, llama, mamba, mamba2, marian, mistral, mixtral, olmo, olmo2, phi, phi3, qwen2, qwen2_moe, qwen3,
    qwen3_moe, recurrent_gemma, smol::smollm3, stable_lm, starcoder2, t5, whisper,
};

use super::{BuildInput, Step};

/// Builds a module.
pub type Build = fn(BuildInput) -> Result<Step>;

/// A step whose output is ignored.
fn step(mut forward: impl FnMut(&Tensor, usize) -> Result<Tensor> + 'static) -> Result<Step> {
    Ok(Box::new(move |ids, at| forward(ids, at).map(drop)))
}

/// Builds from the module's own configuration and feeds ids and their position.
macro_rules! plain {
    ($module:ident :: $model:ident) => {
        |input| {
            let mut model = $module::$model::new(&input.read()?, input.weights.clone())?;
            step(move |ids, at| model.forward(ids, at))
        }
    };
}

/// The same where a separate object holds the cache.
macro_rules! with_cache {
    ($module:ident :: $model:ident, $cache:ident, $config:ty) => {
        |input| {
            let config = input.read::<$config>()?.into_config(false);
            let model = $module::$model::load(input.weights.clone(), &config)?;
            let mut cache = $module::$cache::new(true, input.dtype, &config, input.weights.device())?;
            step(move |ids, at| model.forward(ids, at, &mut cache))
        }
    };
}

/// The same, fed token by token even at first.
fn one_by_one(mut forward: impl FnMut(&Tensor, usize) -> Result<Tensor> + 'static) -> Result<Step> {
    Ok(Box::new(move |ids, at| {
        (0..ids.dim(1)?).try_for_each(|token| forward(&ids.narrow(1, token, 1)?, at + token).map(drop))
    }))
}

/// The same where a separate state is fed token by token.
macro_rules! with_state {
    ($module:ident) => {
        |input| {
            let config = input.read()?;
            let model = $module::Model::new(&config, input.weights.clone())?;
            // Made at the first token: its bytes are part of the measurement.
            let mut state = None;
            one_by_one(move |id, _| {
                let state = match &mut state {
                    Some(state) => state,
                    None => state.insert($module::State::new(
                        input.sessions,
                        &config,
                        input.dtype,
                        input.weights.device(),
                    )?),
                };
                model.forward(&id.squeeze(1)?, state)
            })
        }
    };
}

/// What differs between the two runs whose heaps are compared. All but the cache is equal in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vary {
    /// One session and two.
    Sessions,
    /// Elements of two bytes and of four. For modules that decode one session only (`falcon` broadcasts one KV
    /// head over the heads of one session; `glm4_new` takes the positions of the first session alone; `lfm2`
    /// and `mamba` multiply a batch with one row), and for `mamba2`.
    Dtypes,
}

use Vary::{Dtypes, Sessions};

/// The modules, by path below `candle_transformers::models`. Some modules of the engine's table are not run
/// here: only the crate itself can make the configuration of `mpt` and read that of `chatglm`;
/// `paddleocr_vl::text` and `qwen3_vl::text` need embedded images or their masks.
static MODULES: &[(&str, Vary, Build)] = &[
    ("bigcode", Sessions, |input| {
        let config = bigcode::Config {
            vocab_size: input.size("vocab_size")?,
            max_position_embeddings: input.size("n_positions")?,
            num_hidden_layers: input.size("n_layer")?,
            hidden_size: input.size("n_embd")?,
            layer_norm_epsilon: 1e-5,
            n_inner: input.size("n_inner").ok(),
            num_attention_heads: input.size("n_head")?,
            multi_query: true,
            use_cache: true,
        };
        let mut model = bigcode::GPTBigCode::load(input.weights, config)?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("deepseek2", Sessions, plain!(deepseek2::DeepSeekV2)),
    ("falcon", Dtypes, |input| {
        let mut model = falcon::Falcon::load(input.weights.clone(), input.read()?)?;
        // Its position tables are made at the first token.
        model.forward(&Tensor::ones((input.sessions, 1), DType::U32, input.weights.device())?)?;
        model.clear_kv_cache();
        step(move |ids, _| model.forward(ids))
    }),
    ("gemma", Sessions, |mut input| {
        // It accepts two names for one key.
        input.config.remove("hidden_act");
        let mut model = gemma::Model::new(false, &input.read()?, input.weights.clone())?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("gemma2", Sessions, |input| {
        let mut model = gemma2::Model::new(false, &input.read()?, input.weights.clone())?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("gemma3", Sessions, |input| {
        let mut model = gemma3::Model::new(false, &input.read()?, input.weights.clone())?;
        one_by_one(move |id, at| model.forward(id, at))
    }),
    ("gemma4::text", Sessions, |input| {
        let mut model = gemma4::text::TextModel::new(&input.read()?, input.weights.clone())?;
        one_by_one(move |id, at| model.forward(id, at))
    }),
    ("glm4_new", Dtypes, plain!(glm4_new::ModelForCausalLM)),
    ("granite", Sessions, with_cache!(granite::Granite, Cache, granite::GraniteConfig)),
    ("granitemoehybrid", Sessions, |input| {
        let config = input.read::<granitemoehybrid::GraniteMoeHybridConfig>()?.into_config(false);
        let model = granitemoehybrid::GraniteMoeHybrid::load(input.weights.clone(), &config)?;
        let device = input.weights.device();
        let mut cache = granitemoehybrid::GraniteMoeHybridCache::new(true, input.dtype, &config, device)?;
        step(move |ids, at| model.forward(ids, at, &mut cache))
    }),
    ("helium", Sessions, plain!(helium::Model)),
    ("lfm2", Dtypes, |input| {
        let config = input.read::<lfm2::Lfm2Config>()?.into_config(false);
        let model = lfm2::Model::new(&config, input.weights.clone())?;
        let mut cache = lfm2::Cache::new(true, input.dtype, &config, input.weights.device())?;
        step(move |ids, at| model.forward(ids, at, &mut cache))
    }),
    ("llama", Sessions, with_cache!(llama::Llama, Cache, llama::LlamaConfig)),
    ("mamba", Dtypes, with_state!(mamba)),
    ("mamba2", Dtypes, with_state!(mamba2)),
    ("marian", Sessions, |input| {
        let source = input.source.clone();
        let mut model = marian::MTModel::new(&input.read()?, input.weights.clone())?;
        step(move |ids, at| model.decode(ids, &source, at))
    }),
    ("mistral", Sessions, plain!(mistral::Model)),
    ("mixtral", Sessions, plain!(mixtral::Model)),
    ("olmo", Sessions, plain!(olmo::Model)),
    ("olmo2", Sessions, plain!(olmo2::Model)),
    ("phi", Sessions, |input| {
        let mut model = phi::Model::new(&input.read()?, input.weights.clone())?;
        step(move |ids, _| model.forward(ids))
    }),
    ("phi3", Sessions, plain!(phi3::Model)),
    ("qwen2", Sessions, plain!(qwen2::ModelForCausalLM)),
    ("qwen2_moe", Sessions, plain!(qwen2_moe::Model)),
    ("qwen3", Sessions, plain!(qwen3::ModelForCausalLM)),
    ("qwen3_moe", Sessions, plain!(qwen3_moe::ModelForCausalLM)),
    ("recurrent_gemma", Sessions, plain!(recurrent_gemma::Model)),
    ("smol::smollm3", Sessions, plain!(smollm3::ModelForCausalLM)),
    ("stable_lm", Sessions, plain!(stable_lm::Model)),
    ("starcoder2", Sessions, plain!(starcoder2::Model)),
    ("t5", Sessions, |input| {
        let source = input.source.clone();
        let mut model = t5::T5ForConditionalGeneration::load(input.weights.clone(), &input.read()?)?;
        // Its mask is f32 whatever the scores are; one token needs none.
        one_by_one(move |id, _| model.decode(id, &source))
    }),
    ("whisper::model", Sessions, |input| {
        let source = input.source.clone();
        let mut model = whisper::model::Whisper::load(&input.weights, input.read()?)?;
        step(move |ids, at| {
            // Its decoder takes the whole text every time, so only the encoder's keys and values are cached.
            let (sessions, new) = ids.dims2()?;
            let all = Tensor::ones((sessions, at + new), ids.dtype(), ids.device())?;
            model.decoder.forward(&all, &source, false)
        })
    }),
];

/// How a module of a full path is built.
pub fn of(name: &str) -> Option<(Vary, Build)> {
    let name = name.strip_prefix("candle_transformers::models::")?;
    MODULES.iter().find(|(module, ..)| *module == name).map(|(_, vary, build)| (*vary, *build))
}
