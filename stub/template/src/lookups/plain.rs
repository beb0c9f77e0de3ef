//! The lookups that need nothing but their arguments and the variables.

use std::rc::Rc;

use super::undefined;
use crate::Error;
use crate::eval::{Args, Interp};
use crate::filters;
use crate::value::{Dict, Key, Value, iterate, repr, to_text};

/// The lookups of this file.
pub(crate) const NAMES: &[&str] = &[
    "dict",
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
    Some(match name {
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
    })
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
    for term in items(terms)? {
        let Value::Dict(dict) = &term else {
            return Err(Error::type_error("with_dict expects a dict"));
        };
        all.extend(
            dict.pairs()
                .into_iter()
                .map(|(key, value)| Value::dict([("key", key), ("value", value)])),
        );
    }
    Ok(all)
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
        let choices = as_list(term)?;
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
    let [list, path, flags @ ..] = terms else {
        return Err(Error::value(
            "subelements lookup expects a list of two or three items",
        ));
    };
    let skip_missing = match flags.first() {
        Some(Value::Dict(flags)) => flags
            .get_str("skip_missing")
            .map(|v| v.truth())
            .transpose()?
            .unwrap_or(false),
        _ => false,
    };
    let entries = match list {
        Value::Dict(dict) => dict.values(),
        other => iterate(other)?,
    };
    let path = to_text(path)?;
    let mut rows = Vec::new();
    for entry in entries {
        let mut found = entry.clone();
        for part in path.split('.') {
            let part: Rc<str> = part.into();
            found = match &found {
                Value::Dict(dict) => dict
                    .get_str(&part)
                    .unwrap_or_else(|| Value::undefined(part)),
                _ => Value::undefined(part),
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
                    "could not find '{path}' key in iterated item '{}'",
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
    let default = args
        .keywords
        .iter()
        .find(|(name, _)| &**name == "default")
        .map(|(_, value)| value);
    let mut found = Vec::new();
    for term in &args.positional {
        let Value::Str(name) = term else {
            return Err(Error::type_error(format!(
                "Variable name must be text, not {}",
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

fn var_names(interp: &mut Interp<'_>, terms: &[Value]) -> Result<Vec<Value>, Error> {
    let names = interp.templar.scope().names();
    let mut found = Vec::new();
    for term in terms {
        let pattern = crate::text::Pattern::new(&to_text(term)?, "")?;
        for name in &names {
            if pattern.search(name, 0)?.is_some() {
                found.push(Value::str(name.as_str()));
            }
        }
    }
    Ok(found)
}
