//! English messages.

use crate::error::Error;

pub(super) fn error_message(error: &Error) -> String {
    match error {
        Error::Unknown { what, name, .. } => format!("unknown {what} `{name}`"),
        Error::NoCache { architecture, why } => {
            format!("`{architecture}` has no KV cache, because {why}")
        }
        Error::MissingField { field, looked_in } => {
            format!("`{field}` is missing: looked for it in {looked_in}")
        }
        Error::Unsupported { what, .. } => format!("{what} is not supported"),
        Error::BadValue { field, got, want } => format!("`{field}` is {got}, but must be {want}"),
        Error::Overflow { what } => format!("{what} is too large: it does not fit in 64 bits"),
        Error::Parse { format, why } => format!("{format}: {why}"),
        Error::Unreadable { path, why } => format!("cannot read `{path}`: {why}"),
    }
}
