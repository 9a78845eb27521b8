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

/// Wraps text to a width, every line indented.
pub fn wrap(text: &str, width: u16, indent: usize) -> String {
    let limit = usize::from(width).max(indent + 20);
    let mut lines = vec![" ".repeat(indent)];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let wide = display_width(&lines[last]) + 1 + display_width(word);
        if wide > limit && lines[last].trim() != "" {
            lines.push(" ".repeat(indent));
        }
        if let Some(line) = lines.last_mut() {
            if line.trim() != "" {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Columns that text takes, wide characters counted twice.
pub fn display_width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}
