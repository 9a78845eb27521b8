//! `kvplan command`: the command line that starts the engine with a plan's settings.

use clap::ArgMatches;
use planner_core::plan::plan;
use planner_core::render::json;
use planner_core::spec::model::Note;
use planner_core::text::Sentence;
use planner_core::{Error, Result, say, words};

use crate::output::{Format, Output, to_text};
use crate::{args, render};

/// Prints the command. Notes on it go to standard error.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    args::one_engine(matches)?;
    let (request, note) = super::profile::request(matches)?;
    let model = super::plan::model(matches, &request)?;
    let plan = plan(&model, &request)?;
    let mut command = plan.command().ok_or_else(|| {
        Error::bad_value(
            "--engine",
            plan.engine.id,
            words!("a server that a command starts: vllm, sglang, tensorrt-llm, llama.cpp"),
        )
    })?;
    if let Some(first) = render::table::verdict_lines(&plan, output.lang).first()
        && plan.verdict.as_ref().is_some_and(|verdict| !verdict.fits)
    {
        output.tell(first);
    }
    let of_slots = plan.engine.id == "llama.cpp";
    let silent = [("--users", request.users > 1 && !of_slots), ("--reserve", request.reserve.is_some())];
    let silent: Vec<&str> =
        silent.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect();
    if !silent.is_empty() {
        let said = say!("the command has no flag for {0}", Sentence::list(silent));
        command.notes.push(Note::new("command_left_out", said));
    }
    match output.format {
        Format::Json => output.print(&to_text(&json::command(&command, output.lang))),
        Format::Table | Format::Csv | Format::Markdown => {
            output.print(&command.shell());
            command.notes.iter().chain(&note).for_each(|said| output.tell(&said.text.text(output.lang)));
        }
    }
    Ok(0)
}
