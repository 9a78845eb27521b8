//! Classes with rules of their own in SGLang, named as in `configs/model_config.py`, `arg_groups/overrides.py`
//! and the model registry.

use crate::error::{Code, Error, Result};

/// Classes with a pool for their window layers (`is_hybrid_swa_model`).
pub(super) fn has_window_pool(class: &str) -> bool {
    matches!(
        class,
        "BeamForCausalLM"
            | "Llama4ForConditionalGeneration"
            | "GptOssForCausalLM"
            | "GraniteSWAForCausalLM"
            | "GraniteMoeSWAForCausalLM"
            | "IQuestQ1ForCausalLM"
            | "MiMoV2ForCausalLM"
            | "MiMoV2FlashForCausalLM"
            | "Step3p5ForCausalLM"
            | "Step3p7ForConditionalGeneration"
            | "Gemma4ForCausalLM"
            | "Gemma4ForConditionalGeneration"
            | "Gemma4UnifiedForConditionalGeneration"
            | "DiffusionGemmaForBlockDiffusion"
            | "LagunaForCausalLM"
            | "MellumForCausalLM"
            | "MuseGlimmerForCausalLM"
            | "MuseGlimmerForConditionalGeneration"
            | "InklingForConditionalGeneration"
            | "UnlimitedOCRForCausalLM"
    )
}

/// Classes whose window does not count the token itself (`get_attention_sliding_window_size`).
pub(super) fn window_excludes_itself(class: &str) -> bool {
    matches!(
        class,
        "BeamForCausalLM"
            | "GptOssForCausalLM"
            | "Gemma4ForCausalLM"
            | "Gemma4ForConditionalGeneration"
            | "Gemma4UnifiedForConditionalGeneration"
            | "MellumForCausalLM"
            | "MuseGlimmerForCausalLM"
            | "MuseGlimmerForConditionalGeneration"
    )
}

/// The one class with pools of compressed rows.
pub(super) fn is_v4(class: &str) -> bool {
    class == "DeepseekV4ForCausalLM"
}

/// Classes whose latents are stored as latents (`ModelConfig._derive_model_shapes`, `AttentionArch.MLA`).
pub(super) fn stores_latents(class: &str) -> bool {
    is_deepseek(class)
        || matches!(
            class,
            "DeepseekV2ForCausalLM"
                | "Glm4MoeLiteForCausalLM"
                | "DotsVLMForCausalLM"
                | "GigaChat35ForCausalLM"
                | "MiniCPM3ForCausalLM"
                | "DeepseekVL2ForCausalLM"
                | "KimiVLForConditionalGeneration"
                | "KimiLinearForCausalLM"
                | "KimiK3LinearForCausalLM"
                | "KimiK3ForConditionalGeneration"
                | "BailingMoeV2_5ForCausalLM"
                | "BailingMoeV3ForCausalLM"
                | "BailingMoeV3VLForConditionalGeneration"
                | "SarvamMLAForCausalLM"
        )
}

/// `_DEEPSEEK_FAMILY_ARCHS`: they run TensorRT-LLM's latent kernels on Blackwell, and sparse attention where
/// the configuration has an indexer.
pub(super) fn is_deepseek(class: &str) -> bool {
    matches!(
        class,
        "DeepseekV3ForCausalLM"
            | "DeepseekV32ForCausalLM"
            | "KimiK25ForConditionalGeneration"
            | "MistralLarge3ForCausalLM"
            | "PixtralForConditionalGeneration"
            | "GlmMoeDsaForCausalLM"
            | "Glm5NextForConditionalGeneration"
            | "HYV4ForCausalLM"
            | "LongcatFlashForCausalLM"
            | "Dots3NoteForCausalLM"
    )
}

/// Classes with gated delta-net layers. On Blackwell, prefix caching decides the tokens of their page
/// (`_qwen3_5_hybrid_overrides`).
pub(super) fn pages_by_prefix(class: &str) -> bool {
    matches!(
        class,
        "Qwen3NextForCausalLM"
            | "Qwen3_5MoeForConditionalGeneration"
            | "Qwen3_5ForConditionalGeneration"
            | "InternS2PreviewForConditionalGeneration"
            | "InternS2MobiusForConditionalGeneration"
    )
}

/// Classes that take snapshots of states while a step is in flight (`_MAMBA_EXTRA_BUFFER_ARCHS`).
pub(super) fn keeps_snapshots(class: &str) -> bool {
    matches!(
        class,
        "KimiLinearForCausalLM"
            | "KimiK3ForConditionalGeneration"
            | "Qwen3_5ForConditionalGeneration"
            | "Qwen3_5MoeForConditionalGeneration"
            | "Qwen3_5MoeForCausalLM"
            | "Qwen3_5ForCausalLM"
            | "Qwen3NextForCausalLM"
            | "Qwen4ExpForConditionalGeneration"
            | "InternS2PreviewForConditionalGeneration"
            | "MiniCPMV4_6ForConditionalGeneration"
            | "MiniCPMV4_7ForConditionalGeneration"
            | "BailingMoeV2_5ForCausalLM"
            | "BailingMoeV3ForCausalLM"
            | "BailingMoeV3VLForConditionalGeneration"
            | "FalconH1ForCausalLM"
            | "GraniteMoeHybridForCausalLM"
            | "Glm5NextForConditionalGeneration"
            | "NemotronHForCausalLM"
            | "NemotronHPuzzleForCausalLM"
            | "NemotronH_Omni_Reasoning_V3"
            | "InklingForConditionalGeneration"
    )
}

/// Classes whose towers are off unless `--enable-multimodal` is given (`mm_disabled_models`).
pub(super) fn reads_text_only(class: &str) -> bool {
    matches!(
        class,
        "Gemma3ForConditionalGeneration"
            | "Llama4ForConditionalGeneration"
            | "Step3VLForConditionalGeneration"
            | "InklingForConditionalGeneration"
    )
}

/// Multimodal classes whose prefill is captured as graphs although others' is not
/// (`multimodal_breakable_cuda_graph_supported_model_archs`). Kimi K3 is listed there, and its answer had no
/// graphs.
pub(super) fn captures_prefill(class: &str) -> bool {
    matches!(
        class,
        "MiniMaxM3SparseForCausalLM"
            | "MiniMaxM3SparseForConditionalGeneration"
            | "Cohere2VisionForConditionalGeneration"
            | "Glm5NextForConditionalGeneration"
            | "InternS2MobiusForConditionalGeneration"
            | "PaddleOCRVLForConditionalGeneration"
            | "Qwen3_5ForConditionalGeneration"
            | "Qwen3_5MoeForConditionalGeneration"
            | "Qwen4ExpForConditionalGeneration"
            | "MuseGlimmerForConditionalGeneration"
            | "MuseSparkForConditionalGeneration"
            | "KimiK25ForConditionalGeneration"
    )
}

/// Classes that the engine does not have. It falls back to transformers 5.19, whose class its transformers
/// backend cannot run (`is_backend_compatible`).
const REFUSED: &str = "\
    BambaForCausalLM BartForCausalLM BartForConditionalGeneration BigBirdForCausalLM BigBirdPegasusForCausalLM \
    BigBirdPegasusForConditionalGeneration BioGptForCausalLM BlenderbotForCausalLM \
    BlenderbotForConditionalGeneration BlenderbotSmallForCausalLM BlenderbotSmallForConditionalGeneration \
    BlipForConditionalGeneration BloomForCausalLM BltForCausalLM CodeGenForCausalLM CpmAntForCausalLM \
    DeepseekVLForConditionalGeneration DeepseekVLHybridForConditionalGeneration EncoderDecoderModel \
    EvollaForProteinText2Text FSMTForConditionalGeneration FalconForCausalLM Florence2ForConditionalGeneration \
    GPTNeoForCausalLM GPTNeoXJapaneseForCausalLM GitForCausalLM InklingForCausalLM JambaForCausalLM \
    JanusForConditionalGeneration LEDForConditionalGeneration LongT5ForConditionalGeneration \
    M2M100ForConditionalGeneration MBartForCausalLM MBartForConditionalGeneration MT5ForConditionalGeneration \
    MarianForCausalLM MarianMTModel MegatronBertForCausalLM MptForCausalLM MusicgenForCausalLM \
    MusicgenMelodyForCausalLM MvpForCausalLM MvpForConditionalGeneration NllbMoeForConditionalGeneration \
    OlmoHybridForCausalLM OpenAIGPTLMHeadModel PLBartForCausalLM PLBartForConditionalGeneration \
    PPFormulaNetForConditionalGeneration PegasusForCausalLM PegasusForConditionalGeneration \
    PegasusXForConditionalGeneration Pix2StructForConditionalGeneration ProphetNetForCausalLM \
    ProphetNetForConditionalGeneration Qwen4ExpForCausalLM ReformerModelWithLMHead RemBertForCausalLM \
    RoFormerForCausalLM RwkvForCausalLM SeamlessM4TForTextToText SeamlessM4Tv2ForTextToText \
    Step3p7FlashForCausalLM SwitchTransformersForConditionalGeneration T5ForConditionalGeneration \
    TrOCRForCausalLM UMT5ForConditionalGeneration UdopForConditionalGeneration VisionEncoderDecoderModel \
    WhisperForCausalLM XGLMForCausalLM XLMWithLMHeadModel XLNetLMHeadModel Zamba2ForCausalLM ZambaForCausalLM \
    xLSTMForCausalLM";

/// Classes whose pools differ from these rules: the transformers backend leaves their states out, or they have
/// a configuration of their own.
const OTHERWISE: [&str; 3] =
    ["MiniMaxForCausalLM", "MuseSparkForConditionalGeneration", "Qwen3ASRForConditionalGeneration"];

/// Refuses classes that the engine cannot serve, and classes whose pools these rules do not cover.
pub(super) fn check(class: &str) -> Result<()> {
    let refusal = if OTHERWISE.contains(&class) {
        Error::refused(Code::SglangNotRestatedClass, say!("the pools of `{0}`", class))
            .way_out(say!("use {0}", "--engine vllm"))
    } else if REFUSED.split(' ').any(|refused| refused == class) {
        Error::refused(
            Code::SglangClass,
            say!("it has no class `{0}`, and its transformers backend cannot run transformers' own", class),
        )
    } else {
        return Ok(());
    };
    Err(refusal.about(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_refused_by_its_whole_name() {
        assert!(check("FalconForCausalLM").is_err());
        assert!(check("FalconH1ForCausalLM").is_ok());
        assert!(check("xLSTMForCausalLM").is_err());
        assert!(check("MuseSparkForConditionalGeneration").is_err());
        assert!(check("MuseGlimmerForConditionalGeneration").is_ok());
    }
}
