//! Lines as an engine prints them: a sentence with a name in braces wherever a figure stands.
//!
//! `Model loading took {weights:GiB} GiB` is found anywhere in a line. `{_}` stands for any text; a name that starts
//! with `--` for a setting, by kvplan's flag.

use crate::figure::{Figure, Quantity, Unit};

/// One line of an engine's start-up.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// The sentence.
    pub text: &'static str,
    /// File and function that print it.
    pub by: &'static str,
    /// Releases of the engine that print it so.
    pub versions: &'static str,
    /// Whether a run starts here, so that figures of one before it in the same file do not count.
    pub starts: bool,
}

/// What a pattern finds in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A figure.
    Figure(Figure),
    /// A setting: kvplan's flag without its dashes, and the value as printed.
    Setting(&'static str, String),
    /// A name: `model`, `version`, `gpu`.
    Name(&'static str, String),
}

impl Pattern {
    /// A line that releases `versions` print in `by`.
    pub const fn new(text: &'static str, by: &'static str, versions: &'static str) -> Self {
        Self { text, by, versions, starts: false }
    }

    /// The same where a run starts with it.
    pub const fn starting(self) -> Self {
        Self { starts: true, ..self }
    }

    /// The text up to its first slot, without which no line is this one.
    pub fn start(&self) -> &'static str {
        self.text.split('{').next().unwrap_or_default()
    }

    /// What the line holds, where it is this one.
    pub fn find(&self, line: &str) -> Option<Vec<Found>> {
        let mut pieces = self.text.split(['{', '}']);
        let first = pieces.next().unwrap_or_default();
        let pieces: Vec<&'static str> = pieces.collect();
        line.match_indices(first).find_map(|(at, _)| matched(&pieces, &line[at + first.len()..]))
    }
}

/// Names and the text after each, in turn.
fn matched(pieces: &[&'static str], mut rest: &str) -> Option<Vec<Found>> {
    let mut found = Vec::new();
    for pair in pieces.chunks(2) {
        let (slot, after) = (pair[0], pair.get(1).copied().unwrap_or_default());
        let (name, unit) = slot.split_once(':').unwrap_or((slot, ""));
        if name == "_" {
            rest = &rest[rest.find(after)? + after.len()..];
            continue;
        }
        let is_figure = Quantity::named(name).is_some();
        let taken = if is_figure { number(rest) } else { word(rest, after) };
        let (value, tail) = rest.split_at(taken);
        let value = value.trim();
        if value.is_empty() {
            return None;
        }
        found.push(match (Quantity::named(name), name.strip_prefix("--")) {
            (Some(quantity), _) => Found::Figure(Figure::read(quantity, value, Unit::named(unit)?)?),
            (None, Some(flag)) => Found::Setting(flag, value.to_owned()),
            (None, None) => Found::Name(name, value.to_owned()),
        });
        rest = tail.strip_prefix(after)?;
    }
    Some(found)
}

/// Bytes of the number that a text starts with, spaces before it included.
fn number(text: &str) -> usize {
    let digits = text.trim_start_matches(' ');
    let length = digits.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '-'));
    let digits = &digits[..length.unwrap_or(digits.len())];
    text.len() - text.trim_start_matches(' ').len() + digits.trim_end_matches(['.', ',', '-']).len()
}

/// Bytes of the word that a text starts with: up to what follows it, or to a space where nothing does.
fn word(text: &str, after: &str) -> usize {
    let lead = text.len() - text.trim_start().len();
    let end = match after.chars().next() {
        Some(_) => text[lead..].find(after),
        None => Some(text[lead..].find(char::is_whitespace).unwrap_or(text.len() - lead)),
    };
    end.map_or(0, |end| lead + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &'static str, line: &str) -> Option<Vec<Found>> {
        Pattern::new(text, "", "").find(line)
    }

    fn bytes(found: &Found) -> i64 {
        match found {
            Found::Figure(figure) => figure.value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_figure_is_found_anywhere_in_a_line() {
        let found =
            find("took {weights:GiB} GiB", "INFO [x.py:1] Model loading took 2.5 GiB memory").unwrap();
        assert_eq!(bytes(&found[0]), 5 << 29);
        assert_eq!(find("took {weights:GiB} GiB", "took no GiB"), None);
        assert_eq!(find("took {weights:GiB} GiB", "took 2.5"), None);
    }

    #[test]
    fn names_and_settings_are_found() {
        let found = find("(v{version}) len={--max-model-len}", "engine (v0.19.0) len=8192 and").unwrap();
        assert_eq!(
            found,
            [Found::Name("version", "0.19.0".into()), Found::Setting("max-model-len", "8192".into())]
        );
    }

    #[test]
    fn anything_may_stand_between() {
        let found = find("A {_}: {tokens:n}", "A b c: 12,345, d").unwrap();
        assert_eq!(bytes(&found[0]), 12_345);
    }

    #[test]
    fn columns_may_be_filled_up() {
        let found = find("size = {room:MiB} MiB ({tokens:n} cells", "size = 90.00 MiB ( 1024 cells").unwrap();
        assert_eq!((bytes(&found[0]), bytes(&found[1])), (90 << 20, 1024));
    }
}
