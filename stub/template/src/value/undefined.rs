//! A value that does not exist. It may be passed around, looked into, defaulted and asked about; any real use
//! is the error that it carries.

use std::rc::Rc;

use crate::{Error, ErrorKind};

/// Why a value is undefined.
#[derive(Clone)]
pub struct Undefined {
    name: Option<Rc<str>>,
    message: String,
    lenient: bool,
    cause: Option<Error>,
}

impl Undefined {
    /// A variable that nobody set.
    pub fn variable(name: Rc<str>) -> Self {
        let message = format!("'{name}' is undefined");
        Undefined {
            name: Some(name),
            message,
            lenient: false,
            cause: None,
        }
    }

    /// Something else that is missing, in words.
    pub fn message_only(name: Option<Rc<str>>, message: impl Into<String>) -> Self {
        Undefined {
            name,
            message: message.into(),
            lenient: false,
            cause: None,
        }
    }

    /// What `{{ x if false }}` gives: empty text, and no error when printed.
    pub(crate) fn lenient() -> Self {
        Undefined {
            name: None,
            message: String::new(),
            lenient: true,
            cause: None,
        }
    }

    /// A value whose template failed; using it is that failure.
    pub(crate) fn from_error(error: Error) -> Self {
        let name = match error.kind() {
            ErrorKind::Undefined { name } => name.clone(),
            _ => None,
        };
        Undefined {
            name,
            message: error.message().to_owned(),
            lenient: false,
            cause: Some(error),
        }
    }

    /// The name that was looked up.
    pub fn name(&self) -> Option<&Rc<str>> {
        self.name.as_ref()
    }

    /// The message of the error that any use is.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// True for the kind that prints as nothing.
    pub fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// True if the value exists but computing it failed for another reason than something undefined.
    pub(crate) fn is_failure(&self) -> bool {
        self.cause
            .as_ref()
            .is_some_and(|cause| !cause.is_undefined())
    }

    /// The error that any use is.
    pub fn error(&self) -> Error {
        match &self.cause {
            Some(cause) => cause.clone(),
            None => Error::undefined(self.name.clone(), self.message.clone()),
        }
    }
}
