//! Macros, and blocks that are handed to them.

use std::any::Any;
use std::rc::Rc;

use super::Interp;
use super::args::Args;
use super::frame::Frame;
use super::inherit::Context;
use crate::Error;
use crate::syntax::{Expr, ExprKind, MacroDef};
use crate::value::{Object, Value};

/// A macro with the frame that it was defined in.
struct Macro {
    definition: Rc<MacroDef>,
    frame: Rc<Frame>,
    context: Rc<Context>,
}

impl Interp<'_> {
    fn make_macro(&mut self, definition: &Rc<MacroDef>) -> Value {
        self.templar.keep_frame(&self.frame);
        Value::object(Macro {
            definition: definition.clone(),
            frame: self.frame.clone(),
            context: self.context.clone(),
        })
    }

    pub(super) fn define_macro(&mut self, definition: &Rc<MacroDef>) {
        let value = self.make_macro(definition);
        self.frame.set(&definition.name, value);
    }

    /// `{% call(x) f(y) %}…{% endcall %}`
    pub(super) fn call_block(
        &mut self,
        caller: &Rc<MacroDef>,
        call: &Expr,
    ) -> Result<Value, Error> {
        let ExprKind::Call(function, call_args) = &call.kind else {
            return Ok(Value::None);
        };
        let callee = self.eval(function)?.strict()?;
        let mut args = self.args(call_args)?;
        let caller = self.make_macro(caller);
        args.keywords.push(("caller".into(), caller));
        self.call_value(&callee, args)
            .map_err(|error| self.place(error, call.pos))
    }
}

impl Macro {
    /// Parameters, extra arguments and `caller` become names in a frame of the call's own.
    fn bind(&self, interp: &mut Interp<'_>, args: Args) -> Result<(), Error> {
        let definition = &self.definition;
        let Args {
            positional,
            mut keywords,
        } = args;
        let mut positional = positional.into_iter();
        let caller_is_parameter = definition
            .parameters
            .iter()
            .any(|(name, _)| &**name == "caller");
        if !caller_is_parameter {
            let caller = keywords
                .iter()
                .position(|(name, _)| &**name == "caller")
                .map(|i| keywords.remove(i).1);
            match caller {
                Some(caller) if definition.uses_caller => interp.frame.set(&"caller".into(), caller),
                Some(_) => return Err(self.refuse("was invoked with two values for the special caller argument. This is most likely a bug.")),
                None if definition.uses_caller => {
                    let undefined = crate::Undefined::message_only(Some("caller".into()), "No caller defined");
                    interp.frame.set(&"caller".into(), Value::Undefined(Rc::new(undefined)));
                }
                None => {}
            }
        }
        for (name, default) in &definition.parameters {
            let named = keywords
                .iter()
                .position(|(keyword, _)| keyword == name)
                .map(|i| keywords.remove(i).1);
            let value = match (positional.next(), named, default) {
                (Some(value), None, _) | (None, Some(value), _) => value,
                (Some(_), Some(_), _) => {
                    return Err(self.refuse(&format!("got multiple values for argument '{name}'")));
                }
                (None, None, Some(default)) => interp.eval(default)?,
                (None, None, None) => {
                    let message = format!("parameter '{name}' was not provided");
                    Value::Undefined(Rc::new(crate::Undefined::message_only(
                        Some(name.clone()),
                        message,
                    )))
                }
            };
            interp.frame.set(name, value);
        }
        self.bind_rest(interp, positional.collect(), keywords)
    }

    fn bind_rest(
        &self,
        interp: &mut Interp<'_>,
        positional: Vec<Value>,
        keywords: Vec<(Rc<str>, Value)>,
    ) -> Result<(), Error> {
        let definition = &self.definition;
        if definition.uses_kwargs {
            interp.frame.set(&"kwargs".into(), Value::dict(keywords));
        } else if let Some((name, _)) = keywords.first() {
            return Err(self.refuse(&format!("takes no keyword argument '{name}'")));
        }
        if definition.uses_varargs {
            interp
                .frame
                .set(&"varargs".into(), Value::tuple(positional));
        } else if !positional.is_empty() {
            let count = definition.parameters.len();
            return Err(self.refuse(&format!("takes not more than {count} argument(s)")));
        }
        Ok(())
    }

    fn refuse(&self, what: &str) -> Error {
        Error::type_error(format!("macro '{}' {what}", self.definition.name))
    }
}

impl Object for Macro {
    fn type_name(&self) -> &str {
        "Macro"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn get_attr(&self, _interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        Ok(match name {
            "name" => Some(Value::str(self.definition.name.clone())),
            "arguments" => {
                let names = self.definition.parameters.iter();
                Some(Value::tuple(
                    names.map(|(name, _)| Value::str(name.clone())).collect(),
                ))
            }
            "catch_varargs" => Some(Value::Bool(self.definition.uses_varargs)),
            "catch_kwargs" => Some(Value::Bool(self.definition.uses_kwargs)),
            "caller" => Some(Value::Bool(self.definition.uses_caller)),
            _ => None,
        })
    }

    fn call(&self, interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        let frame = std::mem::replace(&mut interp.frame, Frame::inside(&self.frame));
        let context = std::mem::replace(&mut interp.context, self.context.clone());
        let result = interp.capture(|this| {
            this.bind(self, args)?;
            this.run_all(&self.definition.body)
        });
        let result = result.map_err(|error| interp.place(error, self.definition.pos));
        interp.context = context;
        let inner = std::mem::replace(&mut interp.frame, frame);
        if Rc::strong_count(&inner) > 1 {
            interp.templar.keep_frame(&inner);
        }
        result
    }

    fn text(&self) -> String {
        format!("<Macro {}>", crate::value::str_repr(&self.definition.name))
    }
}

impl Interp<'_> {
    fn bind(&mut self, callee: &Macro, args: Args) -> Result<(), Error> {
        callee.bind(self, args)
    }
}
