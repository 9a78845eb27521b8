//! The kinds of a model's layers, and the stacks that measure them.

use planner_core::dtype::DType;
use planner_core::spec::layer::{Extent, Layer, Store};
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result};

use crate::messages;
use crate::shape::LayerShape;

/// Layers of equal shape.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Name of the kind (`full`, `sliding`, `latent` …).
    pub name: &'static str,
    /// How many of the model's layers are of this kind.
    pub layers: u64,
    /// The layer whose cache these layers read, where they have none of their own.
    pub owner: Option<LayerShape>,
    /// Its shape.
    pub shape: LayerShape,
}

impl Kind {
    /// A stack of `count` such layers, below them the layer whose cache they read.
    pub fn stack(&self, count: usize) -> Vec<LayerShape> {
        self.owner.iter().cloned().chain(std::iter::repeat_n(self.shape.clone(), count)).collect()
    }

    /// Height of the low stack, which the high one is compared with: one layer; 0 where the layers read another
    /// layer's cache, which is then the whole stack. `None` for a kind with a single layer.
    pub fn low(&self) -> Option<usize> {
        match (self.layers, &self.owner) {
            (_, Some(_)) => Some(0),
            (1, None) => None,
            _ => Some(1),
        }
    }

    /// The least height of the high stack.
    pub fn least(&self) -> usize {
        self.low().map_or(1, |low| low + 1)
    }

    /// All layers of the kind.
    pub fn most(&self) -> usize {
        usize::try_from(self.layers).unwrap_or(usize::MAX)
    }
}

/// The kinds of a model's layers, in the order of first appearance. Layers without a cache are left out
/// (feed-forward layers of hybrids, cross-attention to no tokens).
pub fn kinds(model: &ModelSpec, dtypes: (DType, DType), source: u64) -> Result<Vec<Kind>> {
    let mut kinds: Vec<Kind> = Vec::new();
    let stores = |layer: &Layer| -> Vec<Store> {
        let read = |store: &&Store| source > 0 || store.extent != Extent::Source;
        layer.stores.iter().filter(read).cloned().collect()
    };
    for layer in &model.layers {
        let owner =
            match layer.owner {
                None => None,
                Some(at) => {
                    Some(model.layers.iter().find(|other| other.index == at).ok_or_else(|| {
                        Error::bad_value(messages::CACHE_OWNER, at, messages::LAYER_OF_MODEL)
                    })?)
                }
            };
        let shape = LayerShape::of(layer, &stores(owner.unwrap_or(layer)), dtypes)?;
        if shape.stores.is_empty() {
            continue;
        }
        let owner = owner.map(|owner| LayerShape::of(owner, &stores(owner), dtypes)).transpose()?;
        match kinds.iter_mut().find(|kind| kind.shape == shape && kind.owner == owner) {
            Some(kind) => kind.layers += 1,
            None => kinds.push(Kind { name: layer.kind().name(), layers: 1, owner, shape }),
        }
    }
    Ok(kinds)
}
