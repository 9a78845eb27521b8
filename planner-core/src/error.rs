//! What can go wrong, as data: a stable code, a message that names the flag or field, a hint.

use std::fmt;

use crate::text::{Argument, Sentence};

/// The result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A list of known names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Known {
    Model,
    Gpu,
    Engine,
    Flag,
}

/// Why a question cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No such name in a list of known ones.
    Unknown {
        /// What was looked up.
        what: Known,
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
        why: Sentence,
    },
    /// A configuration lacks a field without which nothing exact can be said.
    MissingField {
        /// The field.
        field: String,
        /// Where it was looked for.
        looked_in: Sentence,
    },
    /// The input is understood but not supported, or the engine itself refuses it.
    Unsupported {
        /// What is not supported.
        what: Sentence,
        /// The reason or the way out.
        hint: Sentence,
    },
    /// A flag or field has a value that it cannot have.
    BadValue {
        /// Flag (`--seq`) or field (`num_hidden_layers`).
        field: Sentence,
        /// The value as given.
        got: Sentence,
        /// What it should be.
        want: Sentence,
    },
    /// The configuration lists modules by regular expressions, and this build reads none
    /// (see [`expressions`](crate::spec::weights::expressions)).
    NeedsPatterns,
    /// A result does not fit in 64 bits.
    Overflow {
        /// The quantity.
        what: Sentence,
    },
    /// Text that is not in its format.
    Parse {
        /// `config.json`, `GGUF` …
        format: Sentence,
        /// What was wrong and where.
        why: Sentence,
    },
    /// A file that cannot be read.
    Unreadable {
        /// The path as given.
        path: String,
        /// The reason.
        why: Sentence,
    },
}

impl Error {
    /// A stable code for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { what: Known::Model, .. } => "unknown_model",
            Self::Unknown { what: Known::Gpu, .. } => "unknown_gpu",
            Self::Unknown { .. } => "unknown_name",
            Self::NoCache { .. } => "no_kv_cache",
            Self::MissingField { .. } => "missing_field",
            Self::Unsupported { .. } | Self::NeedsPatterns => "unsupported",
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
            Self::BadValue { .. } if self.flag().is_some() => 2,
            _ => 3,
        }
    }

    /// The flag that has a bad value, without its dashes.
    pub fn flag(&self) -> Option<&str> {
        match self {
            Self::BadValue { field, .. } => field.name()?.strip_prefix("--"),
            _ => None,
        }
    }

    /// A bad value of a flag or field.
    pub fn bad_value(field: impl Argument, got: impl Argument, want: impl Into<Sentence>) -> Self {
        let got = Some(got.sentence()).filter(|got| !got.is_empty());
        Self::BadValue {
            field: field.sentence(),
            got: got.unwrap_or_else(|| words!("empty").into()),
            want: want.into(),
        }
    }

    /// A field that is not there.
    pub fn missing(field: impl Into<String>, looked_in: impl Into<Sentence>) -> Self {
        Self::MissingField { field: field.into(), looked_in: looked_in.into() }
    }

    /// Text that is not in its format.
    pub fn parse(format: impl Argument, why: impl Into<Sentence>) -> Self {
        Self::Parse { format: format.sentence(), why: why.into() }
    }

    /// A file that cannot be read.
    pub fn unreadable(path: impl Into<String>, why: impl Into<Sentence>) -> Self {
        Self::Unreadable { path: path.into(), why: why.into() }
    }

    /// A result beyond 64 bits.
    pub fn overflow(what: impl Into<Sentence>) -> Self {
        Self::Overflow { what: what.into() }
    }

    /// Something that is not supported, with the reason or the way out.
    pub fn unsupported(what: impl Into<Sentence>, hint: impl Into<Sentence>) -> Self {
        Self::Unsupported { what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::error_message(crate::text::Lang::En, self))
    }
}

impl std::error::Error for Error {}
