//! GGUF files: only the header is read, however large the file is.

use std::path::Path;

use planner_core::engine::llamacpp::from_gguf;
use planner_core::source::gguf::{self, Header};
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result, say};

use crate::escape;
use crate::input::Input;
use crate::source::path_id;

/// Reads an opened GGUF file and, where it is the first of several, the others beside it.
pub fn from_input(input: Input, path: &Path) -> Result<ModelSpec> {
    let mut header = Header::read(&mut input.header())?;
    let (files, position) = header.split();
    if files > 1 {
        let shown = path.display().to_string();
        let first = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let names = if position == 0 { gguf::split_names(first, files) } else { None };
        let Some(names) = names else {
            return Err(Error::unreadable(
                shown,
                say!(
                    "it is part {0} of {1}: name the first, {2}",
                    position + 1,
                    files,
                    format!("NAME-00001-of-{files:05}.gguf")
                ),
            ));
        };
        for name in names.iter().skip(1) {
            header.append(Header::read(&mut Input::open(&path.with_file_name(name))?.header())?)?;
        }
    }
    let strings = std::mem::take(&mut header.metadata);
    if let serde_json::Value::Object(shown) = escape::value(strings.into()) {
        header.metadata = shown;
    }
    from_gguf::model(&escape::line(&path_id(path)), &header).map_err(|error| match &error {
        Error::Refused(refusal) if refusal.subject.is_none() => error.about(path.display().to_string()),
        _ => error,
    })
}
