//! Text and header bytes from outside, turned into models.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::spec::family;
use crate::spec::model::ModelSpec;

/// Reads the text of a `config.json`.
pub fn from_config_json(text: &str, strict: bool) -> Result<ModelSpec> {
    family::build(Arc::new(parse_object(text)?), strict)
}

/// Parses a JSON object, with an error that says what the text looks like instead.
pub fn parse_object(text: &str) -> Result<Map<String, Json>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let parse = |why: String| Error::Parse { format: "config.json", why };
    if text.is_empty() {
        return Err(parse("it is empty".into()));
    }
    if text.starts_with('<') {
        return Err(parse(
            "it is HTML or XML, not JSON: was a web page saved instead of the raw file?".into(),
        ));
    }
    // Some published files hold Python's NaN or Infinity, which JSON does not know.
    match serde_json::from_str(text) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err(parse("it is JSON but not an object".into())),
        Err(error) => Err(parse(error.to_string())),
    }
}
