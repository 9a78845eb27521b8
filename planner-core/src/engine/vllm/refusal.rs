//! Why vLLM would not start: its own words where it has some.

use crate::text::Sentence;

/// A refusal of the engine, or of this rule where the engine's behaviour is not restated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Sentence);

impl Refusal {
    /// A refusal with this reason.
    pub fn new(reason: impl Into<Sentence>) -> Self {
        Self(reason.into())
    }
}
