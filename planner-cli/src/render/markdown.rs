//! Markdown, for tickets and documents.

use planner_core::plan::{Candidate, Plan};
use planner_core::render::words::{Message as M, raw};
use planner_core::units::{group_digits, human_bytes};

use super::rows::{Align, Rows};
use super::table;
use crate::output::Output;

/// A plan.
pub fn plan(plan: &Plan<'_>, candidates: &[Candidate], output: &Output) -> String {
    let lang = output.lang;
    let mut rows = Rows::new(
        [raw(lang, M::ColumnQuantity), raw(lang, M::ColumnBytes), ""],
        &[Align::Left, Align::Right, Align::Right],
    );
    for (name, bytes) in table::quantities(plan, lang) {
        rows.push([name, group_digits(bytes), human_bytes(bytes)]);
    }
    let mut parts = vec![format!("**{}**", table::headline(plan, lang))];
    parts.extend(table::verdict_lines(plan, lang));
    parts.push(rows.markdown().trim_end().to_owned());
    parts.extend(table::engine(plan, lang));
    parts.extend(table::why(plan, lang));
    parts.extend(table::engine_blocks(plan, lang));
    parts.extend(table::slopes(plan, lang));
    parts.extend(table::all_heads(plan, lang));
    if !candidates.is_empty() {
        parts.push(table::fewest_markdown(plan, candidates, lang));
    }
    let notes: Vec<String> = plan.notes.iter().map(|note| format!("- {}", note.text.text(lang))).collect();
    if !notes.is_empty() {
        parts.push(format!("{}:\n\n{}", raw(lang, M::NotesTitle), notes.join("\n")));
    }
    parts.join("\n\n")
}
