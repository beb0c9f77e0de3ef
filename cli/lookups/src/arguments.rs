//! What a lookup is asked for: terms that are text, options, and the shorthand `term key=value key=value`.

use rustle_template::{Error, LookupCall, Value};

use crate::failed;

/// A term, and the options that are written with it or beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// What is asked for; empty if there is nothing.
    pub(crate) term: String,
    options: Vec<(String, Value)>,
}

impl Asked {
    /// An option.
    pub(crate) fn option(&self, name: &str) -> Option<&Value> {
        let mut options = self.options.iter().rev();
        options.find(|(known, _)| known == name).map(|(_, v)| v)
    }

    /// An option as text.
    pub(crate) fn text(&self, name: &str, default: &str) -> Result<String, Error> {
        match self.option(name) {
            None | Some(Value::None) => Ok(default.to_owned()),
            Some(value) => text_of(value),
        }
    }

    /// An option as a yes or no.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.option(name) {
            None | Some(Value::None) => Ok(default),
            Some(value) => flag_of(value),
        }
    }

    /// An option as a whole number.
    pub(crate) fn integer(&self, name: &str, default: i64) -> Result<i64, Error> {
        match self.option(name) {
            None | Some(Value::None) => Ok(default),
            Some(value) => text_of(value)?.trim().parse().map_err(|_| {
                failed(format!(
                    "Config '{name}' has an invalid value: Invalid value provided for 'integer': {value:?}"
                ))
            }),
        }
    }
}

/// A value as text: a template's `str()`, without structure.
pub(crate) fn text_of(value: &Value) -> Result<String, Error> {
    match value {
        Value::Str(text) => Ok(text.as_str().to_owned()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok(format!("{value:?}")),
        other => Err(failed(format!(
            "text is expected, not {}",
            other.type_name()
        ))),
    }
}

/// A value as a yes or no, in all the words that Ansible takes for it.
pub(crate) fn flag_of(value: &Value) -> Result<bool, Error> {
    let text = match value {
        Value::Bool(flag) => return Ok(*flag),
        other => text_of(other)?.to_lowercase(),
    };
    match text.as_str() {
        "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Ok(true),
        "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Ok(false),
        other => Err(failed(format!("`{other}` is no yes or no"))),
    }
}

/// All terms as text, lists taken apart.
pub(crate) fn terms(call: &LookupCall<'_>) -> Result<Vec<String>, Error> {
    let mut out = Vec::new();
    for term in &call.terms {
        match term {
            Value::List(list) => {
                for item in list.to_vec() {
                    out.push(text_of(&item)?);
                }
            }
            term => out.push(text_of(term)?),
        }
    }
    Ok(out)
}

/// The terms with their options. Of what is written in a term, `key=value` pairs whose keys are `known` are options;
/// what comes before the first is the term.
pub(crate) fn asked(call: &LookupCall<'_>, known: &[&str]) -> Result<Vec<Asked>, Error> {
    let own: Vec<(String, Value)> = call
        .options
        .iter()
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    let mut out = Vec::new();
    for written in terms(call)? {
        let mut term: Vec<&str> = Vec::new();
        let mut options = own.clone();
        for word in words(&written) {
            match word.split_once('=') {
                Some((key, value)) if known.contains(&key) => {
                    options.push((key.to_owned(), Value::str(unquoted(value))));
                }
                Some((key, _)) if is_name(key) && !term.is_empty() => {
                    return Err(failed(format!("{key} is not a valid option.")));
                }
                _ => term.push(word),
            }
        }
        out.push(Asked {
            term: term.join(" "),
            options,
        });
    }
    Ok(out)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// Words between blanks; quotes hold blanks together.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut quote) = (None, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                quote = Some(c);
                start = start.or(Some(at));
            }
            (None, c) if c.is_whitespace() => out.extend(start.take().map(|from| &text[from..at])),
            (None, _) => start = start.or(Some(at)),
        }
    }
    out.extend(start.map(|from| &text[from..]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quotes() {
        assert_eq!(words("a  b='c d' \"e f\""), ["a", "b='c d'", "\"e f\""]);
        assert_eq!(words("open 'quote"), ["open", "'quote"]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(unquoted("'x y'"), "x y");
        assert_eq!(unquoted("'x"), "'x");
    }
}
