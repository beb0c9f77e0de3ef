//! Filters that apply a filter or a test to every element.

use super::attribute::Attribute;
use super::{Filter, filter};
use crate::Error;
use crate::eval::{Args, Interp};
use crate::value::{Value, iterate};

pub(super) const TABLE: &[Filter] = &[
    filter("map", map),
    filter("reject", |interp, v, args| {
        choose(interp, v, args, false, false)
    }),
    filter("rejectattr", |interp, v, args| {
        choose(interp, v, args, true, false)
    }),
    filter("select", |interp, v, args| {
        choose(interp, v, args, false, true)
    }),
    filter("selectattr", |interp, v, args| {
        choose(interp, v, args, true, true)
    }),
];

/// What is gone through; `none` has nothing.
fn elements(value: &Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::None => Ok(Vec::new()),
        other => iterate(other),
    }
}

fn map(interp: &mut Interp<'_>, value: Value, mut args: Args) -> Result<Value, Error> {
    let items = elements(&value)?;
    if items.is_empty() {
        return Ok(Value::list(Vec::new()));
    }
    let mut out = Vec::with_capacity(items.len());
    if args.positional.is_empty() {
        if let Some(attribute) = args.take("attribute") {
            let attribute = Attribute::new(&attribute)?.with_default(args.take("default"));
            if let Some((name, _)) = args.keywords.first() {
                return Err(Error::type_error(format!(
                    "Unexpected keyword argument '{name}'"
                )));
            }
            for item in items {
                out.push(attribute.get(interp, &item)?);
            }
            return Ok(Value::list(out));
        }
        return Err(Error::type_error("map requires a filter argument"));
    }
    let Value::Str(name) = args.positional.remove(0) else {
        return Err(Error::type_error("map requires a filter's name"));
    };
    for item in items {
        out.push(interp.apply_named(&name, item, args.clone())?);
    }
    Ok(Value::list(out))
}

fn choose(
    interp: &mut Interp<'_>,
    value: Value,
    mut args: Args,
    by_attribute: bool,
    keep: bool,
) -> Result<Value, Error> {
    let items = elements(&value)?;
    if items.is_empty() {
        return Ok(Value::list(Vec::new()));
    }
    let attribute = match (by_attribute, args.positional.is_empty()) {
        (false, _) => None,
        (true, true) => return Err(Error::type_error("Missing parameter for attribute name")),
        (true, false) => Some(Attribute::new(&args.positional.remove(0))?),
    };
    let test = if args.positional.is_empty() {
        None
    } else {
        Some(args.positional.remove(0))
    };
    let mut out = Vec::new();
    for item in items {
        let subject = match &attribute {
            Some(attribute) => attribute.get(interp, &item)?,
            None => item.clone(),
        };
        let answer = match &test {
            None => subject.truth()?,
            Some(Value::Str(name)) => interp.ask_named(name, subject, args.clone())?.truth()?,
            Some(other) => {
                return Err(Error::type_error(format!(
                    "a test's name must be text, not {}",
                    other.type_name()
                )));
            }
        };
        if answer == keep {
            out.push(item);
        }
    }
    Ok(Value::list(out))
}
