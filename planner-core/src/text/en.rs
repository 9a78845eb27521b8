//! English messages.

use super::{Lang, Message, Refuser, is_half, quoted};
use crate::error::{Error, Known, Refusal};

pub(super) fn message(message: Message) -> &'static str {
    use Message as M;
    match message {
        M::Headline => "{0}   {1} {1:layer/layers}, {2} KV {2:head/heads} × {3}, {4} KV",
        M::HeadlineLatent => "{0}   {1} {1:layer/layers}, a latent row of {2} for all heads, {3} KV",
        M::HeadlineNoAttention => "{0}   {1} {1:layer/layers}, no attention, {2}",
        M::OneToken => "one token",
        M::OneSession => "one session, {0} tokens",
        M::State => "of it before the first token",
        M::Sessions => "{0} sessions",
        M::OneSessionOnly => "one session",
        M::Users => "{0} {0:user/users}",
        M::AllHeads => "Caching all {0} heads would take {1} B per token ({2}), {3} for {4}.",
        M::AllHeadsShared => "This model shares each KV head among {0} query heads.",
        M::AllHeadsSame => "Every head is cached: this is the article's figure, {0} B per token.",
        M::SlopesChange => "From token {0} on a further token adds {1} B.",
        M::EngineLineOne => "{0} allocates {1} for one session.",
        M::EngineLine => "{0} allocates {1} for one session, {2} for {3}.",
        M::Fits => "fits: {0} at {1} tokens",
        M::DoesNotFit => "does not fit: {0} at {1} tokens need {2} on each GPU, but {3} is free",
        M::WeightsDoNotFit => {
            "does not fit: {0} of weights and {1} reserve on each GPU are more than its budget of {2}"
        }
        M::BudgetOf => "{0} = {1} × {2}",
        M::RoomFor => "room for {0} at {1} tokens",
        M::LongestFor => "{0} can hold {1} tokens each",
        M::LimitIsModel => "the model's own limit",
        M::Budget => "{0} = {1} weights + {2} reserve + {3} KV room",
        M::KvMemory => "KV memory as given: {0}",
        M::PerGpu => "per GPU, {0} × {1}",
        M::AnyOfTheseFits => "any one of these fits",
        M::NothingFits => "no single change makes it fit: a larger GPU, --pp or quantized weights",
        M::Fewest => "Fewest GPUs for weights ({0}, {1}) plus this cache [1]",
        M::ColumnGpu => "GPU",
        M::ColumnCount => "n",
        M::ColumnRoom => "KV room per GPU",
        M::ColumnUsers => "users at {0}",
        M::ColumnTokens => "tokens each at {0}",
        M::FootnoteBudget => {
            "[1] {0} of the memory the driver reports, less weights, less {1} per GPU for activations and runtime (--reserve). Engines round up: --engine."
        }
        M::LimitMark => "(limit)",
        M::NoLimit => "no limit",
        M::NotesTitle => "Notes",
        M::ColumnModel => "model",
        M::ColumnName => "name",
        M::ColumnFamily => "family",
        M::ColumnLayers => "layers",
        M::ColumnKinds => "kinds of layer",
        M::ColumnPerToken => "B/token",
        M::ColumnMaximum => "max tokens",
        M::ColumnParameters => "parameters",
        M::ColumnMemory => "memory",
        M::ColumnBandwidth => "GB/s",
        M::ColumnFp16 => "fp16 TFLOPS",
        M::ColumnFp8 => "fp8 TFLOPS",
        M::ColumnVendor => "vendor",
        M::ColumnQuantity => "quantity",
        M::ColumnBytes => "bytes",
        M::ColumnEngine => "engine",
        M::ColumnOneSession => "one session",
        M::ColumnAllSessions => "all sessions",
        M::ColumnMaxUsers => "most users",
        M::ColumnWhy => "why",
        M::Refuses => "refuses: {0}",
        M::ExplainEngine => "what the engine allocates",
        M::ExplainFloor => "before the first token counts: {0} B a session",
        M::ExplainGroup => {
            "{0} {1} {0:layer/layers} a group: a page of {2} B holds {3} {3:token/tokens}; one request takes {4} {4:block/blocks}"
        }
        M::ExplainCells => {
            "{0} {1} {0:layer/layers}: {2} {2:cell/cells} in {3} {3:stream/streams}, K {4} B, V {5} B"
        }
        M::ExplainBlocks => {
            "⌊{0} B / {1} B a block⌋ = {2} blocks; / {3} blocks a request = {4} at once; × {5} tokens = {6} tokens of cache"
        }
        M::ExplainRows => "{0} B hold {1} tokens: {2} sessions at once",
        M::UnitLayers => "{0} {0:layer/layers}",
        M::UnitTokens => "{0} {0:token/tokens}",
        M::UnitRows => "{0} {0:row/rows}",
        M::UnitBlocks => "{0} {0:block/blocks}",
        M::UnitSlots => "{0} {0:slot/slots}",
        M::UnitGpus => "{0} {0:GPU/GPUs}",
        M::ExplainCommand => "the command that starts it so",
        M::EngineBlocks => {
            "{0} blocks of {1} tokens: KV cache size {2} tokens, maximum concurrency {3}x at {4} tokens."
        }
        M::Source => "source",
        M::HubIds => "hub ids",
        M::Derivation => "derivation",
        M::ModelsCount => "{0} models; any config.json works too: --model PATH",
        M::GpusCount => "{0} GPUs; any size works too: --gpu 80GiB",
        M::ExplainPerToken => "bytes per token = sum over layers of what one token adds",
        M::ExplainLayers => "{0} {1} {0:layer/layers} ({2}): {3} = {4}",
        M::ExplainState => "state, once per session",
        M::ExplainCross => "cross-attention, {0} encoder tokens",
        M::ExplainSession => "one session of {0} tokens",
        M::ExplainAllHeads => "with all heads cached",
        M::ExplainWhere => "where the numbers come from",
        M::ExplainArticle => "why K and V are kept, and Q is not",
        M::ExplainArticleText => {
            "Decoding reads every past K and V row, but only the newest Q row. Keeping K and V turns the work per token from O(n²) into O(n); the price is memory: 2 × layers × heads × head_dim × tokens × bytes."
        }
        M::ExplainMeasured => {
            "The article measured GPT-2, 1,000 new tokens, 10 runs: {0} s with the cache, {1} s without ({2})."
        }
        M::ExplainBudget => "memory of one GPU",
        M::ExplainParameters => "parameters by part",
        M::VerifyTitle => "Measured with {0} on {1}: {2} of {3} layers, {4} tokens decoded one by one",
        M::VerifyExtrapolated => {
            "EXTRAPOLATED: what one layer adds from a low stack of its kind to a high one is counted for the layers that did not run."
        }
        M::VerifyProgress => "measuring {0}, about {1} left",
        M::VerifyInterrupted => "INTERRUPTED: {0} rows were measured until then.",
        M::VerifyStack => "{0} {1} of {2}",
        M::VerifyChosen => {
            "Layers run in stacks, chosen for time and memory: {0}. It took {1} s. Other choices: --verify-layers, --verify-tokens, --verify-users."
        }
        M::VerifyColumns => {
            "In bytes. measured: elements × bytes of the cache tensors, which must equal predicted. allocated: what the allocator gave out for them, tensor headers and unused rows of rings included. device: {0}, for the layers that ran alone ({1} B of cache tensors in the last row). transient: the most that one decode step took beyond what it left behind, in these narrowed stacks."
        }
        M::VerifyResident => "growth of the process's resident set, reused pages uncounted",
        M::VerifyCard => "memory of the card that is no longer free",
        M::VerifyNarrowed => {
            "Seeded weights; heads, widths, windows, ranks and states are the model's own, its width is narrowed to {0}, on which no cache depends."
        }
        M::VerifyMatch => "match: {0} B difference; logits within {1} of computing everything anew",
        M::VerifyMismatch => {
            "MISMATCH: {0} B difference; logits {1} from computing everything anew (at most {2})"
        }
        M::VerifyTiming => "{0} new tokens on {1} layers: {2} s with the cache, {3} s without it, {4}x",
        M::VerifyModule => {
            "{0} itself, {1} narrowed layers, {2} tokens: {3} B predicted by --engine candle, {4} B measured, {5} B transient in a step"
        }
        M::VerifyModuleRefused => "candle's own module did not run: {0}",
        M::ColumnBatch => "users",
        M::ColumnTokensHeld => "tokens",
        M::ColumnPredicted => "predicted",
        M::ColumnMeasured => "measured",
        M::ColumnMeasuredExtrapolated => "measured (extrapolated)",
        M::ColumnDifference => "diff",
        M::RealTitle => "Its own weights with {0} on {1}: {2} new tokens after {3}, {4} tokens/s",
        M::RealFixedPrompt => "No text ({0}): fixed token ids instead.",
        M::RealMatch => {
            "match: {0} B difference from --engine candle, in the cache tensors and in the heap's growth where they can be seen"
        }
        M::RealMismatch => "MISMATCH: {0} B difference from --engine candle",
        M::RealNotPredicted => "Not compared: {0}.",
        M::RealNotRun => "The weights themselves were not run: {0}.",
        M::RealGrowth => "heap growth",
        M::ColumnHeapPredicted => "predicted growth",
        M::ColumnAllocated => "allocated",
        M::ColumnDevice => "device",
        M::ColumnTransient => "transient",
        M::BenchTitle => {
            "{0} at its own shape ({1} weights, {7}, {2}) with candle on {3}, {4} threads: {5} new tokens after {6}"
        }
        M::BenchSeeded => "seeded",
        M::BenchCheckpoint => "from the checkpoint",
        M::BenchDefaults => {
            "on a CPU it is shortened to {0} new tokens and {1} runs of each kind; the article's experiment is --new-tokens 1000 --runs 10"
        }
        M::BenchEstimate => {
            "this will take about {0}: {1} runs with the cache, about {2} each, and {3} without it, about {4} each; shorter with --new-tokens, --runs, --uncached-runs"
        }
        M::BenchRun => "{0}, run {1}: {2} s",
        M::BenchLeft => "{0}, run {1} of {2}, token {3} of {4}, {5} left",
        M::BenchInterrupted => "INTERRUPTED: what follows is what was finished.",
        M::BenchLogits => "Largest difference of a logit between both ways: {0}, over {1} steps.",
        M::BenchAtTokens => "speed-up at {0} new tokens",
        M::BenchChart => {
            "Seconds per new token, from the first to number {0}: what climbs is without the cache."
        }
        M::BenchPerToken => "Seconds for each new token",
        M::BenchSoFar => "Seconds so far",
        M::BenchNewTokens => "new tokens",
        M::BenchWrote => "wrote {0}",
        M::BenchCached => "with the cache",
        M::BenchUncached => "without it",
        M::BenchSame => "All runs gave the same tokens.",
        M::BenchDifferent => "The runs did NOT give the same tokens.",
        M::BenchArticle => {
            "The article's seconds are for 1,000 new tokens on its own GPU; the ratio grows with the number of tokens, so only runs of 1,000 compare."
        }
        M::ColumnMean => "mean s",
        M::ColumnMedian => "median s",
        M::ColumnDeviation => "deviation",
        M::ColumnRuns => "runs",
        M::ColumnArticle => "article",
        M::Error => "error",
        M::Hint => "hint",
    }
}

pub(super) fn error_message(error: &Error) -> String {
    match error {
        Error::Unknown { what, name, .. } => format!("unknown {} `{name}`", kind(*what)),
        Error::NoCache { architecture, why } => {
            format!("`{architecture}` has no KV cache, because {why}")
        }
        Error::MissingField { field, looked_in } => {
            format!("`{field}` is missing: looked for it in {looked_in}")
        }
        Error::Refused(refusal) => refused(refusal),
        Error::BadValue { field, got, want, .. } => {
            format!("{} is {got}, but must be {want}", quoted(field, Lang::En))
        }
        Error::Overflow { what, .. } => {
            format!("{} is too large: it does not fit in 64 bits", quoted(what, Lang::En))
        }
        Error::Parse { format, why } => format!("{format}: {why}"),
        Error::Unreadable { path, why } => format!("cannot read `{path}`: {why}"),
    }
}

fn refused(refusal: &Refusal) -> String {
    let reason = &refusal.reason;
    match (Refuser::of(refusal), &refusal.subject) {
        (Refuser::NoRule(engine), _) => format!("kvplan has no rule for {reason} in {engine}"),
        (Refuser::Engine(engine), _) => format!("{engine} refuses: {reason}"),
        (Refuser::Kvplan, Some(subject)) => {
            format!("{} is not supported: {reason}", quoted(subject, Lang::En))
        }
        (Refuser::Kvplan, None) => reason.to_string(),
    }
}

pub(super) fn error_hint(error: &Error) -> Option<String> {
    match error {
        Error::Unknown { near, .. } if !near.is_empty() => {
            let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("did you mean {}?", near.join(" or ")))
        }
        Error::NoCache { architecture, .. } if is_half(architecture) => {
            Some("pass the config.json of the whole encoder-decoder: its cross-attention is planned".into())
        }
        Error::MissingField { field, .. } => {
            Some(format!("add `{field}` to the configuration; it is never guessed"))
        }
        Error::Refused(refusal) => refusal.way_out.as_ref().map(|way_out| way_out.text(Lang::En)),
        _ => None,
    }
}

fn kind(what: Known) -> &'static str {
    match what {
        Known::Model => "model",
        Known::Gpu => "GPU",
        Known::Engine => "engine",
        Known::Flag => "flag",
    }
}

pub(super) fn engine_rule(id: &str) -> &'static str {
    match id {
        "architecture" => "what the definition needs, without any engine's rounding",
        "vllm" => {
            "whole blocks; groups of layers share pages, windows keep tokens in flight, states are padded to a page"
        }
        "sglang" => {
            "rows of a token pool; some classes keep window layers in a pool of their own, states take slots"
        }
        "tensorrt-llm" => "whole blocks of 32 tokens out of the memory left after the weights",
        "llama.cpp" => "all cells of the context are allocated at start, in multiples of 256; states in f32",
        "transformers" => {
            "tensors as they are; a full window keeps one token less; latents or expanded keys as the class stores them"
        }
        "candle" => "what candle's own module stores: some widen the cache or ignore the window",
        _ => "",
    }
}
