//! A task with the blocks and the play around it: what it inherits, and from whom.

use std::rc::Rc;

use rustle_formats::Value;
use rustle_formats::plan::{Block, PlayPlan, Task};

use super::level::Level;
use super::role::Role;

/// A task and everything that it inherits keywords from.
#[derive(Clone)]
pub(crate) struct Frame<'p> {
    /// The play.
    pub play: &'p PlayPlan,
    /// What is around the task, outermost first.
    pub around: Vec<Level<'p>>,
    /// The task.
    pub task: &'p Task,
    /// Whether it is run as a handler.
    pub handler: bool,
}

macro_rules! inherited {
    ($($(#[$doc:meta])* $name:ident: $field:ident;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(&self) -> Option<&Value> {
            let mut found = self.task.$field.as_ref();
            for block in self.blocks().rev() {
                found = found.or(block.$field.as_ref());
            }
            found.or(self.play.$field.as_ref())
        })*
    };
}

macro_rules! inherited_from_blocks {
    ($($(#[$doc:meta])* $name:ident: $field:ident;)*) => {
        $($(#[$doc])*
        pub(crate) fn $name(&self) -> Option<&Value> {
            let mut found = self.task.$field.as_ref();
            for block in self.blocks().rev() {
                found = found.or(block.$field.as_ref());
            }
            found
        })*
    };
}

impl<'p> Frame<'p> {
    /// The blocks around the task that hand down keywords, outermost first.
    pub(crate) fn blocks(&self) -> impl DoubleEndedIterator<Item = &Block> {
        self.around.iter().filter_map(Level::block)
    }

    /// The roles around the task, outermost first: its own is the last.
    pub(crate) fn roles(&self) -> impl DoubleEndedIterator<Item = &Rc<Role<'p>>> {
        self.around.iter().filter_map(|level| match level {
            Level::Role(role) => Some(role),
            _ => None,
        })
    }

    /// The role that the task belongs to.
    pub(crate) fn role(&self) -> Option<&Rc<Role<'p>>> {
        self.roles().next_back()
    }

    /// The role's name as it is printed before the task's.
    pub(crate) fn role_name(&self) -> Option<&str> {
        let own = self.task.role.as_deref();
        own.or_else(|| self.role().map(|role| role.name))
    }

    /// Folders of assets in which files of the task are looked for: those that it names, else those of its roles.
    pub(crate) fn folders(&self) -> Vec<String> {
        if !self.task.asset_paths.is_empty() {
            return self.task.asset_paths.clone();
        }
        let roles = self.roles().rev().map(|role| role.plan.path.clone());
        let mut out: Vec<String> = roles.filter(|path| !path.is_empty()).collect();
        // After the roles comes the folder of the file that the task is written in.
        let file = self.task.source.as_ref().map(|source| source.file.as_str());
        let folder = file.and_then(|file| Some(file.rsplit_once('/')?.0));
        let within = folder.and_then(|folder| {
            out.iter().find_map(|role| {
                let at = folder.find(role.as_str())?;
                let rest = folder[at..].strip_prefix(role.as_str())?;
                rest.starts_with('/').then(|| folder[at..].to_owned())
            })
        });
        out.extend(within);
        out
    }

    /// `become` of the task and of what is around it, the nearest first.
    pub(crate) fn become_(&self) -> impl Iterator<Item = &Value> {
        let blocks = self.blocks().rev().map(|block| &block.become_);
        let own = std::iter::once(&self.task.become_).chain(blocks);
        own.chain([&self.play.become_]).flatten()
    }

    inherited! {
        /// `become_user`.
        become_user: become_user;
        /// `become_method`.
        become_method: become_method;
        /// `become_flags`.
        become_flags: become_flags;
        /// `become_exe`.
        become_exe: become_exe;
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
        /// `remote_user`.
        remote_user: remote_user;
        /// `throttle`.
        throttle: throttle;
        /// `timeout`.
        timeout: timeout;
    }

    inherited_from_blocks! {
        /// `delegate_to`.
        delegate_to: delegate_to;
        /// `delegate_facts`.
        delegate_facts: delegate_facts;
        /// `run_once`.
        run_once: run_once;
    }

    /// All conditions, from the outside in.
    pub(crate) fn when(&self) -> impl Iterator<Item = &Value> {
        self.play
            .when
            .0
            .iter()
            .chain(self.blocks().flat_map(|b| b.when.0.iter()))
            .chain(&self.task.when.0)
    }

    /// The handlers to notify: the task's, else those of the nearest block that has some.
    pub(crate) fn notify(&self) -> &[String] {
        let blocks = self.blocks().rev().map(|b| b.notify.as_slice());
        std::iter::once(self.task.notify.as_slice())
            .chain(blocks)
            .find(|names| !names.is_empty())
            .unwrap_or_default()
    }

    /// Mappings (or lists of them) of a keyword that adds up, from the outside in.
    pub(crate) fn environment(&self) -> impl Iterator<Item = &Value> {
        let blocks = self.blocks().filter_map(|b| b.environment.as_ref());
        flat(
            self.play
                .environment
                .iter()
                .chain(blocks)
                .chain(&self.task.environment),
        )
    }

    /// `module_defaults`, from the outside in.
    pub(crate) fn module_defaults(&self) -> impl Iterator<Item = &Value> {
        let blocks = self.blocks().filter_map(|b| b.module_defaults.as_ref());
        flat(
            self.play
                .module_defaults
                .iter()
                .chain(blocks)
                .chain(&self.task.module_defaults),
        )
    }

    /// All tags: the play's, those of what is around the task, and its own.
    pub(crate) fn tags(&self) -> Vec<&str> {
        super::tags::effective(self.play, self.blocks(), self.task)
    }

    /// The name as it is written: the module's where there is none.
    pub(crate) fn written_name(&self) -> std::borrow::Cow<'_, str> {
        if !self.task.name.is_empty() {
            return self.task.name.as_str().into();
        }
        match self.task.args.get("name") {
            Some(Value::Str(role)) if super::includes::is_include_role(&self.task.module) => {
                format!("{} : {role}", self.task.module).into()
            }
            _ => self.task.module.as_str().into(),
        }
    }
}

fn flat<'v>(values: impl Iterator<Item = &'v Value>) -> impl Iterator<Item = &'v Value> {
    values.flat_map(|value| match value {
        Value::List(list) => list.iter().collect::<Vec<_>>(),
        one => vec![one],
    })
}
