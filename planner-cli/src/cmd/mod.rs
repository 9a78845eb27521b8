//! One file per command.

use clap::ArgMatches;
use planner_core::Result;

use crate::output::Output;

mod bench;
mod command;
mod explain;
mod explain_log;
mod gpus;
mod lengths;
mod live;
mod man;
mod matrix;
mod models;
mod plan;
mod profile;
mod real;
mod recommend;
mod verify;

/// The reason why a build without the feature `verify` does not measure.
#[cfg(not(feature = "verify"))]
const NO_BACKEND: planner_core::text::Bilingual = planner_core::text::Bilingual::new(
    "this build has no measuring backend: build with --features verify",
    "本程序构建时不含测量后端：请以 --features verify 构建",
);

/// Runs the command on the line and returns its exit code.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    match matches.subcommand() {
        Some(("models", inner)) => models::run(inner, output),
        Some(("gpus", inner)) => gpus::run(inner, output),
        Some(("command", inner)) => command::run(inner, output),
        Some(("explain-log", inner)) => explain_log::run(inner, output),
        Some(("recommend", inner)) => recommend::run(inner, output),
        Some(("explain", inner)) => explain::run(inner, output),
        Some(("completions", inner)) => {
            let shell =
                inner.get_one::<clap_complete::Shell>("shell").copied().unwrap_or(clap_complete::Shell::Bash);
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut crate::args::completing(), "kvplan", &mut script);
            output.print(&String::from_utf8_lossy(&script));
            Ok(0)
        }
        Some(("bench-cache", inner)) => bench::run(inner, output),
        Some(("schema", _)) => {
            output.print(planner_core::render::json::SCHEMA_TEXT);
            Ok(0)
        }
        Some(("man", _)) => {
            output.print(&man::page());
            Ok(0)
        }
        _ => plan::run(matches, output),
    }
}
