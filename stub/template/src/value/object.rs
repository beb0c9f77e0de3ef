//! Values with behaviour of their own: functions, macros, `loop`, namespaces, ranges, dates.

use std::any::Any;
use std::cmp::Ordering;
use std::rc::Rc;

use super::Value;
use crate::Error;
use crate::eval::{Args, Interp};

/// What an object can do. Everything has a default that says "not that".
#[allow(clippy::len_without_is_empty)] // `truth` says whether it is empty; not everything has a length
pub trait Object {
    /// Python's name of the type.
    fn type_name(&self) -> &str;

    /// Lets an implementation recognise its own kind.
    fn as_any(&self) -> &dyn Any;

    /// An attribute, or an item under a text key.
    fn get_attr(&self, _interp: &mut Interp<'_>, _name: &str) -> Result<Option<Value>, Error> {
        Ok(None)
    }

    /// An item; text keys come to `get_attr` too when this gives nothing.
    fn get_item(&self, _interp: &mut Interp<'_>, _key: &Value) -> Result<Option<Value>, Error> {
        Ok(None)
    }

    /// Sets an attribute; false if the object has none to set.
    fn set_attr(&self, _name: &str, _value: Value) -> bool {
        false
    }

    /// Calls the object.
    fn call(&self, _interp: &mut Interp<'_>, _args: Args) -> Result<Value, Error> {
        Err(Error::type_error(format!(
            "'{}' object is not callable",
            self.type_name()
        )))
    }

    /// True if `call` does something.
    fn is_callable(&self) -> bool {
        false
    }

    /// The elements, if there are any to go through.
    fn iterate(&self) -> Option<Result<Vec<Value>, Error>> {
        None
    }

    /// The number of elements, if there is one.
    fn len(&self) -> Option<usize> {
        None
    }

    /// Membership, where it is not simply a search through the elements.
    fn contains(&self, _item: &Value) -> Option<bool> {
        None
    }

    /// Python's truth.
    fn truth(&self) -> bool {
        true
    }

    /// Equality with another object.
    fn equals(&self, _other: &dyn Object) -> bool {
        false
    }

    /// Order against another object, if there is one.
    fn order(&self, _other: &dyn Object) -> Option<Ordering> {
        None
    }

    /// The result of adding (or, with `subtract`, of taking away) another value, if that is possible.
    fn add(&self, _other: &Value, _subtract: bool) -> Option<Value> {
        None
    }

    /// Python's `str()`.
    fn text(&self) -> String {
        format!("<{} object>", self.type_name())
    }

    /// Python's `repr()`.
    fn repr(&self) -> String {
        self.text()
    }

    /// True if the object may leave the template as it is.
    fn is_storable(&self) -> bool {
        false
    }

    /// What a template that consists of this object alone results in, if it may be stored at all.
    fn to_data(&self) -> Option<Value> {
        None
    }
}

/// Python's `range`: counted, not stored.
pub struct Range {
    /// The first number.
    pub start: i64,
    /// The first number that does not belong to it.
    pub stop: i64,
    /// The distance; never 0.
    pub step: i64,
}

/// The longest range, and the longest list that an operation may build.
pub(crate) const MAX_ITEMS: usize = 10_000_000;

impl Range {
    /// The number of elements.
    pub fn count(&self) -> usize {
        let (start, stop, step) = (
            i128::from(self.start),
            i128::from(self.stop),
            i128::from(self.step),
        );
        let count = if step > 0 {
            (stop - start + step - 1) / step
        } else {
            (start - stop - step - 1) / -step
        };
        usize::try_from(count.max(0)).unwrap_or(usize::MAX)
    }

    /// The element at an index from the start.
    pub fn nth(&self, index: usize) -> i64 {
        (i128::from(self.start) + i128::from(self.step) * index as i128) as i64
    }
}

impl Object for Range {
    fn type_name(&self) -> &str {
        "range"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_item(&self, _interp: &mut Interp<'_>, key: &Value) -> Result<Option<Value>, Error> {
        let Some(index) = key.as_int() else {
            return Ok(None);
        };
        let count = self.count();
        let index = if index < 0 {
            index + count as i64
        } else {
            index
        };
        Ok(usize::try_from(index)
            .ok()
            .filter(|i| *i < count)
            .map(|i| Value::Int(self.nth(i))))
    }

    fn iterate(&self) -> Option<Result<Vec<Value>, Error>> {
        if self.count() > MAX_ITEMS {
            return Some(Err(Error::limit(format!(
                "range too big: more than {MAX_ITEMS} elements"
            ))));
        }
        Some(Ok((0..self.count())
            .map(|i| Value::Int(self.nth(i)))
            .collect()))
    }

    fn len(&self) -> Option<usize> {
        Some(self.count())
    }

    fn contains(&self, item: &Value) -> Option<bool> {
        let Some(number) = item.as_int() else {
            return Some(false);
        };
        let offset = i128::from(number) - i128::from(self.start);
        let index = offset / i128::from(self.step);
        Some(offset % i128::from(self.step) == 0 && index >= 0 && index < self.count() as i128)
    }

    fn truth(&self) -> bool {
        self.count() > 0
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Range>().is_some_and(|o| {
            self.count() == o.count()
                && (self.count() == 0
                    || self.start == o.start && (self.count() == 1 || self.step == o.step))
        })
    }

    fn text(&self) -> String {
        match self.step {
            1 => format!("range({}, {})", self.start, self.stop),
            step => format!("range({}, {}, {step})", self.start, self.stop),
        }
    }
}

/// A built-in function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Interp<'_>, Args) -> Result<Value, Error>,
}

impl Object for Function {
    fn type_name(&self) -> &str {
        "function"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        (self.run)(interp, args)
    }

    fn text(&self) -> String {
        format!("<function {}>", self.name)
    }
}

/// A method together with the value that it belongs to.
pub(crate) struct Method {
    pub(crate) receiver: Value,
    pub(crate) name: Rc<str>,
}

impl Object for Method {
    fn type_name(&self) -> &str {
        "builtin_function_or_method"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        match crate::methods::call(interp, &self.receiver, &self.name, args) {
            Some(result) => result,
            None => Err(Error::type_error(format!(
                "'{}' object is not callable",
                self.type_name()
            ))),
        }
    }

    fn text(&self) -> String {
        format!(
            "<built-in method {} of {} object>",
            self.name,
            self.receiver.type_name()
        )
    }
}
