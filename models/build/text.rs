//! Rust source from data.

/// A Rust string literal.
pub fn literal(text: &str) -> String {
    format!("{text:?}")
}

/// `Some("text")` or `None`.
pub fn option(text: Option<&str>) -> String {
    text.map_or("None".into(), |text| format!("Some({})", literal(text)))
}

/// A slice of what is Rust source already.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("&[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

/// A slice of string literals.
pub fn texts(items: &[String]) -> String {
    list(items.iter().map(|item| literal(item)))
}

/// Text of several lines as one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
