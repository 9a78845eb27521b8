//! Values of flags beyond numbers, and their readers.

use std::borrow::Cow;
use std::fmt;

use crate::dtype::DType;
use crate::error::{Error, Result};
#[cfg(feature = "quantizers")]
use crate::spec::weights::Written;
use crate::text::Sentence;
use crate::units::parse_count;

/// An engine by name, and one of its versions.
///
/// Only the name: `engine::resolve` finds the engine when a plan is made. Known names are constants of
/// [`crate::engine`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EngineId {
    name: Cow<'static, str>,
    version: Option<Cow<'static, str>>,
}

impl EngineId {
    /// The engine of a name, in its default version.
    pub const fn named(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), version: None }
    }

    /// The same engine in another version, such as `0.33.0`.
    #[must_use]
    pub fn version(self, version: impl Into<Cow<'static, str>>) -> Self {
        Self { version: Some(version.into()), ..self }
    }

    /// Reads `NAME` or `NAME@VERSION`. Whether there is such an engine is checked when a plan is made.
    pub fn parse(text: &str) -> Self {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.to_owned().into())),
            None => (text, None),
        };
        Self { name: name.to_owned().into(), version }
    }

    /// The name as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version as given; the engine's default where none is.
    pub fn wanted_version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

/// As the user typed it.
impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, "@{version}"))
    }
}

/// What `--weight-dtype` counts weights in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightType {
    /// One dtype.
    One(DType),
    /// As a quantizer writes them: types by module, scales included.
    #[cfg(feature = "quantizers")]
    Written(Written),
}

impl WeightType {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(dtype) => dtype.name,
            #[cfg(feature = "quantizers")]
            Self::Written(form) => form.name(),
        }
    }

    /// The one dtype of all weights, where there is one.
    pub fn dtype(self) -> Option<DType> {
        match self {
            Self::One(dtype) => Some(dtype),
            #[cfg(feature = "quantizers")]
            Self::Written(_) => None,
        }
    }

    /// Reads a name in lower case. Those of GGML name file types, mixes of tensor types.
    ///
    /// # Errors
    /// A name that is neither a dtype's nor a quantizer's.
    pub fn parse(flag: &str, name: &str) -> Result<Self> {
        #[cfg(feature = "quantizers")]
        if let Some(form) = Written::from_name(&name.replace('-', "_")) {
            return Ok(Self::Written(form));
        }
        if let Some(dtype) = DType::from_name(name) {
            return Ok(Self::One(dtype));
        }
        #[cfg(feature = "quantizers")]
        let known = {
            let plain = DType::ALL.iter().map(|dtype| dtype.name);
            let plain = plain.filter(|name| Written::from_name(name).is_none());
            plain.chain(Written::names()).collect::<Vec<_>>()
        };
        #[cfg(not(feature = "quantizers"))]
        let known = DType::ALL.iter().map(|dtype| dtype.name).collect::<Vec<_>>();
        Err(Error::bad_value(flag, name, say!("`auto` or one of {0}", Sentence::list(known))))
    }
}

/// llama.cpp's `--flash-attn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlashAttention {
    /// On where the device supports it.
    #[default]
    Auto,
    /// Always; a quantized V cache needs it.
    On,
    /// Never.
    Off,
}

impl FlashAttention {
    pub(super) fn read(flag: &str, text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            text => match on_off(flag, text) {
                Ok(true) => Ok(Self::On),
                Ok(false) => Ok(Self::Off),
                Err(_) => Err(Error::bad_value(flag, text, words!("auto, on or off"))),
            },
        }
    }
}

impl fmt::Display for FlashAttention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// The cache class of transformers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheKind {
    /// `DynamicCache`: grows with the tokens seen.
    #[default]
    Dynamic,
    /// `StaticCache`: allocates `--max-model-len` at once.
    Static,
    /// `QuantizedCache`: packs groups of elements (`--kv-dtype` says how).
    Quantized,
}

impl CacheKind {
    pub(super) fn read(flag: &str, text: &str) -> Result<Self> {
        let kinds = [Self::Dynamic, Self::Static, Self::Quantized];
        let found = kinds.into_iter().find(|kind| kind.to_string() == text);
        found.ok_or_else(|| Error::bad_value(flag, text, words!("dynamic, static or quantized")))
    }
}

impl fmt::Display for CacheKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dynamic => "dynamic",
            Self::Static => "static",
            Self::Quantized => "quantized",
        })
    }
}

/// Extra layers and states of speculative decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speculative {
    /// Prompt look-up with `n` drafted tokens: no layers of its own.
    Ngram(u64),
    /// The model's own prediction layers, drafting `n` tokens.
    Mtp(u64),
    /// An EAGLE head of one layer drafting `n` tokens.
    Eagle(u64),
}

impl Speculative {
    pub(super) fn read(flag: &str, text: &str) -> Result<Self> {
        let (kind, tokens) = text.split_once(':').unwrap_or((text, ""));
        let tokens = if tokens.is_empty() { 1 } else { parse_count(flag, tokens)? };
        match kind {
            "ngram" => Ok(Self::Ngram(tokens)),
            "mtp" => Ok(Self::Mtp(tokens)),
            "eagle" | "eagle3" => Ok(Self::Eagle(tokens)),
            _ => Err(Error::bad_value(flag, text, words!("ngram:N, mtp:N or eagle:N, N drafted tokens"))),
        }
    }
}

impl fmt::Display for Speculative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ngram(n) => write!(f, "ngram:{n}"),
            Self::Mtp(n) => write!(f, "mtp:{n}"),
            Self::Eagle(n) => write!(f, "eagle:{n}"),
        }
    }
}

/// Ranks that something is shared out over: all there are, or a number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranks {
    /// Not shared out.
    Off,
    /// Over all ranks there are.
    On,
    /// Over so many, at least 1.
    Size(u64),
}

impl Ranks {
    pub(super) fn read(flag: &str, text: &str) -> Result<Self> {
        match text {
            "on" | "true" | "" => Ok(Self::On),
            "off" | "false" => Ok(Self::Off),
            text => parse_count(flag, text)
                .map(Self::Size)
                .map_err(|_| Error::bad_value(flag, text, words!("on, off or a number of ranks"))),
        }
    }
}

impl fmt::Display for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::On => f.write_str("on"),
            Self::Size(n) => write!(f, "{n}"),
        }
    }
}

/// Reads a switch.
pub(super) fn on_off(flag: &str, text: &str) -> Result<bool> {
    match text {
        "on" | "true" | "1" | "" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err(Error::bad_value(flag, text, words!("on or off"))),
    }
}
