//! English messages.

use super::{Message, Refuser, is_half, quoted, unnamed};
use crate::error::{Error, Known, Refusal};
use crate::text::Lang;

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
        M::TooManySessions => "does not fit: {0} runs at most {1} at once, the others wait",
        M::WeightsDoNotFit => {
            "does not fit: {0} of weights and {1} for activations and runtime on each GPU are more than its budget of {2}"
        }
        M::BudgetOf => "{0} = {1} × {2}",
        M::RoomFor => "room for {0} at {1} tokens",
        M::Steady => {
            "once all decode, {0} run at once: {1} grants {2}, for each a window and a whole step in flight"
        }
        M::NullBlock => "of what is free {0} are vLLM's null block, which no session gets",
        M::LengthsAre => {
            "Lengths: half of the sessions up to {0} tokens, 95 % up to {1}, 99 % up to {2}, the longest {3}"
        }
        M::LengthsMean => "  one session holds {0} in the mean",
        M::LengthsUsers => "  {0}: all they hold is within the room {1} % of the time",
        M::LengthsLongest => "  {0} if every session were the longest",
        M::LengthsRounded => "  a session's bytes are rounded up by at most {0} % of the mean",
        M::LongestFor => "{0} can hold {1} tokens each",
        M::LimitIsModel => "the model's own limit",
        M::PartWeights => "weights",
        M::PartActivation => "activation",
        M::PartOutsideTorch => "outside PyTorch",
        M::PartGraphs => "CUDA graphs",
        M::PartComputeBuffer => "compute buffer",
        M::PartDriver => "driver",
        M::PartMultimodal => "encoder cache",
        M::PartMargin => "margin",
        M::PartReserve => "reserve",
        M::PartRoom => "KV room",
        M::RoomEstimate => "an estimate: the KV room may be {0} to {1}",
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
        M::FootnoteParts => {
            "[1] What the engine leaves of each GPU's memory: weights, activations, graphs and runtime are off, by its own rule (--reserve replaces all but the weights)."
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
        M::ExplainStage => "pipeline stage {0}",
        M::ExplainRange => "an estimate: {0} to {1}",
        M::ExplainBudget => "memory of one GPU",
        M::ExplainParameters => "parameters by part",
        M::Error => "error",
        M::Unwritten => "error: cannot write to standard output: {0}",
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
        (Refuser::Engine(engine), _) => match unnamed(refusal) {
            Some(subject) => format!("{engine} refuses {}: {reason}", quoted(subject, Lang::En)),
            None => format!("{engine} refuses: {reason}"),
        },
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
