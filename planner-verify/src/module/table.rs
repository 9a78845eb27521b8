//! One row per module of candle-transformers: how it is built and fed.

use candle_core::{Result, Tensor};
use candle_transformers::models::{
    bigcode, chatglm, deepseek2, gemma, gemma2, gemma3, gemma4, granite, granitemoehybrid,
    helium, lfm2, llama, mamba, mamba2, marian, mistral, mixtral, olmo, olmo2, phi, phi3, qwen2, qwen2_moe,
    qwen3, qwen3_moe, recurrent_gemma, smol::smollm3, stable_lm, starcoder2, t5, whisper,
};

use super::{Given, Step};

/// Builds a module.
pub type Build = fn(Given) -> Result<Step>;

/// A step whose output is not looked at.
fn step(mut forward: impl FnMut(&Tensor, usize) -> Result<Tensor> + 'static) -> Result<Step> {
    Ok(Box::new(move |ids, at| forward(ids, at).map(drop)))
}

/// Builds from the module's own configuration and feeds ids and their position.
macro_rules! plain {
    ($module:ident :: $model:ident) => {
        |given| {
            let mut model = $module::$model::new(&given.read()?, given.weights.clone())?;
            step(move |ids, at| model.forward(ids, at))
        }
    };
}

/// The same where a separate object holds the cache.
macro_rules! with_cache {
    ($module:ident :: $model:ident, $cache:ident, $config:ty) => {
        |given| {
            let config = given.read::<$config>()?.into_config(false);
            let model = $module::$model::load(given.weights.clone(), &config)?;
            let mut cache = $module::$cache::new(true, given.dtype, &config, given.weights.device())?;
            step(move |ids, at| model.forward(ids, at, &mut cache))
        }
    };
}

/// Feeds token by token and gives what the last one gave.
fn one_by_one(ids: &Tensor, mut forward: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let steps = (0..ids.dim(1)?).map(|at| forward(&ids.narrow(1, at, 1)?));
    steps.last().unwrap_or_else(|| candle_core::bail!("no tokens"))
}

/// The same where a separate state is fed token by token.
macro_rules! with_state {
    ($module:ident) => {
        |given| {
            let config = given.read()?;
            let model = $module::Model::new(&config, given.weights.clone())?;
            let mut state =
                $module::State::new(given.sessions, &config, given.dtype, given.weights.device())?;
            step(move |ids, _| one_by_one(ids, |id| model.forward(&id.squeeze(1)?, &mut state)))
        }
    };
}

/// The modules, by their path below `candle_transformers::models`. Not here, but in the engine's table:
/// `falcon` and
/// `glm4_new`, which cannot decode two sessions; `mpt`, whose configuration only the crate itself can make (one of 3B); and `paddleocr_vl::text` and
/// `qwen3_vl::text`, which want embedded images or their masks.
static MODULES: &[(&str, Build)] = &[
    ("bigcode", |given| {
        let config = bigcode::Config {
            vocab_size: given.size("vocab_size")?,
            max_position_embeddings: given.size("n_positions")?,
            num_hidden_layers: given.size("n_layer")?,
            hidden_size: given.size("n_embd")?,
            layer_norm_epsilon: 1e-5,
            n_inner: given.size("n_inner").ok(),
            num_attention_heads: given.size("n_head")?,
            multi_query: true,
            use_cache: true,
        };
        let mut model = bigcode::GPTBigCode::load(given.weights, config)?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("chatglm", |given| {
        let config = chatglm::Config {
            num_layers: given.size("num_layers")?,
            padded_vocab_size: given.size("padded_vocab_size")?,
            hidden_size: given.size("hidden_size")?,
            ffn_hidden_size: given.size("ffn_hidden_size")?,
            kv_channels: given.size("kv_channels")?,
            num_attention_heads: given.size("num_attention_heads")?,
            seq_length: given.size("seq_length")?,
            multi_query_group_num: given.size("multi_query_group_num")?,
            ..chatglm::Config::glm3_6b()
        };
        let mut model = chatglm::Model::new(&config, given.weights)?;
        step(move |ids, _| model.forward(ids))
    }),
    ("deepseek2", plain!(deepseek2::DeepSeekV2)),
    ("gemma", |mut given| {
        // It takes one of two names of the same key.
        given.config.remove("hidden_act");
        let mut model = gemma::Model::new(false, &given.read()?, given.weights.clone())?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("gemma2", |given| {
        let mut model = gemma2::Model::new(false, &given.read()?, given.weights.clone())?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("gemma3", |given| {
        let mut model = gemma3::Model::new(false, &given.read()?, given.weights.clone())?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("gemma4::text", |given| {
        let mut model = gemma4::text::TextModel::new(&given.read()?, given.weights.clone())?;
        step(move |ids, at| model.forward(ids, at))
    }),
    ("granite", with_cache!(granite::Granite, Cache, granite::GraniteConfig)),
    ("granitemoehybrid", |given| {
        let config = given.read::<granitemoehybrid::GraniteMoeHybridConfig>()?.into_config(false);
        let model = granitemoehybrid::GraniteMoeHybrid::load(given.weights.clone(), &config)?;
        let device = given.weights.device();
        let mut cache =
            granitemoehybrid::GraniteMoeHybridCache::new(true, given.dtype, &config, device)?;
        step(move |ids, at| model.forward(ids, at, &mut cache))
    }),
    ("helium", plain!(helium::Model)),
    ("lfm2", |given| {
        let config = given.read::<lfm2::Lfm2Config>()?.into_config(false);
        let model = lfm2::Model::new(&config, given.weights.clone())?;
        let mut cache = lfm2::Cache::new(true, given.dtype, &config, given.weights.device())?;
        step(move |ids, at| model.forward(ids, at, &mut cache))
    }),
    ("llama", with_cache!(llama::Llama, Cache, llama::LlamaConfig)),
    ("mamba", with_state!(mamba)),
    ("mamba2", with_state!(mamba2)),
    ("marian", |given| {
        let source = given.source.clone();
        let mut model = marian::MTModel::new(&given.read()?, given.weights.clone())?;
        step(move |ids, at| model.decode(ids, &source, at))
    }),
    ("mistral", plain!(mistral::Model)),
    ("mixtral", plain!(mixtral::Model)),
    ("olmo", plain!(olmo::Model)),
    ("olmo2", plain!(olmo2::Model)),
    ("phi", |given| {
        let mut model = phi::Model::new(&given.read()?, given.weights.clone())?;
        step(move |ids, _| model.forward(ids))
    }),
    ("phi3", plain!(phi3::Model)),
    ("qwen2", plain!(qwen2::ModelForCausalLM)),
    ("qwen2_moe", plain!(qwen2_moe::Model)),
    ("qwen3", plain!(qwen3::ModelForCausalLM)),
    ("qwen3_moe", plain!(qwen3_moe::ModelForCausalLM)),
    ("recurrent_gemma", plain!(recurrent_gemma::Model)),
    ("smol::smollm3", plain!(smollm3::ModelForCausalLM)),
    ("stable_lm", plain!(stable_lm::Model)),
    ("starcoder2", plain!(starcoder2::Model)),
    ("t5", |given| {
        let source = given.source.clone();
        let mut model = t5::T5ForConditionalGeneration::load(given.weights.clone(), &given.read()?)?;
        // Its mask is f32 whatever the scores are; one token needs none.
        step(move |ids, _| one_by_one(ids, |id| model.decode(id, &source)))
    }),
    ("whisper::model", |given| {
        let source = given.source.clone();
        let mut model = whisper::model::Whisper::load(&given.weights, given.read()?)?;
        step(move |ids, at| {
            // Its decoder takes the whole text every time: only the encoder's keys and values are kept.
            let (sessions, new) = ids.dims2()?;
            let all = Tensor::ones((sessions, at + new), ids.dtype(), ids.device())?;
            model.decoder.forward(&all, &source, false)
        })
    }),
];

/// How a module of a full path is built.
pub fn of(name: &str) -> Option<Build> {
    let name = name.strip_prefix("candle_transformers::models::")?;
    MODULES.iter().find(|(module, _)| *module == name).map(|(_, build)| *build)
}
