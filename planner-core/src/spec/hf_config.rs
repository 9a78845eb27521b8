//! Reads single keys of a Hugging Face configuration, for engines that look beyond the cache layers.

use serde_json::{Map, Value as Json};

use super::model::ModelSpec;

/// The outermost configuration and the language model's part.
#[derive(Clone, Copy)]
pub struct HfConfig<'a> {
    /// Outermost object.
    pub root: &'a Map<String, Json>,
    /// The language model's part.
    pub text: &'a Map<String, Json>,
    /// Its `model_type`.
    pub model_type: &'a str,
    /// `architectures[0]` of the outermost object.
    pub class: &'a str,
}

impl<'a> HfConfig<'a> {
    /// The configuration of a model.
    pub fn of(model: &'a ModelSpec) -> Self {
        Self {
            root: &model.config,
            text: model.text_config(),
            model_type: &model.model_type,
            class: &model.architecture,
        }
    }

    /// A value from the language model's part, else from the outermost object.
    pub fn get(&self, key: &str) -> Option<&'a Json> {
        let found = |map: &'a Map<String, Json>| map.get(key).filter(|v| !v.is_null());
        found(self.text).or_else(|| found(self.root))
    }

    /// A whole number under the first of these keys that has one.
    pub fn number(&self, keys: &[&str]) -> Option<u64> {
        keys.iter().find_map(|key| whole(self.get(key)?))
    }

    /// A string.
    pub fn text_of(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// Whether a flag is true.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(Json::as_bool).unwrap_or(false)
    }

    /// `model_type` of the outermost object.
    pub fn root_type(&self) -> &'a str {
        self.root.get("model_type").and_then(Json::as_str).unwrap_or(self.model_type)
    }

    /// An object.
    pub fn object(&self, key: &str) -> Option<&'a Map<String, Json>> {
        self.get(key)?.as_object()
    }

    /// The quantization of the checkpoint (`quantization_config`, `compression_config`).
    pub fn quantization(&self) -> Option<&'a Map<String, Json>> {
        let of = |map: &'a Map<String, Json>| {
            ["quantization_config", "compression_config"]
                .iter()
                .find_map(|key| map.get(*key).and_then(Json::as_object))
        };
        of(self.root).or_else(|| of(self.text))
    }

    /// Its `quant_method`.
    pub fn quant_method(&self) -> Option<&'a str> {
        self.quantization()?.get("quant_method")?.as_str()
    }
}

/// A whole number; `8.0` is one.
pub fn whole(value: &Json) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && *f >= 0.0).map(|f| f as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::whole;

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        assert_eq!([json!(8), json!(8.0), json!(0.0)].map(|n| whole(&n)), [Some(8), Some(8), Some(0)]);
        assert_eq!([json!(8.5), json!(-8.0), json!(-8), json!("8")].map(|n| whole(&n)), [None; 4]);
    }
}
