//! Reads the YAML of families, models and GPUs, checks it, and writes static tables.
//!
//! A mistake in a data file ends the build with its place: of a family, `planner_language` finds it;
//! of a model or GPU, an unknown key, a duplicate id, a figure without its source.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod catalog;
mod families;
mod text;

use std::path::PathBuf;

fn main() {
    for input in ["build", "families", "catalog", "gpus.yaml", "encoders.yaml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let mut out = String::new();
    families::families(&mut out);
    if std::env::var_os("CARGO_FEATURE_CATALOG").is_some() {
        catalog::models(&mut out);
        catalog::encoders(&mut out);
        catalog::gpus(&mut out);
    }
    let target = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("tables.rs");
    std::fs::write(target, out).unwrap();
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}
