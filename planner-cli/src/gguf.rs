//! GGUF files: only the header is read, however large the file is.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use planner_core::engine::llamacpp::from_gguf;
use planner_core::source::gguf::{self, Header};
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result, say};

use crate::source::{path_id, unreadable};

/// Reads a GGUF file and, where it is the first of several, the others beside it.
pub fn from_path(path: &Path) -> Result<ModelSpec> {
    let mut header = header(path)?;
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
            header.append(self::header(&path.with_file_name(name))?)?;
        }
    }
    from_gguf::model(&path_id(path), &header)
}

fn header(path: &Path) -> Result<Header> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
    Header::read(&mut BufReader::new(file))
}
