//! A configuration as llama.cpp's converter reads it: the language model's keys, then the outermost keys
//! (`TextModel.__init__` of `conversion/base.py`), then class defaults.

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::spec::family;
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Layer, Store};
use crate::spec::model::ModelSpec;

/// The keys of a model, and the layers that its definition makes of them.
pub struct Config<'a> {
    file: HfConfig<'a>,
    defaults: Map<String, Json>,
    layers: &'a [Layer],
}

impl<'a> Config<'a> {
    /// The configuration of a model.
    pub fn of(model: &'a ModelSpec) -> Self {
        let defaults = family::find(&model.model_type).map(|(_, defaults)| defaults).unwrap_or_default();
        Self { file: HfConfig::of(model), defaults, layers: &model.layers }
    }

    /// A key's value; null counts as missing.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let maps = [self.file.text, self.file.root, &self.defaults];
        maps.into_iter().find_map(|map| map.get(key)).filter(|value| !value.is_null())
    }

    /// The whole number under the first of these keys that has one.
    pub fn number(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| self.get(key)?.as_u64())
    }

    /// The same number; an error names the first key.
    pub fn need(&self, keys: &[&str]) -> Result<u64> {
        self.number(keys).ok_or_else(|| {
            let field = keys.first().copied().unwrap_or_default();
            Error::missing(field, words!("the configuration, for llama.cpp's converter"))
        })
    }

    /// Whether the file has the key with null: then the class default does not count.
    pub fn is_null(&self, key: &str) -> bool {
        [self.file.text, self.file.root].into_iter().find_map(|map| map.get(key)).is_some_and(Json::is_null)
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// A list.
    pub fn list(&self, key: &str) -> Option<&Vec<Json>> {
        self.get(key)?.as_array()
    }

    /// A string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// A number inside an object (`linear_attn_config.head_dim`).
    pub fn inner(&self, object: &str, key: &str) -> Option<u64> {
        self.get(object)?.get(key)?.as_u64()
    }

    /// For each layer, whether the model's definition has such a store in it. The converter reads through the
    /// configuration's class, which fills in lists that the file leaves out.
    pub fn reads(&self, cache: impl Fn(&Store) -> bool) -> Vec<bool> {
        let owner =
            |layer: &'a Layer| layer.owner.and_then(|owner| self.layers.get(owner as usize)).unwrap_or(layer);
        self.layers.iter().map(|layer| owner(layer).stores.iter().any(&cache)).collect()
    }

    /// For each of `count` layers, whether its `layer_types` entry is one of `names`.
    pub fn layer_types(&self, count: u64, names: &[&str]) -> Option<Vec<bool>> {
        self.kinds("layer_types", count, names)
    }

    /// The same for another key.
    pub fn kinds(&self, key: &str, count: u64, names: &[&str]) -> Option<Vec<bool>> {
        let types = self.list(key)?;
        let is = |index: u64| {
            let own = types.get(index as usize).and_then(Json::as_str);
            own.is_some_and(|own| names.contains(&own))
        };
        Some((0..count).map(is).collect())
    }
}
