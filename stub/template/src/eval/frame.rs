//! Where names that templates set live. Frames nest; a macro keeps the frame that it was defined in.

use std::cell::RefCell;
use std::rc::Rc;

use crate::value::Value;

/// One level of names.
pub(crate) struct Frame {
    names: RefCell<Vec<(Rc<str>, Value)>>,
    parent: Option<Rc<Frame>>,
    /// Variables are not visible from here (an import without context).
    isolated: bool,
}

impl Frame {
    /// The outermost frame of a template.
    pub(crate) fn root(isolated: bool) -> Rc<Frame> {
        Rc::new(Frame {
            names: RefCell::new(Vec::new()),
            parent: None,
            isolated,
        })
    }

    /// A frame inside another.
    pub(crate) fn inside(parent: &Rc<Frame>) -> Rc<Frame> {
        Rc::new(Frame {
            names: RefCell::new(Vec::new()),
            parent: Some(parent.clone()),
            isolated: parent.isolated,
        })
    }

    /// Sets a name in this frame.
    pub(crate) fn set(&self, name: &Rc<str>, value: Value) {
        let mut names = self.names.borrow_mut();
        match names.iter_mut().find(|(known, _)| known == name) {
            Some(slot) => slot.1 = value,
            None => names.push((name.clone(), value)),
        }
    }

    /// Looks a name up here and further out.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let mut frame = self;
        loop {
            if let Some((_, value)) = frame
                .names
                .borrow()
                .iter()
                .find(|(known, _)| &**known == name)
            {
                return Some(value.clone());
            }
            frame = frame.parent.as_deref()?;
        }
    }

    /// Replaces the value of a name where it is set; false if it is set nowhere.
    pub(crate) fn replace(&self, name: &str, value: &Value) -> bool {
        let mut frame = self;
        loop {
            if let Some(slot) = frame
                .names
                .borrow_mut()
                .iter_mut()
                .find(|(known, _)| &**known == name)
            {
                slot.1 = value.clone();
                return true;
            }
            match frame.parent.as_deref() {
                Some(parent) => frame = parent,
                None => return false,
            }
        }
    }

    /// The names set in this frame itself.
    pub(crate) fn own(&self) -> Vec<(Rc<str>, Value)> {
        self.names.borrow().clone()
    }

    /// Forgets the names of this frame. Frames and the macros in them hold each other; this lets them go.
    pub(crate) fn clear(&self) {
        let names = std::mem::take(&mut *self.names.borrow_mut());
        drop(names);
    }

    /// True if variables are not visible from here.
    pub(crate) fn is_isolated(&self) -> bool {
        self.isolated
    }
}
