//! `--profile`: the file of what logs measured, read for the core.

use clap::ArgMatches;
use planner_core::request::Request;
use planner_core::spec::model::Note;
use planner_core::units::human_bytes;
use planner_core::{Error, Result};
use planner_log::messages;
use planner_log::profile::{Kept, Profile};

use crate::{args, source};

/// The request of a command line, with what `--profile` measured.
///
/// # Errors
/// A flag's text, or the file.
pub fn request(matches: &ArgMatches) -> Result<(Request, Option<Note>)> {
    measured(matches, args::request(matches)?)
}

/// A request with what `--profile` measured.
///
/// # Errors
/// The file.
pub fn measured(matches: &ArgMatches, mut request: Request) -> Result<(Request, Option<Note>)> {
    let Some(path) = matches.get_one::<String>("profile") else { return Ok((request, None)) };
    match Kept::read(path, &read(path)?)? {
        Kept::Profile(profile) => {
            request.measured = profile.measured;
            Ok((request, None))
        }
        Kept::Startup(plan) => {
            let bytes = plan.kv_cache_memory_bytes;
            request.kv_memory.get_or_insert(bytes);
            let told = [&plan.fingerprint, &human_bytes(bytes), &human_bytes(plan.free_memory_baseline)];
            let text = messages::STARTUP_PLAN.say(&[told[0], told[1], told[2]]);
            Ok((request, Some(Note::new("startup_plan", text))))
        }
    }
}

/// The bytes of a file.
pub fn read(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| source::unreadable(path, &error))
}

/// Adds a run to a profile, which is made where there is none yet.
///
/// # Errors
/// The file is another, or cannot be written.
pub fn add(path: &str, measured: planner_core::request::Measured) -> Result<()> {
    let mut profile = match std::fs::read(path) {
        Ok(bytes) => Profile::read(path, &bytes)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Profile::default(),
        Err(error) => return Err(source::unreadable(path, &error)),
    };
    profile.add(measured);
    // a file of its own first, so that nothing is lost where writing fails
    let fresh = format!("{path}.new");
    let written = std::fs::write(&fresh, profile.text()).and_then(|()| std::fs::rename(&fresh, path));
    written.map_err(|error| Error::unreadable(path, planner_core::text::Sentence::io(&error)))
}
