//! The tasks and blocks of a plan, each with its place and what is around it.

use std::rc::Rc;

use rustle_formats::Value;
use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};

use crate::engine::{Frame, Level};

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
}

/// A block and where it stands.
pub(super) struct PlacedBlock<'p> {
    pub(super) pointer: String,
    pub(super) block: &'p Block,
    pub(super) play: usize,
    /// The blocks around it, outermost first, without itself.
    pub(super) around: Rc<[usize]>,
    pub(super) rescued: bool,
}

/// All tasks and blocks, in the order of the document.
#[derive(Default)]
pub(super) struct Tree<'p> {
    pub(super) tasks: Vec<Placed<'p>>,
    pub(super) blocks: Vec<PlacedBlock<'p>>,
}

/// What the tasks of one list have in common.
#[derive(Clone)]
struct Around {
    play: usize,
    item: usize,
    blocks: Rc<[usize]>,
    rescued: bool,
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
                        item,
                        blocks: none.clone(),
                        rescued: false,
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
                tree.tasks.push(Placed {
                    pointer: format!("/plays/{p}/handlers/{h}"),
                    task,
                    play: p,
                    handler: true,
                    blocks: none.clone(),
                    item: None,
                    rescued: false,
                });
            }
        }
        tree
    }

    fn item(&mut self, item: &'p Item, pointer: String, around: &Around) {
        let block = match item {
            Item::Block(block) => block,
            Item::Task(task) => {
                self.tasks.push(Placed {
                    pointer,
                    task,
                    play: around.play,
                    handler: false,
                    blocks: around.blocks.clone(),
                    item: Some(around.item),
                    rescued: around.rescued,
                });
                return;
            }
        };
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
        Some(Frame {
            play: plan.plays.get(placed.play)?,
            around: placed
                .blocks
                .iter()
                .map(|b| Level::Block(self.blocks[*b].block))
                .collect(),
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
