//! `kvplan explain-log`: a start-up log's figures beside the plan's.

use std::io::Read;

use clap::ArgMatches;
use planner_core::error::Code;
use planner_core::plan::plan;
use planner_core::render::words::error_message;
use planner_core::spec::model::{ModelSpec, Note};
use planner_core::{Error, Result, catalog};
use planner_log::{StartupLog, StartupPlan, compare, messages, question};

use super::profile;
use crate::output::Output;
use crate::{render, source};

/// Reads the log, plans its run and prints both.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    let path = matches.get_one::<String>("log").map_or("-", String::as_str);
    let bytes = read(path)?;
    let log = match StartupPlan::read(&bytes) {
        Some(plan) => plan.as_log(),
        None => StartupLog::read(&bytes).ok_or_else(|| {
            Error::refused(Code::LogUnrecognised, messages::UNRECOGNISED.say(&[]))
                .about(path)
                .way_out(messages::UNRECOGNISED_HINT.say(&[]))
        })?,
    };
    let (typed, note) = profile::request(matches)?;
    let asked = question(&log, typed);
    let mut notes = asked.notes;
    notes.extend(note);
    let name = matches.get_one::<String>("model");
    let calibrate = matches.get_one::<String>("calibrate");
    let model = match name {
        Some(name) => Some(source::load(name, asked.request.strict)?),
        None => known(&asked.models, asked.request.strict),
    };
    if model.is_none() {
        let told = match &log.model {
            Some(name) => messages::MODEL_UNKNOWN.say(&[name]),
            None => messages::MODEL_UNNAMED.say(&[]),
        };
        notes.push(Note::new("log_model", told));
    }
    let planned = model.as_ref().map(|model| plan(model, &asked.request)).transpose();
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) if name.is_some() || calibrate.is_some() => return Err(error),
        Err(error) => {
            let why = error_message(output.lang, &error);
            notes.push(Note::new("log_not_planned", messages::NOT_PLANNED.say(&[&why])));
            None
        }
    };
    let comparison = compare(&log, planned.as_ref());
    notes.extend(planned.iter().flat_map(|plan| plan.notes.iter().cloned()));
    let shown =
        render::log::Shown { log: &log, plan: planned.as_ref(), comparison: &comparison, notes: &notes };
    output.print(&shown.render(output));
    if let Some(path) = calibrate {
        let planned = planned.as_ref().ok_or_else(|| {
            Error::refused(Code::LogUnrecognised, messages::MODEL_UNNAMED.say(&[])).about("--calibrate")
        })?;
        profile::add(path, planner_log::profile::measured(&log, planned)?)?;
        output.tell(&messages::WROTE.text(output.lang, &[path]));
    }
    Ok(0)
}

/// The start of a file or of standard input, as much as is read of a log.
fn read(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = planner_log::log::MOST_BYTES as u64;
    let read = match path {
        "-" => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        path => std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    };
    read.map_err(|error| crate::input::unreadable(path, &error))?;
    Ok(bytes)
}

/// The first of several names that is one: of the catalogue, or of a file or folder.
pub fn known(names: &[String], strict: bool) -> Option<ModelSpec> {
    let printed = names.first();
    names.iter().find_map(|name| catalog::find(name).and_then(|_| catalog::model(name).ok())).or_else(|| {
        printed
            .filter(|name| std::path::Path::new(name).exists())
            .and_then(|name| source::load(name, strict).ok())
    })
}
