//! Jinja's own tests: types, comparisons, definedness.

use super::{Predicate, lazy, lenient, test};
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, as_big, as_f64, binary, compare, contains, to_text};
use crate::{Error, filters, predicates};

pub(super) const TABLE: &[Predicate] = &[
    test("!=", |_, a, args| comparison("!=", a, args)),
    test("<", |_, a, args| comparison("<", a, args)),
    test("<=", |_, a, args| comparison("<=", a, args)),
    test("==", |_, a, args| comparison("==", a, args)),
    test(">", |_, a, args| comparison(">", a, args)),
    test(">=", |_, a, args| comparison(">=", a, args)),
    test("boolean", |_, v, args| {
        args.none("boolean").map(|()| matches!(v, Value::Bool(_)))
    }),
    lazy("callable", callable),
    lenient("defined", |_, v, args| {
        args.none("defined").map(|()| !v.is_undefined())
    }),
    test("divisibleby", divisible_by),
    test("eq", |_, a, args| comparison("==", a, args)),
    test("equalto", |_, a, args| comparison("==", a, args)),
    test("escaped", |_, v, _| {
        Ok(matches!(v, Value::Str(s) if s.is_safe()))
    }),
    test("even", |_, v, args| {
        args.none("test_even")?;
        Ok(as_f64(&binary("%", v, &Value::Int(2))?) == Some(0.0))
    }),
    test("false", |_, v, _| Ok(matches!(v, Value::Bool(false)))),
    test("filter", |_, v, _| {
        Ok(v.as_str().is_some_and(|name| filters::find(name).is_some()))
    }),
    test("float", |_, v, _| Ok(matches!(v, Value::Float(_)))),
    test("ge", |_, a, args| comparison(">=", a, args)),
    test("greaterthan", |_, a, args| comparison(">", a, args)),
    test("gt", |_, a, args| comparison(">", a, args)),
    test("in", is_in),
    test("integer", |_, v, _| {
        Ok(matches!(v, Value::Int(_) | Value::Big(_)))
    }),
    lazy("iterable", |_, v, _| Ok(is_iterable(v))),
    test("le", |_, a, args| comparison("<=", a, args)),
    test("lessthan", |_, a, args| comparison("<", a, args)),
    test("lower", |_, v, _| {
        to_text(v).map(|text| is_cased(&text, char::is_lowercase, char::is_uppercase))
    }),
    test("lt", |_, a, args| comparison("<", a, args)),
    lazy("mapping", |_, v, _| Ok(v.type_name() == "dict")),
    test("ne", |_, a, args| comparison("!=", a, args)),
    test("none", |_, v, _| Ok(matches!(v, Value::None))),
    test("number", |_, v, _| Ok(as_f64(v).is_some())),
    test("odd", |_, v, args| {
        args.none("test_odd")?;
        Ok(as_f64(&binary("%", v, &Value::Int(2))?) == Some(1.0))
    }),
    test("sameas", same_as),
    lazy("sequence", |_, v, _| Ok(is_sequence(v))),
    test("string", |_, v, _| Ok(matches!(v, Value::Str(_)))),
    test("test", |_, v, _| {
        Ok(v.as_str()
            .is_some_and(|name| predicates::find(name).is_some()))
    }),
    test("true", |_, v, _| Ok(matches!(v, Value::Bool(true)))),
    lenient("undefined", |_, v, args| {
        args.none("undefined").map(|()| v.is_undefined())
    }),
    test("upper", |_, v, _| {
        to_text(v).map(|text| is_cased(&text, char::is_uppercase, char::is_lowercase))
    }),
];

fn comparison(operator: &str, a: &Value, args: Args) -> Result<bool, Error> {
    let [b] = args.bind(operator, ["b"], 1)?;
    compare(operator, a, &b.or_none())
}

fn callable(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    args.none("callable")?;
    Ok(matches!(value, Value::Object(object) if object.is_callable()))
}

fn divisible_by(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    let [number] = args.bind("divisibleby", ["num"], 1)?;
    Ok(as_f64(&binary("%", value, &number.or_none())?) == Some(0.0))
}

fn is_in(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    let [container] = args.bind("in", ["seq"], 1)?;
    contains(&container.or_none(), value)
}

fn is_iterable(value: &Value) -> bool {
    match value {
        Value::Str(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Tuple(_)
        | Value::Dict(_)
        | Value::Undefined(_) => true,
        Value::Object(object) => object.iterate().is_some(),
        _ => false,
    }
}

fn is_sequence(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.len().is_some() && object.iterate().is_some(),
        other => is_iterable(other),
    }
}

fn is_cased(text: &str, wanted: fn(char) -> bool, other: fn(char) -> bool) -> bool {
    text.chars().any(wanted) && !text.chars().any(other)
}

/// Python's `is`: the same object. Equal small values are the same object often enough to count as one.
fn same_as(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    let [other] = args.bind("sameas", ["other"], 1)?;
    let other = other.or_none();
    Ok(match (value, &other) {
        (Value::List(a), Value::List(b)) => a.address() == b.address(),
        (Value::Dict(a), Value::Dict(b)) => a.address() == b.address(),
        (Value::Object(a), Value::Object(b)) => std::rc::Rc::ptr_eq(a, b),
        (a, b) if as_big(a).is_some() && as_big(b).is_some() => {
            a.type_name() == b.type_name() && a == b
        }
        (a, b) => a.type_name() == b.type_name() && a == b,
    })
}
