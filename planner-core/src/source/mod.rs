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
    let parsed = serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_nonfinite(text)));
    match parsed {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err(parse("it is JSON but not an object".into())),
        Err(error) => Err(parse(error.to_string())),
    }
}

/// The text with `NaN`, `Infinity` and `-Infinity` outside strings turned into `null`.
fn without_nonfinite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, piece) in outside_strings(text) {
        if at {
            let piece = piece.replace("-Infinity", "null").replace("Infinity", "null");
            out.push_str(&piece.replace("NaN", "null"));
        } else {
            out.push_str(piece);
        }
    }
    out
}

/// Pieces of JSON text, each with whether it lies outside every string.
fn outside_strings(text: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    let (mut start, mut outside, mut escaped) = (0, true, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if !outside => escaped = true,
            '"' => {
                let end = if outside { at } else { at + 1 };
                pieces.push((outside, &text[start..end]));
                start = end;
                outside = !outside;
            }
            _ => {}
        }
    }
    pieces.push((outside, &text[start..]));
    pieces
}

#[cfg(test)]
mod tests {
    use super::parse_object;

    #[test]
    fn python_infinity_is_read_outside_strings_only() {
        let text = r#"{"a": [0.0, Infinity, -Infinity], "b": NaN, "c \"Infinity": "NaN"}"#;
        let map = parse_object(text).unwrap();
        assert!(map["a"][1].is_null() && map["a"][2].is_null() && map["b"].is_null());
        assert_eq!(map["c \"Infinity"], "NaN");
    }
}
