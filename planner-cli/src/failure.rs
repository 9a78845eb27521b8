//! What an error means to the user of the program: the exit code, and a hint with the program's commands.

use planner_core::Error;
use planner_core::error::{Code, Known};
use planner_core::render::json;
use planner_core::render::words::error_hint;
use planner_core::text::{Lang, Sentence};
use planner_core::{say, words};
use serde_json::Value as Json;

/// Exit code of a wrong question: a flag, a name, a command line that does not parse.
pub const USAGE: u8 = 2;

/// Exit code of input that cannot be read or is not supported.
pub const INPUT: u8 = 3;

/// The exit code of an error.
pub fn exit_code(error: &Error) -> u8 {
    if error.is_usage() { USAGE } else { INPUT }
}

/// The hint of an error: the core's, then the command or flag that helps.
pub fn hint(lang: Lang, error: &Error) -> Option<String> {
    let parts = [error_hint(lang, error), of_program(error).map(|own| own.text(lang))];
    let joint = if lang == Lang::Zh { "" } else { " " };
    let hint = parts.into_iter().flatten().collect::<Vec<_>>().join(joint);
    Some(hint).filter(|hint| !hint.is_empty())
}

fn of_program(error: &Error) -> Option<Sentence> {
    match error {
        Error::Unknown { what: Known::Model, .. } => {
            Some(words!("`kvplan models` lists what is known; a path to a config.json also works").into())
        }
        Error::Unknown { what: Known::Gpu, .. } => {
            Some(words!("`kvplan gpus` lists what is known; a size such as 80GiB also works").into())
        }
        Error::Overflow { of_model: true, .. } => {
            Some(words!("a number of the model itself is too large, whatever is asked of it").into())
        }
        Error::Overflow { .. } => Some(match error.subject() {
            Some(flag) => say!("a smaller {0}", flag),
            None => words!("smaller --seq or --users").into(),
        }),
        Error::Refused(refusal) if refusal.way_out.is_none() => match refusal.code {
            Code::ModelUnknownType | Code::ModelUnknownLanguageModel | Code::ModelUnknownTower => {
                Some(words!("`kvplan models --families` lists what is known").into())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The failure object of the JSON, with this program's hint.
pub fn to_json(lang: Lang, error: &Error) -> Json {
    let mut failure = json::failure(lang, error);
    failure["error"]["hint"] = hint(lang, error).into();
    failure
}

/// The failure object of a command line that does not parse, in the words of clap.
pub fn of_usage(message: &str) -> Json {
    let error = serde_json::json!({
        "code": Code::Usage.as_str(), "subject": null, "message": message, "hint": "kvplan --help",
    });
    serde_json::json!({ "schema": json::SCHEMA, "error": error })
}
