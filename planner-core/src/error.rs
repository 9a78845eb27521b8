//! Errors as data: a stable code, a subject, the reason and the way out.
//!
//! Programs compare the [`Code`]; sentences are for people, in English or Chinese (`crate::text`).

use crate::text::{Argument, Sentence};

mod code;

pub use code::Code;

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
    Refused(Box<Refusal>),
    /// A flag or field has a value that it cannot have.
    BadValue {
        /// [`Code::BadValue`], or one that says more.
        code: Code,
        /// Flag (`--seq`) or field (`num_hidden_layers`).
        field: Sentence,
        /// The value as given.
        got: Sentence,
        /// What it should be.
        want: Sentence,
    },
    /// A number does not fit in 64 bits.
    Overflow {
        /// The quantity, or the flag that names it.
        what: Sentence,
        /// Whether the number is a configuration's or a file header's own, so that no request can change it.
        of_model: bool,
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
    /// A stable code for programs.
    pub fn code(&self) -> Code {
        match self {
            Self::Unknown { what: Known::Model, .. } => Code::UnknownModel,
            Self::Unknown { what: Known::Gpu, .. } => Code::UnknownGpu,
            Self::Unknown { .. } => Code::UnknownName,
            Self::NoCache { .. } => Code::NoKvCache,
            Self::MissingField { .. } => Code::MissingField,
            Self::Refused(refusal) => refusal.code,
            Self::BadValue { code, .. } => *code,
            Self::Overflow { .. } => Code::Overflow,
            Self::Parse { .. } => Code::Parse,
            Self::Unreadable { .. } => Code::Unreadable,
        }
    }

    /// Whether the user's question is wrong: an unknown name, or a flag's value. Otherwise the input cannot be
    /// read or is not supported.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unknown { .. } => true,
            Self::Overflow { of_model, .. } => !of_model,
            Self::BadValue { .. } => self.flag().is_some(),
            _ => false,
        }
    }

    /// What the error is about, as the user gave it: a flag, a field, a model or a file.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Unknown { name, .. } => Some(name),
            Self::NoCache { architecture, .. } => Some(architecture),
            Self::MissingField { field, .. } => Some(field),
            Self::Refused(refusal) => refusal.subject.as_ref()?.name(),
            Self::BadValue { field, .. } => field.name(),
            Self::Overflow { what, .. } => what.name(),
            Self::Parse { format, .. } => format.name(),
            Self::Unreadable { path, .. } => Some(path),
        }
    }

    /// The flag that the error is about, without its dashes.
    pub fn flag(&self) -> Option<&str> {
        match self {
            Self::BadValue { .. } | Self::Overflow { .. } | Self::Refused(_) => {
                self.subject()?.strip_prefix("--")
            }
            _ => None,
        }
    }

    /// The same error about another subject: a flag as it was typed, a field or a model.
    pub fn about(mut self, subject: impl Argument) -> Self {
        let subject = subject.sentence();
        match &mut self {
            Self::BadValue { field, .. } => *field = subject,
            Self::Overflow { what, .. } => *what = subject,
            Self::Refused(refusal) => refusal.subject = Some(subject),
            _ => {}
        }
        self
    }

    /// The same refusal with a way out; an empty one is left out.
    pub fn way_out(mut self, way_out: impl Into<Sentence>) -> Self {
        if let Self::Refused(refusal) = &mut self {
            refusal.way_out = Some(way_out.into()).filter(|way_out| !way_out.is_empty());
        }
        self
    }

    /// The same with a code that says more than [`Code::BadValue`].
    pub fn coded(mut self, with: Code) -> Self {
        if let Self::BadValue { code, .. } = &mut self {
            *code = with;
        }
        self
    }

    /// The same refusal, by an engine in a version.
    pub fn told_by(mut self, engine: &'static str, version: &'static str) -> Self {
        if let Self::Refused(refusal) = &mut self {
            refusal.engine.get_or_insert((engine, version));
        }
        self
    }

    /// The same error while a configuration or a header was read: an overflow is the model's own.
    pub fn of_model(mut self) -> Self {
        if let Self::Overflow { of_model, .. } = &mut self {
            *of_model = true;
        }
        self
    }

    /// A refusal in kvplan's words. For a code without a rule ([`Code::is_not_restated`]), the reason names
    /// what the rule is missing for.
    pub fn refused(code: Code, reason: impl Into<Sentence>) -> Self {
        let reason = reason.into();
        Self::Refused(Box::new(Refusal { code, subject: None, reason, way_out: None, engine: None }))
    }

    /// A refusal in the engine's own English words, without their full stop.
    pub fn quoted(code: Code, words: impl AsRef<str>) -> Self {
        Self::refused(code, Sentence::verbatim(words.as_ref().trim_end_matches('.')))
    }

    /// A bad value of a flag or field.
    pub fn bad_value(field: impl Argument, got: impl Argument, want: impl Into<Sentence>) -> Self {
        let got = Some(got.sentence()).filter(|got| !got.is_empty());
        Self::BadValue {
            code: Code::BadValue,
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
        Self::Overflow { what: what.into(), of_model: false }
    }
}

impl std::error::Error for Error {}

/// A model or setting that an engine refuses, or that kvplan does not support.
///
/// ```
/// use planner_core::error::{Code, Error};
///
/// let error = Error::quoted(Code::VllmDcpSlidingWindow, "DCP not support sliding window.")
///     .about("--dcp")
///     .told_by("vLLM", "0.33.0");
/// assert_eq!(error.to_string(), "vLLM 0.33.0 refuses `--dcp`: DCP not support sliding window");
/// assert_eq!(error.flag(), Some("dcp"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which refusal it is.
    pub code: Code,
    /// The flag, field or model that is refused; none where the reason names it.
    pub subject: Option<Sentence>,
    /// The reason. Where kvplan has no rule, what the rule is missing for.
    pub reason: Sentence,
    /// What to do instead.
    pub way_out: Option<Sentence>,
    /// The engine's name and its version, where one was asked.
    pub engine: Option<(&'static str, &'static str)>,
}
