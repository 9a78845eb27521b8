//! Model classes that vLLM 0.33.0 builds itself, and their traits.
//!
//! Read from its registry (`vllm/model_executor/models/registry.py`): every class was asked (`SupportsPP`,
//! `IsHybrid`). Draft and pooling classes are left out. Sorted.

use serde_json::Value as Json;

use super::classes::KNOWN;
use super::transformers_classes::COMPATIBLE;
use crate::error::{Code, Error};
use crate::spec::hf_config::HfConfig;
use crate::text::{Sentence, Words};

/// Whether the engine builds this class itself. Other classes run through its Transformers backend, if at all.
pub fn known(class: &str) -> bool {
    KNOWN.binary_search(&class).is_ok()
}

/// Classes that the Transformers backend accepts and cannot build, with the reason in their modeling files.
const UNFIT: [(&str, Words); 4] = [
    (
        "ChameleonForConditionalGeneration",
        words!("its Transformers backend finds no decoder among the classes of `{0}`"),
    ),
    ("DiffLlamaForCausalLM", WITHOUT_INTERFACE),
    (
        "GitForCausalLM",
        words!("`{0}` looks its attention up in a table of its own, which holds none of vLLM's"),
    ),
    (
        "IdeficsForVisionText2Text",
        words!(
            "more than one module of a layer of `{0}` attends, and one vLLM attention layer cannot serve them"
        ),
    ),
];

const WITHOUT_INTERFACE: Words = words!(
    "`{0}` does not attend through the Transformers attention interface, the only way to vLLM's attention"
);

/// Endings of generating classes. A class with another ending pools or drafts, and its backbone is planned.
const GENERATING: [&str; 4] = ["ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ModelWithLMHead"];

/// Why the engine cannot run a class that it does not build itself. Its Transformers backend replaces
/// attention, but neither state layers nor cross-attention, and it needs a class of transformers that supports
/// it. A checkpoint's own code (`auto_map`) may support it too; that is not known here.
pub fn not_run(config: HfConfig, only_states: bool, crosses: bool) -> Option<Error> {
    let class = config.class;
    if known(class) {
        return None;
    }
    let generates = GENERATING.iter().any(|end| class.ends_with(end));
    if generates && COMPATIBLE.binary_search(&class).is_err() && config.root.get("auto_map").is_none() {
        let words = format!("Model architectures ['{class}'] are not supported for now.");
        return Some(Error::quoted(Code::VllmClass, words).about(class));
    }
    let because = |why: Words| {
        Some(Error::refused(Code::VllmClass, Sentence::of(why, vec![Sentence::verbatim(class)])).about(class))
    };
    if let Some((_, why)) = UNFIT.iter().find(|(unfit, _)| *unfit == class) {
        return because(*why);
    }
    let counts = |key: &str| config.text.contains_key(key);
    if counts("encoder_layers") && counts("decoder_layers") {
        return because(words!(
            "the forward method of `{0}`, half of an encoder-decoder, has no argument `position_ids`"
        ));
    }
    if only_states {
        return because(WITHOUT_INTERFACE);
    }
    if crosses {
        return because(words!(
            "`{0}` is an encoder-decoder, which it runs only where it builds the class itself"
        ));
    }
    None
}

/// First letters of classes with specs of their own under `vllm/models/` and
/// `vllm/model_executor/layers/attention/`.
const NOT_RESTATED: [&str; 7] =
    ["DeepseekV41", "Dots3Note", "Glm5Next", "Qwen4Exp", "Step5", "UnlimitedOCR", "VoxtralRealtime"];

/// Refuses configurations that the engine's class cannot build, and classes without a rule here.
pub fn refused(config: HfConfig) -> Option<Error> {
    let empty = |key: &str| config.text.get(key).is_some_and(Json::is_null);
    if NOT_RESTATED.iter().any(|class| config.class.starts_with(class)) {
        let caches = say!("the caches of `{0}` (rings, pooled keys, several latents)", config.class);
        let refusal = Error::refused(Code::VllmNotRestatedClass, caches).about(config.class);
        return Some(refusal.way_out(say!("use {0}", "--engine architecture")));
    }
    if config.class.starts_with("KimiLinear") && !config.flag("mla_use_nope") {
        let words = "Kimi-K3 MLA (MultiHeadLatentAttention) is NoPE-only";
        return Some(Error::quoted(Code::VllmMlaNotNope, words).about("mla_use_nope"));
    }
    let experts = config.number(&["n_routed_experts"]).is_some();
    if config.class.starts_with("DeepseekV") && experts && (empty("n_group") || empty("topk_group")) {
        // in vllm/model_executor/models/deepseek_v2.py grouped top-k is always on
        let words = "num_expert_group and topk_group must be provided when use_grouped_topk is True";
        return Some(Error::quoted(Code::VllmGroupedTopk, words).about("n_group"));
    }
    None
}

/// Whether the class has no pipeline parallelism.
pub fn without_pipeline(class: &str) -> bool {
    WITHOUT_PIPELINE.binary_search(&class).is_ok()
}

/// Whether the class has both attention and states (`is_hybrid`).
pub fn hybrid(class: &str) -> bool {
    HYBRID.binary_search(&class).is_ok()
}

/// Classes with attention and states.
pub const HYBRID: &[&str] = &[
    "AliceAIForCausalLM",
    "BailingMoeV2_5ForCausalLM",
    "BailingMoeV3ForCausalLM",
    "BailingMoeV3VLForConditionalGeneration",
    "ClefFlashForJointSchema",
    "ColBERTLfm2Model",
    "ColQwen3_5",
    "D3ForSequenceClassification",
    "FalconH1ForCausalLM",
    "Glm5NextForCausalLM",
    "Glm5NextForConditionalGeneration",
    "GraniteMoeHybridForCausalLM",
    "InternS2MobiusForConditionalGeneration",
    "InternS2PreviewForConditionalGeneration",
    "JambaForCausalLM",
    "JambaForSequenceClassification",
    "KimiK3ForConditionalGeneration",
    "KimiLinearForCausalLM",
    "Lfm2ForCausalLM",
    "Lfm2MoeForCausalLM",
    "Lfm2VlForConditionalGeneration",
    "MiniCPMOcrForConditionalGeneration",
    "MiniCPMV4_6ForConditionalGeneration",
    "MiniCPMV4_7ForConditionalGeneration",
    "NemotronHForCausalLM",
    "NemotronHPuzzleForCausalLM",
    "NemotronH_Nano_Omni_Reasoning_V3",
    "NemotronH_Nano_VL_V2",
    "NemotronH_Omni_Reasoning_V3",
    "NemotronH_Super_Omni_Reasoning_V3",
    "OlmoHybridForCausalLM",
    "Qwen3NextForCausalLM",
    "Qwen3_5ForCausalLM",
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForCausalLM",
    "Qwen3_5MoeForConditionalGeneration",
    "Qwen4ExpForCausalLM",
    "Qwen4ExpForConditionalGeneration",
    "Zamba2ForCausalLM",
];

/// Classes without pipeline parallelism.
pub const WITHOUT_PIPELINE: &[&str] = &[
    "AliceAIForCausalLM",
    "AriaForConditionalGeneration",
    "CohereAsrForConditionalGeneration",
    "ColBERTLfm2Model",
    "DiffusionGemmaForBlockDiffusion",
    "DomynEdgeForCausalLM",
    "DoryForCausalLM",
    "FireRedASR2ForConditionalGeneration",
    "FunASRForConditionalGeneration",
    "Gemma3nForCausalLM",
    "Gemma3nForConditionalGeneration",
    "HrmTextForCausalLM",
    "IQuestLoopCoderForCausalLM",
    "Idefics3ForConditionalGeneration",
    "Mamba2ForCausalLM",
    "NemotronH_Nano_Omni_Reasoning_V3",
    "NemotronH_Nano_VL_V2",
    "NemotronH_Omni_Reasoning_V3",
    "NemotronH_Super_Omni_Reasoning_V3",
    "NemotronParseForConditionalGeneration",
    "PaddleOCRVLForConditionalGeneration",
    "Phi4MMForCausalLM",
    "Qwen3XPressModel",
    "RadioMBartPrefixForCausalLM",
    "SmolVLMForConditionalGeneration",
    "WhisperForConditionalGeneration",
    "Zamba2ForCausalLM",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_binary_search() {
        for list in [KNOWN, HYBRID, WITHOUT_PIPELINE, COMPATIBLE] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
