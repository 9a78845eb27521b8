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

pub(super) fn error_hint(error: &Error) -> Option<String> {
    match error {
        Error::Unknown { what, near, .. } => {
            let list = match *what {
                "model" => "`kvplan models` lists what is known; a path to a config.json also works",
                "GPU" => "`kvplan gpus` lists what is known; a size such as 80GiB also works",
                _ => "",
            };
            let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
            match (near.is_empty(), list.is_empty()) {
                (true, true) => None,
                (true, false) => Some(list.to_owned()),
                (false, true) => Some(format!("did you mean {}?", near.join(" or "))),
                (false, false) => Some(format!("did you mean {}? {list}", near.join(" or "))),
            }
        }
        Error::NoCache { .. } => {
            Some("for an encoder-decoder model pass its own config; its cross-attention is planned".into())
        }
        Error::MissingField { field, .. } => {
            Some(format!("add `{field}` to the configuration; it is never guessed"))
        }
        Error::Unsupported { hint, .. } => Some(hint.clone()).filter(|hint| !hint.is_empty()),
        Error::Overflow { .. } => Some("smaller --seq or --users".into()),
        Error::BadValue { .. } | Error::Parse { .. } | Error::Unreadable { .. } => None,
    }
}
