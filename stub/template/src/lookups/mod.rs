//! Lookups: `lookup('name', …)` and `query('name', …)`. Those that need nothing but their arguments and the
//! variables are here; files, environment, passwords and the like come from the caller.

mod plain;
mod sequence;

pub(crate) use plain::NAMES;

use std::rc::Rc;

use crate::eval::{Args, Interp};
use crate::templar::Templar;
use crate::value::{Undefined, Value};
use crate::{Error, ErrorKind};

/// What a lookup is called with.
pub struct LookupCall<'a> {
    /// What it is asked for.
    pub terms: Vec<Value>,
    /// The options, without those that every lookup has.
    pub options: Vec<(Rc<str>, Value)>,
    /// The variables, and the engine for lookups that render templates.
    pub templar: &'a Templar<'a>,
}

impl LookupCall<'_> {
    /// An option by name.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.options
            .iter()
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| value)
    }
}

/// Lookups beyond the built-in ones.
pub trait Lookups {
    /// Runs a lookup. `None` if there is none of that name (without `ansible.builtin.`).
    fn lookup(&self, name: &str, call: LookupCall<'_>) -> Result<Option<Vec<Value>>, Error>;
}

/// The name without the collection that everything built in belongs to.
pub(crate) fn short_name(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name)
}

/// The global `lookup`.
pub(crate) fn lookup(interp: &mut Interp<'_>, mut args: Args) -> Result<Value, Error> {
    let want_list = args
        .take("wantlist")
        .map(|v| v.truth())
        .transpose()?
        .unwrap_or(false);
    run(interp, args, want_list)
}

/// The globals `query` and `q`.
pub(crate) fn query(interp: &mut Interp<'_>, mut args: Args) -> Result<Value, Error> {
    let _ = args.take("wantlist");
    run(interp, args, true)
}

fn run(interp: &mut Interp<'_>, mut args: Args, want_list: bool) -> Result<Value, Error> {
    if args.positional.is_empty() {
        return Err(Error::type_error(
            "lookup() missing 1 required positional argument: 'plugin_name'",
        ));
    }
    if let Value::Undefined(_) = &args.positional[0] {
        return Ok(args.positional.swap_remove(0));
    }
    let Value::Str(name) = args.positional.remove(0) else {
        return Err(Error::type_error("a lookup's name must be text"));
    };
    // Only `env` has a use for a value that is undefined.
    if let Some(undefined) = args.first_undefined()
        && short_name(&name) != "env"
    {
        return Ok(undefined.clone());
    }
    let on_error = args.take("errors");
    let on_error = on_error
        .as_ref()
        .and_then(Value::as_str)
        .unwrap_or("strict")
        .to_owned();
    let found = find(interp, &name, args);
    let results = match (found, on_error.as_str()) {
        (Ok(results), _) => results,
        (Err(error), "strict") => return Err(error),
        (Err(error), _) if matches!(error.kind(), ErrorKind::UnknownLookup(_)) => {
            return Err(error);
        }
        (Err(_), _) if want_list => return Ok(Value::list(Vec::new())),
        (Err(_), _) => return Ok(Value::None),
    };
    Ok(if want_list {
        Value::list(results)
    } else {
        join(results)
    })
}

pub(crate) fn find(interp: &mut Interp<'_>, name: &str, args: Args) -> Result<Vec<Value>, Error> {
    let short = short_name(name);
    if let Some(result) = plain::run(interp, short, &args) {
        return result;
    }
    let templar = interp.templar;
    let call = LookupCall {
        terms: args.positional,
        options: args.keywords,
        templar,
    };
    let found = match templar.engine().lookups() {
        Some(lookups) => lookups
            .lookup(short, call)
            .map_err(|error| match error.kind() {
                ErrorKind::Type | ErrorKind::Value | ErrorKind::Plugin
                    if !error.message().starts_with("The lookup plugin '") =>
                {
                    error
                        .context(&format!("The lookup plugin '{short}' failed: "))
                        .with_kind(ErrorKind::Plugin)
                }
                _ => error,
            })?,
        None => None,
    };
    found.ok_or_else(|| {
        Error::new(
            ErrorKind::UnknownLookup(name.into()),
            format!("The lookup plugin '{name}' was not found."),
        )
    })
}

/// One result stands for itself, several texts are joined with commas, anything else stays a list.
fn join(mut results: Vec<Value>) -> Value {
    if results.len() == 1 {
        return results.pop().unwrap_or(Value::None);
    }
    if results.is_empty() {
        return Value::list(results);
    }
    let texts: Option<Vec<&str>> = results.iter().map(Value::as_str).collect();
    match texts {
        Some(texts) => Value::from(texts.join(",")),
        None => Value::list(results),
    }
}

/// An undefined result with a message of its own.
fn undefined(message: String) -> Value {
    Value::Undefined(Rc::new(Undefined::message_only(None, message)))
}
