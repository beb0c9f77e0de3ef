//! Python's `str.format`.

use super::number_format::Spec;
use crate::Error;
use crate::eval::{Args, Interp};
use crate::value::{Value, get_attr, get_item, repr, to_text};

/// Formats text with the arguments of the call.
pub(crate) fn brace_format(
    interp: &mut Interp<'_>,
    format: &str,
    args: &Args,
) -> Result<String, Error> {
    let mut state = State {
        args,
        automatic: Some(0),
    };
    state.format(interp, format, 0)
}

struct State<'a> {
    args: &'a Args,
    /// The next field without a number; `None` once fields with numbers were seen.
    automatic: Option<usize>,
}

impl State<'_> {
    fn format(
        &mut self,
        interp: &mut Interp<'_>,
        format: &str,
        depth: usize,
    ) -> Result<String, Error> {
        if depth > 2 {
            return Err(Error::value("Max string recursion exceeded"));
        }
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let brace = &rest[at..at + 1];
            let after = &rest[at + 1..];
            if after.starts_with(brace) {
                out.push_str(brace);
                rest = &after[1..];
                continue;
            }
            if brace == "}" {
                return Err(Error::value("Single '}' encountered in format string"));
            }
            let length = field_length(after)?;
            let shown = self.field(interp, &after[..length], depth)?;
            out.push_str(&shown);
            rest = &after[length + 1..];
            if out.len() > crate::value::MAX_TEXT {
                return Err(Error::limit("formatted text is too long"));
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn field(
        &mut self,
        interp: &mut Interp<'_>,
        field: &str,
        depth: usize,
    ) -> Result<String, Error> {
        let (head, spec) = split_spec(field);
        let (path, conversion) = match head.rsplit_once('!') {
            Some((path, conversion)) => (path, Some(conversion)),
            None => (head, None),
        };
        let value = self.lookup(interp, path)?;
        let spec = if spec.contains('{') {
            self.format(interp, spec, depth + 1)?
        } else {
            spec.to_owned()
        };
        let value = match conversion {
            None => value,
            Some("s") => Value::from(to_text(&value)?),
            Some("r") => Value::from(repr(&value)?),
            Some("a") => Value::from(ascii(&repr(&value)?)),
            Some(other) => {
                return Err(Error::value(format!(
                    "Unknown conversion specifier {other}"
                )));
            }
        };
        format_value(&value, &spec)
    }

    fn lookup(&mut self, interp: &mut Interp<'_>, path: &str) -> Result<Value, Error> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (first, mut rest) = path.split_at(end);
        let mut value = self.argument(first)?;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let found = get_attr(interp, &value, &after[..end].into())?;
                if found.is_undefined() {
                    let (kind, name) = (value.type_name(), &after[..end]);
                    return Err(Error::type_error(format!(
                        "'{kind}' object has no attribute '{name}'"
                    )));
                }
                value = found;
                rest = &after[end..];
            } else {
                let after = rest.strip_prefix('[').ok_or_else(|| {
                    Error::value("Only '.' or '[' may follow ']' in format field specifier")
                })?;
                let end = after
                    .find(']')
                    .ok_or_else(|| Error::value("Missing ']' in format string"))?;
                let key = match after[..end].parse::<i64>() {
                    Ok(index) => Value::Int(index),
                    Err(_) => Value::str(&after[..end]),
                };
                value = get_item(interp, &value, &key)?.strict()?;
                rest = &after[end + 1..];
            }
        }
        Ok(value)
    }

    fn argument(&mut self, name: &str) -> Result<Value, Error> {
        let index = if name.is_empty() {
            let Some(next) = self.automatic.as_mut() else {
                return Err(Error::value(
                    "cannot switch from manual field specification to automatic field numbering",
                ));
            };
            *next += 1;
            *next - 1
        } else if let Ok(index) = name.parse::<usize>() {
            self.automatic = None;
            index
        } else {
            let found = self
                .args
                .keywords
                .iter()
                .find(|(known, _)| &**known == name);
            return found
                .map(|(_, value)| value.clone())
                .ok_or_else(|| Error::value(crate::value::str_repr(name)));
        };
        self.args.positional.get(index).cloned().ok_or_else(|| {
            Error::value(format!(
                "Replacement index {index} out of range for positional args tuple"
            ))
        })
    }
}

/// The length of a field up to its closing brace.
fn field_length(text: &str) -> Result<usize, Error> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Ok(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    Err(Error::value(if text.is_empty() {
        "Single '{' encountered in format string"
    } else {
        "expected '}' before end of string"
    }))
}

/// The field's name and its specification, after the first colon outside brackets.
fn split_spec(field: &str) -> (&str, &str) {
    let mut in_brackets = false;
    for (at, c) in field.char_indices() {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            ':' if !in_brackets => return (&field[..at], &field[at + 1..]),
            _ => {}
        }
    }
    (field, "")
}

/// Python's `format(value, spec)`.
fn format_value(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return to_text(value);
    }
    if let Value::Object(object) = value
        && let Some(moment) = object.as_any().downcast_ref::<super::DateTime>()
    {
        return moment.strftime(spec);
    }
    let parsed = Spec::parse(spec)?;
    match value {
        Value::Str(text) if matches!(parsed.kind, None | Some('s')) => {
            let shown: String = match parsed.precision {
                Some(length) => text.chars().take(length).collect(),
                None => text.as_str().to_owned(),
            };
            Ok(parsed.pad(&shown, '<'))
        }
        Value::Bool(_) if parsed.kind.is_none() => Ok(parsed.pad(&to_text(value)?, '<')),
        Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => parsed
            .format_number(value)?
            .ok_or_else(|| unknown_code(&parsed, value)),
        Value::Str(_) => Err(unknown_code(&parsed, value)),
        other => Err(Error::type_error(format!(
            "unsupported format string passed to {}.__format__",
            other.type_name()
        ))),
    }
}

fn unknown_code(spec: &Spec, value: &Value) -> Error {
    let kind = spec.kind.unwrap_or(' ');
    Error::value(format!(
        "Unknown format code '{kind}' for object of type '{}'",
        value.type_name()
    ))
}
/// Text with escapes for everything but ASCII, as Python's `ascii()` has them.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c as u32 {
            0..=0x7f => out.push(c),
            code @ 0x80..=0xff => out.push_str(&format!("\\x{code:02x}")),
            code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}
