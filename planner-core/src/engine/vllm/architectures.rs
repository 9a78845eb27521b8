//! Model classes that vLLM 0.33.0 builds itself, and what it says of each.
//!
//! Read from its registry (`vllm/model_executor/models/registry.py`) by asking every class
//! (`SupportsPP`, `IsHybrid`); draft and pooling classes are left out. Sorted.

/// Whether the engine builds this class itself; others run, if at all, through its Transformers backend.
pub fn known(class: &str) -> bool {
    KNOWN.binary_search(&class).is_ok()
}

/// Whether the class cannot be cut into pipeline stages.
pub fn without_pipeline(class: &str) -> bool {
    WITHOUT_PIPELINE.binary_search(&class).is_ok()
}

/// Whether the class mixes attention with states (`is_hybrid`).
pub fn hybrid(class: &str) -> bool {
    HYBRID.binary_search(&class).is_ok()
}

/// Classes with attention and states.
pub const HYBRID: &[&str] = &[
    "AliceAIForCausalLM", "BailingMoeV2_5ForCausalLM", "BailingMoeV3ForCausalLM",
    "BailingMoeV3VLForConditionalGeneration", "ClefFlashForJointSchema", "ColBERTLfm2Model",
    "ColQwen3_5", "D3ForSequenceClassification", "FalconH1ForCausalLM", "Glm5NextForCausalLM",
    "Glm5NextForConditionalGeneration", "GraniteMoeHybridForCausalLM",
    "InternS2MobiusForConditionalGeneration", "InternS2PreviewForConditionalGeneration",
    "JambaForCausalLM", "JambaForSequenceClassification", "KimiK3ForConditionalGeneration",
    "KimiLinearForCausalLM", "Lfm2ForCausalLM", "Lfm2MoeForCausalLM",
    "Lfm2VlForConditionalGeneration", "MiniCPMOcrForConditionalGeneration",
    "MiniCPMV4_6ForConditionalGeneration", "MiniCPMV4_7ForConditionalGeneration",
    "NemotronHForCausalLM", "NemotronHPuzzleForCausalLM", "NemotronH_Nano_Omni_Reasoning_V3",
    "NemotronH_Nano_VL_V2", "NemotronH_Omni_Reasoning_V3", "NemotronH_Super_Omni_Reasoning_V3",
    "OlmoHybridForCausalLM", "Qwen3NextForCausalLM", "Qwen3_5ForCausalLM",
    "Qwen3_5ForConditionalGeneration", "Qwen3_5MoeForCausalLM",
    "Qwen3_5MoeForConditionalGeneration", "Qwen4ExpForCausalLM", "Qwen4ExpForConditionalGeneration",
    "Zamba2ForCausalLM",
];

/// Classes without pipeline parallelism.
pub const WITHOUT_PIPELINE: &[&str] = &[
    "AliceAIForCausalLM", "AriaForConditionalGeneration", "CohereAsrForConditionalGeneration",
    "ColBERTLfm2Model", "DiffusionGemmaForBlockDiffusion", "DomynEdgeForCausalLM",
    "DoryForCausalLM", "FireRedASR2ForConditionalGeneration", "FunASRForConditionalGeneration",
    "Gemma3nForCausalLM", "Gemma3nForConditionalGeneration", "HrmTextForCausalLM",
    "IQuestLoopCoderForCausalLM", "Idefics3ForConditionalGeneration", "Mamba2ForCausalLM",
    "NemotronH_Nano_Omni_Reasoning_V3", "NemotronH_Nano_VL_V2", "NemotronH_Omni_Reasoning_V3",
    "NemotronH_Super_Omni_Reasoning_V3", "NemotronParseForConditionalGeneration",
    "PaddleOCRVLForConditionalGeneration", "Phi4MMForCausalLM", "Qwen3XPressModel",
    "RadioMBartPrefixForCausalLM", "SmolVLMForConditionalGeneration",
    "WhisperForConditionalGeneration", "Zamba2ForCausalLM",
];

/// Every class.
pub const KNOWN: &[&str] = &[
    "AXK1ForCausalLM", "AfmoeForCausalLM", "AliceAIForCausalLM", "Alpamayo2Super",
    "ApertusForCausalLM", "ArceeForCausalLM", "AriaForConditionalGeneration",
    "AudioFlamingo3ForConditionalGeneration", "BagelForConditionalGeneration",
    "BailingMoeForCausalLM", "BailingMoeV2ForCausalLM", "BailingMoeV2_5ForCausalLM",
    "BailingMoeV3ForCausalLM", "BailingMoeV3VLForConditionalGeneration", "BeamForCausalLM",
    "BeeForConditionalGeneration", "Blip2ForConditionalGeneration", "BloomForCausalLM",
    "ChatGLMForConditionalGeneration", "ChatGLMModel", "ClefFlashForJointSchema",
    "ClefOmniForJointSchema", "Cohere2ForCausalLM", "Cohere2MoeForCausalLM",
    "Cohere2VisionForConditionalGeneration", "CohereAsrForConditionalGeneration",
    "CohereCompassForConditionalGeneration", "CohereForCausalLM", "ColBERTLfm2Model",
    "ColPaliForRetrieval", "ColQwen3", "ColQwen3_5", "Cosmos3EdgeForConditionalGeneration",
    "Cosmos3ForConditionalGeneration", "CwmForCausalLM", "D3ForSequenceClassification",
    "DbrxForCausalLM", "DeciLMForCausalLM", "DeepseekForCausalLM", "DeepseekOCR2ForCausalLM",
    "DeepseekOCRForCausalLM", "DeepseekV2ForCausalLM", "DeepseekV32ForCausalLM",
    "DeepseekV3BidirectionalModel", "DeepseekV3ForCausalLM", "DeepseekV41ForCausalLM",
    "DeepseekV4ForCausalLM", "DeepseekV4ForConditionalGeneration", "DeepseekVLV2ForCausalLM",
    "DiffusionGemmaForBlockDiffusion", "DomynEdgeForCausalLM", "DoryForCausalLM",
    "Dots3NoteForCausalLM", "DotsOCRForCausalLM", "Emu3ForConditionalGeneration",
    "Ernie4_5ForCausalLM", "Ernie4_5_MoeForCausalLM", "Ernie4_5_VLMoeForConditionalGeneration",
    "Exaone4ForCausalLM", "Exaone4_5_ForConditionalGeneration", "ExaoneForCausalLM",
    "ExaoneMoEForCausalLM", "ExaoneMoeForCausalLM", "FalconForCausalLM", "FalconH1ForCausalLM",
    "FalconMambaForCausalLM", "FireRedASR2ForConditionalGeneration", "FlexOlmoForCausalLM",
    "FlintForCausalLM", "FunASRForConditionalGeneration", "FunAudioChatForConditionalGeneration",
    "GLM4VForCausalLM", "GPT2LMHeadModel", "GPTBigCodeForCausalLM", "GPTJForCausalLM",
    "GPTNeoXForCausalLM", "Gemma2ForCausalLM", "Gemma2Model", "Gemma3ForCausalLM",
    "Gemma3ForConditionalGeneration", "Gemma3nForCausalLM", "Gemma3nForConditionalGeneration",
    "Gemma4ForCausalLM", "Gemma4ForConditionalGeneration", "Gemma4UnifiedForConditionalGeneration",
    "GemmaForCausalLM", "Glm4ForCausalLM", "Glm4MoeForCausalLM", "Glm4MoeLiteForCausalLM",
    "Glm4vForConditionalGeneration", "Glm4vMoeForConditionalGeneration", "Glm5NextForCausalLM",
    "Glm5NextForConditionalGeneration", "GlmAsrForConditionalGeneration", "GlmForCausalLM",
    "GlmMoeDsaForCausalLM", "GlmOcrForConditionalGeneration", "GptOssForCausalLM",
    "Granite4VisionForConditionalGeneration", "GraniteForCausalLM", "GraniteMoeForCausalLM",
    "GraniteMoeHybridForCausalLM", "GraniteMoeSWAForCausalLM", "GraniteMoeSharedForCausalLM",
    "GraniteSWAForCausalLM", "GraniteSpeechForConditionalGeneration",
    "GraniteSpeechPlusForConditionalGeneration", "H2OVLChatModel", "HCXVisionV2ForCausalLM",
    "HYV3ForCausalLM", "HYV4ForCausalLM", "HfMoondream", "HrmTextForCausalLM",
    "HunYuanDenseV1ForCausalLM", "HunYuanMoEV1ForCausalLM", "HunYuanVLForConditionalGeneration",
    "HyperCLOVAXForCausalLM", "IQuestCoderForCausalLM", "IQuestLoopCoderForCausalLM",
    "Idefics3ForConditionalGeneration", "InklingForCausalLM", "InklingForConditionalGeneration",
    "InternLM2ForCausalLM", "InternLM2ForRewardModel", "InternLM3ForCausalLM",
    "InternS1ForConditionalGeneration", "InternS1ProForConditionalGeneration",
    "InternS2MobiusForConditionalGeneration", "InternS2PreviewForConditionalGeneration",
    "InternVLChatModel", "InternVLForConditionalGeneration", "IsaacForConditionalGeneration",
    "Jais2ForCausalLM", "JambaForCausalLM", "JambaForSequenceClassification",
    "JinaEmbeddingsV5Model", "JinaVLForRanking", "K2HorizonForCausalLM",
    "KananaVForConditionalGeneration", "KeyeForConditionalGeneration",
    "KeyeVL1_5ForConditionalGeneration", "KimiK25ForConditionalGeneration",
    "KimiK3ForConditionalGeneration", "KimiLinearForCausalLM", "KimiVLForConditionalGeneration",
    "Kolibri1ForCausalLM", "LLaMAForCausalLM", "LagunaForCausalLM", "Lfm2ForCausalLM",
    "Lfm2MoeForCausalLM", "Lfm2VlForConditionalGeneration", "LightOnOCRForConditionalGeneration",
    "Llama4ForCausalLM", "Llama4ForConditionalGeneration",
    "LlamaBidirectionalForSequenceClassification", "LlamaBidirectionalModel", "LlamaForCausalLM",
    "LlamaModel", "LlamaNemotronVLForSequenceClassification", "LlamaNemotronVLModel",
    "Llama_Nemotron_Nano_VL", "LlavaForConditionalGeneration", "LlavaNextForConditionalGeneration",
    "LlavaNextVideoForConditionalGeneration", "LlavaOnevision2ForConditionalGeneration",
    "LlavaOnevisionForConditionalGeneration", "LongcatFlashForCausalLM",
    "LongcatFlashNgramForCausalLM", "Mamba2ForCausalLM", "MambaForCausalLM", "MellumForCausalLM",
    "MiDashengLMModel", "MiMoForCausalLM", "MiMoV2FlashForCausalLM", "MiMoV2ForCausalLM",
    "MiMoV2OmniForCausalLM", "MiniCPM3ForCausalLM", "MiniCPMForCausalLM", "MiniCPMO",
    "MiniCPMOcrForConditionalGeneration", "MiniCPMV", "MiniCPMV4_6ForConditionalGeneration",
    "MiniCPMV4_7ForConditionalGeneration", "MiniMaxM2ForCausalLM", "MiniMaxM3SparseForCausalLM",
    "MiniMaxM3SparseForConditionalGeneration", "Ministral3ForCausalLM",
    "Mistral3ForConditionalGeneration", "MistralForCausalLM", "MistralLarge3ForCausalLM",
    "MistralModel", "MixtralForCausalLM", "Molmo2ForConditionalGeneration", "MolmoForCausalLM",
    "Moondream3ForCausalLM", "MoonshotKimiaForCausalLM", "MossAudioModel",
    "MossTranscribeDiarizeForConditionalGeneration", "MuseGlimmerForCausalLM",
    "MuseGlimmerForConditionalGeneration", "MuseSparkForConditionalGeneration", "NVLM_D",
    "NanbeigeForCausalLM", "NemotronForCausalLM", "NemotronHForCausalLM",
    "NemotronHPuzzleForCausalLM", "NemotronH_Nano_Omni_Reasoning_V3", "NemotronH_Nano_VL_V2",
    "NemotronH_Omni_Reasoning_V3", "NemotronH_Super_Omni_Reasoning_V3",
    "NemotronParseForConditionalGeneration", "OPTForCausalLM", "Olmo2ForCausalLM",
    "Olmo3ForCausalLM", "OlmoForCausalLM", "OlmoHybridForCausalLM", "OlmoeForCausalLM",
    "OpenCUAForConditionalGeneration", "OpenPanguVLForConditionalGeneration",
    "OpenVLAForActionPrediction", "OpsColQwen3Model", "OrionForCausalLM", "Ovis", "Ovis2_5",
    "Ovis2_6ForCausalLM", "Ovis2_6_MoeForCausalLM", "PaddleOCRVLForConditionalGeneration",
    "PaliGemmaForConditionalGeneration", "PanguEmbeddedForCausalLM", "PanguProMoEV2ForCausalLM",
    "PanguUltraMoEForCausalLM", "Param2MoEForCausalLM", "Phi3ForCausalLM", "Phi3VForCausalLM",
    "Phi4ForCausalLMV", "Phi4MMForCausalLM", "PhiForCausalLM", "PhiMoEForCausalLM",
    "PixtralForConditionalGeneration", "Plamo3ForCausalLM", "QianfanOCRForConditionalGeneration",
    "Qwen2AudioForConditionalGeneration", "Qwen2ForCausalLM", "Qwen2Model", "Qwen2MoeForCausalLM",
    "Qwen2VLForConditionalGeneration", "Qwen2_5OmniForConditionalGeneration", "Qwen2_5OmniModel",
    "Qwen2_5_VLForConditionalGeneration", "Qwen3ASRForConditionalGeneration",
    "Qwen3ASRForcedAlignerForTokenClassification", "Qwen3ASRRealtimeGeneration", "Qwen3ForCausalLM",
    "Qwen3MoeForCausalLM", "Qwen3NextForCausalLM", "Qwen3OmniMoeForConditionalGeneration",
    "Qwen3VLForConditionalGeneration", "Qwen3VLMoeForConditionalGeneration",
    "Qwen3VLNemotronEmbedModel", "Qwen3XPressModel", "Qwen3_5ForCausalLM",
    "Qwen3_5ForConditionalGeneration", "Qwen3_5MoeForCausalLM",
    "Qwen3_5MoeForConditionalGeneration", "Qwen4ExpForCausalLM", "Qwen4ExpForConditionalGeneration",
    "RForConditionalGeneration", "RadioMBartPrefixForCausalLM", "Rnj1ForCausalLM",
    "SarvamMLAForCausalLM", "SarvamMoEForCausalLM", "SeedOssForCausalLM", "SkyworkR1VChatModel",
    "SmolLM3ForCausalLM", "SmolVLMForConditionalGeneration", "SolarForCausalLM",
    "StableLmForCausalLM", "Starcoder2ForCausalLM", "Step1ForCausalLM", "Step3TextForCausalLM",
    "Step3VLForConditionalGeneration", "Step3p5ForCausalLM", "Step3p7ForConditionalGeneration",
    "Step5ForCausalLM", "Step5ForConditionalGeneration", "StepVLForConditionalGeneration",
    "TeleChat2ForCausalLM", "TeleChat3ForCausalLM", "TeleFLMForCausalLM", "TransformersForCausalLM",
    "TransformersMoEForCausalLM", "TransformersMultiModalForCausalLM",
    "TransformersMultiModalMoEForCausalLM", "UltravoxModel", "UnlimitedOCRForCausalLM",
    "VaultGemmaForCausalLM", "VibeVoiceAsrForConditionalGeneration",
    "VoxtralForConditionalGeneration", "VoxtralRealtimeGeneration",
    "WhisperForConditionalGeneration", "Zamba2ForCausalLM",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_for_binary_search() {
        for list in [KNOWN, HYBRID, WITHOUT_PIPELINE] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
