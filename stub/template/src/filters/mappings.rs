//! Filters that make and merge dictionaries.

use super::sequences::{fold_case, sort_keyed};
use super::{Filter, filter};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Dict, Key, MAX_DATA_DEPTH, Value, contains, get_item, iterate, repr, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("combine", combine),
    filter("dict2items", dict2items),
    filter("dictsort", dictsort),
    filter("extract", extract),
    filter("items2dict", items2dict),
    filter("rekey_on_member", rekey_on_member),
    filter("subelements", subelements),
];

#[derive(Clone, Copy, PartialEq)]
enum ListMerge {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendNew,
    PrependNew,
}

fn combine(_: &mut Interp<'_>, value: Value, mut args: Args) -> Result<Value, Error> {
    let recursive = args.take("recursive").truth_or(false)?;
    let merge = match args.take("list_merge").text_or("replace")?.as_str() {
        "replace" => ListMerge::Replace,
        "keep" => ListMerge::Keep,
        "append" => ListMerge::Append,
        "prepend" => ListMerge::Prepend,
        "append_rp" => ListMerge::AppendNew,
        "prepend_rp" => ListMerge::PrependNew,
        other => {
            return Err(Error::value(format!(
                "merge_hash: 'list_merge' argument can only be equal to 'replace', 'keep', 'append', 'prepend', 'append_rp' or 'prepend_rp', not '{other}'"
            )));
        }
    };
    if let Some((name, _)) = args.keywords.first() {
        return Err(Error::type_error(format!(
            "'recursive' and 'list_merge' are the only valid keyword arguments, not '{name}'"
        )));
    }
    let mut dicts = Vec::new();
    let mut terms = Vec::new();
    for term in std::iter::once(value).chain(args.positional) {
        match term.strict()? {
            Value::List(list) => terms.extend(list.to_vec()),
            term => terms.push(term),
        }
    }
    terms.retain(|term| !matches!(term, Value::None));
    if terms.len() == 1 {
        return Ok(terms.swap_remove(0));
    }
    for term in terms {
        dicts.push(one_dict(term)?);
    }
    let mut result = Dict::new();
    for dict in dicts.iter().filter(|dict| !dict.is_empty()) {
        result = merge_dicts(&result, dict, recursive, merge, 0)?;
    }
    Ok(Value::Dict(result))
}

fn one_dict(term: Value) -> Result<Dict, Error> {
    match term.strict()? {
        Value::Dict(dict) => Ok(dict),
        other => Err(Error::value(format!(
            "failed to combine variables, expected dicts but got a 'dict' and a '{}'.",
            other.type_name()
        ))),
    }
}

fn merge_dicts(
    low: &Dict,
    high: &Dict,
    recursive: bool,
    merge: ListMerge,
    depth: usize,
) -> Result<Dict, Error> {
    if depth > MAX_DATA_DEPTH {
        return Err(Error::value("the dictionaries are nested too deeply"));
    }
    let result = Dict::from_map(low.borrow().clone());
    for (key, value) in high.pairs() {
        let key = Key::new(key)?;
        let value = value.strict()?;
        let merged = match (result.get(key.value())?, &value) {
            (Some(Value::Dict(a)), Value::Dict(b)) if recursive => {
                Value::Dict(merge_dicts(&a, b, recursive, merge, depth + 1)?)
            }
            (Some(Value::List(a)), Value::List(b)) => merge_lists(a.to_vec(), b.to_vec(), merge)?,
            _ => value,
        };
        result.insert(key, merged);
    }
    Ok(result)
}

fn merge_lists(a: Vec<Value>, b: Vec<Value>, merge: ListMerge) -> Result<Value, Error> {
    let without = |items: Vec<Value>, known: &[Value]| -> Result<Vec<Value>, Error> {
        let known = Value::list(known.to_vec());
        let mut kept = Vec::new();
        for item in items {
            if !contains(&known, &item)? {
                kept.push(item);
            }
        }
        Ok(kept)
    };
    Ok(Value::list(match merge {
        ListMerge::Replace => b,
        ListMerge::Keep => a,
        ListMerge::Append => [a, b].concat(),
        ListMerge::Prepend => [b, a].concat(),
        ListMerge::AppendNew => [without(a, &b)?, b].concat(),
        ListMerge::PrependNew => {
            let a = without(a, &b)?;
            [b, a].concat()
        }
    }))
}

fn expect_dict(value: &Value, what: &str) -> Result<Dict, Error> {
    match value {
        Value::Dict(dict) => Ok(dict.clone()),
        other => Err(Error::type_error(format!(
            "{what} requires a dictionary, got {} instead.",
            other.type_name()
        ))),
    }
}

fn dict2items(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [key_name, value_name] = args.bind("dict2items", ["key_name", "value_name"], 0)?;
    let dict = expect_dict(&value, "dict2items")?;
    let (key_name, value_name) = (key_name.text_or("key")?, value_name.text_or("value")?);
    let entry = |(key, value): (Value, Value)| -> Result<Value, Error> {
        Ok(Value::dict([
            (key_name.as_str(), key),
            (value_name.as_str(), value.strict()?),
        ]))
    };
    dict.pairs()
        .into_iter()
        .map(entry)
        .collect::<Result<_, _>>()
        .map(Value::list)
}

fn items2dict(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [key_name, value_name] = args.bind("items2dict", ["key_name", "value_name"], 0)?;
    let (key_name, value_name) = (key_name.text_or("key")?, value_name.text_or("value")?);
    if !matches!(value, Value::List(_) | Value::Tuple(_)) {
        return Err(Error::type_error(format!(
            "items2dict requires a list, got {} instead.",
            value.type_name()
        )));
    }
    let dict = Dict::new();
    for item in iterate(&value)? {
        let mut part = |name: &str| -> Result<Value, Error> {
            match &item {
                Value::Dict(entry) if entry.get_str(name).is_some() => {
                    get_item(interp, &item, &Value::str(name))
                }
                Value::Dict(_) => Err(Error::type_error(format!(
                    "items2dict requires each dictionary in the list to contain the keys '{key_name}' and '{value_name}', got {} instead.",
                    repr(&item)?
                ))),
                _ => Err(Error::type_error(format!(
                    "items2dict requires a list of dictionaries, got {} instead.",
                    repr(&item)?
                ))),
            }
        };
        let key = part(&key_name)?;
        let value = part(&value_name)?;
        dict.insert(Key::new(key)?, value);
    }
    Ok(Value::Dict(dict))
}

fn dictsort(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [case, by, reverse] = args.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let case = case.truth_or(false)?;
    let dict = expect_dict(&value, "dictsort")?;
    let by_value = match by.text_or("key")?.as_str() {
        "key" => false,
        "value" => true,
        _ => {
            return Err(Error::value(
                "You can only sort by either \"key\" or \"value\"",
            ));
        }
    };
    let keyed = dict
        .pairs()
        .into_iter()
        .map(|(key, value)| {
            let by = if by_value { value.clone() } else { key.clone() };
            (fold_case(by, case), Value::tuple(vec![key, value]))
        })
        .collect();
    sort_keyed(keyed, reverse.truth_or(false)?).map(Value::list)
}

fn extract(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [container, more] = args.bind("extract", ["container", "morekeys"], 1)?;
    let mut keys = vec![value];
    match more {
        None | Some(Value::None) => {}
        Some(Value::List(more)) => keys.extend(more.to_vec()),
        Some(other) => keys.push(other),
    }
    let mut found = container.or_none();
    for key in keys {
        found = get_item(interp, &found, &key)?;
    }
    Ok(found)
}

fn rekey_on_member(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [key, duplicates] = args.bind("rekey_on_member", ["key", "duplicates"], 1)?;
    let key = key.or_none();
    let overwrite = match duplicates.text_or("error")?.as_str() {
        "error" => false,
        "overwrite" => true,
        other => {
            return Err(Error::value(format!(
                "duplicates parameter to rekey_on_member has unknown value '{other}'"
            )));
        }
    };
    let items = match &value {
        Value::Dict(dict) => dict.values(),
        Value::List(_) | Value::Tuple(_) => iterate(&value)?,
        _ => return Err(Error::type_error("Type is not a valid list, set, or dict")),
    };
    let result = Dict::new();
    for item in items {
        let Value::Dict(entry) = &item else {
            return Err(Error::type_error("List item is not a valid dict"));
        };
        let Some(name) = entry.get(&key)? else {
            return Err(Error::value(format!("Key {} was not found.", repr(&key)?)));
        };
        if !overwrite && result.get(&name)?.is_some() {
            return Err(Error::value(format!(
                "Key {} is not unique, cannot convert to dict.",
                to_text(&name)?
            )));
        }
        result.insert(Key::new(name)?, item);
    }
    Ok(Value::Dict(result))
}

fn subelements(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [path, skip] = args.bind("subelements", ["subelements", "skip_missing"], 1)?;
    let skip = skip.truth_or(false)?;
    let path: Vec<Value> = match path.or_none() {
        Value::Str(path) => path.split('.').map(Value::from).collect(),
        other => iterate(&other)?,
    };
    let elements = match &value {
        Value::Dict(dict) => dict.values(),
        Value::List(_) => iterate(&value)?,
        _ => {
            return Err(Error::type_error(
                "obj must be a list of dicts or a nested dict",
            ));
        }
    };
    let mut rows = Vec::new();
    for element in elements {
        let mut found = element.clone();
        for key in &path {
            found = match &found {
                Value::Dict(_) => get_item(interp, &found, key)?,
                _ => {
                    return Err(Error::type_error(format!(
                        "the key {} should point to a dictionary",
                        to_text(key)?
                    )));
                }
            };
            if found.is_undefined() {
                break;
            }
        }
        match &found {
            Value::Undefined(_) if skip => {}
            Value::Undefined(_) => {
                return Err(Error::value(format!(
                    "could not find {} key in iterated item",
                    repr(&path[path.len() - 1])?
                )));
            }
            Value::List(_) => {
                rows.extend(
                    iterate(&found)?
                        .into_iter()
                        .map(|item| Value::tuple(vec![element.clone(), item])),
                );
            }
            _ => {
                return Err(Error::type_error(format!(
                    "the key {} should point to a list",
                    repr(&path[path.len() - 1])?
                )));
            }
        }
    }
    Ok(Value::list(rows))
}
