//! How answers look: one file per format.

#[cfg(feature = "verify")]
pub mod bench;
pub mod chart;
pub mod csv;
pub mod engines;
pub mod list_words;
#[cfg(feature = "live")]
pub mod live;
pub mod log;
pub mod markdown;
pub mod matrix;
#[cfg(feature = "verify")]
pub mod plot;
pub mod recommend;
pub mod recommend_words;
pub mod rows;
pub mod table;
mod why;

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Columns that text takes, wide characters counted twice.
pub use textwrap::core::display_width;

/// The fewest columns a line is wrapped to, indentation aside.
const LEAST_COLUMNS: usize = 20;

/// Wraps text to a width at spaces, every line indented. A path, a hub id or a flag is never cut, which is
/// why lines do not break where Unicode would allow it, such as after `/`.
pub fn wrap(text: &str, width: u16, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = Options::new(usize::from(width).max(indent.len() + LEAST_COLUMNS))
        .initial_indent(&indent)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false);
    textwrap::fill(text, options)
}

/// A model's name in bold, and what is told of it.
pub fn titled(model: &str, text: &str, width: u16) -> String {
    let lines = wrap(&format!("{model}   {text}"), width, 0);
    match lines.strip_prefix(model) {
        Some(rest) => format!("{}{rest}", crate::output::bold(model)),
        None => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn a_flag_is_never_cut() {
        assert_eq!(wrap("shorter with --uncached-runs 1", 24, 2), "  shorter with\n  --uncached-runs 1");
        assert_eq!(wrap("see /a/path/longer-than-the-line", 20, 0), "see\n/a/path/longer-than-the-line");
    }

    #[test]
    fn a_chinese_character_takes_two_columns() {
        assert_eq!(wrap("进程常驻内存 的增长 kv", 20, 0), "进程常驻内存 的增长\nkv");
    }
}
