//! `kvplan`: parse, load the model, plan, render.

use std::process::ExitCode;

mod args;
mod cmd;
mod escape;
mod failure;
mod gguf;
mod input;
mod lists;
#[cfg_attr(not(feature = "verify"), allow(dead_code))]
mod messages;
mod output;
mod prices;
mod progress;
mod render;
mod source;
mod usage;

use output::{Format, Output};
use planner_core::text::Lang;

fn main() -> ExitCode {
    let arguments =
        args::with_own_names(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()));
    let lang = Output::of_raw_arguments(&arguments).lang;
    let matches = match command_line(lang).try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => return usage(error, &arguments, lang),
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

/// The command line, whose titles are in the language.
fn command_line(lang: Lang) -> clap::Command {
    match lang {
        Lang::En => args::command(),
        Lang::Zh => usage::in_chinese(args::command()),
    }
}

/// Prints help and version as clap formats them; a command line that does not parse also as JSON, where asked.
fn usage(error: clap::Error, arguments: &[String], lang: Lang) -> ExitCode {
    // the same, with what was typed shown as escapes
    let shown = arguments.iter().map(|argument| escape::line(argument).into_owned());
    let error = command_line(lang).try_get_matches_from(shown).err().unwrap_or(error);
    let output = Output::of_raw_arguments(arguments);
    if !error.use_stderr() {
        match lang {
            Lang::En => drop(error.print()),
            Lang::Zh => output.print(&usage::help_in_chinese(&error.render().ansi().to_string())),
        }
        return ExitCode::SUCCESS;
    }
    let chinese = (lang == Lang::Zh).then(|| usage::complaint(&error));
    if output.format == Format::Json {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        output.print(&output::to_text(&failure::of_usage(chinese.as_deref().unwrap_or(first))));
    }
    match chinese {
        Some(complaint) => output.print_usage(&complaint, usage::meant(&error).as_deref()),
        None => {
            let _ = error.print();
        }
    }
    ExitCode::from(failure::USAGE)
}
