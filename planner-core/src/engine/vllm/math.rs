//! The integer arithmetic that vLLM's planning uses (`vllm/utils/math_utils.py`, Python's `math`).

pub use num_integer::gcd;

pub(crate) use crate::units::lcm;

/// `a / b` rounded up; 0 when `b` is 0.
pub fn ceil_div(a: u64, b: u64) -> u64 {
    if b == 0 { 0 } else { a.div_ceil(b) }
}

/// `a` rounded up to a multiple of `b`; `a` when `b` is 0.
pub fn round_up(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { ceil_div(a, b).saturating_mul(b) }
}

/// `a × b / d`, exactly; the largest number where that does not fit, 0 when `d` is 0.
pub fn scaled(a: u64, b: u64, d: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product.checked_div(u128::from(d)).map_or(0, |quotient| u64::try_from(quotient).unwrap_or(u64::MAX))
}
