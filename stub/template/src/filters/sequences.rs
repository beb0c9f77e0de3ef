//! Filters that look at sequences as a whole.

use super::{Filter, filter};
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, iterate};
use crate::Error;

pub(super) const TABLE: &[Filter] = &[filter("flatten", flatten)];

fn flatten(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [levels, skip_nulls] = args.bind("flatten", ["levels", "skip_nulls"], 0)?;
    let mut out = Vec::new();
    flatten_into(&value, levels.int()?, skip_nulls.truth_or(true)?, &mut out, 0)?;
    Ok(Value::list(out))
}

fn flatten_into(
    value: &Value,
    levels: Option<i64>,
    skip_nulls: bool,
    out: &mut Vec<Value>,
    depth: usize,
) -> Result<(), Error> {
    if depth > crate::value::MAX_DATA_DEPTH {
        return Err(Error::value("the list is nested too deeply"));
    }
    for item in iterate(value)? {
        let is_null = match &item {
            Value::None => true,
            Value::Str(text) => matches!(text.as_str(), "None" | "null"),
            _ => false,
        };
        match &item {
            _ if is_null && skip_nulls => {}
            Value::List(_) | Value::Tuple(_) if levels.is_none_or(|levels| levels >= 1) => {
                flatten_into(&item, levels.map(|levels| levels - 1), skip_nulls, out, depth + 1)?;
            }
            _ => out.push(item),
        }
        if out.len() > crate::value::MAX_ITEMS {
            return Err(Error::limit("the list is too long"));
        }
    }
    Ok(())
}

/// What `with_flattened` does with its terms.
pub(crate) fn flatten_terms(terms: &[Value]) -> Result<Vec<Value>, Error> {
    let mut out = Vec::new();
    flatten_into(&Value::list(terms.to_vec()), None, true, &mut out, 0)?;
    Ok(out)
}

/// Python's `sorted`: stable, and an error for values that have no order.
pub(crate) fn sort_values(mut items: Vec<Value>, reverse: bool) -> Result<Vec<Value>, Error> {
    let mut failure = None;
    items.sort_by(|a, b| {
        let (a, b) = if reverse { (b, a) } else { (a, b) };
        match crate::value::order(a, b, "<") {
            Ok(order) => order.unwrap_or(std::cmp::Ordering::Equal),
            Err(error) => {
                failure.get_or_insert(error);
                std::cmp::Ordering::Equal
            }
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(items),
    }
}
