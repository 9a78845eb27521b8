//! What can go wrong, as data: a stable code, a message that names the flag or field, a hint.

use std::fmt;

/// The result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No such name in a list of known ones.
    Unknown {
        /// What was looked up: `model`, `GPU`, `engine`, `KV dtype` …
        what: &'static str,
        /// The name as given.
        name: String,
        /// The nearest known names.
        near: Vec<String>,
    },
    /// The model keeps no KV cache.
    NoCache {
        /// Class or `model_type`.
        architecture: String,
        /// Why.
        why: String,
    },
    /// A configuration lacks a field without which nothing exact can be said.
    MissingField {
        /// The field.
        field: String,
        /// Where it was looked for.
        looked_in: String,
    },
    /// The input is understood but not supported, or the engine itself refuses it.
    Unsupported {
        /// What is not supported.
        what: String,
        /// The reason or the way out.
        hint: String,
    },
    /// A flag or field has a value that it cannot have.
    BadValue {
        /// Flag (`--seq`) or field (`num_hidden_layers`).
        field: String,
        /// The value as given.
        got: String,
        /// What it should be.
        want: String,
    },
    /// A result does not fit in 64 bits.
    Overflow {
        /// The quantity.
        what: String,
    },
    /// Text that is not in its format.
    Parse {
        /// `config.json`, `GGUF` …
        format: &'static str,
        /// What was wrong and where.
        why: String,
    },
    /// A file that cannot be read.
    Unreadable {
        /// The path as given.
        path: String,
        /// The reason.
        why: String,
    },
}

impl Error {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { what: "model", .. } => "unknown_model",
            Self::Unknown { what: "GPU", .. } => "unknown_gpu",
            Self::Unknown { .. } => "unknown_name",
            Self::NoCache { .. } => "no_kv_cache",
            Self::MissingField { .. } => "missing_field",
            Self::Unsupported { .. } => "unsupported",
            Self::BadValue { .. } => "bad_value",
            Self::Overflow { .. } => "overflow",
            Self::Parse { .. } => "parse",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The exit code of a program that ends with this error: 2 for a question that is put wrongly,
    /// 3 for input that cannot be read or is not supported.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unknown { .. } | Self::Overflow { .. } => 2,
            Self::BadValue { field, .. } if field.starts_with("--") => 2,
            _ => 3,
        }
    }

    /// A bad value of a flag or field.
    pub fn bad_value(field: impl Into<String>, got: impl fmt::Display, want: impl Into<String>) -> Self {
        Self::BadValue { field: field.into(), got: got.to_string(), want: want.into() }
    }

    /// A result beyond 64 bits.
    pub fn overflow(what: impl Into<String>) -> Self {
        Self::Overflow { what: what.into() }
    }

    /// Something that is not supported, with the reason or the way out.
    pub fn unsupported(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::error_message(crate::text::Lang::En, self))
    }
}

impl std::error::Error for Error {}
