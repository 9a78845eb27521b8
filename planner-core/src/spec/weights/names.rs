//! Names of modules as quantization configurations write them, compared with the names of the families.
//!
//! Checkpoints start a name in several ways (`model.`, `language_model.model.`) and have several names for an
//! MLP with experts (`block_sparse_moe`, `ffn`). Both are made canonical before a comparison.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::expressions::{self, Expression};
use crate::error::{Code, Error, Result};
use crate::text::Sentence;

/// Prefixes that say where in a wrapper the language model is.
const STARTS: &[&str] = &["model.", "language_model.", "text_model.", "transformer.", "backbone."];

/// The canonical name of a module: without a wrapper's prefix, `mlp` for every name of an MLP, experts without
/// their numbers.
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
            // The longer word, so that a pattern such as `shared_expert*` matches it too.
            "shared_expert" => parts.push("shared_experts"),
            other => parts.push(other),
        }
    }
    parts.join(".")
}

/// Modules named by a list of patterns: whole names, ends of names, globs of Python's `fnmatch`
/// (ModelOpt, Quark), and `re:` with a regular expression that must match from the start as Python's
/// `re.match` does (compressed-tensors `match_name`).
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    /// A set: the values are null.
    names: Map<String, Json>,
    globs: Vec<String>,
    expressions: Vec<Arc<dyn Expression>>,
}

/// Refuses regular expressions where this program has no reader for them. A list that is read in part would
/// give wrong bytes.
pub fn check(config: &Map<String, Json>) -> Result<()> {
    if expressions::are_read() || !Json::Object(config.clone()).to_string().contains("\"re:") {
        return Ok(());
    }
    Err(unread())
}

fn unread() -> Error {
    Error::refused(Code::WeightsNoPatterns, words!("this build was made without the feature `patterns`"))
        .about(words!("a list of modules with regular expressions"))
}

impl Patterns {
    /// Reads the patterns.
    ///
    /// # Errors
    ///
    /// An expression that cannot be parsed.
    pub fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut read = Self::default();
        for pattern in patterns {
            if let Some(text) = pattern.strip_prefix("re:") {
                read.expressions.push(expression("quantization_config", pattern, text)?);
            } else if pattern.contains(['*', '?', '[']) {
                read.globs.push(glob(&canonical(pattern)));
            } else {
                let _ = read.names.insert(canonical(pattern), Json::Null);
            }
        }
        Ok(read)
    }

    /// One regular expression that must match from the start of a module's name.
    ///
    /// # Errors
    ///
    /// An expression that cannot be parsed.
    pub fn expression(text: &str) -> Result<Self> {
        let expression = expression("quantization_config.dynamic", text, text)?;
        Ok(Self { expressions: vec![expression], ..Self::default() })
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.globs.is_empty() && self.expressions.is_empty()
    }

    /// Whether the list names a module: the module itself, one above it, or the end of its name.
    pub fn contain(&self, path: &str, name: &str) -> bool {
        if !self.names.is_empty() {
            let mut rest = name;
            loop {
                // The end of a name matches every module that ends so.
                let mut end = rest;
                loop {
                    if self.names.contains_key(end) {
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

/// Parses a regular expression that is the value of `key`.
fn expression(key: &str, stated: &str, text: &str) -> Result<Arc<dyn Expression>> {
    if !expressions::are_read() {
        return Err(unread());
    }
    expressions::read(&format!("^(?:{text})")).map_err(|error| {
        let wanted =
            Sentence::foreign(format!("a regular expression: {error}"), words!("a regular expression"));
        Error::bad_value(key, stated, wanted)
    })
}

/// Translates a glob of Python's `fnmatch` into one of `fast-glob`, where `**`, `\`, braces, a leading `!` and
/// `^` in a set have further meanings.
fn glob(pattern: &str) -> String {
    let mut glob = String::new();
    for c in pattern.chars() {
        match c {
            '*' if glob.ends_with('*') => continue,
            '\\' | '{' | '}' => glob.push('\\'),
            '!' if glob.is_empty() => glob.push('\\'),
            '^' if glob.ends_with('[') => glob.push('\\'),
            _ => {}
        }
        glob.push(c);
    }
    glob
}

/// Whether a glob matches a module or one above it.
fn glob_matches(glob: &str, name: &str) -> bool {
    let above = name.match_indices('.').map(|(end, _)| &name[..end]);
    above.chain([name]).any(|module| fast_glob::glob_match(glob, module))
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
        let named = |pattern: &str, path: &str| {
            Patterns::new([pattern].into_iter()).unwrap().contain(path, &canonical(path))
        };
        assert!(named("model.layers.0*", "model.layers.0.self_attn.q_proj"));
        assert!(!named("model.layers.1.*", "model.layers.10.self_attn.q_proj"));
        assert!(named("model.layers.*.self_attn", "model.layers.12.self_attn.o_proj"));
        #[cfg(feature = "patterns")]
        assert!(named("re:.*mlp\\.(gate|up|down)_proj.*", "model.layers.0.mlp.up_proj"));
        #[cfg(feature = "patterns")]
        assert!(!named("re:.*mlp\\.(gate|up|down)_proj.*", "model.layers.1.mlp.experts.up_proj"));
        assert!(named("lm_head", "lm_head"));
        assert!(named("gate", "model.layers.2.mlp.gate"));
        assert!(named("layers.1.mlp", "model.layers.1.mlp.up_proj"));
        assert!(named("model.layers.1.mlp.shared_experts*", "model.layers.1.mlp.shared_experts.up_proj"));
        assert!(named("model.layers.1.mlp.shared_expert*", "model.layers.1.mlp.shared_experts.up_proj"));
        assert!(!named("gate", "model.layers.2.mlp.gate_proj"));
    }
    /// Answers of Python 3.11's `fnmatch.fnmatchcase`, which ModelOpt and Quark call.
    #[test]
    fn globs_match_as_fnmatch_does() {
        for (pattern, name, answer) in [
            ("*gate", "layers.0.mlp.gate_up.gate", true),
            ("*gate", "layers.0.mlp.gate_up", false),
            ("layers.*.mlp.*proj", "layers.0.mlp.experts.down_proj", true),
            ("layers.?.mlp", "layers.7.mlp", true),
            ("layers.?.mlp", "layers.10.mlp", false),
            ("layers.[0-3].mlp", "layers.2.mlp", true),
            ("layers.[!0-3].mlp", "layers.2.mlp", false),
            ("layers.[!0-3].mlp", "layers.5.mlp", true),
            ("layers.[^2].mlp", "layers.5.mlp", false),
            ("layers.[^2].mlp", "layers.2.mlp", true),
            ("**gate**", "layers.0.mlp.gate_up", true),
            ("*a*b*a*b", "aabbab", true),
            ("{gate,up}*", "gate_up", false),
            ("!gate*", "up_proj", false),
            ("ga\\te*", "gate_up", false),
            ("[gate*", "gate_up", false),
        ] {
            assert_eq!(fast_glob::glob_match(super::glob(pattern), name), answer, "{pattern} {name}");
        }
    }

    #[cfg(feature = "patterns")]
    #[test]
    fn an_expression_that_cannot_be_read_is_named() {
        let error = Patterns::new(["lm_head", "re:.*(gate"].into_iter()).unwrap_err().to_string();
        assert!(error.contains("re:.*(gate"), "{error}");
    }
}
