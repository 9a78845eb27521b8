//! Typed answers as JSON objects: a field's name is its key, and the fields keep their order.
//!
//! An integer above 2⁵³ is written as a decimal string, since JavaScript could not hold it. Serde's derived
//! serializers would write the same; in WebAssembly they take three times the bytes.

use serde_json::{Map, Number, Value as Json};

/// The largest integer that JavaScript can hold with all below it.
const LARGEST_NUMBER: u64 = 1 << 53;

/// What can be written as JSON.
pub trait ToJson {
    /// As JSON.
    fn json(&self) -> Json;
}

/// Puts a key into an object.
pub fn put(object: &mut Map<String, Json>, key: &str, value: Json) {
    object.insert(key.to_owned(), value);
}

/// Puts all keys of an object into another.
pub fn put_all(object: &mut Map<String, Json>, other: Json) {
    if let Json::Object(other) = other {
        object.extend(other);
    }
}

impl ToJson for u64 {
    fn json(&self) -> Json {
        if *self > LARGEST_NUMBER { Json::from(self.to_string()) } else { Json::from(*self) }
    }
}

impl ToJson for usize {
    fn json(&self) -> Json {
        (*self as u64).json()
    }
}

impl ToJson for f64 {
    fn json(&self) -> Json {
        Number::from_f64(*self).map_or(Json::Null, Json::Number)
    }
}

impl ToJson for bool {
    fn json(&self) -> Json {
        Json::Bool(*self)
    }
}

impl ToJson for str {
    fn json(&self) -> Json {
        Json::from(self)
    }
}

impl ToJson for String {
    fn json(&self) -> Json {
        self.as_str().json()
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn json(&self) -> Json {
        (**self).json()
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn json(&self) -> Json {
        self.as_ref().map_or(Json::Null, ToJson::json)
    }
}

impl<T: ToJson> ToJson for [T] {
    fn json(&self) -> Json {
        Json::Array(self.iter().map(ToJson::json).collect())
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn json(&self) -> Json {
        self.as_slice().json()
    }
}

impl ToJson for Map<String, Json> {
    fn json(&self) -> Json {
        Json::Object(self.iter().map(|(key, value)| (key.clone(), value.json())).collect())
    }
}

/// JSON from elsewhere; its large integers become strings too.
impl ToJson for Json {
    fn json(&self) -> Json {
        match self {
            Json::Number(number) => number.as_u64().map_or_else(|| self.clone(), |value| value.json()),
            Json::Array(items) => items.json(),
            Json::Object(map) => map.json(),
            _ => self.clone(),
        }
    }
}

/// A struct that is written as an object. Before a field stands `[absent]` where its key is left out for `None`, and
/// `[flat]` where its own keys stand among the others.
macro_rules! object {
    ($($(#[$attribute:meta])* $name:ident $(<$life:lifetime>)? {
        $($(#[$doc:meta])* $([$how:ident])? $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$attribute])*
        pub struct $name $(<$life>)? { $($(#[$doc])* pub $field: $type,)* }

        impl $(<$life>)? $crate::to_json::ToJson for $name $(<$life>)? {
            fn json(&self) -> serde_json::Value {
                let mut object = serde_json::Map::new();
                $(object!(@put object, $($how)? $field, &self.$field);)*
                serde_json::Value::Object(object)
            }
        }
    )*};
    (@put $object:ident, $field:ident, $value:expr) => {
        $crate::to_json::put(&mut $object, stringify!($field), $crate::to_json::ToJson::json($value))
    };
    (@put $object:ident, absent $field:ident, $value:expr) => {
        if let Some(value) = $value {
            object!(@put $object, $field, value)
        }
    };
    (@put $object:ident, flat $field:ident, $value:expr) => {
        $crate::to_json::put_all(&mut $object, $crate::to_json::ToJson::json($value))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    object! {
        /// One.
        Inner {
            /// A.
            a: u64,
        }

        /// One.
        Outer<'a> {
            /// B.
            b: &'a str,
            /// C.
            [absent] c: Option<u64>,
            /// D.
            d: Option<u64>,
            /// Inner.
            [flat] inner: Inner,
        }
    }

    #[test]
    fn absent_flat_and_large() {
        let outer = Outer { b: "x", c: None, d: None, inner: Inner { a: (1 << 53) + 1 } };
        assert_eq!(outer.json(), json!({"b": "x", "d": null, "a": "9007199254740993"}));
        let outer = Outer { c: Some(1 << 53), d: Some(2), ..outer };
        assert_eq!(outer.json()["c"], json!(1u64 << 53));
        assert_eq!(
            json!({"a": [18446744073709551615u64, -1, 0.5]}).json(),
            json!({"a": ["18446744073709551615", -1, 0.5]})
        );
    }
}
