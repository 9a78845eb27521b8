//! A configuration as llama.cpp's converter sees it: the language model's keys over the outermost
//! ones (`TextModel.__init__` of `conversion/base.py`), class defaults below both.

use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::spec::family;
use crate::spec::hf_config::HfConfig;
use crate::spec::layer::{Layer, Store};
use crate::spec::model::ModelSpec;

/// Keys to read.
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

    /// A key's value; null is as good as missing.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let maps = [self.file.text, self.file.root, &self.defaults];
        maps.into_iter().find_map(|map| map.get(key)).filter(|value| !value.is_null())
    }

    /// The first of several keys that is a whole number.
    pub fn number(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| self.get(key)?.as_u64())
    }

    /// The same, or an error that names the first key.
    pub fn need(&self, keys: &[&str]) -> Result<u64> {
        self.number(keys).ok_or_else(|| {
            let field = keys.first().copied().unwrap_or_default();
            Error::missing(field, words!("the configuration, for llama.cpp's converter"))
        })
    }

    /// Whether the file itself says that a key has no value, which defaults then do not give.
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

    /// For each layer, whether it reads such a cache by the model's definition: what the configuration's class,
    /// through which the converter reads, makes of lists that the file leaves out.
    pub fn reads(&self, cache: impl Fn(&Store) -> bool) -> Vec<bool> {
        let owner =
            |layer: &'a Layer| layer.owner.and_then(|owner| self.layers.get(owner as usize)).unwrap_or(layer);
        self.layers.iter().map(|layer| owner(layer).stores.iter().any(&cache)).collect()
    }

    /// For each of `count` layers, whether its entry of `layer_types` is one of these.
    pub fn layer_types(&self, count: u64, names: &[&str]) -> Option<Vec<bool>> {
        self.kinds("layer_types", count, names)
    }

    /// The same for a list under any key.
    pub fn kinds(&self, key: &str, count: u64, names: &[&str]) -> Option<Vec<bool>> {
        let types = self.list(key)?;
        let is = |index: u64| {
            let own = types.get(index as usize).and_then(Json::as_str);
            own.is_some_and(|own| names.contains(&own))
        };
        Some((0..count).map(is).collect())
    }
}
