//! Why rendering stopped, and where. The messages are the ones that people know from Ansible, because they
//! search for them.

use std::fmt;
use std::rc::Rc;

/// What went wrong, for callers that must tell the cases apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is not a template (or not an expression).
    Syntax,
    /// An undefined value was used; the name is what the template looked up, where it is known.
    Undefined {
        /// The variable or attribute that does not exist.
        name: Option<Rc<str>>,
    },
    /// No filter of that name.
    UnknownFilter(Rc<str>),
    /// No test of that name.
    UnknownTest(Rc<str>),
    /// No lookup of that name.
    UnknownLookup(Rc<str>),
    /// An operation met a value of a type that it cannot work on.
    Type,
    /// The type was right, the value was not.
    Value,
    /// A filter, a test or a lookup failed.
    Plugin,
    /// Templates that need each other, or nesting beyond what is allowed.
    Recursion,
    /// The `mandatory` filter met an undefined value.
    Mandatory,
    /// A condition whose result is no boolean.
    BrokenConditional,
    /// A template as a whole resolved to `omit`.
    Omitted,
    /// A template to include, import or extend was not found.
    TemplateNotFound,
    /// A bound on output, ranges or repetition was exceeded.
    Limit,
}

/// An error with its place in a template.
///
/// Boxed inside: results travel through every step of the evaluator, so they must stay small.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    template: Option<Rc<str>>,
    line: u32,
    column: u32,
}

impl Error {
    /// A new error without a place.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            template: None,
            line: 0,
            column: 0,
        }))
    }

    /// A type error, as Python would word it.
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Type, message)
    }

    /// A value error, as Python would word it.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Value, message)
    }

    /// An undefined value was used.
    pub fn undefined(name: Option<Rc<str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Undefined { name }, message)
    }

    /// A bound was exceeded.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The message, without its place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The name of the template, if it has one.
    pub fn template(&self) -> Option<&str> {
        self.0.template.as_deref()
    }

    /// The line in the template, from 1; 0 when unknown.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// The column in the template, from 1, in characters; 0 when unknown.
    pub fn column(&self) -> u32 {
        self.0.column
    }

    /// True if the error says that a value is undefined.
    pub fn is_undefined(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Undefined { .. })
    }

    /// Adds the place, unless one nearer to the cause is known already.
    pub fn at(mut self, line: u32, column: u32) -> Self {
        if self.0.line == 0 {
            self.0.line = line;
            self.0.column = column;
        }
        self
    }

    /// Adds the template's name, unless one nearer to the cause is known already.
    pub fn in_template(mut self, name: &Rc<str>) -> Self {
        if self.0.template.is_none() {
            self.0.template = Some(name.clone());
        }
        self
    }

    /// Forgets the place: the error crosses from one template into another that names it better.
    pub(crate) fn without_place(mut self) -> Self {
        self.0.template = None;
        self.0.line = 0;
        self.0.column = 0;
        self
    }

    /// The same error with more words before the message.
    pub fn context(mut self, prefix: &str) -> Self {
        self.0.message.insert_str(0, prefix);
        self
    }

    /// The same error with more words after the message.
    pub(crate) fn context_after(mut self, suffix: &str) -> Self {
        self.0.message.push_str(suffix);
        self
    }

    /// The same error under another kind.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match (&self.0.template, self.0.line) {
            (_, 0) => Ok(()),
            (Some(name), line) => write!(f, " ({name}, line {line}, column {})", self.0.column),
            (None, line) => write!(f, " (line {line}, column {})", self.0.column),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_place_wins() {
        let error = Error::value("no").at(2, 3).at(9, 9);
        assert_eq!((error.line(), error.column()), (2, 3));
        assert_eq!(error.to_string(), "no (line 2, column 3)");
    }
}
