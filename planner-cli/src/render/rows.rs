//! A list of records in every format.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value as Json;

use super::{csv, display_width};
use crate::output::{Format, Output, to_text};

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Names that are typed: never cut.
    Whole,
    /// Numbers.
    Right,
}

/// Records with a header.
pub struct Rows {
    header: Vec<String>,
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    /// No rows yet.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>, aligns: &[Align]) -> Self {
        Self {
            header: header.into_iter().map(str::to_owned).collect(),
            aligns: aligns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push<const N: usize>(&mut self, row: [String; N]) {
        self.push_row(row.to_vec());
    }

    /// Adds a row whose length is known only at run time.
    pub fn push_row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// The text in the output's format; JSON prints `json` instead of rows.
    pub fn render(&self, output: &Output, json: &Json, footer: Option<&str>) -> String {
        match output.format {
            Format::Json => to_text(json),
            Format::Csv => csv::rows(std::iter::once(&self.header).chain(&self.rows)),
            Format::Markdown => self.markdown(),
            Format::Table => {
                let footer = footer.map_or_else(String::new, |footer| format!("\n\n{footer}"));
                format!("{}{footer}", self.table(output.width))
            }
        }
    }

    /// A markdown table with column alignment, which comfy-table's preset lacks.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            format!(
                "| {} |\n",
                cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | ")
            )
        };
        let rule: Vec<String> = self
            .aligns
            .iter()
            .map(|align| if *align == Align::Right { "---:" } else { "---" }.to_owned())
            .collect();
        let mut text = line(&self.header) + &line(&rule);
        self.rows.iter().for_each(|row| text.push_str(&line(row)));
        text
    }

    /// A table of at most `width` columns.
    pub fn table(&self, width: u16) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        table.set_header(&self.header);
        for row in &self.rows {
            table.add_row(row);
        }
        let natural: usize = table
            .column_max_content_widths()
            .into_iter()
            .zip(table.column_iter())
            .map(|(content, column)| usize::from(content) + usize::from(column.padding_width()))
            .sum();
        let too_wide = natural > usize::from(width);
        for (at, (column, align)) in table.column_iter_mut().zip(&self.aligns).enumerate() {
            if too_wide && *align != Align::Left {
                // A number or a name is never cut; the header above it may be.
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                let widest = cells.map(|cell| display_width(cell)).max().unwrap_or(0);
                let width = u16::try_from(widest).unwrap_or(u16::MAX).saturating_add(column.padding_width());
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
            }
            column.set_cell_alignment(match align {
                Align::Right => CellAlignment::Right,
                Align::Left | Align::Whole => CellAlignment::Left,
            });
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}
