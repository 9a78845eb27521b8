//! What the parts of memory depend on: the size of a step, the model's widths, the GPU and the model runner.
//!
//! Restates `use_v2_model_runner` of `vllm/config/vllm.py`, vLLM 0.22.1, 0.27.1 and 0.33.0.

use crate::engine::ResolvedRequest;
use crate::engine::vllm::model::architectures;
use crate::engine::vllm::settings;
use crate::engine::vllm::version::{self, Version};
use crate::error::Result;
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Content, Extent};
use crate::spec::model::{ModelSpec, WeightModule};

/// The engine's two model runners; one of them profiles the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// `vllm/v1/worker/gpu_model_runner.py`.
    V1,
    /// `vllm/v1/worker/gpu/model_runner.py`.
    V2,
}

/// Mixtures of experts and hybrids that run on the second runner from 0.25 to 0.28
/// (`DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES`).
const EARLY_V2: [&str; 7] = [
    "DeepseekV2ForCausalLM",
    "GraniteMoeForCausalLM",
    "InklingForCausalLM",
    "InklingForConditionalGeneration",
    "KimiK3ForConditionalGeneration",
    "LongcatFlashNgramForCausalLM",
    "Qwen2MoeForCausalLM",
];

/// Facts that the parts of memory depend on.
pub struct Run<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// Its configuration.
    pub config: HfConfig<'a>,
    /// The request.
    pub resolved: &'a ResolvedRequest<'a>,
    /// The release.
    pub version: Version,
    /// The runner.
    pub runner: Runner,
    /// Compute capability; Hopper's where the GPU's is not known.
    pub capability: (u64, u64),
    /// Tokens of one step (`max_num_batched_tokens`).
    pub tokens: u64,
    /// Sequences of one step (`max_num_seqs`), at most its tokens.
    pub sequences: u64,
    /// Tensor parallel size.
    pub tp: u64,
    /// Whether any weights are quantized.
    pub quantized: bool,
}

impl<'a> Run<'a> {
    /// Of a request.
    ///
    /// # Errors
    /// A step's size that the engine refuses.
    pub fn of(resolved: &'a ResolvedRequest<'a>) -> Result<Self> {
        let (model, request) = (resolved.model, resolved.request);
        let config = HfConfig::of(model);
        let version = Version::of(resolved.version);
        let max_model_len = request.max_model_len.unwrap_or(resolved.tokens);
        let crosses =
            model.layers.iter().flat_map(|layer| &layer.stores).any(|store| store.extent == Extent::Source);
        let tokens = settings::batched(request, version, config, max_model_len, crosses)?;
        let (_, sequences) = settings::batch_defaults(request, version);
        let capability = request.gpu.as_ref().and_then(|gpu| gpu.capability()).unwrap_or((9, 0));
        Ok(Self {
            model,
            config,
            resolved,
            version,
            runner: runner(model, config, version),
            capability,
            tokens,
            sequences: request.max_num_seqs.unwrap_or(sequences).min(tokens),
            tp: resolved.parallel.tp,
            quantized: config.quantization().is_some() || request.weight_dtype.is_some(),
        })
    }

    /// Whether the GPU is Hopper, where FlashAttention 3 runs.
    pub fn is_hopper(&self) -> bool {
        self.capability.0 == 9
    }

    /// Whether experts are stored in MXFP4 and run by its kernels (gpt-oss).
    pub fn is_mxfp4(&self) -> bool {
        self.config.quant_method() == Some("mxfp4")
    }

    /// Whether NVLink joins GPUs of this kind: data centre cards from A100 on.
    pub fn has_nvlink(&self) -> bool {
        self.capability == (8, 0) || matches!(self.capability.0, 9 | 10)
    }

    /// Modules of one part.
    pub fn part(&self, part: &'static str) -> impl Iterator<Item = &'a WeightModule> {
        self.model.modules.iter().filter(move |module| module.part == part)
    }
}

/// The model runner of a release for a model.
pub fn runner(model: &ModelSpec, config: HfConfig<'_>, version: Version) -> Runner {
    if version.is_in(version::V2_RUNNER) {
        return Runner::V2;
    }
    let experts = model.modules.iter().any(|module| module.part == "experts");
    if version.is_in(version::V2_RUNNER_FOR_DENSE) {
        let states = model.layers.iter().flat_map(|layer| &layer.stores);
        let stateful = states.into_iter().any(|store| matches!(store.content, Content::State { .. }));
        let hybrid = stateful || architectures::hybrid(config.class);
        let taken = EARLY_V2.contains(&config.class) || !experts && !hybrid;
        return if taken { Runner::V2 } else { Runner::V1 };
    }
    let qwen3 = config.class == "Qwen3ForCausalLM" && config.quantization().is_none();
    if version.is_in(version::V2_RUNNER_FOR_QWEN3) && qwen3 { Runner::V2 } else { Runner::V1 }
}
