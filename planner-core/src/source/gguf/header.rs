//! The header of a GGUF file: metadata and tensor table, without the tensors' data
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, `ggml/src/gguf.cpp`).
//!
//! Nothing in a file is trusted: no allocation depends on a count, what is kept is limited whatever the file
//! says, and a read past the end is an error that says where.

use std::collections::BTreeSet;
use std::io::Read;
use std::mem::size_of;

use serde_json::{Map, Number, Value as Json, json};

use super::reader::{Reader, error};
use super::types::{TensorType, tensor_type};
use crate::error::{Error, Result};
use crate::units::product;

/// The most keys and tensors of a file; real files have a few thousand.
const MAX_KEYS: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1 << 17;
/// The longest key (`docs/gguf.md`) and tensor name (`GGML_MAX_NAME`, with its end).
const MAX_KEY: u64 = 65_535;
const MAX_NAME: u64 = 63;
/// Longer strings and lists are counted and not kept: no list of layers is longer.
const KEPT_STRING: u64 = 4096;
const KEPT_LIST: u64 = 4096;
/// Lists of the tokenizer are counted: no plan reads them.
const TOKENIZER: &str = "tokenizer.";
/// The longest string that is skipped.
const MAX_STRING: u64 = 1 << 30;

/// One tensor of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Name.
    pub name: String,
    /// Elements.
    pub elements: u64,
    /// Storage type.
    pub kind: TensorType,
    /// Bytes of its data.
    pub bytes: u64,
}

/// A file's header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Format version, 2 or 3.
    pub version: u32,
    /// Metadata. A list or string that is too long to keep is an object with its length.
    pub metadata: Map<String, Json>,
    /// Tensors.
    pub tensors: Vec<Tensor>,
    /// Bytes before the tensors' data, padding included.
    pub data_offset: u64,
    /// Bytes of the tensors' data, padding included.
    pub data_bytes: u64,
}

/// Whether these first bytes of a file are those of a GGUF file.
pub fn is_gguf(start: &[u8]) -> bool {
    start.starts_with(b"GGUF")
}

impl Reader<'_> {
    fn value(&mut self, kind: u32, key: &str) -> Result<Json> {
        let what = say!("value of `{0}`", key);
        let float = |value: f64| Number::from_f64(value).map_or(Json::Null, Json::Number);
        Ok(match kind {
            0 => u8::from_le_bytes(self.array(&what)?).into(),
            1 => i8::from_le_bytes(self.array(&what)?).into(),
            2 => u16::from_le_bytes(self.array(&what)?).into(),
            3 => i16::from_le_bytes(self.array(&what)?).into(),
            4 => self.u32(&what)?.into(),
            5 => i32::from_le_bytes(self.array(&what)?).into(),
            6 => float(f64::from(f32::from_le_bytes(self.array(&what)?))),
            7 => Json::Bool(self.array::<1>(&what)? != [0]),
            8 => {
                let length = self.count(&say!("length of the {0}", what), MAX_STRING)?;
                if length > KEPT_STRING {
                    self.skip(length, &what)?;
                    return Ok(json!({ "string_bytes": length }));
                }
                Json::String(String::from_utf8_lossy(&self.bytes(length, &what)?).into_owned())
            }
            9 => self.list(key)?,
            10 => self.u64(&what)?.into(),
            11 => i64::from_le_bytes(self.array(&what)?).into(),
            12 => float(f64::from_le_bytes(self.array(&what)?)),
            kind => return Err(error(say!("`{0}` has the unknown value type {1}", key, kind))),
        })
    }

    fn list(&mut self, key: &str) -> Result<Json> {
        let what = say!("list `{0}`", key);
        let kind = self.u32(&what)?;
        let length = self.u64(&what)?;
        if kind == 9 {
            return Err(error(say!("`{0}` is a list of lists", key)));
        }
        let width = match kind {
            0 | 1 | 7 => Some(1),
            2 | 3 => Some(2),
            4..=6 => Some(4),
            8 => None,
            10..=12 => Some(8),
            kind => return Err(error(say!("`{0}` is a list of the unknown value type {1}", key, kind))),
        };
        let memory = length.saturating_mul(size_of::<Json>() as u64);
        let is_kept = length <= KEPT_LIST && width.is_some() && !key.starts_with(TOKENIZER);
        if is_kept && self.keep(memory).is_ok() {
            return (0..length).map(|_| self.value(kind, key)).collect();
        }
        match width {
            Some(width) => self.skip(product(words!("bytes of a list"), &[length, width])?, &what)?,
            None => self.skip_strings(length, MAX_STRING, &what)?,
        }
        Ok(json!({ "list_length": length }))
    }

    fn tensor(&mut self, alignment: u64, expected: &mut u64) -> Result<Tensor> {
        let name = self.string(&words!("tensor name"), MAX_NAME)?;
        let what = say!("tensor `{0}`", name);
        let dimensions = self.u32(&what)?;
        if dimensions > 4 {
            return Err(error(say!("{0} has {1} dimensions, at most 4", what, dimensions)));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(self.u64(&what)?);
        }
        let kind = self.u32(&what)?;
        let kind =
            tensor_type(kind).ok_or_else(|| error(say!("{0} has the unknown type {1}", what, kind)))?;
        let offset = self.u64(&what)?;
        if shape.contains(&0) {
            return Err(error(say!("{0} has a dimension of 0", what)));
        }
        let row = shape.first().copied().unwrap_or(1);
        if row % kind.elements != 0 {
            return Err(error(say!(
                "{0} has rows of {1} elements, not whole blocks of {2} {3}",
                what,
                row,
                kind.elements,
                kind.name
            )));
        }
        let elements = product(words!("elements of a tensor"), &shape)?;
        let bytes = product(words!("bytes of a tensor"), &[elements / kind.elements, kind.bytes])?;
        if offset != *expected {
            return Err(error(say!(
                "{0} starts at {1} of the data, not at {2} where the one before ends",
                what,
                offset,
                *expected
            )));
        }
        let end = expected.checked_add(bytes).and_then(|end| end.checked_next_multiple_of(alignment));
        *expected = end.ok_or_else(|| Error::overflow(words!("bytes of the tensors")))?;
        Ok(Tensor { name, elements, kind, bytes })
    }
}

impl Header {
    /// Reads a header from the start of a file.
    pub fn read(input: &mut dyn Read) -> Result<Self> {
        Self::parse(input).map_err(Error::of_model)
    }

    fn parse(input: &mut dyn Read) -> Result<Self> {
        let mut reader = Reader::new(input);
        let magic: [u8; 4] = reader.array(&words!("the first four bytes"))?;
        if !is_gguf(&magic) {
            return Err(error(words!("it does not start with `GGUF`")));
        }
        let version = reader.u32(&words!("the version"))?;
        match version {
            2 | 3 => {}
            1 => {
                return Err(error(words!(
                    "version 1 has 32-bit counts and is no longer in use: convert the model anew"
                )));
            }
            _ if version.trailing_zeros() >= 16 && version != 0 => {
                return Err(error(words!("it is big-endian: llama.cpp here reads little-endian files")));
            }
            _ => return Err(error(say!("version {0} is not known: 2 and 3 are", version))),
        }
        let tensor_count = reader.count(&words!("the number of tensors"), MAX_TENSORS)?;
        let key_count = reader.count(&words!("the number of keys"), MAX_KEYS)?;
        let mut metadata = Map::new();
        for _ in 0..key_count {
            let key = reader.string(&words!("a key"), MAX_KEY)?;
            let kind = reader.u32(&say!("type of `{0}`", key))?;
            let value = reader.value(kind, &key)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(error(say!("the key `{0}` is there twice", key)));
            }
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(value) => value
                .as_u64()
                .filter(|n| n.is_power_of_two() && *n <= 1 << 31)
                .ok_or_else(|| error(say!("general.alignment is {0}, not a power of two", value)))?,
        };
        let mut tensors = Vec::new();
        let mut names = BTreeSet::new();
        let mut data_bytes = 0;
        for _ in 0..tensor_count {
            let tensor = reader.tensor(alignment, &mut data_bytes)?;
            if !names.insert(tensor.name.clone()) {
                return Err(error(say!("the tensor `{0}` is there twice", tensor.name)));
            }
            tensors.push(tensor);
        }
        let data_offset = reader.at().next_multiple_of(alignment);
        Ok(Self { version, metadata, tensors, data_offset, data_bytes })
    }

    /// Files that the model is split into, and this file's position from 0 (`split.count`, `split.no`).
    pub fn split(&self) -> (u64, u64) {
        let number = |key: &str| self.metadata.get(key).and_then(Json::as_u64);
        (number("split.count").unwrap_or(1).max(1), number("split.no").unwrap_or(0))
    }

    /// Adds the tensors of a further file of the same model.
    pub fn append(&mut self, further: Self) -> Result<()> {
        let own: BTreeSet<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        if let Some(twice) = further.tensors.iter().find(|tensor| own.contains(tensor.name.as_str())) {
            return Err(error(say!("the tensor `{0}` is in two of the files", twice.name)));
        }
        self.tensors.extend(further.tensors);
        if self.tensors.len() as u64 > MAX_TENSORS {
            return Err(error(say!(
                "all files have {0} tensors, at most {1}",
                self.tensors.len(),
                MAX_TENSORS
            )));
        }
        Ok(())
    }
}

/// Names of all files of a model whose first is called `NAME-00001-of-00005.gguf`.
pub fn split_names(first: &str, count: u64) -> Option<Vec<String>> {
    // `split.count` is a u16
    let count = u16::try_from(count).ok()?;
    let base = first.strip_suffix(&format!("-00001-of-{count:05}.gguf"))?;
    Some((1..=count).map(|number| format!("{base}-{number:05}-of-{count:05}.gguf")).collect())
}
