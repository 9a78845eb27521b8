//! Engines side by side.

use planner_core::plan::{Compared, Plan};
use planner_core::render::words::{Message as M, error_message, raw};
use planner_core::text::Sentence;
use planner_core::units::{group_digits, human_bytes};
use serde_json::Value as Json;

use super::rows::{Align, Rows};
use super::{table, wrap};
use crate::failure;
use crate::output::{Format, Output, bold};

/// One row for each engine, the definition first. In the table, reasons are below the figures.
pub fn render(plan: &Plan<'_>, engines: &[Compared], json: &Json, output: &Output) -> String {
    let lang = output.lang;
    let for_people = output.format == Format::Table;
    let mut columns = vec![M::ColumnEngine, M::ColumnOneSession, M::ColumnAllSessions, M::ColumnMaxUsers];
    let mut aligns = vec![Align::Left, Align::Right, Align::Right, Align::Right];
    if !for_people {
        columns.push(M::ColumnWhy);
        aligns.push(Align::Left);
    }
    let mut rows = Rows::new(columns.iter().map(|column| raw(lang, *column)), &aligns);
    let bytes =
        |bytes: u64| if output.format == Format::Csv { bytes.to_string() } else { human_bytes(bytes) };
    let mut reasons = String::new();
    for engine in engines {
        let mut row = vec![format!("{} {}", engine.rule.id(), engine.version)];
        let why = match &engine.answer {
            Ok(answer) => {
                row.extend([bytes(answer.session_bytes), bytes(answer.total_bytes)]);
                row.push(answer.max_users.map_or_else(String::new, group_digits));
                Sentence::from(engine.rule.rule()).text(lang)
            }
            Err(error) => {
                row.extend(["-", "-", "-"].map(str::to_owned));
                let hint = failure::hint(lang, error).map_or_else(String::new, |hint| format!("; {hint}"));
                format!("{}{hint}", error_message(lang, error))
            }
        };
        if for_people {
            reasons
                .push_str(&format!("\n{}", wrap(&format!("{}: {why}", engine.rule.id()), output.width, 2)));
        } else {
            row.push(why);
        }
        rows.push_row(row);
    }
    let body = rows.render(output, json, None);
    if for_people { format!("{}\n\n{body}\n{reasons}", bold(&table::headline(plan, lang))) } else { body }
}
