//! Control characters of names, files and logs are shown as escapes (`\u001b`), so that none reaches a terminal.

use std::borrow::Cow;

/// Whether a terminal would act on a character instead of showing it: control characters, and those that turn
/// the direction of writing.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The escape of a character, as JSON writes it.
fn escaped(character: char) -> String {
    format!("\\u{:04x}", u32::from(character))
}

fn replaced<'a>(text: &'a str, acts: impl Fn(char) -> bool) -> Cow<'a, str> {
    if !text.chars().any(&acts) {
        return Cow::Borrowed(text);
    }
    let show = |character| if acts(character) { escaped(character) } else { character.to_string() };
    Cow::Owned(text.chars().map(show).collect())
}

/// A name or a message, which is one line.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, acts)
}

/// An answer of several lines, with this program's own styles.
pub fn page(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| acts(character) && !matches!(character, '\n')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let style = style(rest);
        match (style, acts(character) && !matches!(character, '\n' | '\t')) {
            (Some(style), _) => shown.push_str(style),
            (None, true) => shown.push_str(&escaped(character)),
            (None, false) => shown.push(character),
        }
        rest = rest.get(style.map_or(character.len_utf8(), str::len)..).unwrap_or_default();
    }
    Cow::Owned(shown)
}

/// The style at the start of a text: `ESC [ digits m` (ECMA-48, SGR), which only colours.
fn style(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("\u{1b}[")?;
    let digits = inside.find(|character: char| !character.is_ascii_digit() && character != ';')?;
    inside.get(digits..)?.starts_with('m').then(|| text.get(..2 + digits + 1))?
}

/// The text of a JSON document whose strings have no character that a terminal acts on: `\n` becomes `\\n`.
pub fn json(text: &str) -> Cow<'_, str> {
    let raw = |character| acts(character) && !matches!(character, '\n' | '\r' | '\t');
    if !text.contains('\\') && !text.chars().any(raw) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let after = characters.clone().next();
                let code = |hex: &str| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
                let acts = match after {
                    Some('u') => characters.as_str().get(1..5).and_then(code).is_some_and(acts),
                    other => matches!(other, Some('b' | 'f' | 'n' | 'r' | 't')),
                };
                shown.push_str(if acts { "\\\\" } else { "\\" });
                shown.extend(after);
                characters.next();
            }
            character if raw(character) => shown.push_str(&format!("\\{}", escaped(character))),
            character => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// Every string of a value, keys included.
pub fn value(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => Json::String(line(&text).into_owned()),
        Json::Array(list) => list.into_iter().map(self::value).collect(),
        Json::Object(map) => {
            map.into_iter().map(|(key, inner)| (line(&key).into_owned(), self::value(inner))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_without_controls() {
        assert_eq!(line("a\u{1b}[2Kb\nc\u{9b}d\u{202e}"), "a\\u001b[2Kb\\u000ac\\u009bd\\u202e");
        assert_eq!(line("模型 8B"), "模型 8B");
    }

    #[test]
    fn an_answer_keeps_lines_and_its_own_styles() {
        assert_eq!(
            page("\u{1b}[1mbold\u{1b}[0m\n\u{1b}]0;title\u{7}"),
            "\u{1b}[1mbold\u{1b}[0m\n\\u001b]0;title\\u0007"
        );
    }

    #[test]
    fn strings_of_a_json_text_are_shown_as_written() {
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(&json(text)).unwrap();
        let text = r#"{"a": "x\u001b[31m\ny\\n\"z\u00e9", "b\r": 1}"#;
        assert_eq!(parsed(text), serde_json::json!({"a": "x\\u001b[31m\\ny\\n\"z\u{e9}", "b\\r": 1}));
        assert_eq!(parsed("{\"a\":\n\"\u{9b}\"}"), serde_json::json!({"a": "\\u009b"}));
    }
}
