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
    /// What is typed, which is never cut.
    Whole,
    /// Numbers.
    Right,
}

/// Records with a header.
pub struct Rows {
    header: Vec<String>,
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
    /// The column that a table leaves out where it is too wide.
    expendable: Option<usize>,
}

impl Rows {
    /// No rows yet.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>, aligns: &[Align]) -> Self {
        Self {
            header: header.into_iter().map(str::to_owned).collect(),
            aligns: aligns.to_vec(),
            rows: Vec::new(),
            expendable: None,
        }
    }

    /// The same without a column where a table would be too wide; every other format has it.
    pub fn without_if_narrow(mut self, column: usize) -> Self {
        self.expendable = Some(column);
        self
    }

    /// The columns that each needs, and those of its longest word, which is never cut.
    fn widths(&self, column: usize) -> (usize, usize) {
        let cells = || self.rows.iter().chain([&self.header]).filter_map(|row| row.get(column));
        let widest = cells().map(|cell| display_width(cell)).max().unwrap_or(0);
        let words = cells().flat_map(|cell| cell.split(' ')).map(display_width).max().unwrap_or(0);
        (widest, words)
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

    /// A table of at most `width` columns, where no word needs more. An id, a number or a path is a word.
    pub fn table(&self, width: u16) -> String {
        let all = 0..self.header.len();
        // a column has a space on each side
        let natural: usize = all.clone().map(|column| self.widths(column).0 + 2).sum();
        let too_wide = natural > usize::from(width);
        let shown: Vec<usize> =
            all.filter(|column| !(too_wide && self.expendable == Some(*column))).collect();
        let cells = |row: &[String]| -> Vec<String> {
            shown.iter().map(|&column| row.get(column).cloned().unwrap_or_default()).collect()
        };
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        table.set_header(cells(&self.header));
        for row in &self.rows {
            table.add_row(cells(row));
        }
        for (column, &at) in table.column_iter_mut().zip(&shown) {
            let is_number = self.aligns.get(at) == Some(&Align::Right);
            column.set_cell_alignment(if is_number { CellAlignment::Right } else { CellAlignment::Left });
            if too_wide {
                let (whole, word) = self.widths(at);
                let least = if self.aligns.get(at) == Some(&Align::Whole) { whole } else { word };
                let width = u16::try_from(least).unwrap_or(u16::MAX).saturating_add(column.padding_width());
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}
