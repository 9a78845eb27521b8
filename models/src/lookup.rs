//! Families by `model_type`: those compiled in, or those given at run time.
//!
//! A program that must stay small (the page's wasm) leaves the tables out and reads them from a data
//! file that was written from the same tables.

use std::sync::OnceLock;

use crate::Family;

static GIVEN: OnceLock<&'static [Family]> = OnceLock::new();

/// Gives the families that answer from now on. The first call counts; whether this was it.
pub fn install(families: &'static [Family]) -> bool {
    GIVEN.set(families).is_ok()
}

/// The family that answers for a `model_type`.
pub fn family_of(model_type: &str) -> Option<&'static Family> {
    let of = |family: &&Family| family.model_types.iter().any(|(name, _)| *name == model_type);
    match GIVEN.get() {
        Some(given) => given.iter().find(of),
        None => compiled(model_type),
    }
}

/// Every `model_type` that a family answers for.
pub fn model_types() -> impl Iterator<Item = &'static str> {
    let all = GIVEN.get().copied().unwrap_or(TABLE);
    all.iter().flat_map(|family| family.model_types).map(|(name, _)| *name)
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
