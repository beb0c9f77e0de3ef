//! Numbers formatted by a specification, as `%` formatting, `str.format` and `round` need it.

use crate::Error;
use crate::value::{BigInt, Value, as_big, as_f64};

/// A width that no honest template needs more of.
pub(crate) const MAX_WIDTH: usize = 1 << 20;

/// Python's format specification: `[[fill]align][sign][#][0][width][grouping][.precision][type]`.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) fill: char,
    pub(crate) align: Option<char>,
    pub(crate) sign: char,
    pub(crate) alternate: bool,
    pub(crate) zero: bool,
    pub(crate) width: usize,
    pub(crate) grouping: Option<char>,
    pub(crate) precision: Option<usize>,
    pub(crate) kind: Option<char>,
}

impl Default for Spec {
    fn default() -> Self {
        Spec {
            fill: ' ',
            align: None,
            sign: '-',
            alternate: false,
            zero: false,
            width: 0,
            grouping: None,
            precision: None,
            kind: None,
        }
    }
}

impl Spec {
    /// Reads a specification.
    pub(crate) fn parse(text: &str) -> Result<Spec, Error> {
        let mut spec = Spec::default();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let is_align = |c: Option<&char>| matches!(c, Some('<' | '>' | '=' | '^'));
        if is_align(chars.get(1)) {
            spec.fill = chars[0];
            spec.align = Some(chars[1]);
            at = 2;
        } else if is_align(chars.first()) {
            spec.align = Some(chars[0]);
            at = 1;
        }
        if let Some(sign @ ('+' | '-' | ' ')) = chars.get(at) {
            spec.sign = *sign;
            at += 1;
        }
        if chars.get(at) == Some(&'#') {
            spec.alternate = true;
            at += 1;
        }
        if chars.get(at) == Some(&'0') {
            spec.zero = true;
            at += 1;
        }
        spec.width = digits(&chars, &mut at)?.unwrap_or(0);
        if let Some(grouping @ (',' | '_')) = chars.get(at) {
            spec.grouping = Some(*grouping);
            at += 1;
        }
        if chars.get(at) == Some(&'.') {
            at += 1;
            spec.precision = digits(&chars, &mut at)?;
            if spec.precision.is_none() {
                return Err(Error::value("Format specifier missing precision"));
            }
        }
        if let Some(kind) = chars.get(at) {
            spec.kind = Some(*kind);
            at += 1;
        }
        if at != chars.len() {
            return Err(Error::value("Invalid format specifier"));
        }
        Ok(spec)
    }

    /// Text in its width.
    pub(crate) fn pad(&self, text: &str, default_align: char) -> String {
        let length = text.chars().count();
        let missing = self.width.saturating_sub(length);
        let (before, after) = match self.align.unwrap_or(default_align) {
            '<' => (0, missing),
            '^' => (missing / 2, missing - missing / 2),
            _ => (missing, 0),
        };
        let fill = |count: usize| std::iter::repeat_n(self.fill, count);
        fill(before)
            .chain(text.chars())
            .chain(fill(after))
            .collect()
    }

    /// A formatted number with sign, prefix, grouping and padding.
    fn number(&self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, '+') => "+",
            (false, ' ') => " ",
            _ => "",
        };
        let head = format!("{sign}{prefix}");
        let zero_fill = self.zero && self.align.is_none();
        let mut digits = match self.grouping {
            Some(separator) => grouped(digits, separator, if prefix.is_empty() { 3 } else { 4 }),
            None => digits.to_owned(),
        };
        if zero_fill || self.align == Some('=') {
            let fill = if zero_fill { '0' } else { self.fill };
            let missing = self
                .width
                .saturating_sub(head.len() + digits.chars().count());
            digits = std::iter::repeat_n(fill, missing)
                .chain(digits.chars())
                .collect();
            return head + &digits;
        }
        self.pad(&(head + &digits), '>')
    }

    /// Formats a number; `None` for types and values that are none.
    pub(crate) fn format_number(&self, value: &Value) -> Result<Option<String>, Error> {
        let kind = self.kind.unwrap_or(match value {
            Value::Float(_) => '\0',
            _ => 'd',
        });
        match kind {
            'd' | 'n' | 'b' | 'o' | 'x' | 'X' | 'c' => {
                let Some(number) = (!matches!(value, Value::Float(_)))
                    .then(|| as_big(value))
                    .flatten()
                else {
                    return Ok(None);
                };
                self.integer(&number, kind).map(Some)
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%' | '\0' => {
                let Some(number) = as_f64(value) else {
                    return Ok(None);
                };
                let shown = format_float(number.abs(), kind, self.precision, self.alternate);
                let negative = number.is_sign_negative() && !number.is_nan();
                let (whole, rest) = shown.split_at(
                    shown
                        .find(|c: char| !c.is_ascii_digit())
                        .unwrap_or(shown.len()),
                );
                let whole = match self.grouping {
                    Some(separator) => grouped(whole, separator, 3),
                    None => whole.to_owned(),
                };
                let ungrouped = Spec {
                    grouping: None,
                    ..self.clone()
                };
                Ok(Some(ungrouped.number(negative, "", &(whole + rest))))
            }
            _ => Ok(None),
        }
    }

    fn integer(&self, number: &BigInt, kind: char) -> Result<String, Error> {
        if kind == 'c' {
            let code = number
                .to_i64()
                .and_then(|code| u32::try_from(code).ok())
                .and_then(char::from_u32);
            let c = code.ok_or_else(|| Error::value("%c arg not in range(0x110000)"))?;
            return Ok(self.pad(&c.to_string(), '<'));
        }
        let (base, prefix) = match kind {
            'b' => (2, "0b"),
            'o' => (8, "0o"),
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            _ => (10, ""),
        };
        let mut digits = number.to_base(base).trim_start_matches('-').to_owned();
        if kind == 'X' {
            digits = digits.to_uppercase();
        }
        let prefix = if self.alternate { prefix } else { "" };
        Ok(self.number(number.is_negative(), prefix, &digits))
    }
}

fn digits(chars: &[char], at: &mut usize) -> Result<Option<usize>, Error> {
    let start = *at;
    let mut number = 0usize;
    while let Some(digit) = chars.get(*at).and_then(|c| c.to_digit(10)) {
        number = number * 10 + digit as usize;
        if number > MAX_WIDTH {
            return Err(Error::limit("a width or precision is too large"));
        }
        *at += 1;
    }
    Ok((*at > start).then_some(number))
}

fn grouped(digits: &str, separator: char, size: usize) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(size) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// A non-negative float by one of Python's presentation types; `\0` is `repr`, or `g` with a precision.
pub(crate) fn format_float(
    value: f64,
    kind: char,
    precision: Option<usize>,
    alternate: bool,
) -> String {
    if !value.is_finite() {
        let shown = if value.is_nan() { "nan" } else { "inf" };
        return if kind.is_ascii_uppercase() {
            shown.to_uppercase()
        } else {
            shown.to_owned()
        };
    }
    let digits = precision.unwrap_or(6).min(1100);
    match kind {
        'f' | 'F' => format!("{value:.digits$}"),
        '%' => format!("{:.digits$}%", value * 100.0),
        'e' => exponent(value, digits, 'e'),
        'E' => exponent(value, digits, 'E'),
        'g' => general(value, digits, 'e', alternate),
        'G' => general(value, digits, 'E', alternate),
        _ => match precision {
            None => crate::value::float_repr(value),
            Some(digits) => {
                let shown = general(value, digits, 'e', alternate);
                let whole = !shown.contains(['.', 'e']);
                if whole { shown + ".0" } else { shown }
            }
        },
    }
}

fn exponent(value: f64, digits: usize, letter: char) -> String {
    let shown = format!("{value:.digits$e}");
    let (mantissa, power) = shown.split_once('e').unwrap_or((&shown, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("{mantissa}{letter}{sign}{:02}", power.abs())
}

fn general(value: f64, digits: usize, letter: char, alternate: bool) -> String {
    let digits = digits.max(1);
    let shown = format!("{value:.*e}", digits - 1);
    let power: i32 = shown
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let text = if power < -4 || power >= digits as i32 {
        exponent(value, digits - 1, letter)
    } else {
        format!("{value:.*}", (digits as i32 - 1 - power).max(0) as usize)
    };
    if alternate || !text.contains('.') {
        return text;
    }
    let (mantissa, power) = match text.split_once(letter) {
        Some((mantissa, power)) => (mantissa, Some(power)),
        None => (text.as_str(), None),
    };
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    match power {
        Some(power) => format!("{mantissa}{letter}{power}"),
        None => mantissa.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(spec: &str, value: impl Into<Value>) -> String {
        Spec::parse(spec)
            .unwrap()
            .format_number(&value.into())
            .unwrap()
            .unwrap()
    }

    #[test]
    fn specifications() {
        assert_eq!(shown("05.2f", 2.71), "02.71");
        assert_eq!(shown(",", 1234567), "1,234,567");
        assert_eq!(shown("#x", 255), "0xff");
        assert_eq!(shown("+d", 3), "+3");
        assert_eq!(shown(".3g", 1234.5), "1.23e+03");
        assert_eq!(shown("g", 0.0001), "0.0001");
        assert_eq!(shown("e", 12345.678), "1.234568e+04");
        assert_eq!(shown("*^9", -7), "***-7****");
        assert_eq!(shown(".1%", 0.256), "25.6%");
        assert!(Spec::parse("99999999999").is_err());
    }
}
