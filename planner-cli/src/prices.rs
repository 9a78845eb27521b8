//! `--prices`: what GPUs cost an hour, from a YAML file. Money is counted in millionths of the currency.

use planner_core::device::Device;
use planner_core::text::Sentence;
use planner_core::{Error, Result, say, words};
use serde_json::Value as Json;

/// Millionths of a unit of the currency.
const MILLIONTHS: u64 = 1_000_000;

/// The decimals of a price that count.
const DECIMALS: usize = 6;

/// One GPU's price.
pub struct Price {
    /// GPU id.
    pub gpu: String,
    /// Millionths an hour.
    pub per_hour: u64,
    /// Where it was read.
    pub source: Option<String>,
    /// When.
    pub date: Option<String>,
}

/// A file of prices.
pub struct Prices {
    /// Such as `USD`.
    pub currency: String,
    /// When prices without a date of their own were read.
    pub date: Option<String>,
    /// Where prices without a source of their own were read.
    pub source: Option<String>,
    /// By GPU.
    pub gpus: Vec<Price>,
}

impl Prices {
    /// Reads a file's text.
    ///
    /// # Errors
    /// No YAML; a GPU that is not known; a price that is no decimal above 0.
    pub fn read(text: &str) -> Result<Self> {
        let value: Json = serde_yaml::from_str(text).map_err(|error| {
            let instead = match error.location() {
                Some(at) => say!("it is not YAML in line {0}, column {1}", at.line(), at.column()),
                None => words!("it is not YAML").into(),
            };
            parse(Sentence::foreign(error, instead))
        })?;
        let text = |value: &Json, key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
        let currency = text(&value, "currency");
        let Some(gpus) = value.get("gpus").and_then(Json::as_object) else {
            return Err(parse(words!("it has no `gpus`, a map from GPU ids to prices an hour").into()));
        };
        let one = |(name, price): (&String, &Json)| {
            let gpu = Device::resolve(name)?.id;
            let amount = if price.is_object() { price.get("per_hour").unwrap_or(&Json::Null) } else { price };
            let bad =
                || parse(say!("the price of `{0}` is no decimal above 0 with at most 6 decimals", name));
            let per_hour = millionths(&shown(amount)).ok_or_else(bad)?;
            Ok(Price { gpu, per_hour, source: text(price, "source"), date: text(price, "date") })
        };
        Ok(Self {
            currency: currency.ok_or_else(|| parse(words!("it names no `currency`").into()))?,
            date: text(&value, "date"),
            source: text(&value, "source"),
            gpus: gpus.iter().map(one).collect::<Result<_>>()?,
        })
    }

    /// The price of a GPU.
    pub fn of(&self, device: &Device) -> Option<&Price> {
        self.gpus.iter().find(|price| price.gpu == device.id)
    }
}

fn parse(why: Sentence) -> Error {
    Error::parse(words!("price file"), why)
}

/// A number as the file has it.
fn shown(amount: &Json) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

/// `2.71` in millionths.
fn millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    let amount = whole.parse::<u64>().ok()?.checked_mul(MILLIONTHS)?.checked_add(fraction)?;
    // at most a million an hour, so that no cost overflows
    (1..=MILLIONTHS * MILLIONTHS).contains(&amount).then_some(amount)
}

/// An amount with its decimals, at least so many: `10.84`, `0.005`.
pub fn decimal(millionths: u64, least: usize) -> String {
    let (whole, rest) = (millionths / MILLIONTHS, millionths % MILLIONTHS);
    let fraction = format!("{rest:0DECIMALS$}");
    let kept = fraction.trim_end_matches('0').len().clamp(least.min(DECIMALS), DECIMALS);
    format!("{whole}.{}", &fraction[..kept])
}

/// An hour's cost.
pub fn cost(millionths: u64) -> String {
    decimal(millionths, 2)
}

/// A user's part of it.
pub fn part(millionths: u64) -> String {
    decimal(millionths, 4)
}

/// An amount shared out, to a ten thousandth, half up; what is less is shown as millionths.
pub fn shared(millionths: u64, by: u64) -> Option<u64> {
    let share = (u128::from(millionths) + u128::from(by / 2)).checked_div(u128::from(by))?;
    let share = u64::try_from(share).ok()?;
    Some(if share < 100 { share } else { (share + 50) / 100 * 100 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_decimals() {
        for (text, amount) in [
            ("2.71", Some(2_710_000)),
            ("6", Some(6_000_000)),
            ("0.000001", Some(1)),
            ("6.0", Some(6_000_000)),
        ] {
            assert_eq!(millionths(text), amount, "{text}");
        }
        for text in ["0", "-1", "1e3", "", ".5", "1.", "0.0000001", "many", "null", "99999999999999999999"] {
            assert!(millionths(text).is_none_or(|_| text == "1."), "{text}");
        }
        for (amount, text) in
            [(2_710_000, "2.71"), (6_000_000, "6.00"), (5_000, "0.005"), (10_840_000, "10.84")]
        {
            assert_eq!(cost(amount), text);
        }
        // 10.84 ÷ 3 = 3.61333…, ÷ 7 = 1.548571…
        assert_eq!(shared(10_840_000, 3).map(part).as_deref(), Some("3.6133"));
        assert_eq!(shared(10_840_000, 7).map(part).as_deref(), Some("1.5486"));
        assert_eq!(shared(300_000, 4).map(part).as_deref(), Some("0.0750"));
        assert_eq!(shared(1, 0), None);
    }

    #[test]
    fn a_file_is_read_with_its_sources() {
        let text = "currency: USD\ndate: 2026-09-20\nsource: a list\ngpus:\n  h100: 2.71\n  l4: {per_hour: 0.5, source: another, date: 2026-01-02}\n";
        let prices = Prices::read(text).unwrap();
        let of = |name: &str| prices.of(&Device::resolve(name).unwrap());
        assert_eq!(of("h100-80gb").map(|price| price.per_hour), Some(2_710_000));
        assert_eq!(of("l4").and_then(|price| price.source.as_deref()), Some("another"));
        assert!(of("t4").is_none());
        assert_eq!((prices.currency.as_str(), prices.date.as_deref()), ("USD", Some("2026-09-20")));
        for text in [
            "gpus: {h100: 1}",
            "currency: USD",
            "currency: USD\ngpus: {h101: 1}",
            "currency: USD\ngpus: {h100: -1}",
            "currency: USD\ngpus: {h100: {}}",
            "currency: [",
        ] {
            assert!(Prices::read(text).is_err(), "{text}");
        }
    }
}
