//! What lies between a play and one of its tasks: blocks, roles, and what brought a file of tasks in.

use std::rc::Rc;

use rustle_formats::plan::Block;
use rustle_formats::{Map, Value};

use super::role::Role;

/// One level around a task.
#[derive(Clone)]
pub(crate) enum Level<'p> {
    /// A block, or the entry that uses a role: keywords and variables.
    Block(&'p Block),
    /// A role whose tasks follow.
    Role(Rc<Role<'p>>),
    /// A task that included what follows.
    Include(Rc<Included>),
}

/// What an including task hands down to the tasks that it brought in.
#[derive(Debug, Default)]
pub(crate) struct Included {
    /// Its variables. Stronger than facts that were set.
    pub vars: Map,
    /// The variables of its loop: data, never templates.
    pub data: Map,
    /// `apply`: keywords for the tasks.
    pub apply: Option<Block>,
    /// The file of tasks, by its name in the plan; none for a role.
    pub file: Option<String>,
}

impl Level<'_> {
    /// The level of a file of tasks, whoever includes it.
    pub(crate) fn of_file(file: &str) -> Self {
        Level::Include(Rc::new(Included {
            file: Some(file.to_owned()),
            ..Included::default()
        }))
    }

    /// The keywords that it hands down. An including task hands down none of its own.
    pub(crate) fn block(&self) -> Option<&Block> {
        match self {
            Level::Block(block) => Some(block),
            Level::Role(_) => None,
            Level::Include(included) => included.apply.as_ref(),
        }
    }

    /// A variable of a block.
    pub(crate) fn var(&self, name: &str) -> Option<&Value> {
        self.block().and_then(|b| b.vars.get(name))
    }

    /// A variable of an including task, and whether text in it may be a template.
    pub(crate) fn include_var(&self, name: &str) -> Option<(&Value, bool)> {
        match self {
            Level::Include(included) => {
                let data = included.data.get(name).map(|v| (v, false));
                data.or_else(|| included.vars.get(name).map(|v| (v, true)))
            }
            _ => None,
        }
    }

    /// The names of all its variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let block = self.block().into_iter().flat_map(|b| b.vars.keys());
        let included = match self {
            Level::Include(included) => Some(included.vars.keys().chain(included.data.keys())),
            _ => None,
        };
        block.chain(included.into_iter().flatten())
    }

    /// The file that the tasks below it come from, where it begins one.
    pub(crate) fn file(&self) -> Option<&str> {
        match self {
            Level::Block(block) => block.file.as_deref(),
            Level::Role(_) => None,
            Level::Include(included) => included.file.as_deref(),
        }
    }
}
