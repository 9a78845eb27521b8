//! How answers look: one file per format.

#[cfg(feature = "verify")]
pub mod bench;
pub mod csv;
pub mod engines;
pub mod markdown;
#[cfg(feature = "verify")]
pub mod plot;
pub mod rows;
pub mod table;

use textwrap::{Options, WordSplitter, WrapAlgorithm};

/// Columns that text takes, wide characters counted twice.
pub use textwrap::core::display_width;

/// The fewest columns a line is wrapped to, indentation aside.
const LEAST_COLUMNS: usize = 20;

/// Wraps text to a width, every line indented: at spaces, and between Chinese characters. A word, such as
/// a path or a flag, is never cut.
pub fn wrap(text: &str, width: u16, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = Options::new(usize::from(width).max(indent.len() + LEAST_COLUMNS))
        .initial_indent(&indent)
        .subsequent_indent(&indent)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false);
    textwrap::fill(text, options)
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
    fn chinese_is_wrapped_without_spaces_and_no_line_starts_with_a_stop() {
        // Ten characters of two columns fit into 20; the stop takes the tenth with it.
        assert_eq!(wrap("进程常驻内存的增长率。末行", 20, 0), "进程常驻内存的增长\n率。末行");
    }
}
