//! What the page in the browser says and the command line does not, in every language side by side:
//! a line without one of them does not compile. `{name}` is filled in by the page.

mod answer;
mod below;
mod frame;
mod question;
mod story;
mod why;

use super::Lang;

/// Key, English, Chinese.
pub type Line = (&'static str, &'static str, &'static str);

/// Everything the page says that the command line does not, by part of the page.
static PAGE: &[&[Line]] =
    &[frame::LINES, question::LINES, answer::LINES, below::LINES, why::LINES, story::LINES];

/// All lines in one language, by key.
pub fn page(lang: Lang) -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.iter().copied().flatten().map(move |&(key, en, zh)| match lang {
        Lang::En => (key, en),
        Lang::Zh => (key, zh),
    })
}

#[cfg(test)]
mod tests {
    use super::PAGE;
    use std::collections::BTreeSet;

    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| !name.contains(' '))
            .collect()
    }

    #[test]
    fn both_languages_fill_in_the_same_and_no_key_stands_twice() {
        let mut keys = BTreeSet::new();
        for (key, en, zh) in PAGE.iter().copied().flatten() {
            assert!(keys.insert(*key), "{key} stands twice");
            assert!(!en.is_empty() && !zh.is_empty(), "{key}");
            assert_eq!(holes(en), holes(zh), "{key}");
        }
    }
}
