//! Every message in every language. What is printed in its own place is an enum of ids and one exhaustive
//! match per language; reasons, errors and notes are [`Sentence`]s, written where they arise.
//!
//! `{0}`, `{1}` … in a text are places for arguments. Crates above the core keep their own texts as
//! [`Bilingual`].

use crate::error::{Error, Refusal};
use crate::units::group_digits;

#[macro_use]
mod sentence;
mod bilingual;
mod en;
mod zh;

pub use bilingual::Bilingual;
pub use sentence::{Argument, Sentence, Translator, Words, install};
pub use zh::sentence as chinese;

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

/// Puts arguments in: `{0}` is the first, `{0:layer/layers}` one of two words by whether it is 1. Where a
/// Chinese character meets a Latin word at such a place, a space parts them.
fn fill<'a>(template: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let arguments: Vec<&str> = arguments.into_iter().collect();
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        push(&mut text, before, false);
        let (position, words) = place.split_once(':').map_or((place, None), |(at, words)| (at, Some(words)));
        let argument = position.parse().ok().and_then(|at: usize| arguments.get(at)).copied();
        push(
            &mut text,
            match (argument.unwrap_or_default(), words.and_then(|words| words.split_once('/'))) {
                ("1", Some((one, _))) => one,
                (_, Some((_, many))) => many,
                (argument, None) => argument,
            },
            true,
        );
        rest = after;
    }
    push(&mut text, rest, false);
    text
}

/// Adds an argument, or the piece of the template after one, with a space where two scripts would touch.
fn push(text: &mut String, part: &str, is_argument: bool) {
    let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    let is_word =
        |c: char, of_argument: bool| c.is_ascii_alphanumeric() || (of_argument && matches!(c, '`' | '-'));
    if let (Some(last), Some(first)) = (text.chars().next_back(), part.chars().next()) {
        let meet = (is_chinese(last) && is_word(first, is_argument))
            || (is_word(last, !is_argument) && is_chinese(first));
        if meet {
            text.push(' ');
        }
    }
    text.push_str(part);
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

/// What to do about an error, where something can be said.
pub fn error_hint(lang: Lang, error: &Error) -> Option<String> {
    match lang {
        Lang::En => en::error_hint(error),
        Lang::Zh => zh::error_hint(error),
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

    #[test]
    fn a_space_parts_two_scripts_at_a_place_and_nowhere_else() {
        assert_eq!(fill("缺少{0}：已在{1}中", ["`a`", "config.json"]), "缺少 `a`：已在 config.json 中");
        assert_eq!(fill("`{0}`是{1}", ["模型a", "列表"]), "`模型a`是列表");
        assert_eq!(fill("{0}过大", ["--seq"]), "--seq 过大");
        assert_eq!(fill("{0}过大", ["参数量"]), "参数量过大");
    }
}
