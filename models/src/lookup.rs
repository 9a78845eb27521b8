//! Families by `model_type`: compiled in, or installed at run time.
//!
//! A program that must stay small (the page's WebAssembly) leaves the tables out. It reads them from a data
//! file with the same content.

use std::sync::OnceLock;

use crate::Family;

/// Families that a program installs at run time.
#[derive(Debug)]
pub struct Given {
    /// The family of a `model_type`.
    pub find: fn(&str) -> Option<&'static Family>,
    /// Every `model_type` that it finds.
    pub model_types: Vec<&'static str>,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// Installs the families. Only the first call counts; returns whether this was it.
pub fn install(given: Given) -> bool {
    GIVEN.set(given).is_ok()
}

/// The family of a `model_type`.
pub fn family_of(model_type: &str) -> Option<&'static Family> {
    match GIVEN.get() {
        Some(given) => (given.find)(model_type),
        None => compiled(model_type),
    }
}

/// Every known `model_type`.
pub fn model_types() -> impl Iterator<Item = &'static str> {
    let given = GIVEN.get().map(|given| given.model_types.iter().copied());
    let table = if given.is_some() { &[] } else { TABLE };
    let compiled = table.iter().flat_map(|family| family.model_types).map(|(name, _)| *name);
    given.into_iter().flatten().chain(compiled)
}

#[cfg(feature = "families")]
const TABLE: &[Family] = crate::FAMILIES;
#[cfg(not(feature = "families"))]
const TABLE: &[Family] = &[];

#[cfg(feature = "families")]
fn compiled(model_type: &str) -> Option<&'static Family> {
    let at = crate::MODEL_TYPES.binary_search_by_key(&model_type, |(name, _)| name).ok()?;
    crate::FAMILIES.get(crate::MODEL_TYPES.get(at)?.1)
}

#[cfg(not(feature = "families"))]
fn compiled(_: &str) -> Option<&'static Family> {
    None
}
