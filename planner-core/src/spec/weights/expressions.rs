//! Regular expressions, which few checkpoints use. With the feature `patterns` they are read from the start,
//! otherwise once a program has installed a [`Reader`].

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

/// A parsed expression.
pub trait Expression: Debug + Send + Sync {
    /// Whether it matches anywhere in a text.
    fn matches(&self, text: &str) -> bool;
}

/// Parses an expression, or says what is wrong with it.
pub type Reader = fn(&str) -> Result<Arc<dyn Expression>, String>;

static INSTALLED: OnceLock<Reader> = OnceLock::new();

#[cfg(feature = "patterns")]
const FROM_START: Option<Reader> = Some(regular);
#[cfg(not(feature = "patterns"))]
const FROM_START: Option<Reader> = None;

/// Installs the reader; the first one stays.
pub fn install(reader: Reader) {
    let _ = INSTALLED.set(reader);
}

fn reader() -> Option<Reader> {
    FROM_START.or(INSTALLED.get().copied())
}

/// Whether expressions can be read at all.
pub(super) fn are_read() -> bool {
    reader().is_some()
}

/// Reads an expression.
pub(super) fn read(text: &str) -> Result<Arc<dyn Expression>, String> {
    reader().ok_or("no expressions are read")?(text)
}

/// The reader of `regex-lite`.
pub fn regular(text: &str) -> Result<Arc<dyn Expression>, String> {
    let read = regex_lite::Regex::new(text).map_err(|error| error.to_string())?;
    Ok(Arc::new(read))
}

impl Expression for regex_lite::Regex {
    fn matches(&self, text: &str) -> bool {
        self.is_match(text)
    }
}
