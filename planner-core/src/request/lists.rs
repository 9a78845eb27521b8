//! Lists of values of one flag: `4k,32k`, `1k..128k`, `h100,h200`.
//!
//! Commas separate, unless the whole value is one number whose commas group three digits: `32,000` is a number,
//! `500,32000` and `1,8,64` are lists. A space after a comma, or a comma at the end, always separates. A range goes from
//! its first value in doubling steps, with `:STEP` by adding, with `:xN` by multiplying; its last value ends it. Each
//! value is read by the flag's own reader.

use super::flags::{FLAGS, Flag, Request};
use super::values::{EngineId, WeightType};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::units::is_grouped_number;

/// Flags that take lists, the ones that vary slowest first.
pub const LISTED: [&str; 10] =
    ["engine", "weight-dtype", "kv-dtype", "gpu", "gpus", "tp", "pp", "dp", "seq", "users"];

/// The most values of one list.
pub const MOST_VALUES: usize = 1_000_000;

/// One value of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Tokens, users, GPUs or a parallel size.
    Number(u64),
    /// A GPU.
    Gpu(Device),
    /// An engine.
    Engine(EngineId),
    /// A type of keys and values; none for `auto`.
    KvDtype(Option<String>),
    /// A type of the weights; none for `auto`.
    WeightDtype(Option<WeightType>),
}

/// As it is typed.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Gpu(device) => f.write_str(&device.id),
            Self::Engine(engine) => write!(f, "{engine}"),
            Self::KvDtype(name) => f.write_str(name.as_deref().unwrap_or("auto")),
            Self::WeightDtype(dtype) => f.write_str(dtype.map_or("auto", WeightType::name)),
        }
    }
}

/// The values that one flag takes in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The flag's name without its dashes.
    pub name: &'static str,
    /// In the order typed.
    pub values: Vec<Value>,
}

impl Values {
    /// Sets the flag to one of the values.
    pub fn put(&self, index: usize, request: &mut Request) {
        match (self.name, self.values.get(index)) {
            ("seq", Some(Value::Number(number))) => request.seq = Some(*number),
            ("users", Some(Value::Number(number))) => request.users = *number,
            ("gpus", Some(Value::Number(number))) => request.gpus = Some(*number),
            ("tp", Some(Value::Number(number))) => request.tp = Some(*number),
            ("pp", Some(Value::Number(number))) => request.pp = Some(*number),
            ("dp", Some(Value::Number(number))) => request.dp = Some(*number),
            (_, Some(Value::Gpu(device))) => request.gpu = Some(device.clone()),
            (_, Some(Value::Engine(engine))) => request.engine = Some(engine.clone()),
            (_, Some(Value::KvDtype(name))) => request.kv_dtype.clone_from(name),
            (_, Some(Value::WeightDtype(dtype))) => request.weight_dtype = *dtype,
            _ => {}
        }
    }

    /// Reads a list; `typed` is the flag's spelling, which an error names.
    ///
    /// # Errors
    /// A value that the flag's reader refuses; a range from more to less, or of no number; commas that may group digits
    /// or separate; more than [`MOST_VALUES`].
    pub fn read(flag: &'static Flag, typed: &str, text: &str) -> Result<Self> {
        let mut values = Vec::new();
        for part in parts(typed, text)? {
            match part.split_once("..") {
                Some((from, to)) if is_number(flag.name) => range(flag, typed, from, to, &mut values)?,
                _ => values.push(one(flag, typed, part)?),
            }
            if values.len() > MOST_VALUES {
                return Err(Error::bad_value(typed, text, say!("at most {0} values", MOST_VALUES)));
            }
        }
        Ok(Self { name: flag.name, values })
    }
}

fn is_number(name: &str) -> bool {
    matches!(name, "seq" | "users" | "gpus" | "tp" | "pp" | "dp")
}

/// Whether a flag's text is a list or a range.
pub fn is_list(name: &str, text: &str) -> bool {
    LISTED.contains(&name)
        && ((is_number(name) && text.contains("..")) || (text.contains(',') && !is_grouped_number(text)))
}

/// The flag of a listed name.
pub fn flag(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name == name)
}

/// Whether a number whose commas group digits could as well be a list: `64,128,256`, not `32,000`.
pub fn is_ambiguous(name: &str, text: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && !part.starts_with('0');
    LISTED.contains(&name) && text.contains(',') && is_grouped_number(text) && text.split(',').all(plain)
}

/// The parts between commas that separate.
fn parts<'a>(typed: &str, text: &'a str) -> Result<Vec<&'a str>> {
    let grouped = |end: &str| is_grouped_number(end.split(':').next().unwrap_or_default());
    if text.split("..").all(grouped) {
        return Ok(vec![text]);
    }
    if text.contains(", ") || text.trim_end().ends_with(',') {
        let separator = if text.contains(", ") { ", " } else { "," };
        let parts = text.split(separator).map(|part| part.trim().trim_end_matches(','));
        return Ok(parts.filter(|part| !part.is_empty()).collect());
    }
    let parts: Vec<&str> = text.split(',').collect();
    let digits = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    let group = |part: &&str| digits(part) && part.len() == 3;
    // `4,096,32,768` and `8,192,32,768`: groups of three that may belong to the number before them
    let is_cut = parts.iter().any(|part| group(part) && part.starts_with('0'));
    let all_grouped = parts.iter().all(|part| digits(part) && (1..=3).contains(&part.len()))
        && parts.last().is_some_and(group)
        && !parts.windows(2).any(|pair| pair.iter().all(|part| part.len() < 3));
    if is_cut || all_grouped {
        let want = words!(
            "a list of numbers without commas of their own, or with a space after each comma that separates"
        );
        return Err(Error::bad_value(typed, text, want));
    }
    Ok(parts)
}

/// One value by the flag's own reader.
fn one(flag: &'static Flag, typed: &str, text: &str) -> Result<Value> {
    let mut read = Request::default();
    flag.set(&mut read, typed, text)?;
    let found = match flag.name {
        "seq" => read.seq.map(Value::Number),
        "users" => Some(Value::Number(read.users)),
        "gpus" => read.gpus.map(Value::Number),
        "tp" => read.tp.map(Value::Number),
        "pp" => read.pp.map(Value::Number),
        "dp" => read.dp.map(Value::Number),
        "gpu" => read.gpu.map(Value::Gpu),
        "engine" => read.engine.map(Value::Engine),
        "kv-dtype" => Some(Value::KvDtype(read.kv_dtype)),
        "weight-dtype" => Some(Value::WeightDtype(read.weight_dtype)),
        _ => None,
    };
    found.ok_or_else(|| Error::bad_value(typed, text, words!("one value: it takes no list")))
}

fn number(flag: &'static Flag, typed: &str, text: &str) -> Result<u64> {
    match one(flag, typed, text)? {
        Value::Number(number) => Ok(number),
        _ => Err(Error::bad_value(typed, text, words!("a number"))),
    }
}

/// The values from `from` to `to`, which may end in `:STEP` or `:xN`.
fn range(flag: &'static Flag, typed: &str, from: &str, to: &str, values: &mut Vec<Value>) -> Result<()> {
    let (to, step) = to.split_once(':').map_or((to, None), |(to, step)| (to, Some(step)));
    let shown = || format!("{from}..{to}");
    let (first, last) = (number(flag, typed, from)?, number(flag, typed, to)?);
    if first > last {
        return Err(Error::bad_value(typed, shown(), words!("a range from less to more, such as 1k..128k")));
    }
    let factor = match step.map(|step| (step, step.strip_prefix('x'))) {
        None => Some(2),
        Some((step, Some(factor))) => {
            let factor = crate::units::parse_count(typed, factor).ok().filter(|factor| *factor > 1);
            let want = || Error::bad_value(typed, step, words!("a factor of at least 2, such as x4"));
            Some(factor.ok_or_else(want)?)
        }
        Some((_, None)) => None,
    };
    let added = match (factor, step) {
        (None, Some(step)) => number(flag, typed, step)?,
        _ => 0,
    };
    let mut next = Some(first);
    while let Some(value) = next.filter(|value| *value < last) {
        values.push(Value::Number(value));
        if values.len() > MOST_VALUES {
            return Err(Error::bad_value(typed, shown(), say!("at most {0} values", MOST_VALUES)));
        }
        next = factor.map_or_else(|| value.checked_add(added), |factor| value.checked_mul(factor));
    }
    values.push(Value::Number(last));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<String>> {
        let values = Values::read(flag(name).unwrap(), &format!("--{name}"), text)?;
        Ok(values.values.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn commas_group_three_digits_of_one_number_or_separate() {
        for (name, text, list) in [
            ("seq", "32,000", false),
            ("seq", "1,048,576", false),
            ("seq", "1,024k", false),
            ("users", "64,128,256", false),
            ("gpu", "85,899,345,920", false),
            ("gpu", "1,024 MiB", false),
            ("seq", "500,32000", true),
            ("users", "1,8,64", true),
            ("users", "1,8,100", true),
            ("users", "64, 128, 256", true),
            ("users", "64,128,256,", true),
            ("seq", "4k,32k", true),
            ("seq", "1k..128k", true),
            ("gpu", "h100,h200", true),
            ("gpu", "24GB,80GB", true),
            ("kv-dtype", "auto,fp8", true),
            ("reserve", "1GiB,2GiB", false),
        ] {
            assert_eq!(is_list(name, text), list, "--{name} {text}");
        }
        for (text, either) in [
            ("64,128,256", true),
            ("8,192", true),
            ("32,000", false),
            ("1,048,576", false),
            ("1,024k", false),
        ] {
            assert_eq!(is_ambiguous("users", text), either, "{text}");
        }
    }

    #[test]
    fn values_are_read_as_single_ones_are() {
        for (name, text, want) in [
            ("seq", "500,32000", &["500", "32000"][..]),
            ("seq", "1k,1K,1.5k", &["1000", "1024", "1500"]),
            ("seq", "8,192, 32,768", &["8192", "32768"]),
            ("seq", "1,000, 500", &["1000", "500"]),
            ("users", "64,128,256,", &["64", "128", "256"]),
            ("users", "1,8,100", &["1", "8", "100"]),
            ("seq", "8k,", &["8000"]),
            ("gpu", "H100,24GiB", &["h100-80gb", "24GiB"]),
            ("engine", "vllm@0.33.0,hf", &["vllm@0.33.0", "hf"]),
            ("kv-dtype", "auto,FP8", &["auto", "fp8"]),
            ("weight-dtype", "auto,int4", &["auto", "int4"]),
        ] {
            assert_eq!(read(name, text).unwrap(), want, "--{name} {text}");
        }
        for (name, text) in [
            ("seq", "1k,,2k"),
            ("seq", ",2k"),
            ("seq", "1k,0"),
            // one number too few, or two numbers with groups: not guessed
            ("seq", "4,096,32,768"),
            ("seq", "8,192,32,768"),
            ("seq", "500,000,32000"),
            ("gpu", "h100,h101"),
            ("tp", "1,many"),
            ("weight-dtype", "bf16,bf15"),
        ] {
            assert!(read(name, text).is_err(), "--{name} {text}");
        }
    }

    #[test]
    fn ranges_double_add_or_multiply_up_to_their_last_value() {
        for (name, text, want) in [
            ("seq", "1k..8k", &["1000", "2000", "4000", "8000"][..]),
            ("seq", "1K..4K,500", &["1024", "2048", "4096", "500"]),
            ("tp", "1..8", &["1", "2", "4", "8"]),
            ("users", "1..6", &["1", "2", "4", "6"]),
            ("users", "5..5", &["5"]),
            ("users", "1..10:3", &["1", "4", "7", "10"]),
            ("users", "1..9:3", &["1", "4", "7", "9"]),
            ("seq", "1k..3k:1k", &["1000", "2000", "3000"]),
            ("seq", "1k..64k:x8", &["1000", "8000", "64000"]),
            ("seq", "1,000..4,000", &["1000", "2000", "4000"]),
        ] {
            assert_eq!(read(name, text).unwrap(), want, "--{name} {text}");
        }
        for text in ["8k..1k", "..8k", "1k..", "1k..8k:0", "1k..8k:x1", "1k..8k:x", "1..3000000:1", "1k...8k"]
        {
            assert!(read("seq", text).is_err(), "{text}");
        }
        assert!(read("gpu", "l4..l40").is_err());
    }
}
