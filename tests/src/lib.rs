//! What the whole-program tests share.

use std::path::{Path, PathBuf};
use std::process::Command;

pub mod room;
pub mod transformers;
pub mod weights;

/// The `kvplan` binary that `cargo test --workspace` built beside this test.
///
/// # Panics
///
/// When the binary is not there: the tests of this crate run a whole program, so they need the
/// whole workspace built.
pub fn kvplan() -> Command {
    let path = binary();
    assert!(path.exists(), "{} is missing: run `cargo test --workspace`", path.display());
    let mut command = Command::new(path);
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// A file or folder of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A configuration of a released model, or of those that were asked of the engines alone.
pub fn configuration(name: &str) -> Option<PathBuf> {
    ["configs", "vllm/configs"]
        .into_iter()
        .map(|folder| fixture(folder).join(name))
        .find(|path| path.exists())
}

/// Where that binary is: two folders above the test's own, which is in `deps`.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test.ancestors().nth(2).unwrap_or_else(|| Path::new("."));
    folder.join(format!("kvplan{}", std::env::consts::EXE_SUFFIX))
}
