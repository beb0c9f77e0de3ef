//! Templates made of several: blocks, `extends`, `include`, `import`.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use super::Interp;
use super::args::Args;
use super::frame::Frame;
use crate::syntax::{BlockDef, Expr, Template};
use crate::value::{Object, Undefined, Value};
use crate::{Error, ErrorKind};

/// A block's name and its definitions.
type Definitions = (Rc<str>, Vec<Rc<BlockDef>>);

/// What belongs to one template being run: its name, its outermost frame, and the blocks of it and its parents.
pub(crate) struct Context {
    name: RefCell<Option<Rc<str>>>,
    root: Rc<Frame>,
    /// By block name: the definitions, the youngest child's first, each with its template.
    blocks: RefCell<Vec<Definitions>>,
    parent: RefCell<Option<Rc<Template>>>,
}

impl Context {
    pub(crate) fn new(template: &Template, root: Rc<Frame>) -> Rc<Context> {
        let context = Rc::new(Context {
            name: RefCell::new(template.name.clone()),
            root,
            blocks: RefCell::new(Vec::new()),
            parent: RefCell::new(None),
        });
        context.add_blocks(template);
        context
    }

    fn add_blocks(&self, template: &Template) {
        let mut blocks = self.blocks.borrow_mut();
        for block in &template.blocks {
            match blocks.iter_mut().find(|(name, _)| *name == block.name) {
                Some((_, definitions)) => definitions.push(block.clone()),
                None => blocks.push((block.name.clone(), vec![block.clone()])),
            }
        }
    }

    fn find_block(&self, name: &str, level: usize) -> Option<Rc<BlockDef>> {
        let blocks = self.blocks.borrow();
        blocks
            .iter()
            .find(|(known, _)| &**known == name)?
            .1
            .get(level)
            .cloned()
    }

    /// The name of the template that is being run now.
    pub(super) fn template_name(&self) -> Option<Rc<str>> {
        self.name.borrow().clone()
    }
}

impl Interp<'_> {
    /// Runs a template and, if it extends another, that one with its blocks.
    pub(crate) fn run_template(&mut self, template: &Rc<Template>) -> Result<(), Error> {
        let mut current = template.clone();
        for _ in 0..100 {
            let result = self.run_all(&current.body);
            self.discarding = false;
            result.map_err(|error| match &current.name {
                Some(name) => error.in_template(name),
                None => error,
            })?;
            match self.context.parent.take() {
                None => return Ok(()),
                Some(parent) => current = parent,
            }
            self.context.name.replace(current.name.clone());
        }
        Err(Error::new(
            ErrorKind::Recursion,
            "templates extend each other",
        ))
    }

    pub(super) fn extends(&mut self, name: &Expr) -> Result<(), Error> {
        if self.context.parent.borrow().is_some() {
            return Err(self.place(Error::type_error("extended multiple times"), name.pos));
        }
        let names = self.template_names(name)?;
        let parent = self
            .load(&names)
            .map_err(|error| self.place(error, name.pos))?;
        self.context.add_blocks(&parent);
        self.context.parent.replace(Some(parent));
        self.discarding = true;
        Ok(())
    }

    fn load(&mut self, names: &[Rc<str>]) -> Result<Rc<Template>, Error> {
        for name in names {
            if let Some(template) = self.templar.load(name)? {
                return Ok(template);
            }
        }
        let shown = names.last().map_or("", |name| name);
        Err(Error::new(
            ErrorKind::TemplateNotFound,
            format!("'{shown}' not found in search path"),
        ))
    }

    pub(super) fn block(&mut self, block: &Rc<BlockDef>) -> Result<(), Error> {
        if self.discarding {
            return Ok(());
        }
        self.run_block(&block.name, 0, block.scoped)
    }

    fn run_block(&mut self, name: &Rc<str>, level: usize, scoped: bool) -> Result<(), Error> {
        let Some(definition) = self.context.find_block(name, level) else {
            return Ok(());
        };
        if definition.required {
            return Err(Error::type_error(format!(
                "Required block '{name}' not found"
            )));
        }
        let base = if scoped {
            self.frame.clone()
        } else {
            self.context.root.clone()
        };
        let outer = std::mem::replace(&mut self.frame, Frame::inside(&base));
        let super_name: Rc<str> = "super".into();
        let parent = match self.context.find_block(name, level + 1) {
            Some(_) => Value::object(SuperBlock {
                context: self.context.clone(),
                name: name.clone(),
                level: level + 1,
            }),
            None => {
                let message = format!("there is no parent block called '{name}'.");
                Value::Undefined(Rc::new(Undefined::message_only(
                    Some(super_name.clone()),
                    message,
                )))
            }
        };
        self.frame.set(&super_name, parent);
        let result = self.run_all(&definition.body);
        self.frame = outer;
        result
    }

    pub(super) fn self_reference(&self) -> Value {
        Value::object(SelfReference {
            context: self.context.clone(),
        })
    }

    pub(super) fn include(
        &mut self,
        names: &Expr,
        ignore_missing: bool,
        with_context: bool,
    ) -> Result<(), Error> {
        if self.discarding {
            return Ok(());
        }
        let list = self.template_names(names)?;
        let template = match self.load(&list) {
            Ok(template) => template,
            Err(error) if ignore_missing && *error.kind() == ErrorKind::TemplateNotFound => {
                return Ok(());
            }
            Err(error) => return Err(self.place(error, names.pos)),
        };
        let frame = if with_context {
            let frame = Frame::inside(&self.frame);
            // The loop around an include is not the included template's.
            if frame.get("loop").is_some() {
                frame.set(&"loop".into(), Value::undefined("loop"));
            }
            frame
        } else {
            Frame::root(true)
        };
        self.in_template(&template, frame, |this| this.run_template(&template))
    }

    /// Runs something as part of another template.
    fn in_template<R>(
        &mut self,
        template: &Template,
        frame: Rc<Frame>,
        run: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.check_stack()?;
        let context = Context::new(template, frame.clone());
        let outer_context = std::mem::replace(&mut self.context, context);
        let outer_frame = std::mem::replace(&mut self.frame, frame);
        let result = run(self);
        self.frame = outer_frame;
        self.context = outer_context;
        result
    }

    /// Runs a template for the names that it sets.
    fn module(&mut self, name: &Expr, with_context: bool) -> Result<(Rc<Frame>, Value), Error> {
        let names = self.template_names(name)?;
        let template = self
            .load(&names)
            .map_err(|error| self.place(error, name.pos))?;
        let frame = if with_context {
            Frame::inside(&self.frame)
        } else {
            Frame::root(true)
        };
        self.templar.keep_frame(&frame);
        let text = self.in_template(&template, frame.clone(), |this| {
            this.capture(|this| this.run_template(&template))
        })?;
        Ok((frame, text))
    }

    pub(super) fn import(
        &mut self,
        name: &Expr,
        target: &Rc<str>,
        with_context: bool,
    ) -> Result<(), Error> {
        let (frame, text) = self.module(name, with_context)?;
        let shown = self
            .template_names(name)?
            .last()
            .cloned()
            .unwrap_or_else(|| "".into());
        self.frame.set(
            target,
            Value::object(Module {
                frame,
                name: shown,
                text,
            }),
        );
        Ok(())
    }

    pub(super) fn import_names(
        &mut self,
        name: &Expr,
        names: &[(Rc<str>, Rc<str>)],
        with_context: bool,
    ) -> Result<(), Error> {
        let (frame, _) = self.module(name, with_context)?;
        let own = frame.own();
        for (imported, alias) in names {
            let value = own
                .iter()
                .find(|(known, _)| known == imported)
                .map(|(_, value)| value.clone());
            let value = value.unwrap_or_else(|| {
                let message =
                    format!("the template does not export the requested name '{imported}'");
                Value::Undefined(Rc::new(Undefined::message_only(
                    Some(imported.clone()),
                    message,
                )))
            });
            self.frame.set(alias, value);
        }
        Ok(())
    }
}

/// What `import` gives: the names that the template sets.
struct Module {
    frame: Rc<Frame>,
    name: Rc<str>,
    text: Value,
}

impl Object for Module {
    fn type_name(&self) -> &str {
        "TemplateModule"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        if name.starts_with('_') {
            return Ok(None);
        }
        Ok(self
            .frame
            .own()
            .into_iter()
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| value))
    }

    fn text(&self) -> String {
        crate::value::to_text(&self.text).unwrap_or_default()
    }

    fn repr(&self) -> String {
        format!("<TemplateModule {}>", crate::value::str_repr(&self.name))
    }
}

/// `self`: the blocks of the template, to be called.
struct SelfReference {
    context: Rc<Context>,
}

impl Object for SelfReference {
    fn type_name(&self) -> &str {
        "TemplateReference"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.context.find_block(name, 0).map(|_| {
            Value::object(SuperBlock {
                context: self.context.clone(),
                name: name.into(),
                level: 0,
            })
        }))
    }
}

/// `super`, or a block of `self`: prints a block when called.
struct SuperBlock {
    context: Rc<Context>,
    name: Rc<str>,
    level: usize,
}

impl Object for SuperBlock {
    fn type_name(&self) -> &str {
        "BlockReference"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn get_attr(&self, _interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        if name != "super"
            || self
                .context
                .find_block(&self.name, self.level + 1)
                .is_none()
        {
            return Ok(None);
        }
        Ok(Some(Value::object(SuperBlock {
            context: self.context.clone(),
            name: self.name.clone(),
            level: self.level + 1,
        })))
    }

    fn call(&self, interp: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        args.none("super")?;
        let context = std::mem::replace(&mut interp.context, self.context.clone());
        let result = interp.capture(|this| this.run_block(&self.name, self.level, false));
        interp.context = context;
        result
    }
}
