//! Families by `model_type`: those compiled in, or those given at run time.
//!
//! A program that must stay small (the page's wasm) leaves the tables out and reads them from a data
//! file that was written from the same tables.

use std::sync::OnceLock;

use crate::Family;

/// Families that a program gives at run time.
#[derive(Debug)]
pub struct Given {
    /// The family of a `model_type`.
    pub find: fn(&str) -> Option<&'static Family>,
    /// Every `model_type` that it finds.
    pub model_types: Vec<&'static str>,
}

static GIVEN: OnceLock<Given> = OnceLock::new();

/// Gives the families that answer from now on. The first call counts; whether this was it.
pub fn install(given: Given) -> bool {
    GIVEN.set(given).is_ok()
}

/// The family that answers for a `model_type`.
pub fn family_of(model_type: &str) -> Option<&'static Family> {
    match GIVEN.get() {
        Some(given) => (given.find)(model_type),
        None => compiled(model_type),
    }
}

/// Every `model_type` that a family answers for.
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
