//! Tests of task results.

use super::{Predicate, test};
use crate::Error;
use crate::eval::{Args, Interp};
use crate::value::{Value, iterate};

pub(super) const TABLE: &[Predicate] = &[
    test("change", changed),
    test("changed", changed),
    test("failed", failed),
    test("failure", failed),
    test("finished", |_, v, args| flag(v, args, "finished", true)),
    test("reachable", |_, v, args| {
        Ok(!flag(v, args, "unreachable", false)?)
    }),
    test("skip", |_, v, args| flag(v, args, "skipped", false)),
    test("skipped", |_, v, args| flag(v, args, "skipped", false)),
    test("started", |_, v, args| flag(v, args, "started", true)),
    test("succeeded", success),
    test("success", success),
    test("successful", success),
    test("timedout", timed_out),
    test("unreachable", |_, v, args| {
        flag(v, args, "unreachable", false)
    }),
];

fn field(value: &Value, test: &str, name: &str) -> Result<Option<Value>, Error> {
    match value {
        Value::Dict(dict) => Ok(dict.get_str(name)),
        _ => Err(Error::type_error(format!(
            "The '{test}' test expects a dictionary"
        ))),
    }
}

fn flag(value: &Value, args: Args, name: &str, default: bool) -> Result<bool, Error> {
    args.none(name)?;
    match field(value, name, name)? {
        Some(flag) => flag.truth(),
        None => Ok(default),
    }
}

fn failed(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    args.none("failed")?;
    field(value, "failed", "failed")?.map_or(Ok(false), |flag| flag.truth())
}

fn success(interp: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    Ok(!failed(interp, value, args)?)
}

fn changed(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    args.none("changed")?;
    if let Some(flag) = field(value, "changed", "changed")? {
        return flag.truth();
    }
    // A loop is changed if one of its rounds is.
    if let Some(Value::List(results)) = field(value, "changed", "results")? {
        for result in iterate(&Value::List(results))? {
            if let Value::Dict(result) = &result
                && result
                    .get_str("changed")
                    .map_or(Ok(false), |flag| flag.truth())?
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn timed_out(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    args.none("timedout")?;
    match field(value, "timedout", "timedout")? {
        None => Ok(false),
        Some(Value::Dict(dict)) => dict
            .get_str("period")
            .map_or(Ok(false), |period| period.truth()),
        Some(other) if !other.truth()? => Ok(false),
        Some(other) => Err(Error::type_error(format!(
            "'{}' object has no attribute 'get'",
            other.type_name()
        ))),
    }
}
