//! What a server told, with the path that told it.

use planner_core::spec::model::Note;
use planner_log::lines::Place;
use planner_log::settings::{Key, as_flag};
use planner_log::{Figure, Quantity, Rank, Setting, StartupLog};
use serde_json::Value as Json;

use crate::http::{Answer, Failure, Get};

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// kvplan's flag without its dashes.
    pub flag: &'static str,
    /// The value, as that flag takes it.
    pub value: String,
    /// The path that told it.
    pub from: &'static str,
}

/// What a server told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// As a start-up log says it.
    pub log: StartupLog,
    /// Where each setting came from.
    pub sources: Vec<Source>,
    /// Paths that told figures.
    pub paths: Vec<&'static str>,
    /// What the reader should know.
    pub notes: Vec<Note>,
}

impl Told {
    /// Nothing yet, of an engine by kvplan's name.
    pub(crate) fn new(engine: &'static str) -> Self {
        let log = StartupLog {
            engine,
            version: None,
            model: None,
            gpu: None,
            settings: Vec::new(),
            unplanned: Vec::new(),
            ranks: vec![Rank::default()],
            lines: 1,
        };
        Self { log, sources: Vec::new(), paths: Vec::new(), notes: Vec::new() }
    }

    /// Keeps a setting in the engine's notation: Python's `None` and `auto` are none. The first path counts.
    pub(crate) fn set(&mut self, flag: &'static str, value: &str, from: &'static str) {
        if matches!(value, "" | "None" | "null") || self.sources.iter().any(|source| source.flag == flag) {
            return;
        }
        let Some(value) = as_flag(flag, value) else { return };
        self.log.settings.push(Setting { flag, value: value.clone() });
        self.sources.push(Source { flag, value, from });
    }

    /// Keeps a figure of a rank.
    pub(crate) fn figure(&mut self, rank: usize, figure: Figure, from: &'static str) {
        while self.log.ranks.len() <= rank {
            let dp = u64::try_from(self.log.ranks.len()).ok();
            self.log.ranks.push(Rank { place: Place { dp, ..Place::default() }, ..Rank::default() });
        }
        if let Some(rank) = self.log.ranks.get_mut(rank) {
            rank.figures.insert(figure.quantity, figure);
        }
        if !self.paths.contains(&from) {
            self.paths.push(from);
        }
    }

    /// Keeps a count of a JSON answer.
    pub(crate) fn count(&mut self, quantity: Quantity, value: Option<&Json>, from: &'static str) {
        if let Some(value) = value.and_then(Json::as_i64) {
            self.figure(0, Figure { quantity, value, rounding: 0 }, from);
        }
    }

    /// Keeps settings of a JSON object; those without a flag are named where they are set.
    pub(crate) fn settings(&mut self, object: &Json, keys: &'static [Key], from: &'static str) {
        for key in keys {
            let Some(value) = object.get(key.key).and_then(plain) else { continue };
            match key.flag {
                "" if matches!(value.as_str(), "false" | "0" | "None" | "") => {}
                "" if self.log.unplanned.contains(&key.key) => {}
                "" => self.log.unplanned.push(key.key),
                flag => self.set(flag, &value, from),
            }
        }
    }
}

/// A setting's JSON as text; nothing for `null`, empty objects and empty lists.
pub(crate) fn plain(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        Json::Object(map) if map.is_empty() => None,
        Json::Array(list) if list.is_empty() => None,
        other => Some(other.to_string()),
    }
}

/// The text at a path.
///
/// # Errors
/// No answer, or another status than 200.
pub(crate) fn text(server: &dyn Get, path: &'static str) -> Result<String, Failure> {
    let Answer { status, body } = server.get(path)?;
    match status {
        200 => String::from_utf8(body).map_err(|_| Failure::NoEngine),
        503 => Err(Failure::NotReady),
        _ => Err(Failure::Missing(path)),
    }
}

/// The JSON at a path.
///
/// # Errors
/// No answer, another status than 200, or no JSON.
pub(crate) fn json(server: &dyn Get, path: &'static str) -> Result<Json, Failure> {
    serde_json::from_str(&text(server, path)?).map_err(|_| Failure::NoEngine)
}

/// The JSON at a path that need not be there.
///
/// # Errors
/// The server stopped answering.
pub(crate) fn optional(server: &dyn Get, path: &'static str) -> Result<Option<Json>, Failure> {
    match json(server, path) {
        Ok(json) => Ok(Some(json)),
        Err(Failure::Missing(_) | Failure::NoEngine | Failure::Key { .. } | Failure::NotReady) => Ok(None),
        Err(failure) => Err(failure),
    }
}
