//! A task with the blocks and the play around it: what it inherits, and from whom.

use rustle_formats::Value;
use rustle_formats::plan::{Block, PlayPlan, Task};

/// A task and everything that it inherits keywords from.
#[derive(Clone)]
pub(crate) struct Frame<'p> {
    /// The play.
    pub play: &'p PlayPlan,
    /// The blocks around the task, outermost first.
    pub blocks: Vec<&'p Block>,
    /// The task.
    pub task: &'p Task,
    /// Whether it is run as a handler.
    pub handler: bool,
}

macro_rules! inherited {
    ($($(#[$doc:meta])* $name:ident: $field:ident;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(&self) -> Option<&'p Value> {
            let mut found = self.task.$field.as_ref();
            for block in self.blocks.iter().rev() {
                found = found.or(block.$field.as_ref());
            }
            found.or(self.play.$field.as_ref())
        })*
    };
}

macro_rules! inherited_from_blocks {
    ($($(#[$doc:meta])* $name:ident: $field:ident;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(&self) -> Option<&'p Value> {
            let mut found = self.task.$field.as_ref();
            for block in self.blocks.iter().rev() {
                found = found.or(block.$field.as_ref());
            }
            found
        })*
    };
}

impl<'p> Frame<'p> {
    /// A handler in its play.
    pub(crate) fn of_handler(play: &'p PlayPlan, task: &'p Task) -> Frame<'p> {
        Frame {
            play,
            blocks: Vec::new(),
            task,
            handler: true,
        }
    }

    inherited! {
        /// `become`.
        become_: become_;
        /// `become_user`.
        become_user: become_user;
        /// `become_method`.
        become_method: become_method;
        /// `become_flags`.
        become_flags: become_flags;
        /// `check_mode`.
        check_mode: check_mode;
        /// `diff`.
        diff: diff;
        /// `no_log`.
        no_log: no_log;
        /// `ignore_errors`.
        ignore_errors: ignore_errors;
        /// `ignore_unreachable`.
        ignore_unreachable: ignore_unreachable;
        /// `any_errors_fatal`.
        any_errors_fatal: any_errors_fatal;
        /// `timeout`.
        timeout: timeout;
    }

    inherited_from_blocks! {
        /// `become_exe`.
        become_exe: become_exe;
        /// `delegate_to`.
        delegate_to: delegate_to;
        /// `delegate_facts`.
        delegate_facts: delegate_facts;
        /// `run_once`.
        run_once: run_once;
    }

    /// All conditions, from the outside in.
    pub(crate) fn when(&self) -> impl Iterator<Item = &'p Value> {
        self.play
            .when
            .0
            .iter()
            .chain(self.blocks.iter().flat_map(|b| b.when.0.iter()))
            .chain(&self.task.when.0)
    }

    /// The handlers to notify: the task's, else those of the nearest block that has some.
    pub(crate) fn notify(&self) -> &'p [String] {
        let blocks = self.blocks.iter().rev().map(|b| b.notify.as_slice());
        std::iter::once(self.task.notify.as_slice())
            .chain(blocks)
            .find(|names| !names.is_empty())
            .unwrap_or_default()
    }

    /// Mappings (or lists of them) of a keyword that adds up, from the outside in.
    pub(crate) fn environment(&self) -> impl Iterator<Item = &'p Value> {
        let blocks: Vec<&'p Value> = self
            .blocks
            .iter()
            .filter_map(|b| b.environment.as_ref())
            .collect();
        flat(
            self.play
                .environment
                .iter()
                .chain(blocks)
                .chain(&self.task.environment),
        )
    }

    /// `module_defaults`, from the outside in.
    pub(crate) fn module_defaults(&self) -> impl Iterator<Item = &'p Value> {
        let blocks: Vec<&'p Value> = self
            .blocks
            .iter()
            .filter_map(|b| b.module_defaults.as_ref())
            .collect();
        flat(
            self.play
                .module_defaults
                .iter()
                .chain(blocks)
                .chain(&self.task.module_defaults),
        )
    }

    /// The name as it is written: the module's where there is none.
    pub(crate) fn written_name(&self) -> &'p str {
        if self.task.name.is_empty() {
            &self.task.module
        } else {
            &self.task.name
        }
    }
}

fn flat<'p>(values: impl Iterator<Item = &'p Value>) -> impl Iterator<Item = &'p Value> {
    values.flat_map(|value| match value {
        Value::List(list) => list.iter().collect::<Vec<_>>(),
        one => vec![one],
    })
}
