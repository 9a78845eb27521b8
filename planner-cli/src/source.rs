//! `--model`: a catalogue id, a hub id, a file, a folder or standard input.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use planner_core::spec::family;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Sentence;
use planner_core::{Error, Result, catalog, say, source, words};

use crate::escape;
use crate::input::{Input, unreadable};

/// The model that `--model` names.
pub fn load(name: &str, strict: bool) -> Result<ModelSpec> {
    if name == "-" {
        return from_input(Input::stdin()?, Path::new(name), strict);
    }
    if catalog::find(name).is_some() {
        return catalog::model(name);
    }
    let path = Path::new(name);
    if path.exists() || looks_like_path(name) {
        return from_path(path, strict);
    }
    catalog::model(name)
}

/// The path in `--model`, unless it is a name of the catalogue or standard input.
#[cfg_attr(not(feature = "verify"), allow(dead_code))]
pub fn path(name: &str) -> Option<&Path> {
    (name != "-" && catalog::find(name).is_none()).then(|| Path::new(name))
}

fn looks_like_path(name: &str) -> bool {
    let path = Path::new(name);
    let known = path.extension().and_then(|extension| extension.to_str());
    name.starts_with(['.', '/', '~'])
        || name.contains('\\')
        || known.is_some_and(|extension| ["json", "yaml", "yml", "gguf", "safetensors"].contains(&extension))
}

fn from_path(path: &Path, strict: bool) -> Result<ModelSpec> {
    let shown = path.display().to_string();
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&shown, &error))?;
    if metadata.is_dir() {
        let inside = path.join("config.json");
        if !inside.exists() {
            return Err(Error::unreadable(shown, words!("the folder holds no config.json")));
        }
        return from_path(&inside, strict);
    }
    from_input(Input::open(path)?, path, strict).map_err(|error| in_file(error, path))
}

/// A model from what was opened under a name.
fn from_input(input: Input, path: &Path, strict: bool) -> Result<ModelSpec> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if input.is_gguf() || extension == "gguf" {
        let mut spec = crate::gguf::from_input(input, path)?;
        spec.location = (path != Path::new("-")).then(|| path.display().to_string());
        return Ok(spec);
    }
    let text = input.text()?;
    let text = if ["yaml", "yml"].contains(&extension) { text.into() } else { escape::json(&text) };
    let mut spec = match extension {
        "yaml" | "yml" => from_yaml(&text, strict)?,
        _ => from_json(&text, path, strict)?,
    };
    if path != Path::new("-") {
        spec.id = escape::line(&path_id(path)).into_owned();
    }
    // engines load a folder by the config.json in it
    let folder = path.parent().filter(|_| path.file_name().is_some_and(|name| name == "config.json"));
    spec.location = folder.map(|folder| match folder.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => folder.display().to_string(),
    });
    Ok(spec)
}

fn from_json(text: &str, path: &Path, strict: bool) -> Result<ModelSpec> {
    let map = source::parse_object(text)?;
    source::keys::check(&map)?;
    // a head's width is computed from the model's where it is not given
    source::from_config_files(text, beside(path).as_deref(), strict).map_err(|error| match error {
        Error::MissingField { field, looked_in }
            if field == "head_dim" && !map.contains_key("hidden_size") =>
        {
            Error::missing("hidden_size", looked_in)
        }
        other => other,
    })
}

/// The error with the file's name, where it does not say it.
fn in_file(error: Error, path: &Path) -> Error {
    let shown = || path.display().to_string();
    match error {
        Error::Parse { why, .. } => Error::parse(shown(), why),
        Error::MissingField { field, .. } => Error::missing(field, Sentence::verbatim(shown())),
        Error::BadValue { code, field, got, want }
            if !field.name().is_some_and(|name| name.starts_with("--")) =>
        {
            Error::BadValue { code, field, got, want: say!("{0}, in {1}", want, shown()) }
        }
        other => other,
    }
}

/// The quantization that older checkpoints have in a file beside their config.json.
fn beside(path: &Path) -> Option<String> {
    (path.file_name()? == "config.json")
        .then(|| Input::open(&path.with_file_name("hf_quant_config.json")).ok()?.text().ok())
        .flatten()
}

/// A YAML model file: the keys of a config.json, or a catalogue entry that has them under `config`.
fn from_yaml(text: &str, strict: bool) -> Result<ModelSpec> {
    let parse = |why: Sentence| Error::parse(words!("YAML model file"), why);
    source::check_size(text).map_err(parse)?;
    check_nesting(text).map_err(parse)?;
    let read: serde_json::Value = serde_yaml::from_str(text).map_err(|error| {
        let instead = match error.location() {
            Some(at) => say!("it is not YAML in line {0}, column {1}", at.line(), at.column()),
            None => words!("it is not YAML").into(),
        };
        parse(Sentence::foreign(error, instead))
    })?;
    let serde_json::Value::Object(mut map) = escape::value(read) else {
        return Err(parse(words!("it is not a map of keys").into()));
    };
    let name = map.get("name").and_then(|name| name.as_str()).map(str::to_owned);
    if let Some(serde_json::Value::Object(config)) = map.remove("config") {
        map = config;
    }
    source::keys::check(&map)?;
    let mut spec = family::build(Arc::new(map), strict)?;
    if let Some(name) = name {
        spec.name = name;
    }
    Ok(spec)
}

/// The deepest nesting of a YAML model file. A parser's time grows with its square.
const MAX_NESTING: usize = 200;

/// Refuses deep nesting before the text is parsed: brackets, and indentation with the marks at its end.
fn check_nesting(text: &str) -> std::result::Result<(), Sentence> {
    let mut brackets: usize = 0;
    for (number, line) in text.lines().enumerate() {
        let mut before = 0;
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                b' ' | b'-' | b'?' | b':' | b'\t' if before == at => before += 1,
                b'[' | b'{' => brackets += 1,
                b']' | b'}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
        }
        if brackets.max(before) > MAX_NESTING {
            return Err(say!("line {0} is nested too deeply, at most {1}", number + 1, MAX_NESTING));
        }
    }
    Ok(())
}

/// The file's name, or its folder's where the file is a plain `config.json`.
pub(crate) fn path_id(path: &Path) -> String {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    match stem(path) {
        Some(name) if name != "config" => name,
        other => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
            absolute
                .parent()
                .and_then(Path::file_name)
                .map(|name| name.to_string_lossy().into_owned())
                .or(other)
                .unwrap_or_default()
        }
    }
}
