//! Texts of crates above the core, with both languages beside each other.

use super::{Argument, Lang, Sentence, fill};

/// A template in English and Chinese.
///
/// ```
/// use planner_core::text::{Bilingual, Lang};
///
/// const WROTE: Bilingual = Bilingual::new("wrote {0}", "已写入 {0}");
/// assert_eq!(WROTE.text(Lang::En, &["steps.svg"]), "wrote steps.svg");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bilingual {
    english: &'static str,
    chinese: &'static str,
}

impl Bilingual {
    /// Both languages. A constant does not compile when its Chinese is missing or takes other arguments.
    ///
    /// # Panics
    ///
    /// When the Chinese is empty or the two use different arguments.
    pub const fn new(english: &'static str, chinese: &'static str) -> Self {
        assert!(!chinese.is_empty(), "a text without its Chinese");
        assert!(places(english) == places(chinese), "the Chinese takes other arguments than the English");
        Self { english, chinese }
    }

    /// The template in a language.
    pub const fn raw(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.english,
            Lang::Zh => self.chinese,
        }
    }

    /// The text in a language, with its arguments put in.
    pub fn text(self, lang: Lang, arguments: &[&str]) -> String {
        fill(self.raw(lang), arguments.iter().copied())
    }

    /// The text in every language, for reasons and errors.
    pub fn say(self, arguments: &[&dyn Argument]) -> Sentence {
        Sentence::bilingual(self, arguments.iter().map(|argument| argument.sentence()).collect())
    }
}

/// Which of `{0}` to `{9}` a template uses, one bit each.
const fn places(template: &str) -> u16 {
    let bytes = template.as_bytes();
    let (mut found, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        if bytes[at] == b'{' && bytes[at + 1].is_ascii_digit() {
            found |= 1 << (bytes[at + 1] - b'0');
        }
        at += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_said_in_both_languages() {
        const NEEDS: Bilingual = Bilingual::new("{0} needs {1} {1:page/pages}", "{0} 需要 {1} 页");
        let said = NEEDS.say(&[&"gpt2", &3_u64]);
        assert_eq!(said.text(Lang::En), "gpt2 needs 3 pages");
        assert_eq!(said.text(Lang::Zh), "gpt2 需要 3 页");
    }

    #[test]
    #[should_panic(expected = "other arguments")]
    fn a_translation_takes_the_same_arguments() {
        Bilingual::new("{0} and {1}", "{0} 与 {0}");
    }

    #[test]
    #[should_panic(expected = "without its Chinese")]
    fn a_text_has_its_chinese() {
        Bilingual::new("a text", "");
    }
}
