//! Every message in every language.

use crate::error::Error;

mod en;

/// A language of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// The message of an error: one sentence without a full stop.
pub fn error_message(lang: Lang, error: &Error) -> String {
    match lang {
        Lang::En | Lang::Zh => en::error_message(error),
    }
}

/// What to do about an error, where something can be said.
pub fn error_hint(lang: Lang, error: &Error) -> Option<String> {
    match lang {
        Lang::En | Lang::Zh => en::error_hint(error),
    }
}
