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

/// Reads a positive number with an optional unit. Number × unit must be whole: `1.5k` is 1,500.
fn scaled(flag: &str, text: &str, units: &[(&str, u64)], want: Words) -> Result<u64> {
    let bad = || Error::bad_value(flag, text, want);
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | '_'));
    let (number, unit) = trimmed.split_at(split.unwrap_or(trimmed.len()));
    let number: String = number.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let unit = unit.trim();
    let (_, scale) = units.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || fraction.len() > 12 {
        return Err(bad());
    }
    let overflow = || Error::overflow(Sentence::verbatim(flag));
    let digits: u128 = digits.parse().map_err(|_| overflow())?;
    let power = 10_u128.pow(fraction.len() as u32);
    let value = digits.checked_mul(u128::from(*scale)).ok_or_else(overflow)?;
    if value % power != 0 || value == 0 {
        return Err(bad());
    }
    u64::try_from(value / power).map_err(|_| overflow())
}

/// Reads a token count: `1000`, `1k` = 1,000, `1K` = 1,024, `1m` = 10⁶, `1M` = 1,024².
pub fn parse_tokens(flag: &str, text: &str) -> Result<u64> {
    const UNITS: &[(&str, u64)] = &[("", 1), ("k", 1_000), ("K", 1 << 10), ("m", 1_000_000), ("M", 1 << 20)];
    scaled(flag, text, UNITS, words!("a whole number of tokens of at least 1, such as 1000, 32k or 128K"))
}

/// Reads a size in bytes: a bare number is bytes, `GB` = 10⁹, `GiB` = 2³⁰.
pub fn parse_size(flag: &str, text: &str) -> Result<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("", 1),
        ("B", 1),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    scaled(flag, text, UNITS, words!("a size such as 80GiB, 24GB or a number of bytes"))
}

/// Reads a positive whole number.
pub fn parse_count(flag: &str, text: &str) -> Result<u64> {
    scaled(flag, text, &[("", 1)], words!("a whole number of at least 1"))
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
        for text in ["0", "-5", "many", "", "1.0005k", "1e3", "1kk"] {
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
        assert!(parse_size("--gpu", "80 gigs").is_err());
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
