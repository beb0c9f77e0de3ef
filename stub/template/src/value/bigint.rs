//! Integers beyond 64 bits. Playbooks meet them as digests read with `int(base=16)` and as powers of two.

use std::cmp::Ordering;
use std::fmt;

/// An integer of any size: a sign, and 32-bit digits with the least significant first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BigInt {
    negative: bool,
    digits: Vec<u32>,
}

/// The largest result of a computation, in bits.
pub(crate) const MAX_BITS: usize = 1 << 16;

impl BigInt {
    /// The same number.
    pub fn from_i64(value: i64) -> Self {
        let mut digits = Vec::new();
        let mut rest = value.unsigned_abs();
        while rest > 0 {
            digits.push(rest as u32);
            rest >>= 32;
        }
        BigInt {
            negative: value < 0,
            digits,
        }
    }

    /// The number that big-endian bytes spell.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let digits = bytes
            .rchunks(4)
            .map(|chunk| {
                chunk
                    .iter()
                    .fold(0u32, |digit, byte| digit << 8 | u32::from(*byte))
            })
            .collect();
        BigInt {
            negative: false,
            digits,
        }
        .trimmed()
    }

    /// The 32-bit digits of the absolute value, least significant first.
    pub(crate) fn digits(&self) -> &[u32] {
        &self.digits
    }

    /// The number as a machine word, if it fits.
    pub fn to_i64(&self) -> Option<i64> {
        if self.digits.len() > 2 {
            return None;
        }
        let magnitude = self
            .digits
            .iter()
            .rev()
            .fold(0u64, |sum, digit| sum << 32 | u64::from(*digit));
        if self.negative {
            0i64.checked_sub_unsigned(magnitude)
        } else {
            i64::try_from(magnitude).ok()
        }
    }

    /// The nearest floating-point number.
    pub fn to_f64(&self) -> f64 {
        let magnitude = self
            .digits
            .iter()
            .rev()
            .fold(0f64, |sum, digit| sum * 4294967296.0 + f64::from(*digit));
        if self.negative { -magnitude } else { magnitude }
    }

    /// The number with this integral floating-point value.
    pub(crate) fn from_f64(value: f64) -> Self {
        let mut rest = value.abs().trunc();
        let mut shift = 0;
        while rest >= 18446744073709551616.0 {
            rest /= 2.0;
            shift += 1;
        }
        let mut number = BigInt {
            negative: false,
            digits: vec![rest as u64 as u32, (rest as u64 >> 32) as u32],
        };
        for _ in 0..shift {
            number = number.plus(&number.clone());
        }
        number.negative = value < 0.0;
        number.trimmed()
    }

    /// Reads digits in a base from 2 to 36; `None` if there are others.
    pub fn parse(text: &str, base: u32) -> Option<Self> {
        let mut number = BigInt {
            negative: false,
            digits: Vec::new(),
        };
        for c in text.chars() {
            number.multiply_add(base, c.to_digit(base)?);
        }
        Some(number.trimmed())
    }

    /// True below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The number of bits of the absolute value.
    pub(crate) fn bits(&self) -> usize {
        self.digits.len() * 32
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        self.negative &= !self.digits.is_empty();
        self
    }

    fn multiply_add(&mut self, factor: u32, add: u32) {
        let mut carry = u64::from(add);
        for digit in &mut self.digits {
            let wide = u64::from(*digit) * u64::from(factor) + carry;
            *digit = wide as u32;
            carry = wide >> 32;
        }
        if carry > 0 {
            self.digits.push(carry as u32);
        }
    }

    /// Divides the absolute value in place and returns the rest.
    fn divide_small(&mut self, divisor: u32) -> u32 {
        let mut rest = 0u64;
        for digit in self.digits.iter_mut().rev() {
            let wide = rest << 32 | u64::from(*digit);
            *digit = (wide / u64::from(divisor)) as u32;
            rest = wide % u64::from(divisor);
        }
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        rest as u32
    }

    fn compare_magnitude(a: &[u32], b: &[u32]) -> Ordering {
        a.len()
            .cmp(&b.len())
            .then_with(|| a.iter().rev().cmp(b.iter().rev()))
    }

    fn add_magnitude(a: &[u32], b: &[u32]) -> Vec<u32> {
        let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
        let mut carry = 0u64;
        let mut sum = Vec::with_capacity(long.len() + 1);
        for (index, digit) in long.iter().enumerate() {
            let wide =
                u64::from(*digit) + u64::from(short.get(index).copied().unwrap_or(0)) + carry;
            sum.push(wide as u32);
            carry = wide >> 32;
        }
        if carry > 0 {
            sum.push(carry as u32);
        }
        sum
    }

    fn subtract_magnitude(large: &[u32], small: &[u32]) -> Vec<u32> {
        let mut borrow = 0i64;
        let mut rest = Vec::with_capacity(large.len());
        for (index, digit) in large.iter().enumerate() {
            let wide =
                i64::from(*digit) - i64::from(small.get(index).copied().unwrap_or(0)) - borrow;
            borrow = i64::from(wide < 0);
            rest.push(wide as u32);
        }
        rest
    }

    /// The sum.
    pub fn plus(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            return BigInt {
                negative: self.negative,
                digits: Self::add_magnitude(&self.digits, &other.digits),
            };
        }
        match Self::compare_magnitude(&self.digits, &other.digits) {
            Ordering::Less => BigInt {
                negative: other.negative,
                digits: Self::subtract_magnitude(&other.digits, &self.digits),
            },
            _ => BigInt {
                negative: self.negative,
                digits: Self::subtract_magnitude(&self.digits, &other.digits),
            },
        }
        .trimmed()
    }

    /// The number with the other sign.
    pub fn negated(mut self) -> Self {
        self.negative = !self.negative;
        self.trimmed()
    }

    /// The product.
    pub fn times(&self, other: &Self) -> Self {
        let mut digits = vec![0u32; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().enumerate() {
            let mut carry = 0u64;
            for (j, b) in other.digits.iter().enumerate() {
                let wide = u64::from(*a) * u64::from(*b) + u64::from(digits[i + j]) + carry;
                digits[i + j] = wide as u32;
                carry = wide >> 32;
            }
            digits[i + other.digits.len()] = carry as u32;
        }
        BigInt {
            negative: self.negative != other.negative,
            digits,
        }
        .trimmed()
    }

    /// Quotient and rest, rounded towards minus infinity as Python does; `None` for a zero divisor.
    pub fn divide(&self, other: &Self) -> Option<(Self, Self)> {
        if other.digits.is_empty() {
            return None;
        }
        let (mut quotient, mut rest) = self.divide_magnitude(other);
        quotient.negative = self.negative != other.negative;
        rest.negative = self.negative;
        let (quotient, rest) = (quotient.trimmed(), rest.trimmed());
        if !rest.digits.is_empty() && rest.negative != other.negative {
            return Some((quotient.plus(&BigInt::from_i64(-1)), rest.plus(other)));
        }
        Some((quotient, rest))
    }

    fn divide_magnitude(&self, other: &Self) -> (Self, Self) {
        let mut quotient = BigInt {
            negative: false,
            digits: self.digits.clone(),
        };
        if let [divisor] = other.digits[..] {
            let rest = quotient.divide_small(divisor);
            return (quotient, BigInt::from_i64(i64::from(rest)));
        }
        // Bit by bit: numbers are short here, and simple is right.
        let mut rest = BigInt {
            negative: false,
            digits: Vec::new(),
        };
        for (index, digit) in self.digits.iter().enumerate().rev() {
            let mut out = 0u32;
            for bit in (0..32).rev() {
                rest.multiply_add(2, digit >> bit & 1);
                if Self::compare_magnitude(&rest.digits, &other.digits) != Ordering::Less {
                    rest.digits = Self::subtract_magnitude(&rest.digits, &other.digits);
                    rest = rest.trimmed();
                    out |= 1 << bit;
                }
            }
            quotient.digits[index] = out;
        }
        (quotient, rest)
    }

    /// The number in a base from 2 to 36.
    pub(crate) fn to_base(&self, base: u32) -> String {
        if self.digits.is_empty() {
            return "0".to_owned();
        }
        let mut rest = self.clone();
        let mut text = Vec::new();
        while !rest.digits.is_empty() {
            let digit = rest.divide_small(base);
            text.push(char::from_digit(digit, base).unwrap_or('?'));
        }
        if self.negative {
            text.push('-');
        }
        text.iter().rev().collect()
    }
}

impl PartialOrd for BigInt {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BigInt {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => Self::compare_magnitude(&self.digits, &other.digits),
            (true, true) => Self::compare_magnitude(&other.digits, &self.digits),
        }
    }
}

impl fmt::Display for BigInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(text: &str) -> BigInt {
        match text.strip_prefix('-') {
            Some(rest) => BigInt::parse(rest, 10).unwrap().negated(),
            None => BigInt::parse(text, 10).unwrap(),
        }
    }

    #[test]
    fn arithmetic_agrees_with_python() {
        let a = big("123456789012345678901234567890");
        let b = big("-98765432109876543210");
        assert_eq!(a.plus(&b).to_string(), "123456788913580246791358024680");
        assert_eq!(
            a.times(&b).to_string(),
            "-12193263113702179522496570642237463801111263526900"
        );
        let (q, r) = a.divide(&b).unwrap();
        assert_eq!(
            (q.to_string(), r.to_string()),
            ("-1249999989".into(), "-38580246902623456800".into())
        );
        assert_eq!(q.times(&b).plus(&r), a);
        assert!(r.is_negative());
    }

    #[test]
    fn words_survive() {
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(BigInt::from_i64(value).to_i64(), Some(value));
        }
        assert_eq!(big("9223372036854775808").to_i64(), None);
        assert_eq!(BigInt::from_f64(1e20).to_string(), "100000000000000000000");
    }
}
