//! Exact integer arithmetic: checked sums and products, sizes, token counts and shares.
//!
//! Every quantity is a `u64`. Products go through `u128`. A result that does not fit is an error that names the
//! quantity, never a wrapped number.
//!
//! A count is clamped at the largest `u64` (`saturating_*`) only where the clamped number cannot reach an
//! answer:
//!
//! - where it limits a search or is only compared;
//! - where it is a factor of a later checked product, which then fails (rows of `llamacpp/`, `candle/`,
//!   `transformers/` and GGUF files);
//! - where [`unclamped`] refuses its result (pages and blocks of `vllm/`).

use num_integer::gcd;

use crate::error::{Error, Result};
use crate::text::{Sentence, Words};

/// The product of all factors.
pub fn product(what: Words, factors: &[u64]) -> Result<u64> {
    let mut total: u128 = 1;
    if factors.contains(&0) {
        return Ok(0);
    }
    for factor in factors {
        total = total.checked_mul(u128::from(*factor)).ok_or_else(|| Error::overflow(what))?;
    }
    u64::try_from(total).map_err(|_| Error::overflow(what))
}

/// Least common multiple, at most `u64::MAX`; 0 where either is 0.
pub(crate) fn lcm(a: u64, b: u64) -> u64 {
    a.checked_div(gcd(a, b)).unwrap_or(0).saturating_mul(b)
}

/// The sum of all terms.
pub fn sum(what: Words, terms: impl IntoIterator<Item = u64>) -> Result<u64> {
    terms
        .into_iter()
        .try_fold(0_u64, |total, term| total.checked_add(term))
        .ok_or_else(|| Error::overflow(what))
}

/// The most bytes of one page, or of one block of all layers: 256 TiB.
const MOST_PAGE_BYTES: u64 = 1 << 48;

/// Refuses bytes of a page or block above `MOST_PAGE_BYTES`. A page has at least as many bytes as any of its
/// factors, so no clamped factor passes.
pub fn unclamped(what: Words, bytes: u64) -> Result<u64> {
    if bytes > MOST_PAGE_BYTES { Err(Error::overflow(what)) } else { Ok(bytes) }
}

/// A share such as `0.92`, kept exactly as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

impl Ratio {
    /// `parts` / 10^`decimals`, such as 92 and 2 for 0.92: at most 1, at most 18 decimals.
    pub const fn decimal(parts: u64, decimals: u32) -> Self {
        let denominator = 10_u64.pow(if decimals > 18 { 18 } else { decimals });
        Self { numerator: if parts > denominator { denominator } else { parts }, denominator }
    }

    /// Reads `0.92` (at most nine decimals, above 0 and up to 1).
    pub fn parse(flag: &str, text: &str) -> Result<Self> {
        let bad = || Error::bad_value(flag, text, words!("a share above 0 and up to 1, such as 0.92"));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        if fraction.len() > 9 || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let numerator: u64 = digits.parse().map_err(|_| bad())?;
        let denominator = 10_u64.pow(fraction.len() as u32);
        if numerator == 0 || numerator > denominator {
            return Err(bad());
        }
        Ok(Self { numerator, denominator })
    }

    /// `floor(value × ratio)`.
    pub fn of(self, value: u64) -> u64 {
        let share = u128::from(value) * u128::from(self.numerator) / u128::from(self.denominator);
        u64::try_from(share).unwrap_or(value)
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = self.denominator.ilog10() as usize;
        let (whole, rest) = (self.numerator / self.denominator, self.numerator % self.denominator);
        let fraction = format!("{rest:0decimals$}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

/// Whether every comma of a number stands before groups of three digits, as in `131,072`.
fn is_grouped(number: &str) -> bool {
    let whole = number.split('.').next().unwrap_or_default();
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    !number.split('.').skip(1).any(|fraction| fraction.contains(','))
        && (rest.peek().is_none() || (1..=3).contains(&first.len()))
        && rest.all(|group| group.len() == 3)
}

/// Whether a text is one number with an optional unit, each of whose commas groups three digits.
#[cfg(feature = "lists")]
pub(crate) fn is_grouped_number(text: &str) -> bool {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_'));
    let (number, unit) = trimmed.split_at(split.unwrap_or(trimmed.len()));
    !number.is_empty() && is_grouped(number) && !unit.contains(',')
}

/// Reads a positive number with an optional unit. Number × unit must be whole, `1.5k` is 1,500, unless it is
/// `rounded` down.
fn scaled(
    flag: &str,
    text: &str,
    scale: impl Fn(&str) -> Option<u64>,
    rounded: bool,
    want: Words,
) -> Result<u64> {
    let bad = || Error::bad_value(flag, text, want);
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_'));
    let (number, unit) = trimmed.split_at(split.unwrap_or(trimmed.len()));
    if !is_grouped(number) {
        return Err(Error::bad_value(flag, text, words!("one number: a comma in it groups three digits")));
    }
    let number: String = number.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let scale = scale(unit.trim()).ok_or_else(bad)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || fraction.len() > 12 {
        return Err(bad());
    }
    let overflow = || Error::overflow(Sentence::verbatim(flag));
    let digits: u128 = digits.parse().map_err(|_| overflow())?;
    let power = 10_u128.pow(fraction.len() as u32);
    let value = digits.checked_mul(u128::from(scale)).ok_or_else(overflow)?;
    if value / power == 0 || value % power != 0 && (!rounded || scale == 1) {
        return Err(bad());
    }
    u64::try_from(value / power).map_err(|_| overflow())
}

/// Reads a token count: `1000`, `1k` = 1,000, `1K` = 1,024, `1m` = 10⁶, `1M` = 1,024².
pub fn parse_tokens(flag: &str, text: &str) -> Result<u64> {
    const UNITS: &[(&str, u64)] = &[("", 1), ("k", 1_000), ("K", 1 << 10), ("m", 1_000_000), ("M", 1 << 20)];
    let scale = |unit: &str| UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let want = words!("a whole number of tokens of at least 1, such as 1000, 32k or 128K");
    scaled(flag, text, scale, false, want)
}

/// Reads a size in bytes, as logs and tools write it, rounded down to whole bytes: a bare number is bytes, `GB` and `G`
/// are 10⁹, `GiB` and `Gi` 2³⁰, in any letter case.
pub fn parse_size(flag: &str, text: &str) -> Result<u64> {
    let scale = |unit: &str| {
        let unit = unit.to_ascii_lowercase();
        let (prefix, base) = match unit.strip_suffix("ib").or(unit.strip_suffix('i')) {
            Some(prefix) => (prefix, 1024_u64),
            None => (unit.strip_suffix('b').unwrap_or(&unit), 1000),
        };
        let power = ["", "k", "m", "g", "t"].iter().position(|known| *known == prefix)?;
        if power == 0 && base == 1024 { None } else { Some(base.pow(power as u32)) }
    };
    scaled(flag, text, scale, true, words!("a size such as 80GiB, 24GB or a number of bytes"))
}

/// Reads a positive whole number.
pub fn parse_count(flag: &str, text: &str) -> Result<u64> {
    scaled(flag, text, |unit| unit.is_empty().then_some(1), false, words!("a whole number of at least 1"))
}

/// Distinct values, the least first. For a few of them: each is put in its place.
pub fn ascending(values: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut sorted = Vec::new();
    for value in values {
        if let Err(place) = sorted.binary_search(&value) {
            sorted.insert(place, value);
        }
    }
    sorted
}

/// `327680` as `327,680`.
pub fn group_digits(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `6553600000` as `6.1 GiB`: binary units, rounded half up to two decimals at most.
pub fn human_bytes(value: u64) -> String {
    const UNITS: &[(&str, u64)] = &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, scale) in UNITS {
        if value >= *scale {
            let hundredths = (u128::from(value) * 100 + u128::from(scale / 2)) / u128::from(*scale);
            let (whole, rest) = (hundredths / 100, hundredths % 100);
            return match rest {
                0 => format!("{whole} {unit}"),
                rest if rest % 10 == 0 => format!("{whole}.{} {unit}", rest / 10),
                rest => format!("{whole}.{rest:02} {unit}"),
            };
        }
    }
    format!("{value} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_counts_read_k_as_decimal_and_capital_k_as_binary() {
        for (text, want) in [
            ("1000", 1_000),
            ("1k", 1_000),
            ("1K", 1_024),
            ("1M", 1 << 20),
            ("1.5k", 1_500),
            ("1,000", 1_000),
        ] {
            assert_eq!(parse_tokens("--seq", text), Ok(want), "{text}");
        }
        for text in
            ["0", "-5", "many", "", "1.0005k", "1e3", "1kk", "500,32000", "1,2,3", "1,00", ",500", "1000,000"]
        {
            assert!(matches!(parse_tokens("--seq", text), Err(Error::BadValue { .. })), "{text}");
        }
        for text in ["99999999999999999999", "99999999999999999999999999999999999999999999"] {
            assert!(matches!(parse_tokens("--seq", text), Err(Error::Overflow { .. })), "{text}");
        }
    }

    #[test]
    fn sizes_know_decimal_and_binary_units() {
        assert_eq!(parse_size("--gpu", "80GiB"), Ok(85_899_345_920));
        assert_eq!(parse_size("--gpu", "80 GB"), Ok(80_000_000_000));
        assert_eq!(parse_size("--gpu", "1.5GiB"), Ok(1_610_612_736));
        for (text, want) in [
            ("80G", 80_000_000_000),
            ("80g", 80_000_000_000),
            ("80gb", 80_000_000_000),
            ("80Gi", 80 << 30),
            ("512mib", 512 << 20),
            ("1,024 KiB", 1 << 20),
            // 17.39 × 2³⁰ = 18,672,370,319.36
            ("17.39GiB", 18_672_370_319),
            // 79.65 × 2³⁰ = 85,523,536,281.6
            ("79.65 GiB", 85_523_536_281),
        ] {
            assert_eq!(parse_size("--gpu", text), Ok(want), "{text}");
        }
        for text in ["80 gigs", "80ii", "1.5", "80i", "1e9", "0.1B", "4PB"] {
            assert!(parse_size("--gpu", text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_exact_fractions() {
        let ratio = Ratio::parse("--memory-utilization", "0.92").unwrap();
        assert_eq!(ratio.of(100), 92);
        assert_eq!(ratio.of(85_520_809_984), 78_679_145_185);
        assert_eq!(ratio.to_string(), "0.92");
        for text in ["0", "1.01", "92%", "-1", ""] {
            assert!(Ratio::parse("--memory-utilization", text).is_err(), "{text}");
        }
    }

    #[test]
    fn products_beyond_64_bits_are_errors() {
        assert_eq!(product(words!("cells"), &[1 << 32, 1 << 31]), Ok(1 << 63));
        assert_eq!(product(words!("cells"), &[1 << 32, 1 << 32]), Err(Error::overflow(words!("cells"))));
        assert_eq!(
            product(words!("cells"), &[u64::MAX, u64::MAX, u64::MAX]),
            Err(Error::overflow(words!("cells")))
        );
        assert_eq!(product(words!("cells"), &[u64::MAX, u64::MAX, 0]), Ok(0));
    }

    #[test]
    fn bytes_read_well() {
        assert_eq!(group_digits(327_680), "327,680");
        assert_eq!(human_bytes(6_553_600_000), "6.1 GiB");
        assert_eq!(human_bytes(327_680), "320 KiB");
        assert_eq!(human_bytes(1023), "1023 B");
    }
}
