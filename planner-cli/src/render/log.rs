//! A start-up log beside a plan.

use planner_core::plan::Plan;
use planner_core::render::json;
use planner_core::render::words::{Message as M, raw};
use planner_core::spec::model::Note;
use planner_core::text::Lang;
use planner_core::units::group_digits;
use planner_log::messages;
use planner_log::{Comparison, Quantity, Row, StartupLog};
use serde_json::{Map, Value as Json, json};

use super::rows::{Align, Rows};
use super::wrap;
use crate::output::{Format, Output, bold, to_text};

/// What is shown.
pub struct Shown<'a> {
    /// The log.
    pub log: &'a StartupLog,
    /// The plan, where the model is known.
    pub plan: Option<&'a Plan<'a>>,
    /// Both side by side.
    pub comparison: &'a Comparison,
    /// What the reader should know.
    pub notes: &'a [Note],
}

/// To two decimals of a unit.
fn decimals(magnitude: u64, scale: u64) -> String {
    let hundredths = (u128::from(magnitude) * 100 + u128::from(scale / 2)) / u128::from(scale);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A figure as the engine's log prints it.
pub(super) fn figure(engine: &str, quantity: Quantity, value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let text = match quantity {
        Quantity::Concurrency => format!("{}x", decimals(magnitude, 100)),
        quantity if !quantity.is_bytes() => group_digits(magnitude),
        _ if engine == "llama.cpp" => format!("{} MiB", decimals(magnitude, 1 << 20)),
        _ => format!("{} GiB", decimals(magnitude, 1 << 30)),
    };
    format!("{sign}{text}")
}

/// A difference, with its sign.
pub(super) fn difference(engine: &str, quantity: Quantity, value: i64) -> String {
    let plus = if value > 0 { "+" } else { "" };
    format!("{plus}{}", figure(engine, quantity, value))
}

/// Figure by figure, with a column of ranks where they differ.
pub(super) fn rows(engine: &str, comparison: &Comparison, columns: [&str; 5], lang: Lang) -> Rows {
    let ranks = comparison.rows.iter().any(|row| !row.rank.is_empty());
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Right];
    let shown = columns.into_iter().zip(aligns).enumerate().filter(|(at, _)| ranks || *at != 1);
    let (columns, aligns): (Vec<&str>, Vec<Align>) = shown.map(|(_, column)| column).unzip();
    let mut rows = Rows::new(columns, &aligns);
    for row in &comparison.rows {
        let quantity = row.logged.quantity;
        let mut cells = vec![messages::quantity(quantity).raw(lang).to_owned()];
        cells.extend(ranks.then(|| row.rank.clone()));
        cells.push(figure(engine, quantity, row.logged.value));
        cells.push(row.planned.map_or_else(String::new, |planned| figure(engine, quantity, planned)));
        cells.push(row.difference().map_or_else(String::new, |more| match row.agrees() {
            true => "0".to_owned(),
            false => difference(engine, quantity, more),
        }));
        rows.push_row(cells);
    }
    rows
}

impl Shown<'_> {
    fn figure(&self, quantity: Quantity, value: i64) -> String {
        figure(self.log.engine, quantity, value)
    }

    fn difference(&self, quantity: Quantity, value: i64) -> String {
        difference(self.log.engine, quantity, value)
    }

    /// In the output's format.
    pub fn render(&self, output: &Output) -> String {
        let rows = self.rows(output.lang);
        match output.format {
            Format::Json => to_text(&self.json(output.lang)),
            Format::Csv => rows.render(output, &Json::Null, None),
            Format::Markdown => {
                let said = self.said(output.lang).into_iter().map(|line| format!("\n{line}\n"));
                let notes = self.notes.iter().map(|note| format!("\n- {}", note.text.text(output.lang)));
                let text = said.chain(notes).collect::<String>();
                format!("### {}\n\n{}{text}", self.title(output.lang), rows.markdown())
            }
            Format::Table => {
                let said = self.said(output.lang);
                let said = said.iter().map(|line| wrap(line, output.width, 0));
                let notes = self.notes.iter().map(|note| wrap(&note.text.text(output.lang), output.width, 2));
                let mut text =
                    format!("{}\n\n{}\n", bold(&self.title(output.lang)), rows.table(output.width));
                said.for_each(|line| text.push_str(&format!("\n{line}\n")));
                if !self.notes.is_empty() {
                    text.push_str(&format!("\n{}\n", raw(output.lang, M::NotesTitle)));
                    notes.for_each(|line| text.push_str(&format!("{line}\n")));
                }
                text.trim_end().to_owned()
            }
        }
    }

    fn title(&self, lang: Lang) -> String {
        let version = self.log.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
        let planned = self.plan.map(|plan| plan.model.name.clone());
        let model = planned.or_else(|| self.log.model.clone());
        let model = model.unwrap_or_else(|| messages::NO_NAME.raw(lang).to_owned());
        messages::TITLE.text(lang, &[&format!("{}{version}", self.log.engine), &model])
    }

    fn rows(&self, lang: Lang) -> Rows {
        rows(self.log.engine, self.comparison, messages::COLUMNS.map(|column| column.raw(lang)), lang)
    }

    /// What makes the difference, in sentences.
    fn said(&self, lang: Lang) -> Vec<String> {
        let name = |part: Option<Quantity>| part.map_or(messages::REST, messages::quantity).raw(lang);
        let mut said = Vec::new();
        let agrees = |quantity| {
            self.comparison.rows.iter().filter(|row| row.logged.quantity == quantity).all(Row::agrees)
        };
        match self.comparison.difference {
            None => {}
            Some(_) if agrees(Quantity::Room) => said.push(messages::ROOM_SAME.raw(lang).to_owned()),
            Some(difference) => {
                let causes = self.comparison.causes.iter();
                let causes: Vec<String> = causes
                    .map(|cause| {
                        format!("{} {}", name(cause.part), self.difference(Quantity::Room, cause.bytes))
                    })
                    .collect();
                let causes = causes.join(if lang == Lang::Zh { "、" } else { ", " });
                let words = if difference > 0 { messages::ROOM_MORE } else { messages::ROOM_LESS };
                let line =
                    words.text(lang, &[&self.figure(Quantity::Room, difference.saturating_abs()), &causes]);
                let most =
                    self.comparison.largest().map(|cause| messages::LARGEST.text(lang, &[name(cause.part)]));
                let joint = if lang == Lang::Zh { "" } else { " " };
                said.push([Some(line), most].into_iter().flatten().collect::<Vec<_>>().join(joint));
            }
        }
        if let Some(cache) = self.comparison.cache {
            let [logged, ours] =
                [cache.logged, cache.planned].map(|tokens| self.figure(Quantity::Tokens, tokens));
            said.push(match logged == ours {
                true => messages::CACHE_SAME.text(lang, &[&ours]),
                false => messages::CACHE_OTHER.text(lang, &[&ours, &logged]),
            });
        }
        said
    }

    fn json(&self, lang: Lang) -> Json {
        let log = self.log;
        let settings: Map<String, Json> = log
            .settings
            .iter()
            .map(|setting| (setting.flag.replace('-', "_"), Json::from(setting.value.as_str())))
            .collect();
        let figures = self.comparison.rows.iter().map(|row| {
            json!({
                "name": row.logged.quantity.name(), "rank": row.rank, "logged": row.logged.value,
                "rounding": row.logged.rounding, "planned": row.planned, "difference": row.difference(),
                "agrees": row.planned.map(|_| row.agrees()),
            })
        });
        let causes = self.comparison.causes.iter();
        let causes = causes.map(
            |cause| json!({ "part": cause.part.map_or("unlogged", Quantity::name), "bytes": cause.bytes }),
        );
        let notes = self.notes.iter().map(|note| json!({ "code": note.code, "text": note.text.text(lang) }));
        json!({
            "schema": json::SCHEMA,
            "log": {
                "engine": log.engine, "version": log.version, "model": log.model, "gpu": log.gpu, "settings": settings,
                "unplanned": log.unplanned, "lines": log.lines,
            },
            "model": self.plan.map(|plan| plan.model.id.as_str()),
            "figures": figures.collect::<Vec<_>>(),
            "room_difference": self.comparison.difference,
            "causes": causes.collect::<Vec<_>>(),
            "tokens_in_logged_room": self.comparison.cache.map(|cache| cache.planned),
            "notes": notes.collect::<Vec<_>>(),
        })
    }
}
