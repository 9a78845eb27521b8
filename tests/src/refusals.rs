//! A refusal agrees with an engine's own only where both have the same reason.
//!
//! `REASONS` sorts the texts of engines and of kvplan into classes. `fixtures/other_reasons.txt` has a line
//! for every case where kvplan refuses for a reason of another class. The test fails for a missing line and for
//! a superfluous one.

use std::collections::BTreeMap;

use planner_core::Error;

use crate::{fixture, said, text};

/// The class of a refusal without its words. pydantic prints the reason before an address, and the fixtures
/// kept only the end; some assertions have no words at all.
pub const UNSTATED: &str = "unstated";

/// Classes in which vLLM's validators of configurations refuse: one of these may be the lost reason.
const VALIDATED: &[&str] = &[
    "too_long",
    "no_model_class",
    "heads_not_shared_out",
    "dcp_heads",
    "dcp_divides_tp",
    "cache_dtype_of_model",
];

/// A class, and words that each refusal of it has, whoever refuses. The first matching class counts.
const REASONS: &[(&str, &[&str])] = &[
    // The model
    ("no_kv_cache", &["has no KV cache"]),
    ("unknown_family", &["no family knows it"]),
    (
        "not_planned",
        &[
            "where a patch ends depends on the text",
            "it makes actions, not text",
            "this downsample_rate is not",
        ],
    ),
    (
        "no_model_class",
        &[
            "are not supported for now",
            "was supported in vLLM until",
            "but Transformers does not",
            "has no SGlang implementation",
            "Cannot find model module",
            "it has no class",
        ],
    ),
    (
        "transformers_backend",
        &[
            "dispatch through the Transformers",
            "dispatches attention from more than one",
            "dispatch attention from more than one",
            "osition_ids not found",
            "_pre_trained_model_classes",
            "which it runs only where it builds the class itself",
            "does not attend through the Transformers attention interface",
            "half of an encoder-decoder",
            "and one vLLM attention layer cannot",
            "finds no decoder among the classes",
            "looks its attention up in a table of its own",
        ],
    ),
    ("several_text_configs", &["Multiple valid text configs"]),
    ("layer_types_length", &["must be equal to the number of `layer_types`"]),
    ("hidden_size_of_heads", &["is not a multiple of the number of attention heads"]),
    ("no_window_layer", &["must have at least one SWA layer"]),
    ("rope_in_latent", &["is NoPE-only"]),
    (
        "missing_key",
        &[
            "has no attribute",
            "NoneType",
            "KeyError",
            "Input should be a valid integer",
            "please check config",
            "must be provided when use_grouped_topk",
            "unsupported output_gate_type",
            "requires a vision configuration",
            "config.json says no",
            "is null, but must be",
            "nvalid compress ratio",
        ],
    ),
    // Lengths and batches
    ("too_long", &["derived max_model_len", "derived context_length", "the configuration admits"]),
    ("batch_below_length", &["is smaller than max_model_len"]),
    ("batch_below_seats", &["must be greater than or equal to max_num_seqs"]),
    // Shares of ranks and pages
    ("page_sizes", &["page size is not divisible"]),
    ("heads_not_shared_out", &["otal number of attention heads", "attention heads"]),
    (
        "kv_heads_not_shared_out",
        &["KV heads and tensor parallel size", "sconv SWA cache supports tp_size <= num_kv_heads"],
    ),
    ("quantized_blocks", &["divisible by weight quantization", "aligned with the quantized weight"]),
    ("states_not_shared_out", &["does not divide num_groups"]),
    ("zero_division", &["ZeroDivisionError"]),
    ("width_not_shared_out", &["is not divisible by"]),
    ("no_pipeline", &["Pipeline parallelism is not supported"]),
    ("dcp_sliding_window", &["DCP not support sliding window"]),
    ("dcp_sparse", &["DCP for FlashMLA sparse"]),
    ("dcp_divides_tp", &["must be divisible by dcp_size", "must be a divisor of --tp"]),
    (
        "dcp_heads",
        &[
            "Decode context parallelism for GQA",
            "exceeds the maximum supported value",
            "query heads per KV head",
        ],
    ),
    // Drafts
    ("no_draft_layers", &["Unsupported speculative method", "knows no prediction layers"]),
    ("draft_pages", &["speculative_eagle_topk", "drafts in pages of several tokens"]),
    // Cache types
    ("cache_dtype_of_model", &["is incompatible with dtype"]),
    ("cache_dtype_of_checkpoint", &["with fp8 checkpoints", "supported kv cache quantization is"]),
    ("cache_dtype_of_flash", &["FlashAttention does not support"]),
    ("cache_dtype_of_triton", &["is not supported by the Triton"]),
    ("cache_dtype_of_diff_kv", &["TritonAttentionDiffKVBackend supports only"]),
    ("cache_dtype_of_deepseek_v4", &["layout only supports fp8", "DeepSeek-V4 needs an fp8"]),
    ("cache_dtype_of_hybrid", &["TurboQuant KV cache requires"]),
    ("cache_dtype_of_head", &["Unsupported head_dim for fused quant"]),
    ("cache_dtype_unknown", &["Unsupported kv_cache_dtype", "`--kv-dtype` is "]),
    ("quantized_v_without_flash", &["quantized V cache requires"]),
    ("two_cache_dtypes", &["does not support different K"]),
    ("cache_blocks_of_k", &["does not divide n_embd_head_k"]),
    ("cache_blocks_of_v", &["does not divide n_embd_head_v"]),
    // Backends
    ("no_layout", &["No KV cache layout satisfies"]),
    ("no_prefill_backend", &["No valid MLA prefill backend"]),
    ("no_backend", &["No valid attention backend", "no valid sparse MLA backend"]),
    ("backend_not_valid", &["Selected backend", "requires one of"]),
    (
        "backend_of_gpu",
        &["supported on Blackwell GPUs", "backend for prefill requires Hopper", "needs a Blackwell GPU"],
    ),
    ("needs_flashinfer", &["requires FlashInfer attention", "requires a FlashInfer"]),
    ("weights_of_gpu", &["not supported for the current GPU", "need a GPU of compute capability"]),
    // Memory
    (
        NO_ROOM,
        &[
            "To serve at least one request",
            "cannot hold even one request",
            "too small to serve any requests",
            "leaves no room for the full KV pool",
        ],
    ),
    ("not_restated", &["kvplan has no rule for"]),
    (UNSTATED, &["For further"]),
];

/// The class of a plan without room for a session.
pub const NO_ROOM: &str = "no_room";

/// The class of a plan with room, which is no refusal.
pub const PLANNED: &str = "planned";

/// The class of an engine's text; the text itself where no class matches.
pub fn theirs(text: &str) -> &str {
    let has = |(_, words): &&(&str, &[&str])| words.iter().any(|word| text.contains(word));
    REASONS.iter().find(has).map_or(text, |(class, _)| class)
}

/// The class of kvplan's refusal by its code, for codes within one class.
const CODES: &[(&str, &str)] = &[
    ("vllm.width_not_divided", "width_not_shared_out"),
    ("vllm.no_backend", "no_backend"),
    ("vllm.max_model_len", "too_long"),
    ("vllm.backend_not_valid", "backend_not_valid"),
    ("vllm.missing_key", "missing_key"),
    ("vllm.grouped_topk", "missing_key"),
    ("vllm.deepseek_v4_ratio", "missing_key"),
    ("vllm.no_draft_layers", "no_draft_layers"),
    ("vllm.heads_not_divided", "heads_not_shared_out"),
    ("vllm.quantization_block", "quantized_blocks"),
    ("vllm.quantization_group", "quantized_blocks"),
    ("vllm.no_native_fp8", "cache_dtype_of_triton"),
    ("vllm.deepseek_v4_dtype", "cache_dtype_of_deepseek_v4"),
    ("vllm.deepseek_v4_width", "cache_dtype_of_head"),
    ("vllm.deepseek_v4_kernel", "needs_flashinfer"),
    ("vllm.flint_backend", "needs_flashinfer"),
    ("vllm.mla_not_nope", "rope_in_latent"),
    ("vllm.dcp_tp_too_small", "dcp_heads"),
    ("vllm.dcp_too_large", "dcp_heads"),
    ("vllm.dcp_not_divided", "dcp_heads"),
    ("vllm.dcp_sliding_window", "dcp_sliding_window"),
    ("vllm.dcp_sparse_mla", "dcp_sparse"),
    ("vllm.turboquant_layers", "cache_dtype_of_hybrid"),
    ("vllm.fp8_checkpoint", "cache_dtype_of_checkpoint"),
    ("vllm.kv_cache_scheme", "cache_dtype_of_checkpoint"),
    ("vllm.kv_dtype_of_model", "cache_dtype_of_model"),
    ("vllm.state_groups_not_divided", "states_not_shared_out"),
    ("vllm.no_pipeline", "no_pipeline"),
    ("vllm.kv_heads_not_divided", "kv_heads_not_shared_out"),
    ("vllm.short_conv_heads", "kv_heads_not_shared_out"),
    ("vllm.empty_block", "zero_division"),
    ("vllm.too_few_kv_heads", "zero_division"),
    ("vllm.hidden_size_not_divided", "hidden_size_of_heads"),
    ("vllm.cache_layout", "no_layout"),
    ("vllm.no_prefill_kernel", "no_prefill_backend"),
    ("vllm.batched_tokens_below_seqs", "batch_below_seats"),
    ("vllm.batched_tokens_below_prompt", "batch_below_length"),
    ("model.unknown_type", "unknown_family"),
    ("model.not_described", "not_planned"),
];

/// The class of kvplan's refusal: by its code, else by its words; all its words where no class matches.
pub fn ours(error: &Error) -> String {
    let code = error.code().as_str();
    match CODES.iter().find(|(known, _)| *known == code) {
        Some((_, class)) => (*class).to_owned(),
        None => theirs(&said(error)).to_owned(),
    }
}

/// The refusals of one engine, compared.
#[derive(Debug)]
pub struct Refusals {
    engine: &'static str,
    agreed: usize,
    unstated: usize,
    other: BTreeMap<String, usize>,
}

impl Refusals {
    /// None yet.
    pub fn of(engine: &'static str) -> Self {
        Self { engine, agreed: 0, unstated: 0, other: BTreeMap::new() }
    }

    /// Compares the classes of one case.
    pub fn add(&mut self, config: &str, theirs: &str, ours: &str) {
        if theirs == UNSTATED && VALIDATED.contains(&ours) {
            self.unstated += 1;
        } else if theirs == ours && theirs != UNSTATED {
            self.agreed += 1;
        } else {
            let first = |text: &str| text.lines().next().unwrap_or_default().replace(" | ", " ");
            let line = format!("{} | {config} | {} | {}", self.engine, first(theirs), first(ours));
            *self.other.entry(line).or_default() += 1;
        }
    }

    /// The number of refusals with equal reasons, and of the engine's refusals without a reason.
    ///
    /// # Panics
    ///
    /// When the refusals for other reasons differ from `fixtures/other_reasons.txt`.
    pub fn check(&self) -> (usize, usize) {
        let listed = text(&fixture("other_reasons.txt"));
        let listed: Vec<&str> = listed.lines().filter(|line| line.starts_with(self.engine)).collect();
        let found: Vec<String> = self.other.iter().map(|(line, count)| format!("{line} | {count}")).collect();
        let added = found.iter().filter(|line| !listed.contains(&line.as_str()));
        let gone = listed.iter().filter(|line| !found.iter().any(|found| found == *line));
        let changes = added.map(|line| format!("+ {line}")).chain(gone.map(|line| format!("- {line}")));
        let changes: Vec<String> = changes.collect();
        assert!(
            changes.is_empty(),
            "{} agreed, {} unstated; other_reasons.txt differs in {} lines:\n{}",
            self.agreed,
            self.unstated,
            changes.len(),
            changes.join("\n")
        );
        (self.agreed, self.unstated)
    }
}
