//! The models that are known by name.

use std::sync::Arc;

use planner_models::{ENCODERS, MODELS, Model};

use crate::error::{Error, Known, Result};
use crate::spec::family;
use crate::spec::model::ModelSpec;
use crate::suggest;
use crate::text::Sentence;

/// The catalogue's entry for an id or a hub id, in any letter case.
pub fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| {
        std::iter::once(&model.id).chain(model.hub).any(|known| known.eq_ignore_ascii_case(name))
    })
}

/// The model of an id or hub id.
pub fn model(name: &str) -> Result<ModelSpec> {
    if let Some(entry) = find(name) {
        return asked_for(entry, name);
    }
    let encoder = ENCODERS.iter().find(|encoder| {
        std::iter::once(&encoder.id).chain(encoder.hub).any(|known| known.eq_ignore_ascii_case(name))
    });
    if let Some(encoder) = encoder {
        return Err(Error::NoCache { architecture: encoder.id.to_owned(), why: Sentence::data(encoder.why) });
    }
    let known = MODELS.iter().flat_map(|model| std::iter::once(model.id).chain(model.hub.iter().copied()));
    Err(Error::Unknown { what: Known::Model, name: name.to_owned(), near: suggest::near(name, known) })
}

/// The model of one entry.
pub fn build(entry: &Model) -> Result<ModelSpec> {
    asked_for(entry, entry.id)
}

fn asked_for(entry: &Model, name: &str) -> Result<ModelSpec> {
    let config = crate::source::parse_object(entry.config)?;
    let mut spec = family::build(Arc::new(config), true).map_err(Error::of_model)?;
    spec.set_entry(entry.id, entry.name, entry.hub.first().copied(), name);
    Ok(spec)
}
