//! Every message in every language: an enum of ids and one exhaustive match per language, so that a
//! missing translation does not compile.
//!
//! `{0}`, `{1}` … in a text are places for arguments.

use crate::error::Error;
use crate::spec::model::Note;
use crate::units::group_digits;

mod en;
pub mod page;
mod zh;
mod zh_wants;

/// A language of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// The language of `en` or `zh`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().split(['-', '_', '.']).next() {
            Some("en") => Some(Self::En),
            Some("zh") => Some(Self::Zh),
            _ => None,
        }
    }
}

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
    Refuses,
    ExplainEngine,
    ExplainFloor,
    ExplainGroup,
    ExplainCells,
    ExplainBlocks,
    ExplainRows,
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
    VerifyTitle,
    VerifyExtrapolated,
    VerifyNarrowed,
    VerifyMatch,
    VerifyMismatch,
    VerifyTiming,
    VerifyModule,
    ColumnTokensHeld,
    ColumnPredicted,
    ColumnMeasured,
    ColumnDifference,
    ColumnAllocated,
    BenchTitle,
    BenchEstimate,
    BenchRun,
    BenchCached,
    BenchUncached,
    BenchSpeedup,
    BenchSame,
    BenchDifferent,
    BenchArticle,
    ColumnMean,
    ColumnDeviation,
    ColumnRuns,
    ColumnArticle,
    Error,
    Hint,
}

/// A text with its arguments put in.
pub fn text(lang: Lang, message: Message, arguments: &[&str]) -> String {
    fill(raw(lang, message), arguments.iter().copied())
}

/// Puts arguments in: `{0}` is the first, `{0:layer/layers}` one of two words by whether it is 1.
fn fill<'a>(template: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let arguments: Vec<&str> = arguments.into_iter().collect();
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        text.push_str(before);
        let (position, words) = place.split_once(':').map_or((place, None), |(at, words)| (at, Some(words)));
        let argument = position.parse().ok().and_then(|at: usize| arguments.get(at)).copied();
        text.push_str(match (argument.unwrap_or_default(), words.and_then(|words| words.split_once('/'))) {
            ("1", Some((one, _))) => one,
            (_, Some((_, many))) => many,
            (argument, None) => argument,
        });
        rest = after;
    }
    text.push_str(rest);
    text
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

/// A note; one that has no translation yet stays English.
pub fn note(lang: Lang, note: &Note) -> String {
    match lang {
        Lang::En => note.text.clone(),
        Lang::Zh => zh::note(note.code).map_or_else(
            || note.text.clone(),
            |template| fill(template, note.arguments.iter().map(String::as_str)),
        ),
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

/// What to do about an error, where something can be said.
pub fn error_hint(lang: Lang, error: &Error) -> Option<String> {
    match lang {
        Lang::En => en::error_hint(error),
        Lang::Zh => zh::error_hint(error),
    }
}

/// In one line, why an engine's bytes differ from the definition's; empty for an unknown id.
pub fn engine_rule(lang: Lang, id: &str) -> &'static str {
    match lang {
        Lang::En => en::engine_rule(id),
        Lang::Zh => zh::engine_rule(id),
    }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn words_follow_their_number() {
        let template = "{1} has {0} {0:page/pages}";
        assert_eq!(fill(template, ["1", "it"]), "it has 1 page");
        assert_eq!(fill(template, ["12", "it"]), "it has 12 pages");
        assert_eq!(fill("nothing {2} here", ["1"]), "nothing  here");
    }
}
