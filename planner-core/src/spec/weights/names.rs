//! Names of modules as quantization configurations write them, against the names of the families.
//!
//! Checkpoints differ in how they start a name (`model.`, `language_model.model.`) and call an MLP
//! with experts (`block_sparse_moe`, `ffn`); both are brought to one form before they are compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::expressions::{self, Expression};
use crate::error::{Code, Error, Result};
use crate::text::Sentence;

/// Starts of a name that say where in a wrapper the language model stands.
const STARTS: &[&str] = &["model.", "language_model.", "text_model.", "transformer.", "backbone."];

/// One form for a module's name: no wrapper at its start, `mlp` for every name of an MLP, experts
/// without their numbers.
pub fn canonical(name: &str) -> String {
    let mut rest = name;
    while let Some(after) = STARTS.iter().find_map(|start| rest.strip_prefix(start)) {
        rest = after;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('.') {
        let previous = parts.last().copied().unwrap_or_default();
        match part {
            "block_sparse_moe" | "ffn" | "feed_forward" => parts.push("mlp"),
            "w1" => parts.push("gate_proj"),
            "w2" => parts.push("down_proj"),
            "w3" => parts.push("up_proj"),
            // MLX's name of the experts in one tensor.
            "switch_mlp" => parts.push("experts"),
            number if previous == "experts" && number.parse::<u32>().is_ok() => {}
            // The longer word, which a pattern such as `shared_expert*` names too.
            "shared_expert" => parts.push("shared_experts"),
            other => parts.push(other),
        }
    }
    parts.join(".")
}

/// Modules named by a list of patterns: whole names, parts of names, `*` wildcards, and `re:` with a
/// regular expression that must match from the start.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    names: BTreeSet<String>,
    globs: Vec<String>,
    expressions: Vec<Arc<dyn Expression>>,
}

/// Refuses regular expressions where this program cannot read them: a list that is read in part
/// would give wrong bytes.
pub fn check(config: &Map<String, Json>) -> Result<()> {
    if expressions::are_read() || !Json::Object(config.clone()).to_string().contains("\"re:") {
        return Ok(());
    }
    Err(unread())
}

fn unread() -> Error {
    Error::refused(Code::WeightsNoPatterns, words!("this build was made without the feature `patterns`"))
        .about(expressions::REFUSED)
}

impl Patterns {
    /// Reads the patterns; an expression that cannot be read matches nothing.
    pub fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Self {
        let mut read = Self::default();
        for pattern in patterns {
            if let Some(expression) = pattern.strip_prefix("re:") {
                read.expressions.extend(expressions::read(&format!("^(?:{expression})")));
            } else if pattern.contains('*') {
                read.globs.push(canonical(pattern));
            } else {
                let _ = read.names.insert(canonical(pattern));
            }
        }
        read
    }

    /// One regular expression that must match from the start of a module's name.
    pub fn expression(text: &str) -> Result<Self> {
        if !expressions::are_read() {
            return Err(unread());
        }
        let expression = expressions::read(&format!("^(?:{text})")).map_err(|error| {
            Error::bad_value(
                "quantization_config.dynamic",
                text,
                Sentence::foreign(format!("a regular expression: {error}"), words!("a regular expression")),
            )
        })?;
        Ok(Self { expressions: vec![expression], ..Self::default() })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.globs.is_empty() && self.expressions.is_empty()
    }

    /// Whether they name a module: itself, a module above it, or the end of its name.
    pub fn contain(&self, path: &str, name: &str) -> bool {
        if !self.names.is_empty() {
            let mut rest = name;
            loop {
                // The end of a name names every module that ends so.
                let mut end = rest;
                loop {
                    if self.names.contains(end) {
                        return true;
                    }
                    match end.split_once('.') {
                        Some((_, shorter)) => end = shorter,
                        None => break,
                    }
                }
                match rest.rsplit_once('.') {
                    Some((parent, _)) => rest = parent,
                    None => break,
                }
            }
        }
        self.globs.iter().any(|glob| glob_matches(glob, name))
            || self.expressions.iter().any(|read| read.matches(path) || read.matches(name))
    }
}

/// Whether a pattern with `*` for any text names a module or one above it.
fn glob_matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut is_open = false;
    for piece in pieces {
        is_open = piece.is_empty();
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    is_open || rest.is_empty() || rest.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::{Patterns, canonical};

    #[test]
    fn names_of_one_module_have_one_form() {
        for name in [
            "model.layers.3.block_sparse_moe.experts.7.w1",
            "model.language_model.layers.3.mlp.experts.gate_proj",
            "language_model.model.layers.3.ffn.experts.0.gate_proj",
        ] {
            assert_eq!(canonical(name), "layers.3.mlp.experts.gate_proj");
        }
    }

    #[test]
    fn patterns_name_modules_the_way_published_lists_do() {
        let named =
            |pattern: &str, path: &str| Patterns::new([pattern].into_iter()).contain(path, &canonical(path));
        assert!(named("model.layers.0*", "model.layers.0.self_attn.q_proj"));
        assert!(!named("model.layers.1.*", "model.layers.10.self_attn.q_proj"));
        assert!(named("model.layers.*.self_attn", "model.layers.12.self_attn.o_proj"));
        #[cfg(feature = "patterns")]
        assert!(named("re:.*mlp\\.(gate|up|down)_proj.*", "model.layers.0.mlp.up_proj"));
        assert!(!named("re:.*mlp\\.(gate|up|down)_proj.*", "model.layers.1.mlp.experts.up_proj"));
        assert!(named("lm_head", "lm_head"));
        assert!(named("gate", "model.layers.2.mlp.gate"));
        assert!(named("layers.1.mlp", "model.layers.1.mlp.up_proj"));
        assert!(named("model.layers.1.mlp.shared_experts*", "model.layers.1.mlp.shared_experts.up_proj"));
        assert!(named("model.layers.1.mlp.shared_expert*", "model.layers.1.mlp.shared_experts.up_proj"));
        assert!(!named("gate", "model.layers.2.mlp.gate_proj"));
    }
}
