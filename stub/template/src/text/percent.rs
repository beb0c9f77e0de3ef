//! Python's `'…%s…' % values`.

use super::number_format::{MAX_WIDTH, Spec};
use crate::Error;
use crate::value::{Value, repr, to_int, to_text};

struct Directive {
    key: Option<String>,
    spec: Spec,
    star_width: bool,
    star_precision: bool,
    conversion: char,
}

/// Formats text with a value, or with a tuple of values, or with a mapping.
pub(crate) fn percent_format(format: &str, values: &Value) -> Result<String, Error> {
    let mut out = String::new();
    let positional = match values {
        Value::Tuple(items) => items.to_vec(),
        other => vec![other.clone()],
    };
    let mut next = positional.iter();
    let mut used_mapping = false;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (mut directive, length) = parse(&rest[at..], format.len() - rest.len() + at)?;
        rest = &rest[at + length..];
        if directive.conversion == '%' {
            out.push('%');
            continue;
        }
        let mut take = || {
            next.next()
                .cloned()
                .ok_or_else(|| Error::type_error("not enough arguments for format string"))
        };
        if directive.star_width {
            let width = take()?
                .as_int()
                .ok_or_else(|| Error::type_error("* wants int"))?;
            if width < 0 {
                directive.spec.align = Some('<');
            }
            directive.spec.width = usize::try_from(width.unsigned_abs())
                .unwrap_or(usize::MAX)
                .min(MAX_WIDTH);
        }
        if directive.star_precision {
            let precision = take()?
                .as_int()
                .ok_or_else(|| Error::type_error("* wants int"))?;
            directive.spec.precision = Some(usize::try_from(precision).unwrap_or(0).min(MAX_WIDTH));
        }
        let value = match &directive.key {
            None => take()?,
            Some(key) => {
                used_mapping = true;
                let Value::Dict(dict) = values else {
                    return Err(Error::type_error("format requires a mapping"));
                };
                dict.get_str(key)
                    .ok_or_else(|| Error::value(crate::value::str_repr(key)))?
            }
        };
        out.push_str(&directive.format(&value)?);
        if out.len() > crate::value::MAX_TEXT {
            return Err(Error::limit("formatted text is too long"));
        }
    }
    out.push_str(rest);
    let all_used = next.next().is_none();
    let may_be_left =
        used_mapping || matches!(values, Value::Dict(_) | Value::List(_)) && positional.len() == 1;
    if !all_used && !may_be_left {
        return Err(Error::type_error(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out)
}

/// Reads one directive; also gives its length in bytes.
fn parse(text: &str, offset: usize) -> Result<(Directive, usize), Error> {
    let incomplete = || Error::value("incomplete format");
    let mut at = 1;
    let mut key = None;
    if text[at..].starts_with('(') {
        let mut depth = 0usize;
        let length = text[at..].char_indices().find_map(|(i, c)| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(i)
        });
        let length = length.ok_or_else(|| Error::value("incomplete format key"))?;
        key = Some(text[at + 1..at + length].to_owned());
        at += length + 1;
    }
    let mut spec = Spec::default();
    while let Some(flag @ ('#' | '0' | '-' | ' ' | '+')) = text[at..].chars().next() {
        match flag {
            '#' => spec.alternate = true,
            '0' => spec.zero = true,
            '-' => spec.align = Some('<'),
            sign => {
                if spec.sign != '+' {
                    spec.sign = sign;
                }
            }
        }
        at += 1;
    }
    let number = |at: &mut usize| -> Result<Option<usize>, Error> {
        let length = text[*at..].bytes().take_while(u8::is_ascii_digit).count();
        let digits = &text[*at..*at + length];
        *at += length;
        match digits.parse::<usize>() {
            _ if digits.is_empty() => Ok(None),
            Ok(number) if number <= MAX_WIDTH => Ok(Some(number)),
            _ => Err(Error::limit("a width or precision is too large")),
        }
    };
    let star_width = text[at..].starts_with('*');
    at += usize::from(star_width);
    spec.width = number(&mut at)?.unwrap_or(0);
    let mut star_precision = false;
    if text[at..].starts_with('.') {
        at += 1;
        star_precision = text[at..].starts_with('*');
        at += usize::from(star_precision);
        spec.precision = Some(number(&mut at)?.unwrap_or(0));
    }
    if let Some('l' | 'h' | 'L') = text[at..].chars().next() {
        at += 1;
    }
    let conversion = text[at..].chars().next().ok_or_else(incomplete)?;
    if !"diouxXeEfFgGcrsa%".contains(conversion) {
        let code = conversion as u32;
        return Err(Error::value(format!(
            "unsupported format character '{conversion}' (0x{code:x}) at index {}",
            offset + at
        )));
    }
    Ok((
        Directive {
            key,
            spec,
            star_width,
            star_precision,
            conversion,
        },
        at + conversion.len_utf8(),
    ))
}

impl Directive {
    fn format(mut self, value: &Value) -> Result<String, Error> {
        let conversion = self.conversion;
        match conversion {
            's' | 'r' | 'a' => {
                let text = if conversion == 's' {
                    to_text(value)?
                } else {
                    repr(value)?
                };
                let text = match self.spec.precision {
                    Some(length) => text.chars().take(length).collect(),
                    None => text,
                };
                Ok(self.spec.pad(&text, '>'))
            }
            'c' => match value {
                Value::Str(text) if text.chars().count() == 1 => Ok(self.spec.pad(text, '>')),
                other => self.number(other, 'c', "%c requires int or char"),
            },
            'd' | 'i' | 'u' => {
                let number = match value {
                    Value::Float(f) if f.is_finite() => to_int(value),
                    Value::Str(_) | Value::Float(_) => None,
                    other => Some(other.clone()),
                };
                let message = format!(
                    "%{conversion} format: a real number is required, not {}",
                    value.type_name()
                );
                let Some(number) = number else {
                    return Err(Error::type_error(message));
                };
                self.digits_at_least(&number, message)
            }
            'o' | 'x' | 'X' => {
                let message = format!(
                    "%{conversion} format: an integer is required, not {}",
                    value.type_name()
                );
                self.number(value, conversion, &message)
            }
            _ => {
                self.spec.precision = self.spec.precision.or(Some(6));
                let message = format!("must be real number, not {}", value.type_name());
                self.number(value, conversion, &message)
            }
        }
    }

    /// `%.3d`: the precision is a minimum of digits.
    fn digits_at_least(mut self, number: &Value, message: String) -> Result<String, Error> {
        let Some(minimum) = self.spec.precision.take() else {
            return self.number(number, 'd', &message);
        };
        let spec = std::mem::take(&mut self.spec);
        self.spec.zero = true;
        self.spec.sign = spec.sign;
        let negative = crate::value::as_f64(number).is_some_and(|n| n < 0.0);
        self.spec.width = minimum + usize::from(negative || spec.sign != '-');
        let digits = self.number(number, 'd', &message)?;
        Ok(spec.pad(&digits, '>'))
    }

    fn number(&self, value: &Value, kind: char, message: &str) -> Result<String, Error> {
        let spec = Spec {
            kind: Some(kind),
            ..self.spec.clone()
        };
        spec.format_number(value)?
            .ok_or_else(|| Error::type_error(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
        let two = Value::tuple(vec![Value::str("a"), Value::Int(3)]);
        assert_eq!(percent_format("%s-%03d", &two).unwrap(), "a-003");
        assert_eq!(percent_format("%-5s|%+d", &two).unwrap(), "a    |+3");
        assert_eq!(
            percent_format("%(k)s%%", &Value::dict([("k", Value::None)])).unwrap(),
            "None%"
        );
        assert_eq!(
            percent_format("%.2f %5.1e", &Value::tuple(vec![1.0.into(), 12.0.into()])).unwrap(),
            "1.00 1.2e+01"
        );
        assert_eq!(percent_format("%.3d", &Value::Int(-5)).unwrap(), "-005");
        assert!(percent_format("%s", &two).is_err());
        assert!(percent_format("%s %s %s", &two).is_err());
        assert!(percent_format("%", &two).is_err());
    }
}
