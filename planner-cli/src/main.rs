//! `kvplan`: parse, load the model, plan, render.

use std::process::ExitCode;

mod args;
mod cmd;
mod failure;
mod gguf;
mod lists;
#[cfg(feature = "verify")]
mod messages;
mod output;
mod prices;
mod progress;
mod render;
mod source;

use output::{Format, Output};

fn main() -> ExitCode {
    let arguments =
        args::with_own_names(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()));
    let matches = match args::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => return usage(&error, &arguments),
    };
    let output = Output::new(matches.subcommand().map_or(&matches, |(_, inner)| inner));
    match cmd::run(&matches, &output) {
        Ok(_) if output.tell_unwritten() => ExitCode::from(failure::USAGE),
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let error = args::as_typed(error);
            output.print_error(&error);
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

/// Prints help and version as clap formats them; a command line that does not parse also as JSON, where asked.
fn usage(error: &clap::Error, arguments: &[String]) -> ExitCode {
    let output = Output::of_raw_arguments(arguments);
    if error.use_stderr() && output.format == Format::Json {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        output.print(&output::to_text(&failure::of_usage(first)));
    }
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { failure::USAGE } else { 0 })
}
