//! Every message that is printed in its own place, and every error: an enum of ids and one exhaustive match per
//! language.

use std::fmt;

use crate::error::{Error, Refusal};
use crate::text::{Lang, Sentence, fill};
use crate::units::group_digits;

mod en;
mod zh;

/// Ids of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Message {
    Headline,
    HeadlineLatent,
    HeadlineNoAttention,
    OneToken,
    OneSession,
    State,
    Sessions,
    OneSessionOnly,
    Users,
    AllHeads,
    AllHeadsShared,
    AllHeadsSame,
    SlopesChange,
    EngineLine,
    EngineLineOne,
    Fits,
    DoesNotFit,
    WeightsDoNotFit,
    BudgetOf,
    RoomFor,
    LongestFor,
    LimitIsModel,
    Budget,
    KvMemory,
    PerGpu,
    AnyOfTheseFits,
    NothingFits,
    Fewest,
    ColumnGpu,
    ColumnCount,
    ColumnRoom,
    ColumnUsers,
    ColumnTokens,
    FootnoteBudget,
    FootnoteParts,
    LimitMark,
    NoLimit,
    NotesTitle,
    ColumnModel,
    ColumnName,
    ColumnFamily,
    ColumnLayers,
    ColumnKinds,
    ColumnPerToken,
    ColumnMaximum,
    ColumnParameters,
    ColumnMemory,
    ColumnBandwidth,
    ColumnFp16,
    ColumnFp8,
    ColumnVendor,
    ColumnQuantity,
    ColumnBytes,
    ColumnEngine,
    ColumnOneSession,
    ColumnAllSessions,
    ColumnMaxUsers,
    ColumnWhy,
    ExplainEngine,
    ExplainFloor,
    ExplainGroup,
    ExplainCells,
    ExplainBlocks,
    ExplainRows,
    UnitLayers,
    UnitTokens,
    UnitRows,
    UnitBlocks,
    UnitSlots,
    UnitGpus,
    ExplainCommand,
    EngineBlocks,
    Source,
    HubIds,
    Derivation,
    ModelsCount,
    GpusCount,
    ExplainPerToken,
    ExplainLayers,
    ExplainState,
    ExplainCross,
    ExplainSession,
    ExplainAllHeads,
    ExplainWhere,
    ExplainArticle,
    ExplainArticleText,
    ExplainMeasured,
    ExplainBudget,
    ExplainParameters,
    Error,
    Hint,
}

/// A text with its arguments put in.
pub fn text(lang: Lang, message: Message, arguments: &[&str]) -> String {
    fill(raw(lang, message), arguments.iter().copied())
}

/// `20 users`, `1 user`.
pub fn users(lang: Lang, count: u64) -> String {
    text(lang, Message::Users, &[&group_digits(count)])
}

/// `20 sessions`, `one session`.
pub fn sessions(lang: Lang, count: u64) -> String {
    match count {
        1 => raw(lang, Message::OneSessionOnly).to_owned(),
        count => text(lang, Message::Sessions, &[&group_digits(count)]),
    }
}

/// A text without arguments.
pub fn raw(lang: Lang, message: Message) -> &'static str {
    match lang {
        Lang::En => en::message(message),
        Lang::Zh => zh::message(message),
    }
}

/// The message of an error: one sentence without a full stop.
pub fn error_message(lang: Lang, error: &Error) -> String {
    match lang {
        Lang::En => en::error_message(error),
        Lang::Zh => zh::error_message(error),
    }
}

/// Who refuses, as messages begin.
enum Refuser {
    /// An engine, with its version where that is known.
    Engine(String),
    /// kvplan, which has no rule for what is asked of an engine.
    NoRule(String),
    /// kvplan itself.
    Kvplan,
}

impl Refuser {
    fn of(refusal: &Refusal) -> Self {
        let code = refusal.code;
        let Some((id, version)) = refusal.engine.or(code.engine().map(|id| (id, ""))) else {
            return Self::Kvplan;
        };
        let name = match id {
            "vllm" => "vLLM",
            "sglang" => "SGLang",
            "tensorrt-llm" => "TensorRT-LLM",
            id => id,
        };
        let engine = format!("{name} {version}").trim_end().to_owned();
        match (code.is_of_an_engine(), code.is_not_restated()) {
            (_, true) => Self::NoRule(engine),
            (true, false) => Self::Engine(engine),
            (false, false) => Self::Kvplan,
        }
    }
}

/// Whether a class is the encoder of an encoder-decoder, to judge by its name (`T5EncoderModel`).
fn is_half(class: &str) -> bool {
    class.contains("Encoder")
}

/// A name in quotes, or what is said instead of one.
fn quoted(name: &Sentence, lang: Lang) -> String {
    name.name().map_or_else(|| name.text(lang), |name| format!("`{name}`"))
}

/// The subject of an engine's refusal, where the reason does not name it already.
fn unnamed(refusal: &Refusal) -> Option<&Sentence> {
    let reason = refusal.reason.text(Lang::En);
    refusal.subject.as_ref().filter(|subject| !reason.contains(&subject.text(Lang::En)))
}

/// What to do about an error, where something can be said.
pub fn error_hint(lang: Lang, error: &Error) -> Option<String> {
    match lang {
        Lang::En => en::error_hint(error),
        Lang::Zh => zh::error_hint(error),
    }
}

/// In English.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_message(Lang::En, self))
    }
}
