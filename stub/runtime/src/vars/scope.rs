//! One task's view of the variables.

use std::cell::{Cell, RefCell};

use rustle_formats::{Map, Value};

use super::{PlayVars, Store, magic};
use crate::engine::Frame;

/// What a task's view is made of.
pub(crate) struct TaskScope<'a, 'r> {
    /// The run's variables.
    pub store: &'a Store<'r>,
    /// The play's.
    pub play: &'a PlayVars<'r>,
    /// The task with its blocks; none while a play's own keywords are looked at.
    pub frame: Option<&'a Frame<'r>>,
}

/// A task's view of the variables: the layers of [`TaskScope`] under those of the loop and of the task's result.
pub(crate) struct TaskVars<'a, 'r> {
    scope: TaskScope<'a, 'r>,
    /// The loop's variables and the task's own result: data, and stronger than everything.
    top: RefCell<Map>,
    /// Whether the task only predicts, and whether it shows differences.
    modes: Cell<(bool, bool)>,
}

impl<'a, 'r> TaskVars<'a, 'r> {
    pub(crate) fn new(scope: TaskScope<'a, 'r>) -> TaskVars<'a, 'r> {
        let options = scope.store.options;
        TaskVars {
            top: RefCell::default(),
            modes: Cell::new((options.check, options.diff)),
            scope,
        }
    }

    /// Says in which modes the task runs.
    pub(crate) fn set_modes(&self, check: bool, diff: bool) {
        self.modes.set((check, diff));
    }

    /// The modes that the task runs in: check and diff.
    pub(crate) fn modes(&self) -> (bool, bool) {
        self.modes.get()
    }

    /// Forgets what [`TaskVars::set_top`] set.
    pub(crate) fn unset_top(&self, name: &str) {
        self.scope.store.touch();
        self.top.borrow_mut().shift_remove(name);
    }

    /// Sets a variable of the loop, or the result while conditions look at it.
    pub(crate) fn set_top(&self, name: &str, value: Value) {
        self.scope.store.touch();
        self.top.borrow_mut().insert(name.to_owned(), value);
    }

    /// The run's variables.
    pub(crate) fn store(&self) -> &'a Store<'r> {
        self.scope.store
    }

    /// What the view is made of.
    pub(crate) fn scope(&self) -> &TaskScope<'a, 'r> {
        &self.scope
    }

    /// Calls `look` with the variable's value and whether text in it may be a template.
    pub(crate) fn with<R>(&self, name: &str, look: impl FnOnce(&Value, bool) -> R) -> Option<R> {
        if let Some(value) = self.top.borrow().get(name) {
            return Some(look(value, false));
        }
        let store = self.scope.store;
        if let Some(value) = magic::value(self, name) {
            return Some(look(&value, false));
        }
        if let Some(value) = store.extra.get(name) {
            return Some(look(value, true));
        }
        if let Some(value) = store.fresh.borrow().get(name) {
            return Some(look(value, false));
        }
        if let Some(value) = store.included.borrow().get(name) {
            return Some(look(value, true));
        }
        if let Some(value) = self.written(name) {
            return Some(look(value, true));
        }
        if let Some(value) = store.facts.borrow().get(name) {
            return Some(look(value, false));
        }
        if let Some(value) = store.inventory.get(name) {
            return Some(look(value, true));
        }
        if store.plan.secrets.iter().any(|s| s.name == name) {
            return Some(look(&Value::Secret(name.to_owned()), true));
        }
        magic::fallback(&self.scope, name).map(|value| look(&value, false))
    }

    /// A variable of the task, its blocks, or its play.
    fn written(&self, name: &str) -> Option<&'r Value> {
        if let Some(frame) = self.scope.frame {
            if let Some(value) = frame.task.vars.get(name) {
                return Some(value);
            }
            for block in frame.blocks.iter().rev() {
                if let Some(value) = block.vars.get(name) {
                    return Some(value);
                }
            }
        }
        let play = self.scope.play.play?;
        play.vars_files
            .iter()
            .rev()
            .chain(std::iter::once(&play.vars))
            .find_map(|layer| layer.get(name))
    }

    /// The names of all variables.
    pub(crate) fn names(&self) -> Vec<String> {
        let store = self.scope.store;
        let mut names: Vec<String> = magic::NAMES.iter().map(|n| (*n).to_owned()).collect();
        names.extend(self.top.borrow().keys().cloned());
        names.extend(store.extra.keys().cloned());
        names.extend(store.fresh.borrow().keys().cloned());
        names.extend(store.included.borrow().keys().cloned());
        if let Some(frame) = self.scope.frame {
            names.extend(frame.task.vars.keys().cloned());
            for block in &frame.blocks {
                names.extend(block.vars.keys().cloned());
            }
        }
        if let Some(play) = self.scope.play.play {
            for layer in play.vars_files.iter().chain(std::iter::once(&play.vars)) {
                names.extend(layer.keys().cloned());
            }
        }
        names.extend(store.facts.borrow().keys().cloned());
        names.extend(store.inventory.keys().cloned());
        names.extend(store.plan.secrets.iter().map(|s| s.name.clone()));
        names.sort_unstable();
        names.dedup();
        names
    }
}
