//! What the tests share.

use std::path::{Path, PathBuf};

use planner_core::engine::report::EngineReport;
use planner_core::render::words::error_hint;
use planner_core::request::{EngineId, Request};
use planner_core::text::Lang;
use planner_core::to_json::ToJson as _;
use planner_core::{Error, Result};
use serde_json::{Map, Value as Json};

pub mod log_lines;
pub mod refusals;
pub mod room;
pub mod rooms;
pub mod transformers;
pub mod weights;

/// A file or folder of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A configuration of a released model, or one that only the engines were asked about.
pub fn configuration(name: &str) -> Option<PathBuf> {
    ["configs", "vllm/configs"]
        .into_iter()
        .map(|folder| fixture(folder).join(name))
        .find(|path| path.exists())
}

/// An engine's own figures as keys of the JSON's `engine` object.
///
/// # Panics
///
/// Never: they are an object.
pub fn engine_keys(report: &EngineReport) -> Map<String, Json> {
    let mut keys = report.kind.json().as_object().cloned().unwrap();
    keys.insert("min_prefix_hit_tokens".into(), report.min_prefix_hit_tokens.into());
    keys
}

/// The name of the engine that a request means.
pub fn engine_name(request: &Request) -> &str {
    request.engine.as_ref().map_or("architecture", EngineId::name)
}

/// The text of a file.
///
/// # Panics
///
/// When it cannot be read; the message names it.
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON file.
///
/// # Panics
///
/// When it cannot be read or is not JSON; the message names it.
pub fn json(path: &Path) -> Json {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The answers of an engine in a folder of the fixtures: each file's name and cases.
///
/// # Panics
///
/// When the folder holds other files than `least` names, or a file has fewer cases than `least` says: no file
/// or case may be lost unseen.
pub fn answers(folder: &str, least: &[(&str, usize)]) -> Vec<(String, Vec<Json>)> {
    let files = std::fs::read_dir(fixture(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    found.sort();
    let names = found.iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    let known: Vec<&str> = least.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, known, "files of {folder}, in the order of their names");
    let cases = found.iter().zip(least).map(|(path, (name, least))| {
        let Json::Array(cases) = json(path) else { panic!("{} is no list", path.display()) };
        assert!(cases.len() >= *least, "{}: {} cases, not {least}", path.display(), cases.len());
        ((*name).to_owned(), cases)
    });
    cases.collect()
}

/// The request of a line of flags and values, such as `--engine vllm --seq 1000`. The dashes may be left out.
///
/// # Errors
///
/// When a flag is not known or does not take its value.
///
/// # Panics
///
/// When a flag has no value.
pub fn request(line: &str) -> Result<Request> {
    let mut request = Request::default();
    let words: Vec<&str> = line.split_whitespace().collect();
    for pair in words.chunks(2) {
        let [flag, value] = pair else { panic!("`{}` has no value in `{line}`", pair[0]) };
        request.set(flag.trim_start_matches("--"), value)?;
    }
    Ok(request)
}

/// The words of a case's list of arguments, as one line.
///
/// # Panics
///
/// When one of them is no text.
pub fn line(arguments: &Json) -> String {
    let words: Vec<&str> = arguments.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    words.join(" ")
}

/// The message and the hint of an error, in English.
pub fn said(error: &Error) -> String {
    match error_hint(Lang::En, error) {
        Some(hint) => format!("{error}\n{hint}"),
        None => error.to_string(),
    }
}

/// The published schema, closed: a key that it does not list is an error.
pub fn closed_schema() -> Json {
    fn close(schema: &mut Json) {
        match schema {
            Json::Object(map) => {
                map.values_mut().for_each(close);
                let is_object = map.get("type").is_some_and(|kind| {
                    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.contains(&"object".into()))
                });
                if is_object && (map.contains_key("properties") || map.contains_key("allOf")) {
                    map.insert("unevaluatedProperties".into(), false.into());
                }
            }
            Json::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut schema: Json = serde_json::from_str(planner_core::render::json::SCHEMA_TEXT).unwrap();
    close(&mut schema);
    schema
}
