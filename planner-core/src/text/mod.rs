//! Sentences in every language. Reasons, errors and notes are written where they arise, as [`Sentence`]s.
//! Messages with a place of their own are in `render::words`.
//!
//! `{0}`, `{1}` … in a template are places for arguments. Crates above the core have their own texts as
//! [`Bilingual`].

#[macro_use]
mod sentence;
mod bilingual;
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

/// Puts arguments into a template: `{0}` is the first; `{0:layer/layers}` is one of two words, by whether the
/// first is 1. A space separates a Chinese character from a Latin word at such a place.
pub(crate) fn fill<'a>(template: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
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

/// Adds an argument, or the piece of the template after one, with a space where the two scripts meet.
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
