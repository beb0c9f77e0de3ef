//! The tasks and blocks of a plan, each with its place and what is around it.

use std::collections::HashMap;
use std::rc::Rc;

use rustle_formats::Value;
use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};

use super::escaped;
use crate::engine::{Frame, Level, Role};

/// A task and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed<'p> {
    /// Its JSON pointer.
    pub(super) pointer: String,
    /// The task.
    pub(super) task: &'p Task,
    /// The number of its play.
    pub(super) play: usize,
    /// Whether it is a handler.
    pub(super) handler: bool,
    /// The blocks around it, outermost first.
    pub(super) blocks: Rc<[usize]>,
    /// Which item of its play it is, or is part of; handlers are none.
    pub(super) item: Option<usize>,
    /// Whether it may fail without harm, or runs only after a failure.
    pub(super) rescued: bool,
    /// What it belongs to beside a play.
    pub(super) home: Home<'p>,
}

/// What a task belongs to that several plays may use. Its `play` is then the plan's first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Home<'p> {
    /// The key of its role.
    pub(super) role: Option<&'p str>,
    /// The file that `include_tasks` may bring it in from.
    pub(super) file: Option<&'p str>,
}

impl Home<'_> {
    /// Whether several plays may run it, each with variables of its own.
    pub(super) fn is_shared(&self) -> bool {
        self.role.is_some() || self.file.is_some()
    }
}

/// A block and where it stands.
pub(super) struct PlacedBlock<'p> {
    pub(super) pointer: String,
    pub(super) block: &'p Block,
    pub(super) play: usize,
    /// The blocks around it, outermost first, without itself.
    pub(super) around: Rc<[usize]>,
    pub(super) rescued: bool,
    pub(super) home: Home<'p>,
}

/// All tasks and blocks, in the order of the document.
#[derive(Default)]
pub(super) struct Tree<'p> {
    pub(super) tasks: Vec<Placed<'p>>,
    pub(super) blocks: Vec<PlacedBlock<'p>>,
    /// The roles of the plan, as they are without parameters; those that cannot be used at all are left out.
    roles: HashMap<&'p str, Rc<Role<'p>>>,
}

/// What the tasks of one list have in common.
#[derive(Clone)]
struct Around<'p> {
    play: usize,
    item: Option<usize>,
    blocks: Rc<[usize]>,
    rescued: bool,
    home: Home<'p>,
}

impl<'p> Tree<'p> {
    pub(super) fn of(plan: &'p ExecutionPlan) -> Tree<'p> {
        let mut tree = Tree::default();
        let none: Rc<[usize]> = Rc::from([]);
        for (p, play) in plan.plays.iter().enumerate() {
            let mut item = 0;
            for (b, batch) in play.batches.iter().enumerate() {
                for (t, content) in batch.tasks.iter().enumerate() {
                    let around = Around {
                        play: p,
                        item: Some(item),
                        blocks: none.clone(),
                        rescued: false,
                        home: Home::default(),
                    };
                    tree.item(
                        content,
                        format!("/plays/{p}/batches/{b}/tasks/{t}"),
                        &around,
                    );
                    item += 1;
                }
            }
            for (h, task) in play.handlers.iter().enumerate() {
                let pointer = format!("/plays/{p}/handlers/{h}");
                tree.handler(task, pointer, p, Home::default());
            }
        }
        tree.shared(plan);
        tree
    }

    fn handler(&mut self, task: &'p Task, pointer: String, play: usize, home: Home<'p>) {
        self.tasks.push(Placed {
            pointer,
            task,
            play,
            handler: true,
            blocks: Rc::from([]),
            item: None,
            rescued: false,
            home,
        });
    }

    /// The tasks of roles, and those that may be included.
    fn shared(&mut self, plan: &'p ExecutionPlan) {
        let around = |home| Around {
            play: 0,
            item: None,
            blocks: Rc::from([]),
            rescued: false,
            home,
        };
        for (key, role) in &plan.roles {
            if let Ok(found) = Role::plain(plan, (key, role)) {
                self.roles.insert(key, found);
            }
            let base = format!("/roles/{}", escaped(key));
            let home = Home {
                role: Some(key),
                file: None,
            };
            for (i, block) in role.dependencies.iter().enumerate() {
                self.block(block, format!("{base}/dependencies/{i}"), &around(home));
            }
            for (name, items) in &role.tasks {
                let base = format!("{base}/tasks/{}", escaped(name));
                for (i, item) in items.iter().enumerate() {
                    self.item(item, format!("{base}/{i}"), &around(home));
                }
            }
            for (name, handlers) in &role.handlers {
                for (i, task) in handlers.iter().enumerate() {
                    let pointer = format!("{base}/handlers/{}/{i}", escaped(name));
                    self.handler(task, pointer, 0, home);
                }
            }
        }
        for (file, items) in &plan.task_files {
            let mut owners = plan.roles.iter().filter(|(_, role)| {
                !role.path.is_empty()
                    && file
                        .strip_prefix(role.path.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            });
            let home = Home {
                role: owners.next().map(|(key, _)| key.as_str()),
                file: Some(file),
            };
            for (i, item) in items.iter().enumerate() {
                let pointer = format!("/task_files/{}/{i}", escaped(file));
                self.item(item, pointer, &around(home));
            }
        }
    }

    fn item(&mut self, item: &'p Item, pointer: String, around: &Around<'p>) {
        let block = match item {
            Item::Block(block) => block,
            Item::Task(task) => {
                self.tasks.push(Placed {
                    pointer,
                    task,
                    play: around.play,
                    handler: false,
                    blocks: around.blocks.clone(),
                    item: around.item,
                    rescued: around.rescued,
                    home: around.home,
                });
                return;
            }
        };
        self.block(block, pointer, around);
    }

    fn block(&mut self, block: &'p Block, pointer: String, around: &Around<'p>) {
        let blocks: Vec<usize> = around
            .blocks
            .iter()
            .copied()
            .chain([self.blocks.len()])
            .collect();
        self.blocks.push(PlacedBlock {
            pointer: pointer.clone(),
            block,
            play: around.play,
            around: around.blocks.clone(),
            rescued: around.rescued,
            home: around.home,
        });
        let blocks: Rc<[usize]> = blocks.into();
        let has_rescue = !block.rescue.is_empty();
        for (name, part, rescued) in [
            ("block", &block.block, has_rescue),
            ("rescue", &block.rescue, true),
            ("always", &block.always, false),
        ] {
            let inside = Around {
                blocks: blocks.clone(),
                rescued: around.rescued || rescued,
                ..around.clone()
            };
            for (i, item) in part.iter().enumerate() {
                self.item(item, format!("{pointer}/{name}/{i}"), &inside);
            }
        }
    }

    /// The task as the engine sees it.
    pub(super) fn frame(&self, plan: &'p ExecutionPlan, placed: &Placed<'p>) -> Option<Frame<'p>> {
        let role = placed.home.role.and_then(|key| self.roles.get(key));
        let mut around: Vec<Level<'p>> = role.cloned().map(Level::Role).into_iter().collect();
        around.extend(placed.home.file.map(Level::of_file));
        let blocks = placed.blocks.iter();
        around.extend(blocks.map(|b| Level::Block(self.blocks[*b].block)));
        Some(Frame {
            play: plan.plays.get(placed.play)?,
            around,
            task: placed.task,
            handler: placed.handler,
        })
    }
}

/// Whether a condition says nothing: it always holds.
pub(super) fn always_holds(condition: &Value) -> bool {
    match condition {
        Value::Bool(holds) => *holds,
        Value::Null => true,
        Value::Str(text) => matches!(text.trim(), "" | "true" | "True"),
        _ => false,
    }
}
