//! Messages that are printed in places of their own, and the wording of errors: an enum of ids, and one
//! exhaustive match per language.

use std::fmt;

use crate::engine::memory::PartKind;
use crate::error::{Error, Refusal};
use crate::text::{Lang, Sentence, fill};
use crate::units::group_digits;

mod en;
mod zh;

/// Ids of messages.
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
    TooManySessions,
    WeightsDoNotFit,
    BudgetOf,
    RoomFor,
    Steady,
    NullBlock,
    LengthsAre,
    LengthsMean,
    LengthsUsers,
    LengthsLongest,
    LengthsRounded,
    LongestFor,
    LimitIsModel,
    PartWeights,
    PartActivation,
    PartOutsideTorch,
    PartGraphs,
    PartComputeBuffer,
    PartDriver,
    PartMultimodal,
    PartMargin,
    PartReserve,
    PartRoom,
    RoomEstimate,
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
    ExplainStage,
    ExplainRange,
    ExplainParameters,
    Error,
    Hint,
    Unwritten,
}

/// A text with its arguments put in.
pub fn text(lang: Lang, message: Message, arguments: &[&str]) -> String {
    fill(raw(lang, message), arguments.iter().copied())
}

/// The name of a part of a GPU's memory.
pub fn part(lang: Lang, kind: PartKind) -> &'static str {
    let message = match kind {
        PartKind::Weights => Message::PartWeights,
        PartKind::Activation => Message::PartActivation,
        PartKind::OutsideTorch => Message::PartOutsideTorch,
        PartKind::Graphs => Message::PartGraphs,
        PartKind::ComputeBuffer => Message::PartComputeBuffer,
        PartKind::Driver => Message::PartDriver,
        PartKind::Multimodal => Message::PartMultimodal,
        PartKind::Margin => Message::PartMargin,
        PartKind::Reserve => Message::PartReserve,
    };
    raw(lang, message)
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

/// Who refuses; a message begins with it.
enum Refuser {
    /// An engine, with its version where that is known.
    Engine(String),
    /// kvplan, which has no rule for a setting of an engine.
    NoRule(String),
    /// kvplan itself.
    Kvplan,
}

impl Refuser {
    fn of(refusal: &Refusal) -> Self {
        let code = refusal.code;
        let Some((name, version)) = refusal.engine.or(code.engine().map(|id| (id, ""))) else {
            return Self::Kvplan;
        };
        let engine = format!("{name} {version}").trim_end().to_owned();
        match (code.is_of_an_engine(), code.is_not_restated()) {
            (_, true) => Self::NoRule(engine),
            (true, false) => Self::Engine(engine),
            (false, false) => Self::Kvplan,
        }
    }
}

/// Whether a class is the encoder of an encoder-decoder, by its name (`T5EncoderModel`).
fn is_half(class: &str) -> bool {
    class.contains("Encoder")
}

/// A name in quotes, or the phrase that stands for one.
fn quoted(name: &Sentence, lang: Lang) -> String {
    name.name().map_or_else(|| name.text(lang), |name| format!("`{name}`"))
}

/// The subject of an engine's refusal, where the reason does not name it already.
fn unnamed(refusal: &Refusal) -> Option<&Sentence> {
    let reason = refusal.reason.text(Lang::En);
    refusal.subject.as_ref().filter(|subject| !reason.contains(&subject.text(Lang::En)))
}

/// The way out of an error, where one is known.
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
