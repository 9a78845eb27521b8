//! A list's combinations for people: one varied flag as a table, two as a matrix, more as a matrix for each combination
//! of the others.

use planner_core::Error;
use planner_core::plan::{Limit, Outcome, Plan, notes};
use planner_core::render::words::{Message as M, error_message, raw};
use planner_core::request::lists::{Value, Values};
use planner_core::spec::model::Note;
use planner_core::text::Lang;
use planner_core::units::{group_digits, human_bytes};

use super::list_words as words;
use super::rows::{Align, Rows};
use super::{display_width, titled, wrap};
use crate::lists::{Combination, Lists};
use crate::output::{Format, Output, bold};

/// A value as people read it.
pub fn label(value: &Value) -> String {
    match value {
        Value::Number(number) => group_digits(*number),
        other => other.to_string(),
    }
}

/// A flag of a list, with its dashes.
pub fn flag(list: &Values) -> String {
    format!("--{}", list.name)
}

/// What notes say, by their code: how many plans have one, its text, whether all have the same text.
struct Said {
    code: &'static str,
    times: u64,
    text: String,
    same: bool,
}

/// Notes and refusals below the tables.
#[derive(Default)]
pub struct Footer {
    planned: u64,
    said: Vec<Said>,
    refused: Vec<(String, String)>,
    fewer: Option<(u64, u64)>,
    weights: bool,
}

impl Footer {
    /// A refusal's mark, which the footer explains.
    pub fn mark(&mut self, error: &Error, lang: Lang) -> String {
        let kind = format!("{} {}", error.code().as_str(), error.subject().unwrap_or_default());
        let known = self.refused.iter().position(|(known, _)| *known == kind);
        let place = known.unwrap_or_else(|| {
            let text = format!("{}: {}", error.code().as_str(), error_message(lang, error));
            self.refused.push((kind, text));
            self.refused.len() - 1
        });
        format!("[{}]", place + 1)
    }

    /// Most users; `3 < 8` where that is fewer than the asked.
    pub fn users(&mut self, max_users: u64, asked: u64, weights_fit: bool, fits: bool, lang: Lang) -> String {
        if !weights_fit {
            self.weights = true;
            return words::WEIGHTS.raw(lang).to_owned();
        }
        if fits {
            return group_digits(max_users);
        }
        self.fewer.get_or_insert((max_users, asked));
        format!("{} < {}", group_digits(max_users), group_digits(asked))
    }

    /// Keeps what the notes of one more plan say.
    pub fn keep(&mut self, notes: &[Note], lang: Lang) {
        self.planned += 1;
        for note in notes {
            let text = note.text.text(lang);
            match self.said.iter_mut().find(|said| said.code == note.code) {
                Some(said) => {
                    said.times += 1;
                    said.same &= said.text == text;
                }
                None => self.said.push(Said { code: note.code, times: 1, text, same: true }),
            }
        }
    }

    /// The legend, the refusals and the notes.
    pub fn text(&self, output: &Output) -> String {
        let lang = output.lang;
        let line = |text: &str| match output.format {
            Format::Markdown => format!("- {text}"),
            _ => wrap(text, output.width, 2),
        };
        let mut lines = Vec::new();
        lines.extend(self.fewer.map(|(most, asked)| {
            let [most, asked] = [most, asked].map(group_digits);
            line(&words::FEWER.text(lang, &[&most, &asked]))
        }));
        lines.extend(self.weights.then(|| line(words::WEIGHTS_ALONE.raw(lang))));
        let refused = self.refused.iter().enumerate();
        lines.extend(refused.map(|(at, (_, text))| line(&format!("[{}] {text}", at + 1))));
        if !self.said.is_empty() {
            let title = raw(lang, M::NotesTitle);
            let gap = if lines.is_empty() { "" } else { "\n" };
            lines.push(match output.format {
                Format::Markdown => format!("{gap}{title}:\n"),
                _ => format!("{gap}{}", bold(title)),
            });
        }
        lines.extend(self.said.iter().map(|said| {
            if said.same && said.times >= self.planned {
                return line(&said.text);
            }
            let counts = [said.times, self.planned].map(group_digits);
            line(&words::OF_COMBINATIONS.text(lang, &[&counts[0], &counts[1], &said.text]))
        }));
        lines.join("\n")
    }
}

/// Tables of a list's combinations, one after another.
pub struct Matrix<'a> {
    lists: &'a Lists,
    varied: Vec<usize>,
    output: &'a Output,
    model: String,
    what: &'static str,
    cells: Vec<String>,
    title: String,
    footer: Footer,
}

impl<'a> Matrix<'a> {
    /// No combination yet; `room` where memory is named, so that cells count users.
    pub fn new(lists: &'a Lists, model: &str, room: bool, output: &'a Output) -> Self {
        let what = if room { words::MOST_USERS } else { words::ALL_BYTES };
        let mut matrix = Self {
            lists,
            varied: lists.varied(),
            output,
            model: model.to_owned(),
            what: what.raw(output.lang),
            cells: Vec::new(),
            title: String::new(),
            footer: Footer::default(),
        };
        output.print(&matrix.headline());
        matrix.cells.reserve(matrix.columns().values.len());
        matrix
    }

    /// The list down the side; none where one flag varies.
    fn side(&self) -> Option<&'a Values> {
        let at = self.varied.len().checked_sub(2)?;
        self.lists.0.get(self.varied[at])
    }

    /// The list across.
    fn columns(&self) -> &'a Values {
        &self.lists.0[self.varied.last().copied().unwrap_or(0)]
    }

    fn headline(&self) -> String {
        let lang = self.output.lang;
        let across = flag(self.columns());
        let what = match self.side() {
            Some(side) => words::BY_TWO.text(lang, &[self.what, &flag(side), &across]),
            None => words::BY_ONE.text(lang, &[self.what, &across]),
        };
        match self.output.format {
            Format::Markdown => format!("**{}**: {what}", self.model),
            _ => titled(&self.model, &what, self.output.width),
        }
    }

    /// Adds the next combination; prints a matrix that it completes.
    pub fn add(&mut self, found: &Combination<'_>) {
        let lang = self.output.lang;
        let cell = match &found.outcome {
            Ok(outcome) => {
                self.footer.keep(&notes(found.model, found.request).unwrap_or_default(), lang);
                self.cell(outcome, found.request.users)
            }
            Err(error) => self.footer.mark(error, lang),
        };
        if self.cells.is_empty() {
            self.title = self.titled(found.places);
        }
        self.cells.push(cell);
        let rows = self.side().map_or(1, |side| side.values.len());
        if self.cells.len() == rows * self.columns().values.len() {
            self.output.print(&format!("\n{}", self.table()));
            self.cells.clear();
        }
    }

    fn cell(&mut self, outcome: &Outcome, asked: u64) -> String {
        match outcome.fitting {
            Some(fitting) => self.footer.users(
                fitting.max_users,
                asked,
                fitting.weights_fit,
                fitting.fits,
                self.output.lang,
            ),
            None => human_bytes(outcome.total_bytes),
        }
    }

    /// The values of the lists that vary slower than the matrix.
    fn titled(&self, places: &[usize]) -> String {
        let others = self.varied.iter().take(self.varied.len().saturating_sub(2));
        let value = |at: &usize| {
            Some(format!(
                "{} {}",
                flag(&self.lists.0[*at]),
                label(self.lists.0[*at].values.get(places[*at])?)
            ))
        };
        others.filter_map(value).collect::<Vec<_>>().join("  ")
    }

    /// The matrix, in blocks of columns where it is wider than the output.
    fn table(&self) -> String {
        let across = self.columns();
        let corner = self.side().map_or_else(String::new, flag);
        let names: Vec<String> =
            self.side().map_or_else(|| vec![String::new()], |side| side.values.iter().map(label).collect());
        let heads: Vec<String> = across.values.iter().map(label).collect();
        let rows: Vec<&[String]> = self.cells.chunks(heads.len()).collect();
        let widest = |at: usize| {
            rows.iter().map(|row| display_width(&row[at])).chain([display_width(&heads[at])]).max()
        };
        let widths: Vec<usize> = (0..heads.len()).map(|at| widest(at).unwrap_or(0) + GAP).collect();
        let side = names.iter().chain([&corner]).map(|name| display_width(name)).max().unwrap_or(0) + GAP;
        let most = match self.output.format {
            Format::Markdown => usize::MAX,
            _ => usize::from(self.output.width),
        };
        let mut parts = Vec::new();
        if !self.title.is_empty() {
            parts.push(match self.output.format {
                Format::Markdown => format!("`{}`", self.title),
                _ => self.title.clone(),
            });
        }
        for block in blocks(&widths, most.saturating_sub(side)) {
            let header =
                std::iter::once(corner.as_str()).chain(heads[block.clone()].iter().map(String::as_str));
            let aligns: Vec<Align> =
                std::iter::once(Align::Left).chain(block.clone().map(|_| Align::Right)).collect();
            let mut table = Rows::new(header, &aligns);
            for (name, row) in names.iter().zip(&rows) {
                table.push_row(std::iter::once(name).chain(&row[block.clone()]).cloned().collect());
            }
            parts.push(match self.output.format {
                Format::Markdown => table.markdown().trim_end().to_owned(),
                _ => table.table(self.output.width),
            });
        }
        parts.join("\n\n")
    }

    /// Prints what stands below the tables.
    pub fn end(self) {
        let footer = self.footer.text(self.output);
        if !footer.is_empty() {
            self.output.print(&format!("\n{footer}"));
        }
    }
}

/// Spaces beside a cell.
const GAP: usize = 2;

/// Columns that stand beside each other within a width; at least one.
fn blocks(widths: &[usize], most: usize) -> Vec<std::ops::Range<usize>> {
    let mut blocks = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, width) in widths.iter().enumerate() {
        if at > start && used + width > most {
            blocks.push(start..at);
            (start, used) = (at, 0);
        }
        used += width;
    }
    blocks.push(start..widths.len());
    blocks
}

/// One varied flag: a row for each value, with the plan's main figures.
pub struct Single<'a> {
    lists: &'a Lists,
    output: &'a Output,
    model: String,
    room: bool,
    rows: Rows,
    footer: Footer,
}

impl<'a> Single<'a> {
    /// No row yet.
    pub fn new(lists: &'a Lists, model: &str, room: bool, output: &'a Output) -> Self {
        let lang = output.lang;
        let by = lists.varied().first().map_or_else(String::new, |at| flag(&lists.0[*at]));
        let bytes = [raw(lang, M::ColumnOneSession), raw(lang, M::ColumnAllSessions)];
        let fitting = [words::MOST_USERS.raw(lang), words::LONGEST.raw(lang), words::ROOM.raw(lang)]
            .into_iter()
            .filter(|_| room);
        let header: Vec<&str> = std::iter::once(by.as_str()).chain(bytes).chain(fitting).collect();
        let aligns: Vec<Align> =
            std::iter::once(Align::Left).chain(header.iter().skip(1).map(|_| Align::Right)).collect();
        let rows = Rows::new(header, &aligns);
        Self { lists, output, model: model.to_owned(), room, rows, footer: Footer::default() }
    }

    /// Adds a combination's plan, or why there is none.
    pub fn add(&mut self, places: &[usize], plan: &Result<Plan<'_>, Error>) {
        let lang = self.output.lang;
        let at = self.lists.varied().first().copied().unwrap_or(0);
        let mut row: Vec<String> = self.lists.0[at].values.get(places[at]).map(label).into_iter().collect();
        match plan {
            Ok(plan) => {
                self.footer.keep(&plan.notes, lang);
                row.extend([plan.engine.session_bytes, plan.engine.total_bytes].map(human_bytes));
                row.extend(self.fitting(plan));
            }
            Err(error) => {
                row.push(self.footer.mark(error, lang));
                row.resize(if self.room { 6 } else { 3 }, String::new());
            }
        }
        self.rows.push_row(row);
    }

    fn fitting(&mut self, plan: &Plan<'_>) -> Vec<String> {
        let lang = self.output.lang;
        let (Some(verdict), Some(memory)) = (&plan.verdict, &plan.memory) else { return Vec::new() };
        let users =
            self.footer.users(verdict.max_users, plan.request.users, memory.weights_fit, verdict.fits, lang);
        let mark = if verdict.limited_by == Limit::MaxPosition { raw(lang, M::LimitMark) } else { "" };
        let longest = verdict.max_seq.map_or_else(
            || raw(lang, M::NoLimit).to_owned(),
            |tokens| format!("{} {mark}", group_digits(tokens)).trim_end().to_owned(),
        );
        let room = memory.gpus.iter().map(|gpu| gpu.kv_bytes_available).min().unwrap_or(0);
        vec![users, longest, human_bytes(room)]
    }

    /// Prints the table.
    pub fn end(self) {
        let lang = self.output.lang;
        let what = if self.room { words::MOST_USERS } else { words::ALL_BYTES };
        let by = self.lists.varied().first().map_or_else(String::new, |at| flag(&self.lists.0[*at]));
        let title = words::BY_ONE.text(lang, &[what.raw(lang), &by]);
        let footer = self.footer.text(self.output);
        let (head, body) = match self.output.format {
            Format::Markdown => (format!("**{}**: {title}", self.model), self.rows.markdown()),
            _ => (titled(&self.model, &title, self.output.width), self.rows.table(self.output.width)),
        };
        self.output.print(format!("{head}\n\n{}\n\n{footer}", body.trim_end()).trim_end());
    }
}
