//! Text and header bytes from outside, turned into models.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::spec::family;
use crate::spec::model::ModelSpec;
use crate::text::Sentence;

pub mod gguf;
pub mod keys;

/// Reads the text of a `config.json`.
pub fn from_config_json(text: &str, strict: bool) -> Result<ModelSpec> {
    family::build(Arc::new(parse_object(text)?), strict).map_err(Error::of_model)
}

/// Reads a `config.json` and the `hf_quant_config.json` beside it. ModelOpt before 0.31 wrote the quantization
/// into that file instead of config.json. vLLM reads both too (`vllm/transformers_utils/config.py`,
/// `get_config`).
pub fn from_config_files(config: &str, quantization: Option<&str>, strict: bool) -> Result<ModelSpec> {
    let mut config = parse_object(config)?;
    let own = config.get("quantization_config").is_some_and(|value| !value.is_null());
    if let Some(text) = quantization.filter(|_| !own) {
        let file = parse_object(text)?;
        config.insert("quantization_config".into(), Json::Object(as_written_later(&file)));
    }
    family::build(Arc::new(config), strict).map_err(Error::of_model)
}

/// ModelOpt's older file, in the form that later versions have in config.json.
fn as_written_later(file: &Map<String, Json>) -> Map<String, Json> {
    let Some(inner) = file.get("quantization").and_then(Json::as_object) else { return file.clone() };
    let mut flat = Map::new();
    flat.insert("quant_method".into(), "modelopt".into());
    for (key, value) in inner {
        let key = if key == "exclude_modules" { "ignore" } else { key };
        flat.insert(key.into(), value.clone());
    }
    flat
}

/// The most values of a configuration. Published ones have up to about 50,000: the module names of a
/// quantization.
const MAX_VALUES: usize = 1 << 17;

/// Refuses a text with more values than a configuration has, before it is parsed: each takes far more memory
/// than its text.
///
/// # Errors
/// How many values there may be.
pub fn check_size(text: &str) -> std::result::Result<(), Sentence> {
    // every value but the first follows one of these
    let marks = text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b'-' | b':'));
    match marks.take(2 * MAX_VALUES).count() < 2 * MAX_VALUES {
        true => Ok(()),
        false => Err(say!("it has more than {0} values, too many for a configuration", MAX_VALUES)),
    }
}

/// Parses a JSON object. An error says what the text looks like instead.
pub fn parse_object(text: &str) -> Result<Map<String, Json>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let parse = |why: Sentence| Error::parse("config.json", why);
    if text.is_empty() {
        return Err(parse(words!("it is empty").into()));
    }
    if text.starts_with('<') {
        return Err(parse(
            words!("it is HTML or XML, not JSON: was a web page saved instead of the raw file?").into(),
        ));
    }
    check_size(text).map_err(parse)?;
    let parsed = serde_json::from_str(text).or_else(|error| {
        // Python writes NaN and Infinity, which JSON does not have; published files contain them.
        serde_json::from_str(&without_python_numbers(text)).map_err(|_| error)
    });
    match parsed {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err(parse(words!("it is JSON but not an object").into())),
        Err(error) => {
            let instead = match error.is_eof() {
                true => say!("it ends too early, in line {0}, column {1}", error.line(), error.column()),
                false => say!("it is not JSON in line {0}, column {1}", error.line(), error.column()),
            };
            Err(parse(Sentence::foreign(format!("it is not JSON: {error}"), instead)))
        }
    }
}

/// The text with `NaN`, `Infinity` and `-Infinity` outside strings replaced by `null`.
fn without_python_numbers(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(character) = rest.chars().next() {
        let name =
            ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| !in_string && rest.starts_with(name));
        let taken = match (name, character) {
            (Some(name), _) => {
                clean.push_str("null");
                name.len()
            }
            // An escaped character never ends the string.
            (None, '\\') if in_string => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            (None, character) => {
                in_string ^= character == '"';
                character.len_utf8()
            }
        };
        if name.is_none() {
            clean.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::parse_object;
    use serde_json::json;

    #[test]
    fn numbers_that_only_python_writes_are_null() {
        let map =
            parse_object(r#"{"limit": [0.0, Infinity, -Infinity], "nan": NaN, "text": "NaN \" Infinity"}"#)
                .unwrap();
        assert_eq!(json!(map), json!({"limit": [0.0, null, null], "nan": null, "text": "NaN \" Infinity"}));
        let error = parse_object("{\"a\": Infinite}").unwrap_err().to_string();
        assert!(error.contains("line 1 column"), "{error}");
    }
}
