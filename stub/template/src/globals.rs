//! The functions that every template has.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::lookups;
use crate::text::DateTime;
use crate::value::{Dict, Function, Key, Object, Range, Undefined, Value, iterate};

type Run = fn(&mut Interp<'_>, Args) -> Result<Value, Error>;

const FUNCTIONS: &[(&str, Run)] = &[
    ("cycler", cycler),
    ("dict", dict),
    ("joiner", joiner),
    ("lookup", lookups::lookup),
    ("namespace", namespace),
    ("now", now),
    ("q", lookups::query),
    ("query", lookups::query),
    ("range", range),
    ("undef", undef),
];

/// The global of that name.
pub(crate) fn find(name: &str) -> Option<Value> {
    if name == "omit" {
        return Some(Value::Omit);
    }
    let (name, run) = FUNCTIONS.iter().find(|(known, _)| *known == name)?;
    Some(Value::object(Function { name, run: *run }))
}

/// True for functions that may be given undefined values.
pub(crate) fn takes_undefined(function: &Value) -> bool {
    match function {
        Value::Object(object) => object
            .as_any()
            .downcast_ref::<Function>()
            .is_some_and(|f| matches!(f.name, "lookup" | "namespace" | "q" | "query" | "undef")),
        _ => false,
    }
}

fn range(_: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    let count = args.positional.len();
    let [a, b, step] = args.bind("range", ["start", "stop", "step"], 1)?;
    let (start, stop) = if count == 1 {
        (0, a.int_or(0)?)
    } else {
        (a.int_or(0)?, b.int_or(0)?)
    };
    let step = step.int_or(1)?;
    if step == 0 {
        return Err(Error::value("range() arg 3 must not be zero"));
    }
    Ok(Value::object(Range { start, stop, step }))
}

fn dict(_: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    let dict = Dict::new();
    if args.positional.len() > 1 {
        let given = args.positional.len();
        return Err(Error::type_error(format!(
            "dict expected at most 1 argument, got {given}"
        )));
    }
    if let Some(first) = args.positional.first() {
        update(&dict, first)?;
    }
    for (name, value) in args.keywords {
        dict.insert(Key::from_str(name), value);
    }
    Ok(Value::Dict(dict))
}

/// Adds a mapping, or pairs, to a dictionary.
pub(crate) fn update(dict: &Dict, from: &Value) -> Result<(), Error> {
    if let Value::Dict(other) = from {
        for (key, value) in other.pairs() {
            dict.insert(Key::new(key)?, value);
        }
        return Ok(());
    }
    for (index, pair) in iterate(from)?.into_iter().enumerate() {
        let items = iterate(&pair).map_err(|_| {
            Error::type_error(format!(
                "cannot convert dictionary update sequence element #{index} to a sequence"
            ))
        })?;
        let [key, value] = items.as_slice() else {
            return Err(Error::value(format!(
                "dictionary update sequence element #{index} has length {}; 2 is required",
                items.len()
            )));
        };
        dict.insert(Key::new(key.clone())?, value.clone());
    }
    Ok(())
}

fn undef(_: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    let [hint] = args.bind("undef", ["hint"], 0)?;
    let message = hint.text_or("Mandatory variable has not been overridden")?;
    Ok(Value::Undefined(Rc::new(Undefined::message_only(
        None, message,
    ))))
}

fn now(interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    let [utc, format] = args.bind("now", ["utc", "fmt"], 0)?;
    let now = interp.templar.engine().host().now();
    let civil = if utc.truth_or(false)? {
        now.with_time_zone(jiff::tz::TimeZone::UTC).datetime()
    } else {
        now.datetime()
    };
    let moment = DateTime::naive(civil);
    match format.text()? {
        Some(format) => moment.strftime(&format).map(Value::from),
        None => Ok(Value::object(moment)),
    }
}

fn cycler(_: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    if args.positional.is_empty() {
        return Err(Error::type_error("at least one item has to be provided"));
    }
    let cycle = Rc::new_cyclic(|me| Cycler {
        me: me.clone(),
        items: args.positional,
        at: Cell::new(0),
    });
    Ok(Value::Object(cycle))
}

/// `cycler(…)`: its items, over and over.
struct Cycler {
    me: std::rc::Weak<Cycler>,
    items: Vec<Value>,
    at: Cell<usize>,
}

impl Object for Cycler {
    fn type_name(&self) -> &str {
        "Cycler"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        Ok(match name {
            "current" => Some(self.items[self.at.get()].clone()),
            "items" => Some(Value::tuple(self.items.clone())),
            "pos" => Some(Value::count(self.at.get())),
            "next" => self.me.upgrade().map(|cycler| {
                Value::object(CyclerMethod {
                    cycler,
                    reset: false,
                })
            }),
            "reset" => self.me.upgrade().map(|cycler| {
                Value::object(CyclerMethod {
                    cycler,
                    reset: true,
                })
            }),
            _ => None,
        })
    }
}

struct CyclerMethod {
    cycler: Rc<Cycler>,
    reset: bool,
}

impl Object for CyclerMethod {
    fn type_name(&self) -> &str {
        "method"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        args.none("next")?;
        let at = &self.cycler.at;
        if self.reset {
            at.set(0);
            return Ok(Value::None);
        }
        let current = self.cycler.items[at.get()].clone();
        at.set((at.get() + 1) % self.cycler.items.len());
        Ok(current)
    }
}

fn joiner(_: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    let [separator] = args.bind("joiner", ["sep"], 0)?;
    Ok(Value::object(Joiner {
        separator: separator.text_or(", ")?,
        used: Cell::new(false),
    }))
}

/// `joiner(…)`: nothing the first time, then the separator.
struct Joiner {
    separator: String,
    used: Cell<bool>,
}

impl Object for Joiner {
    fn type_name(&self) -> &str {
        "Joiner"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        args.none("joiner")?;
        Ok(Value::str(if self.used.replace(true) {
            self.separator.as_str()
        } else {
            ""
        }))
    }
}

fn namespace(interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
    match dict(interp, args)? {
        Value::Dict(names) => Ok(Value::object(Namespace {
            names: RefCell::new(names),
        })),
        other => Ok(other),
    }
}

/// `namespace(…)`: names that inner scopes may set.
struct Namespace {
    names: RefCell<Dict>,
}

impl Object for Namespace {
    fn type_name(&self) -> &str {
        "Namespace"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.names.borrow().get_str(name))
    }

    fn set_attr(&self, name: &str, value: Value) -> bool {
        self.names.borrow().insert(Key::from_str(name), value);
        true
    }

    fn text(&self) -> String {
        let names = Value::Dict(self.names.borrow().clone());
        format!(
            "<Namespace {}>",
            crate::value::repr(&names).unwrap_or_default()
        )
    }
}
