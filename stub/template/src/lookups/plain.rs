//! The lookups that need nothing but their arguments and the variables.

use std::rc::Rc;

use super::undefined;
use crate::eval::{Args, Interp};
use crate::filters;
use crate::value::{Dict, Key, Value, iterate, repr, to_text};
use crate::{Error, ErrorKind};

/// The lookups of this file.
pub(crate) const NAMES: &[&str] = &[
    "dict",
    "env",
    "flattened",
    "indexed_items",
    "items",
    "list",
    "nested",
    "random_choice",
    "sequence",
    "subelements",
    "together",
    "varnames",
    "vars",
];

/// Runs a lookup of this file; `None` if it has none of that name.
pub(super) fn run(
    interp: &mut Interp<'_>,
    name: &str,
    args: &Args,
) -> Option<Result<Vec<Value>, Error>> {
    let terms = args.positional.as_slice();
    let found = match name {
        "env" => env(interp, args),
        "items" => items(terms),
        "list" => Ok(terms.to_vec()),
        "flattened" => filters::flatten_terms(terms),
        "indexed_items" => items(terms).map(|items| {
            items
                .into_iter()
                .enumerate()
                .map(|(i, item)| Value::tuple(vec![Value::count(i), item]))
                .collect()
        }),
        "dict" => dict(terms),
        "nested" => nested(terms),
        "together" => together(terms),
        "subelements" => subelements(terms),
        "sequence" => super::sequence::run(args),
        "random_choice" => random_choice(interp, terms),
        "vars" => vars(interp, args),
        "varnames" => var_names(interp, terms),
        _ => return None,
    };
    Some(found.map_err(|error| {
        match error.kind() {
            ErrorKind::Type | ErrorKind::Value => error
                .context(&format!("The lookup plugin '{name}' failed: "))
                .with_kind(ErrorKind::Plugin),
            _ => error,
        }
    }))
}

/// Variables of the environment; those that are not set are empty text, or the option `default`.
fn env(interp: &mut Interp<'_>, args: &Args) -> Result<Vec<Value>, Error> {
    let host = interp.templar.engine().host();
    let default = option(args, "default");
    let mut found = Vec::new();
    for term in &args.positional {
        let name = to_text(term)?;
        let name = name.split_whitespace().next().unwrap_or("");
        found.push(match (host.env(name), default) {
            (Some(value), _) => Value::from(value),
            (None, Some(Value::Undefined(_))) => {
                return Err(Error::undefined(
                    None,
                    format!("The environment variable '{name}' is not set."),
                ));
            }
            (None, Some(default)) => default.clone(),
            (None, None) => Value::str(""),
        });
    }
    Ok(found)
}

fn option<'a>(args: &'a Args, name: &str) -> Option<&'a Value> {
    let mut options = args.keywords.iter();
    options
        .find(|(known, _)| &**known == name)
        .map(|(_, value)| value)
}

/// One level of lists is taken apart.
fn items(terms: &[Value]) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    for term in terms {
        match term {
            Value::List(_) | Value::Tuple(_) => all.extend(iterate(term)?),
            other => all.push(other.clone()),
        }
    }
    Ok(all)
}

fn dict(terms: &[Value]) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    for term in terms {
        let Value::Dict(dict) = term else {
            return Err(wrong_dict(term)?);
        };
        all.extend(
            dict.pairs()
                .into_iter()
                .map(|(key, value)| Value::dict([("key", key), ("value", value)])),
        );
    }
    Ok(all)
}

fn wrong_dict(term: &Value) -> Result<Error, Error> {
    Ok(Error::type_error(format!(
        "the 'dict' lookup plugin expects a dictionary, got '{}' of type <class '{}'>)",
        to_text(term)?,
        term.type_name()
    )))
}

fn as_list(term: &Value) -> Result<Vec<Value>, Error> {
    match term {
        Value::List(_) | Value::Tuple(_) => iterate(term),
        other => Ok(vec![other.clone()]),
    }
}

fn nested(terms: &[Value]) -> Result<Vec<Value>, Error> {
    if terms.is_empty() {
        return Err(Error::value(
            "with_nested requires at least one element in the nested list",
        ));
    }
    let mut rows = vec![Vec::new()];
    for term in terms {
        let choices = iterate(term)?;
        let total = rows.len().saturating_mul(choices.len());
        if total > crate::value::MAX_ITEMS {
            return Err(Error::limit("too many combinations"));
        }
        rows = rows
            .iter()
            .flat_map(|row: &Vec<Value>| {
                choices
                    .iter()
                    .map(move |choice| [row.as_slice(), std::slice::from_ref(choice)].concat())
            })
            .collect();
    }
    Ok(rows
        .into_iter()
        .map(|row| Value::list(row.iter().flat_map(one_level).collect()))
        .collect())
}

fn one_level(value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.to_vec(),
        other => vec![other.clone()],
    }
}

fn together(terms: &[Value]) -> Result<Vec<Value>, Error> {
    if terms.is_empty() {
        return Err(Error::value(
            "with_together requires at least one element in each list",
        ));
    }
    let lists: Vec<Vec<Value>> = terms.iter().map(as_list).collect::<Result<_, _>>()?;
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    Ok((0..longest)
        .map(|i| {
            Value::list(
                lists
                    .iter()
                    .map(|list| list.get(i).cloned().unwrap_or(Value::None))
                    .collect(),
            )
        })
        .collect())
}

/// A mapping without the value at a path of keys.
fn without(entry: &Value, path: &str) -> Value {
    let Value::Dict(dict) = entry else {
        return entry.clone();
    };
    let (key, below) = match path.split_once('.') {
        Some((key, below)) => (key, Some(below)),
        None => (path, None),
    };
    let mut copy = dict.borrow().clone();
    let key = Key::from_str(key);
    match below {
        Some(below) => {
            if let Some(inner) = copy.get_mut(&key) {
                *inner = without(inner, below);
            }
        }
        None => {
            copy.shift_remove(&key);
        }
    }
    Value::Dict(Dict::from_map(copy))
}

fn subelements(terms: &[Value]) -> Result<Vec<Value>, Error> {
    let ([list, path, flags @ ..], true) = (terms, terms.len() < 4) else {
        return Err(Error::value(
            "subelements lookup expects a list of two or three items,",
        ));
    };
    if !matches!(list, Value::List(_) | Value::Tuple(_) | Value::Dict(_))
        || !matches!(path, Value::Str(_))
    {
        return Err(Error::value(
            "subelements lookup expects a list of two or three items, first a dict or a list, second a string pointing to the subkey",
        ));
    }
    if let Some(flags) = flags.first()
        && !matches!(flags, Value::Dict(_))
    {
        return Err(Error::value(
            "subelements lookup expects a list of two or three items, the optional third item must be a dict with flags skip_missing",
        ));
    }
    let skip_missing = match flags.first() {
        Some(Value::Dict(flags)) => flags
            .get_str("skip_missing")
            .is_some_and(|v| filters::truth_of(&v) == Some(true)),
        _ => false,
    };
    let entries = match list {
        // The result of a task that was not done.
        Value::Dict(dict)
            if dict
                .get_str("skipped")
                .is_some_and(|v| filters::truth_of(&v) == Some(true)) =>
        {
            Vec::new()
        }
        Value::Dict(dict) => dict.values(),
        other => iterate(other)?,
    };
    let path = to_text(path)?;
    let mut rows = Vec::new();
    for entry in entries {
        let Value::Dict(fields) = &entry else {
            return Err(Error::value(format!(
                "subelements lookup expects a dictionary, got '{}'",
                to_text(&entry)?
            )));
        };
        // Results of a loop keep what was skipped.
        if matches!(fields.get_str("skipped"), Some(Value::Bool(true))) {
            continue;
        }
        let mut found = entry.clone();
        let mut missing: Rc<str> = "".into();
        for part in path.split('.') {
            let part: Rc<str> = part.into();
            missing = part.clone();
            found = match &found {
                Value::Dict(dict) => dict
                    .get_str(&part)
                    .unwrap_or_else(|| Value::undefined(part)),
                Value::Undefined(_) => break,
                _ if skip_missing => Value::undefined(part),
                other => {
                    return Err(Error::value(format!(
                        "the key {part} should point to a dictionary, got '{}'",
                        to_text(other)?
                    )));
                }
            };
        }
        match &found {
            Value::List(_) | Value::Tuple(_) => {
                let rest = without(&entry, &path);
                rows.extend(
                    iterate(&found)?
                        .into_iter()
                        .map(|item| Value::tuple(vec![rest.clone(), item])),
                );
            }
            _ if skip_missing => {}
            Value::Undefined(_) => {
                return Err(Error::value(format!(
                    "could not find '{missing}' key in iterated item '{}'",
                    repr(&entry)?
                )));
            }
            _ => {
                return Err(Error::value(format!(
                    "the key {path} should point to a list"
                )));
            }
        }
    }
    Ok(rows)
}

fn random_choice(interp: &mut Interp<'_>, terms: &[Value]) -> Result<Vec<Value>, Error> {
    if terms.is_empty() {
        return Ok(Vec::new());
    }
    let index = interp.templar.engine().host().entropy() % terms.len() as u64;
    Ok(vec![terms[index as usize].clone()])
}

fn vars(interp: &mut Interp<'_>, args: &Args) -> Result<Vec<Value>, Error> {
    let default = option(args, "default").filter(|value| !matches!(value, Value::None));
    let mut found = Vec::new();
    for term in &args.positional {
        let Value::Str(name) = term else {
            return Err(Error::type_error(format!(
                "Variable name must be 'str' not '{}'.",
                term.type_name()
            )));
        };
        let known = interp.templar.scope().get(name)?.is_some();
        found.push(match (known, default) {
            (true, _) => interp.templar.variable(&name.shared())?,
            (false, Some(default)) => default.clone(),
            (false, None) => undefined(format!("No variable named '{}' was found.", name.as_str())),
        });
    }
    match found.iter().find(|value| value.is_undefined()) {
        Some(Value::Undefined(u)) => Err(u.error()),
        _ => Ok(found),
    }
}

/// What Python says of a pattern that cannot be read.
fn pythons_words(message: &str) -> String {
    match message.contains("Target of repeat operator is invalid") {
        true => "nothing to repeat at position 0".to_owned(),
        false => message.to_owned(),
    }
}

fn var_names(interp: &mut Interp<'_>, terms: &[Value]) -> Result<Vec<Value>, Error> {
    let names = interp.templar.scope().names();
    let mut found = Vec::new();
    for term in terms {
        let Value::Str(written) = term else {
            return Err(Error::type_error(format!(
                "Invalid setting identifier, \"{}\" is not a string, it is a <class '{}'>",
                to_text(term)?,
                term.type_name()
            )));
        };
        let pattern = crate::text::Pattern::new(written, "").map_err(|error| {
            Error::value(format!(
                "Unable to use \"{}\" as a search parameter: {}",
                written.as_str(),
                pythons_words(error.message())
            ))
        })?;
        for name in &names {
            if pattern.search(name, 0)?.is_some() {
                found.push(Value::str(name.as_str()));
            }
        }
    }
    Ok(found)
}
