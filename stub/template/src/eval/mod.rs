//! The evaluator: walks the syntax tree of a template with its variables at hand.

mod args;
mod calls;
mod expressions;
mod frame;
mod inherit;
mod loops;
mod macros;
mod nodes;
mod output;

use std::rc::Rc;

pub use args::Args;
pub(crate) use args::Given;
pub(crate) use frame::Frame;
pub(crate) use inherit::Context;
pub(crate) use output::Out;

use crate::syntax::Pos;
use crate::templar::Templar;
use crate::value::{Value, has_templates};
use crate::{Error, ErrorKind};

/// How much stack one rendering may use. Threads have 2 MiB at least; the rest is for what calls us.
const MAX_STACK: usize = 1 << 20;

/// One template being run. Filters and functions get it to call back into the evaluator.
pub struct Interp<'a> {
    pub(crate) templar: &'a Templar<'a>,
    frame: Rc<Frame>,
    context: Rc<Context>,
    out: Out,
    /// Set after `extends`: what the child prints itself is thrown away.
    discarding: bool,
}

impl<'a> Interp<'a> {
    pub(crate) fn new(templar: &'a Templar<'a>, context: Rc<Context>, frame: Rc<Frame>) -> Self {
        Interp {
            templar,
            frame,
            context,
            out: Out::native(),
            discarding: false,
        }
    }

    /// A value as it is after rendering: a template that was read out of a container becomes its result.
    pub(crate) fn resolve(&mut self, value: Value) -> Result<Value, Error> {
        match &value {
            Value::Str(text) if text.is_template() => self.templar.render_element(text),
            _ => Ok(value),
        }
    }

    /// A value with every template in it rendered, for operations that look at all of it.
    pub(crate) fn whole(&mut self, value: Value) -> Result<Value, Error> {
        if has_templates(&value, 0) {
            self.templar.force(&value)
        } else {
            Ok(value)
        }
    }

    /// Refuses to go deeper than the stack allows.
    fn check_stack(&self) -> Result<(), Error> {
        let here = 0u8;
        let used = self
            .templar
            .stack_base()
            .abs_diff(std::ptr::from_ref(&here) as usize);
        if used > MAX_STACK {
            return Err(Error::new(
                ErrorKind::Recursion,
                "recursive loop detected in template: nested too deeply",
            ));
        }
        Ok(())
    }

    fn place(&self, error: Error, pos: Pos) -> Error {
        let error = error.at(pos.line, pos.column);
        match self.context.template_name() {
            Some(name) => error.in_template(&name),
            None => error,
        }
    }

    /// Runs a part with its own output and returns what it printed.
    fn capture(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<Value, Error> {
        let outer = std::mem::replace(&mut self.out, Out::native());
        let discarding = std::mem::take(&mut self.discarding);
        let result = run(self);
        self.discarding = discarding;
        let inner = std::mem::replace(&mut self.out, outer);
        result?;
        inner.into_value()
    }

    /// Takes what was printed.
    pub(crate) fn take_output(&mut self) -> Result<Value, Error> {
        self.replace_output(Out::native()).into_value()
    }

    /// Prints to something else from now on.
    pub(crate) fn replace_output(&mut self, out: Out) -> Out {
        std::mem::replace(&mut self.out, out)
    }

    /// Runs a part with names of its own.
    fn scoped<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        let inner = Frame::inside(&self.frame);
        let outer = std::mem::replace(&mut self.frame, inner);
        let result = run(self);
        self.frame = outer;
        result
    }
}
