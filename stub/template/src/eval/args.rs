//! The arguments of a call, and binding them to parameters as Python does.

use std::rc::Rc;

use crate::Error;
use crate::value::{Value, to_text};

/// Evaluated arguments.
#[derive(Default, Clone)]
pub struct Args {
    /// Those without a name.
    pub positional: Vec<Value>,
    /// Those with a name, in order.
    pub keywords: Vec<(Rc<str>, Value)>,
}

impl Args {
    /// Arguments without names.
    pub fn of(positional: Vec<Value>) -> Self {
        Args {
            positional,
            keywords: Vec::new(),
        }
    }

    /// The first undefined value among the arguments.
    pub(crate) fn first_undefined(&self) -> Option<&Value> {
        let named = self.keywords.iter().map(|(_, value)| value);
        self.positional
            .iter()
            .chain(named)
            .find(|value| matches!(value, Value::Undefined(u) if !u.is_lenient()))
    }

    /// Takes a named argument out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let index = self
            .keywords
            .iter()
            .position(|(known, _)| &**known == name)?;
        Some(self.keywords.remove(index).1)
    }

    /// The arguments by parameter; the first `required` must be there.
    pub fn bind<const N: usize>(
        self,
        function: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Result<[Option<Value>; N], Error> {
        let mut bound = [const { None }; N];
        let given = self.positional.len();
        if given > N {
            return Err(too_many(function, N, required, given));
        }
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.keywords {
            let Some(index) = parameters.iter().position(|parameter| *parameter == &*name) else {
                return Err(Error::type_error(format!(
                    "{function}() got an unexpected keyword argument '{name}'"
                )));
            };
            if bound[index].replace(value).is_some() {
                return Err(Error::type_error(format!(
                    "{function}() got multiple values for argument '{name}'"
                )));
            }
        }
        if let Some(missing) = (0..required).find(|index| bound[*index].is_none()) {
            return Err(Error::type_error(format!(
                "{function}() missing 1 required positional argument: '{}'",
                parameters[missing]
            )));
        }
        Ok(bound)
    }

    /// For functions without parameters.
    pub(crate) fn none(self, function: &str) -> Result<(), Error> {
        self.bind::<0>(function, [], 0).map(|_| ())
    }
}

fn too_many(function: &str, parameters: usize, required: usize, given: usize) -> Error {
    let takes = if required < parameters {
        format!("from {required} to {parameters} positional arguments")
    } else if parameters == 1 {
        "1 positional argument".to_owned()
    } else {
        format!("{parameters} positional arguments")
    };
    Error::type_error(format!("{function}() takes {takes} but {given} were given"))
}

/// Reading bound arguments.
pub(crate) trait Given {
    /// Python's truth, or a default.
    fn truth_or(&self, default: bool) -> Result<bool, Error>;
    /// An integer, or a default.
    fn int_or(&self, default: i64) -> Result<i64, Error>;
    /// An integer, unless missing or `None`.
    fn int(&self) -> Result<Option<i64>, Error>;
    /// Text, unless missing or `None`.
    fn text(&self) -> Result<Option<String>, Error>;
    /// Text, or a default.
    fn text_or(&self, default: &str) -> Result<String, Error>;
    /// The value, or `None`.
    fn or_none(self) -> Value;
}

impl Given for Option<Value> {
    fn truth_or(&self, default: bool) -> Result<bool, Error> {
        self.as_ref().map_or(Ok(default), Value::truth)
    }

    fn int_or(&self, default: i64) -> Result<i64, Error> {
        Ok(self.int()?.unwrap_or(default))
    }

    fn int(&self) -> Result<Option<i64>, Error> {
        match self {
            None | Some(Value::None) => Ok(None),
            Some(value) => value.as_int().map(Some).ok_or_else(|| {
                Error::type_error(format!(
                    "'{}' object cannot be interpreted as an integer",
                    value.type_name()
                ))
            }),
        }
    }

    fn text(&self) -> Result<Option<String>, Error> {
        match self {
            None | Some(Value::None) => Ok(None),
            Some(value) => to_text(value).map(Some),
        }
    }

    fn text_or(&self, default: &str) -> Result<String, Error> {
        Ok(self.text()?.unwrap_or_else(|| default.to_owned()))
    }

    fn or_none(self) -> Value {
        self.unwrap_or(Value::None)
    }
}
