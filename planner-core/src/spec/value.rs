//! Values of the family language: exact numbers, flags, names, lists and module shapes.

use planner_models::expr::Operator;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::text::{Argument, Sentence};

/// An exact fraction in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    numerator: i128,
    denominator: i128,
}

impl Number {
    /// `numerator / denominator`; the denominator must not be 0.
    pub fn new(numerator: i128, denominator: i128) -> Result<Self> {
        let overflow = || Error::overflow(words!("a number of the configuration"));
        if denominator == 0 {
            return Err(Error::bad_value(words!("a divisor of the configuration"), 0, words!("not 0")));
        }
        let sign = if denominator < 0 { -1 } else { 1 };
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor).map_err(|_| overflow())?;
        Ok(Self {
            numerator: (numerator / divisor).checked_mul(sign).ok_or_else(overflow)?,
            denominator: (denominator / divisor).checked_mul(sign).ok_or_else(overflow)?,
        })
    }

    /// A whole number.
    pub fn whole(value: u64) -> Self {
        Self { numerator: i128::from(value), denominator: 1 }
    }

    /// The exact value of a JSON number's decimal text.
    pub fn from_json(number: &serde_json::Number) -> Result<Self> {
        let text = number.to_string();
        let bad = || {
            Error::bad_value(
                words!("a number of the configuration"),
                &text,
                words!("a number of ordinary size"),
            )
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| bad())?),
            None => (text.as_str(), 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().map_err(|_| bad())?;
        let exponent = exponent - i32::try_from(fraction.len()).map_err(|_| bad())?;
        let power = 10_i128.checked_pow(exponent.unsigned_abs()).ok_or_else(bad)?;
        match exponent {
            0.. => Self::new(digits.checked_mul(power).ok_or_else(bad)?, 1),
            _ => Self::new(digits, power),
        }
    }

    fn combine(numerator: Option<i128>, denominator: Option<i128>) -> Result<Self> {
        match (numerator, denominator) {
            (Some(numerator), Some(denominator)) => Self::new(numerator, denominator),
            _ => Err(Error::overflow(words!("a number of the configuration"))),
        }
    }

    /// Sum.
    pub fn plus(self, other: Self) -> Result<Self> {
        let left = self.numerator.checked_mul(other.denominator);
        let right = other.numerator.checked_mul(self.denominator);
        let numerator = left.zip(right).and_then(|(left, right)| left.checked_add(right));
        Self::combine(numerator, self.denominator.checked_mul(other.denominator))
    }

    /// `-self`.
    pub fn negate(self) -> Result<Self> {
        Self::combine(self.numerator.checked_neg(), Some(self.denominator))
    }

    /// Product.
    pub fn multiply(self, other: Self) -> Result<Self> {
        Self::combine(
            self.numerator.checked_mul(other.numerator),
            self.denominator.checked_mul(other.denominator),
        )
    }

    /// Exact quotient.
    pub fn divide(self, other: Self) -> Result<Self> {
        Self::combine(
            self.numerator.checked_mul(other.denominator),
            self.denominator.checked_mul(other.numerator),
        )
    }

    /// Largest whole number not above it.
    pub fn floor(self) -> Self {
        Self { numerator: self.numerator.div_euclid(self.denominator), denominator: 1 }
    }

    /// Smallest whole number not below it.
    pub fn ceil(self) -> Result<Self> {
        self.negate()?.floor().negate()
    }

    /// The value as a non-negative whole number.
    pub fn as_u64(self) -> Option<u64> {
        (self.denominator == 1).then(|| u64::try_from(self.numerator).ok()).flatten()
    }

    /// The value as a whole number.
    pub fn as_i128(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let difference = self.plus(other.negate().ok()?).ok()?;
        Some(difference.numerator.cmp(&0))
    }
}

impl Argument for Number {
    fn sentence(&self) -> Sentence {
        Sentence::verbatim(self.to_string())
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            _ => write!(f, "{}/{}", self.numerator, self.denominator),
        }
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// What kind of parameters a module holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleKind {
    /// A matrix `[out, in]` that quantization may apply to, with an optional bias `[out]`.
    Linear,
    /// A vector kept in the model's dtype.
    Vector,
    /// An embedding table `[rows, width]`.
    Table,
    /// A vector of a checkpoint that no class counts as a parameter.
    Buffer,
}

/// The shape of one module's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// What it is.
    pub kind: ModuleKind,
    /// Input width (linear), rows (table), length (vector).
    pub inputs: u64,
    /// Output width (linear), width (table), 1 (vector).
    pub outputs: u64,
    /// Bias elements.
    pub bias: u64,
    /// Bytes of an element, where they differ from the model's dtype; 0 where they do not.
    pub element_bytes: u64,
}

impl Module {
    /// Number of parameters.
    pub fn parameters(self) -> Result<u64> {
        if self.kind == ModuleKind::Buffer {
            return Ok(0);
        }
        let weights = crate::units::product(words!("parameters"), &[self.inputs, self.outputs])?;
        crate::units::sum(words!("parameters"), [weights, self.bias])
    }
}

/// A value of the family language.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// A flag.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(&'a str),
    /// A list of the configuration.
    Array(&'a [Json]),
    /// A list written in an expression.
    List(Vec<Value<'a>>),
    /// An object of the configuration.
    Object(&'a Map<String, Json>),
    /// A module's shape.
    Module(Module),
}

impl<'a> Value<'a> {
    /// The value of a piece of configuration.
    pub fn from_json(json: &'a Json) -> Result<Self> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Flag(*flag),
            Json::Number(number) => Self::Number(Number::from_json(number)?),
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::Array(items),
            Json::Object(map) => Self::Object(map),
        })
    }

    /// Whether a condition with this value holds: it is not null, false, 0 or empty.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Flag(flag) => *flag,
            Self::Number(number) => *number != Number::whole(0),
            Self::Text(text) => !text.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Object(map) => !map.is_empty(),
            Self::Module(_) => true,
        }
    }

    /// Equality as configurations mean it: `1` equals `1.0`; values of different types are not equal.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Flag(a), Self::Flag(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }

    /// The value as a message shows it.
    pub fn describe(&self) -> Sentence {
        match self {
            Self::Null => Sentence::verbatim("null"),
            Self::Flag(flag) => Sentence::verbatim(flag.to_string()),
            Self::Number(number) => Sentence::verbatim(number.to_string()),
            Self::Text(text) => Sentence::verbatim(format!("\"{text}\"")),
            Self::Array(_) | Self::List(_) => words!("a list").into(),
            Self::Object(_) => words!("an object").into(),
            Self::Module(_) => words!("a module").into(),
        }
    }
}

/// Applies an operator to two numbers.
pub fn arithmetic<'a>(operator: Operator, a: Number, b: Number) -> Result<Value<'a>> {
    use Operator as O;
    Ok(match operator {
        O::Less => Value::Flag(a < b),
        O::LessOrEqual => Value::Flag(a <= b),
        O::Greater => Value::Flag(a > b),
        O::GreaterOrEqual => Value::Flag(a >= b),
        O::Add => Value::Number(a.plus(b)?),
        O::Subtract => Value::Number(a.plus(b.negate()?)?),
        O::Multiply => Value::Number(a.multiply(b)?),
        O::Divide => Value::Number(a.divide(b)?),
        O::FloorDivide => Value::Number(a.divide(b)?.floor()),
        _ => {
            let quotient = a.divide(b)?.floor();
            Value::Number(a.plus(quotient.multiply(b)?.negate()?)?)
        }
    })
}
