//! `kvplan explain`: the formula with the numbers put in.

use clap::ArgMatches;
use planner_core::Result;
use planner_core::plan::plan;
use planner_core::render::{explain, json};

use crate::args;
use crate::output::{Format, Output, bold, to_text};

/// Explains and prints.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    args::one_engine(matches)?;
    let (request, note) = super::profile::request(matches)?;
    let model = super::plan::model(matches, &request)?;
    let mut plan = plan(&model, &request)?;
    plan.notes.extend(note);
    let sections = explain::sections(&plan, output.lang);
    let text = match output.format {
        Format::Json => to_text(&json::explanation(&plan, &sections)),
        Format::Csv => crate::render::csv::rows(
            sections
                .iter()
                .flat_map(|section| section.lines.iter().map(|line| [section.title.as_str(), line])),
        ),
        Format::Markdown => sections
            .iter()
            .map(|section| {
                format!(
                    "### {}\n\n{}\n\n",
                    section.title,
                    section.lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
                )
            })
            .collect(),
        Format::Table => sections
            .iter()
            .map(|section| {
                let lines: Vec<String> =
                    section.lines.iter().map(|line| crate::render::wrap(line, output.width, 2)).collect();
                format!("{}\n{}\n\n", bold(&section.title), lines.join("\n"))
            })
            .collect(),
    };
    output.print(text.trim_end());
    Ok(0)
}
