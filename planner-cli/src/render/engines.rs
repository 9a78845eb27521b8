//! Engines side by side.

use planner_core::plan::Plan;
use planner_core::plan::compare::Compared;
use planner_core::text::{Message as M, engine_rule, error_message, raw, text};
use planner_core::units::{group_digits, human_bytes};
use serde_json::Value as Json;

use super::rows::{Align, Rows};
use super::table;
use crate::output::{Format, Output, bold};

/// One row an engine, the definition first.
pub fn render(plan: &Plan<'_>, engines: &[Compared], json: &Json, output: &Output) -> String {
    let lang = output.lang;
    let columns =
        [M::ColumnEngine, M::ColumnOneSession, M::ColumnAllSessions, M::ColumnMaxUsers, M::ColumnWhy];
    let aligns = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Left];
    let mut rows = Rows::new(columns.iter().map(|column| raw(lang, *column)), &aligns);
    let exact = matches!(output.format, Format::Csv);
    let bytes = |bytes: u64| if exact { bytes.to_string() } else { human_bytes(bytes) };
    for engine in engines {
        let name = format!("{} {}", engine.id, engine.version);
        match &engine.answer {
            Ok(answer) => rows.push([
                name,
                bytes(answer.session_bytes),
                bytes(answer.total_bytes),
                answer.max_users.map_or_else(String::new, group_digits),
                engine_rule(lang, engine.id).to_owned(),
            ]),
            Err(error) => {
                let why = text(lang, M::Refuses, &[&error_message(lang, error)]);
                rows.push([name, String::new(), String::new(), String::new(), why]);
            }
        }
    }
    let body = rows.render(output, json, None);
    if output.format == Format::Table {
        format!("{}\n\n{body}", bold(&table::headline(plan, lang)))
    } else {
        body
    }
}
