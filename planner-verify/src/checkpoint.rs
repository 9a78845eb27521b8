//! A folder of safetensors, as checkpoints are published.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::device::said;
use candle_core::{Device, Tensor};
use planner_core::{Error, Result};

fn unreadable(path: &Path, why: impl ToString) -> Error {
    Error::unreadable(path.display().to_string(), said(why.to_string()))
}

/// The safetensors files of a folder, sorted by name; none where it holds none or is no folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|name| name == "safetensors")).collect();
    files.sort();
    files
}

/// All tensors of a folder, on the CPU, in the types they were saved with.
pub fn tensors(folder: &Path) -> Result<HashMap<String, Tensor>> {
    let mut all = HashMap::new();
    for file in files(folder) {
        let some = candle_core::safetensors::load(&file, &Device::Cpu);
        all.extend(some.map_err(|error| unreadable(&file, error))?);
    }
    match all.is_empty() {
        true => Err(unreadable(folder, "the folder holds no *.safetensors")),
        false => Ok(all),
    }
}
