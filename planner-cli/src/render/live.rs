//! A running engine's figures beside a plan's.

use planner_core::text::Lang;
use planner_live::{Told, messages};
use planner_log::{Comparison, Quantity, Row};
use serde_json::{Value as Json, json};

use super::rows::Rows;
use super::{log, wrap};
use crate::output::{Format, Output, bold};

/// What is shown.
pub struct Shown<'a> {
    /// The address as typed.
    pub address: &'a str,
    /// What the server told; a setting without a path was typed.
    pub told: &'a Told,
    /// Both side by side.
    pub comparison: &'a Comparison,
}

impl Shown<'_> {
    /// Rows with a figure of the plan's.
    fn compared(&self) -> impl Iterator<Item = &Row> {
        self.comparison.rows.iter().filter(|row| row.planned.is_some())
    }

    /// Whether there is something to compare, and all of it agrees.
    pub fn matches(&self) -> bool {
        self.compared().count() > 0 && self.compared().all(Row::agrees)
    }

    fn rows(&self, lang: Lang) -> Rows {
        let columns = messages::COLUMNS.map(|column| column.raw(lang));
        log::rows(self.told.log.engine, self.comparison, columns, lang)
    }

    /// The rows alone.
    pub fn csv(&self, output: &Output) -> String {
        self.rows(output.lang).render(output, &Json::Null, None)
    }

    /// Title, rows, and what they say.
    pub fn text(&self, output: &Output) -> String {
        let (lang, log) = (output.lang, &self.told.log);
        let name = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let title =
            messages::TITLE.text(lang, &[self.address, log.engine, &name(&log.version), &name(&log.model)]);
        let said: Vec<String> = self.said(lang);
        if output.format == Format::Markdown {
            let said: String = said.iter().map(|line| format!("\n{line}\n")).collect();
            return format!("\n### {title}\n\n{}{said}", self.rows(lang).markdown());
        }
        let said: String = said.iter().map(|line| format!("\n{}\n", wrap(line, output.width, 0))).collect();
        format!("{}\n\n{}\n{said}", bold(&title), self.rows(lang).table(output.width))
    }

    fn said(&self, lang: Lang) -> Vec<String> {
        let joint = if lang == Lang::Zh { "、" } else { ", " };
        let taken = self.taken(lang);
        let mut said = Vec::new();
        if !taken.is_empty() {
            said.push(
                messages::SETTINGS.text(lang, &[&taken.join(if lang == Lang::Zh { "；" } else { "; " })]),
            );
        }
        let all = self.compared().count();
        let mut names: Vec<&str> = self
            .compared()
            .filter(|row| !row.agrees())
            .map(|row| planner_log::messages::quantity(row.logged.quantity).raw(lang))
            .collect();
        let differ = names.len();
        names.dedup();
        said.push(match (all, differ) {
            (0, _) => messages::NOTHING.raw(lang).to_owned(),
            (_, 0) => messages::MATCH.text(lang, &[&all.to_string()]),
            _ => messages::MISMATCH.text(lang, &[&differ.to_string(), &all.to_string(), &names.join(joint)]),
        });
        said.extend(self.room(lang));
        said
    }

    /// Settings that the server told, by the path that told them.
    fn taken(&self, lang: Lang) -> Vec<String> {
        let taken = || self.told.sources.iter().filter(|source| !source.from.is_empty());
        let mut paths: Vec<&str> = Vec::new();
        for source in taken() {
            if !paths.contains(&source.from) {
                paths.push(source.from);
            }
        }
        let of = |path: &str| {
            let own = taken().filter(|source| source.from == path);
            own.map(|source| format!("--{} {}", source.flag, source.value)).collect::<Vec<_>>().join(" ")
        };
        paths.iter().map(|path| messages::SETTING.text(lang, &[&of(path), path])).collect()
    }

    /// The room's difference, and the cache inside the engine's own.
    fn room(&self, lang: Lang) -> Vec<String> {
        let engine = self.told.log.engine;
        let room = self.compared().find(|row| row.logged.quantity == Quantity::Room && !row.agrees());
        let words = room.and_then(Row::difference).map(|more| {
            let by = log::figure(engine, Quantity::Room, more.saturating_abs());
            let which = if more > 0 { messages::MORE } else { messages::LESS };
            messages::ROOM_DIFFERS.text(lang, &[&by, which.raw(lang)])
        });
        let cache = self.comparison.cache.filter(|_| words.is_some()).map(|cache| {
            let tokens = |count| log::figure(engine, Quantity::Tokens, count);
            match cache.logged == cache.planned {
                true => messages::CACHE_SAME.text(lang, &[&tokens(cache.planned)]),
                false => messages::CACHE_OTHER.text(lang, &[&tokens(cache.planned), &tokens(cache.logged)]),
            }
        });
        words.into_iter().chain(cache).collect()
    }

    /// The `verify` object.
    pub fn json(&self) -> Json {
        let log = &self.told.log;
        let settings = self.told.sources.iter().map(|source| {
            let from = if source.from.is_empty() { "command line" } else { source.from };
            json!({ "flag": source.flag, "value": source.value, "from": from })
        });
        let figures = self.comparison.rows.iter().map(|row| {
            json!({
                "name": row.logged.quantity.name(), "rank": row.rank, "engine": row.logged.value,
                "rounding": row.logged.rounding, "planned": row.planned, "difference": row.difference(),
                "agrees": row.planned.map(|_| row.agrees()),
            })
        });
        json!({
            "url": self.address, "engine": log.engine, "version": log.version, "model": log.model,
            "settings": settings.collect::<Vec<_>>(), "figures": figures.collect::<Vec<_>>(),
            "compared": self.compared().count(), "matches": self.matches(),
            "room_difference": self.comparison.difference,
        })
    }
}
