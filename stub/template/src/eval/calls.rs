//! Calling: functions, filters, tests. An undefined argument makes the result undefined, unless the callee
//! says that it wants to know; so `{{ missing | upper | default('x') }}` is `x`.

use std::rc::Rc;

use super::Interp;
use super::args::Args;
use crate::predicates::Predicate;
use crate::syntax::{CallArgs, Expr, ExprKind, FilterCall};
use crate::value::{Undefined, Value, iterate};
use crate::{Error, ErrorKind, filters, methods, predicates};

impl Interp<'_> {
    /// Evaluates arguments.
    pub(super) fn args(&mut self, call: &CallArgs) -> Result<Args, Error> {
        let mut args = Args {
            positional: Vec::with_capacity(call.positional.len()),
            keywords: Vec::new(),
        };
        for positional in &call.positional {
            args.positional.push(self.eval(positional)?);
        }
        if let Some(star) = &call.star {
            let more = self.eval(star)?;
            args.positional.extend(self.elements(more)?);
        }
        for (name, value) in &call.keywords {
            let value = self.eval(value)?;
            args.keywords.push((name.clone(), value));
        }
        if let Some(double_star) = &call.double_star {
            let more = self.eval(double_star)?.strict()?;
            let Value::Dict(dict) = self.whole(more)? else {
                return Err(Error::type_error("argument after ** must be a mapping"));
            };
            for (key, value) in dict.pairs() {
                let Value::Str(name) = key else {
                    return Err(Error::type_error("keywords must be strings"));
                };
                args.keywords.push((name.shared(), value));
            }
        }
        Ok(args)
    }

    /// The elements of a value, each rendered.
    pub(crate) fn elements(&mut self, value: Value) -> Result<Vec<Value>, Error> {
        let value = self.whole(value)?;
        iterate(&value)
    }

    fn whole_args(&mut self, args: &mut Args) -> Result<(), Error> {
        for value in args
            .positional
            .iter_mut()
            .chain(args.keywords.iter_mut().map(|(_, value)| value))
        {
            let taken = std::mem::replace(value, Value::None);
            *value = self.whole(taken)?;
        }
        Ok(())
    }

    pub(super) fn call(&mut self, function: &Expr, call: &CallArgs) -> Result<Value, Error> {
        if let ExprKind::Attr(receiver, name) = &function.kind {
            return self.call_method(receiver, name, call);
        }
        let callee = self.eval(function)?;
        let args = self.args(call)?;
        self.call_value(&callee, args)
    }

    /// Calls a value.
    pub(crate) fn call_value(&mut self, callee: &Value, mut args: Args) -> Result<Value, Error> {
        match callee {
            Value::Undefined(_) => Ok(callee.clone()),
            Value::Object(object) if object.is_callable() => {
                if object.type_name() != "Macro" {
                    if let Some(undefined) = args.first_undefined()
                        && (object.type_name() != "function"
                            || !crate::globals::takes_undefined(callee))
                    {
                        return Ok(undefined.clone());
                    }
                    self.whole_args(&mut args)?;
                }
                undefined_as_value(object.call(self, args))
            }
            other => Err(Error::type_error(format!(
                "'{}' object is not callable",
                other.type_name()
            ))),
        }
    }

    /// `receiver.name(…)`, without making an object of the method.
    fn call_method(
        &mut self,
        receiver: &Expr,
        name: &Rc<str>,
        call: &CallArgs,
    ) -> Result<Value, Error> {
        let mut target = self.eval(receiver)?;
        if !methods::exists(&target, name) {
            let callee = crate::value::get_attr(self, &target, name)?;
            let args = self.args(call)?;
            return self.call_value(&callee, args);
        }
        let mut args = self.args(call)?;
        if let Some(undefined) = args.first_undefined() {
            return Ok(undefined.clone());
        }
        self.whole_args(&mut args)?;
        if methods::changes(&target, name) {
            let frozen = match &target {
                Value::List(list) => list.is_frozen(),
                Value::Dict(dict) => dict.is_frozen(),
                _ => false,
            };
            if frozen {
                self.thaw_root(receiver)?;
                target = self.eval(receiver)?;
            }
        }
        if methods::looks_at_elements(&target, name) {
            target = self.whole(target)?;
        }
        match methods::call(self, &target, name, args) {
            Some(result) => undefined_as_value(result),
            None => Err(Error::type_error(format!(
                "'{}' object is not callable",
                target.type_name()
            ))),
        }
    }

    /// Applies a filter of the template; `block` is what a filter block printed.
    pub(super) fn filter(
        &mut self,
        call: &FilterCall,
        block: Option<Value>,
    ) -> Result<Value, Error> {
        let input = match (&call.input, block) {
            (None, block) => block.unwrap_or(Value::None),
            (
                Some(Expr {
                    kind: ExprKind::Filter(inner),
                    ..
                }),
                Some(block),
            ) => self.filter(inner, Some(block))?,
            (Some(input), _) => self.eval(input)?,
        };
        let args = match call.filter {
            None if self.templar.engine().plugins().is_none() => {
                return Err(unknown_filter(&call.name));
            }
            _ => self.args(&call.args)?,
        };
        match call.filter {
            Some(filter) => self.apply(filter, input, args),
            None => self.apply_further(&call.name, input, args),
        }
    }

    /// Applies a filter to a value.
    pub(crate) fn apply(
        &mut self,
        filter: filters::Filter,
        input: Value,
        mut args: Args,
    ) -> Result<Value, Error> {
        if filter.takes_undefined {
            return (filter.run)(self, input, args)
                .map_err(|error| in_plugin("filter", filter.collection, filter.name, error));
        }
        if matches!(&input, Value::Undefined(u) if !u.is_lenient()) {
            return Ok(input);
        }
        if let Some(undefined) = args.first_undefined() {
            return Ok(undefined.clone());
        }
        let input = if filter.lazy {
            input
        } else {
            self.whole(input)?
        };
        self.whole_args(&mut args)?;
        if filter.text_only && !matches!(input, Value::Str(_)) {
            let error = Error::type_error(format!("'{}' object is not text", input.type_name()));
            return Err(in_plugin("filter", filter.collection, filter.name, error));
        }
        undefined_as_value((filter.run)(self, input, args))
            .map_err(|error| in_plugin("filter", filter.collection, filter.name, error))
    }

    /// Applies a filter of the caller.
    fn apply_further(&mut self, name: &str, input: Value, mut args: Args) -> Result<Value, Error> {
        if matches!(&input, Value::Undefined(u) if !u.is_lenient()) {
            return Ok(input);
        }
        if let Some(undefined) = args.first_undefined() {
            return Ok(undefined.clone());
        }
        let input = self.whole(input)?;
        self.whole_args(&mut args)?;
        let plugins = self.templar.engine().plugins();
        match plugins.and_then(|plugins| plugins.filter(name, &input, &args)) {
            Some(result) => undefined_as_value(result),
            None => Err(unknown_filter(name)),
        }
    }

    /// Asks a test of the caller.
    fn ask_further(&mut self, name: &str, input: Value, mut args: Args) -> Result<Value, Error> {
        if matches!(&input, Value::Undefined(u) if !u.is_lenient()) {
            return Ok(input);
        }
        if let Some(undefined) = args.first_undefined() {
            return Ok(undefined.clone());
        }
        let input = self.whole(input)?;
        self.whole_args(&mut args)?;
        let plugins = self.templar.engine().plugins();
        match plugins.and_then(|plugins| plugins.test(name, &input, &args)) {
            Some(result) => undefined_as_value(result.map(Value::Bool)),
            None => Err(unknown_test(name)),
        }
    }

    /// Applies a filter by name, as `map` does.
    pub(crate) fn apply_named(
        &mut self,
        name: &str,
        input: Value,
        args: Args,
    ) -> Result<Value, Error> {
        match filters::find(name) {
            Some(filter) => self.apply(filter, input, args),
            None if self.templar.engine().plugins().is_some() => {
                self.apply_further(name, input, args)
            }
            None => Err(Error::type_error(format!("No filter named '{name}'."))),
        }
    }

    pub(super) fn test(
        &mut self,
        input: &Expr,
        name: &Rc<str>,
        test: Option<Predicate>,
        args: &CallArgs,
    ) -> Result<Value, Error> {
        let input = self.eval(input)?;
        match test {
            Some(test) => {
                let args = self.args(args)?;
                self.ask(test, input, args)
            }
            None if self.templar.engine().plugins().is_some() => {
                let args = self.args(args)?;
                self.ask_further(name, input, args)
            }
            None => Err(unknown_test(name)),
        }
    }

    /// Asks a test; the result is a boolean or undefined.
    pub(crate) fn ask(
        &mut self,
        test: Predicate,
        input: Value,
        mut args: Args,
    ) -> Result<Value, Error> {
        if !test.takes_undefined {
            if matches!(&input, Value::Undefined(u) if !u.is_lenient()) {
                return Ok(input);
            }
            if let Some(undefined) = args.first_undefined() {
                return Ok(undefined.clone());
            }
        }
        let input = if test.lazy { input } else { self.whole(input)? };
        self.whole_args(&mut args)?;
        undefined_as_value((test.run)(self, &input, args).map(Value::Bool))
            .map_err(|error| in_plugin("test", "ansible.builtin", test.name, error))
    }

    /// Asks a test by name, as `select` does.
    pub(crate) fn ask_named(
        &mut self,
        name: &str,
        input: Value,
        args: Args,
    ) -> Result<Value, Error> {
        match predicates::find(name) {
            Some(test) => self.ask(test, input, args),
            None if self.templar.engine().plugins().is_some() => {
                self.ask_further(name, input, args)
            }
            None => Err(Error::type_error(format!("No test named '{name}'."))),
        }
    }
}

/// An error that says "undefined" becomes an undefined value, which may still be defaulted.
pub(crate) fn undefined_as_value(result: Result<Value, Error>) -> Result<Value, Error> {
    match result {
        Err(error) if error.is_undefined() => {
            Ok(Value::Undefined(Rc::new(Undefined::from_error(error))))
        }
        other => other,
    }
}

/// Says which plugin failed, for errors that do not say so yet.
fn in_plugin(what: &str, collection: &str, name: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Type | ErrorKind::Value => error
            .context(&format!("The {what} plugin '{collection}.{name}' failed: "))
            .with_kind(ErrorKind::Plugin),
        _ => error,
    }
}

fn unknown_filter(name: &str) -> Error {
    Error::new(
        ErrorKind::UnknownFilter(name.into()),
        format!("No filter named '{name}'."),
    )
}

fn unknown_test(name: &str) -> Error {
    Error::new(
        ErrorKind::UnknownTest(name.into()),
        format!("No test named '{name}'."),
    )
}
