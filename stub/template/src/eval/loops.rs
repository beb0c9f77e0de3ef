//! `for` and the `loop` variable.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::Interp;
use super::args::Args;
use super::frame::Frame;
use super::nodes::Flow;
use crate::Error;
use crate::syntax::For;
use crate::value::{Object, Value};

/// The state behind `loop`.
struct LoopState {
    me: Weak<LoopState>,
    items: Vec<Value>,
    index: Cell<usize>,
    depth: usize,
    last_seen: RefCell<Option<Vec<Value>>>,
    /// What `loop(…)` in a recursive loop runs again, and where.
    definition: Rc<For>,
    outer: Rc<Frame>,
}

impl Interp<'_> {
    pub(super) fn for_loop(&mut self, definition: &Rc<For>) -> Result<(), Error> {
        let iterable = self.eval(&definition.iterable)?;
        self.loop_over(definition, iterable, 0)
    }

    fn loop_over(
        &mut self,
        definition: &Rc<For>,
        iterable: Value,
        depth: usize,
    ) -> Result<(), Error> {
        let items = self
            .loop_items(definition, &iterable)
            .map_err(|error| self.place(error, definition.iterable.pos))?;
        if items.is_empty() {
            return self.scoped(|this| this.run_all(&definition.otherwise));
        }
        let outer = self.frame.clone();
        let state = Rc::new_cyclic(|me| LoopState {
            me: me.clone(),
            items,
            index: Cell::new(0),
            depth,
            last_seen: RefCell::new(None),
            definition: definition.clone(),
            outer: outer.clone(),
        });
        let result = self.iterations(definition, &state, &outer);
        self.frame = outer;
        result
    }

    fn iterations(
        &mut self,
        definition: &For,
        state: &Rc<LoopState>,
        outer: &Rc<Frame>,
    ) -> Result<(), Error> {
        let loop_name: Rc<str> = "loop".into();
        let loop_value = Value::Object(state.clone());
        let mut frame = Frame::inside(outer);
        for index in 0..state.items.len() {
            state.index.set(index);
            // A macro may have kept the frame of the last round.
            if Rc::strong_count(&frame) > 1 {
                self.templar.keep_frame(&frame);
                frame = Frame::inside(outer);
            } else {
                frame.clear();
            }
            let item = self.resolve_or_undefined(state.items[index].clone())?;
            self.frame = frame.clone();
            self.frame.set(&loop_name, loop_value.clone());
            self.assign(&definition.target, item, definition.pos)?;
            let flow = self.run(&definition.body)?;
            self.frame = outer.clone();
            if flow == Flow::Break {
                break;
            }
        }
        frame.clear();
        Ok(())
    }

    fn loop_items(&mut self, definition: &For, iterable: &Value) -> Result<Vec<Value>, Error> {
        let items = crate::value::iterate(iterable)?;
        let Some(filter) = &definition.filter else {
            return Ok(items);
        };
        let mut kept = Vec::new();
        for item in items {
            let item = self.resolve_or_undefined(item)?;
            let keep = self.scoped(|this| {
                this.assign(&definition.target, item.clone(), definition.pos)?;
                this.truth(filter)
            })?;
            if keep {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}

impl LoopState {
    fn neighbour(&self, interp: &mut Interp<'_>, offset: isize) -> Result<Option<Value>, Error> {
        let index = self.index.get().checked_add_signed(offset);
        match index.and_then(|index| self.items.get(index)) {
            Some(item) => interp.resolve_or_undefined(item.clone()).map(Some),
            None => {
                let what = if offset < 0 {
                    "there is no previous item"
                } else {
                    "there is no next item"
                };
                let undefined = crate::Undefined::message_only(None, what);
                Ok(Some(Value::Undefined(Rc::new(undefined))))
            }
        }
    }

    fn call_method(&self, name: &str, args: Args) -> Result<Value, Error> {
        match name {
            "cycle" => match args.positional.len() {
                0 => Err(Error::type_error("no items for cycling given")),
                count => Ok(args.positional[self.index.get() % count].clone()),
            },
            _ => {
                let changed = self.last_seen.borrow().as_ref() != Some(&args.positional);
                if changed {
                    self.last_seen.replace(Some(args.positional));
                }
                Ok(Value::Bool(changed))
            }
        }
    }
}

impl Object for LoopState {
    fn type_name(&self) -> &str {
        "LoopContext"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        let (index, length) = (self.index.get(), self.items.len());
        Ok(Some(match name {
            "index" => Value::count(index + 1),
            "index0" => Value::count(index),
            "revindex" => Value::count(length - index),
            "revindex0" => Value::count(length - index - 1),
            "first" => Value::Bool(index == 0),
            "last" => Value::Bool(index + 1 == length),
            "length" => Value::count(length),
            "depth" => Value::count(self.depth + 1),
            "depth0" => Value::count(self.depth),
            "previtem" => return self.neighbour(interp, -1),
            "nextitem" => return self.neighbour(interp, 1),
            "cycle" | "changed" => match self.me.upgrade() {
                Some(state) => Value::object(LoopMethod {
                    state,
                    name: name.into(),
                }),
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    fn len(&self) -> Option<usize> {
        Some(self.items.len())
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        let [iterable] = args.bind("loop", ["iterable"], 1)?;
        if !self.definition.recursive {
            let message = "The loop must have the 'recursive' marker to be called recursively.";
            return Err(Error::type_error(message));
        }
        let caller = std::mem::replace(&mut interp.frame, self.outer.clone());
        let iterable = iterable.unwrap_or(Value::None);
        let result =
            interp.capture(|this| this.loop_over(&self.definition, iterable, self.depth + 1));
        interp.frame = caller;
        result
    }

    fn text(&self) -> String {
        format!(
            "<LoopContext {}/{}>",
            self.index.get() + 1,
            self.items.len()
        )
    }
}

/// `loop.cycle` and `loop.changed`.
struct LoopMethod {
    state: Rc<LoopState>,
    name: Rc<str>,
}

impl Object for LoopMethod {
    fn type_name(&self) -> &str {
        "method"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        self.state.call_method(&self.name, args)
    }
}
