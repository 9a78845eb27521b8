//! The program as people and scripts run it: the binary that cargo built for this test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gguf;
mod golden_values;
mod input;
mod lists;
#[cfg(feature = "live")]
mod live;
mod output;
mod recommend;
mod schema;
mod transcripts;
#[cfg(feature = "verify")]
mod verify;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

/// The binary.
const KVPLAN: &str = env!("CARGO_BIN_EXE_kvplan");

/// The program with these arguments, without colours from the environment.
fn kvplan<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(KVPLAN);
    command.args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// The program's output and exit code for a line of arguments.
fn run(line: &str) -> Output {
    kvplan(line.split_whitespace()).output().unwrap()
}

/// Standard output of a line of arguments.
///
/// # Panics
///
/// When the program fails.
fn stdout(line: &str) -> String {
    let output = run(line);
    assert!(output.status.success(), "{line}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as JSON, whatever the exit code.
fn json(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

/// A GGUF file of the fixtures, as an argument.
fn gguf_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gguf").join(name);
    path.to_str().unwrap().to_owned()
}
