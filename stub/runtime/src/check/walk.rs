//! Every task of a plan with its place and what it inherits.

use rustle_formats::plan::{Block, ExecutionPlan, Item};

use super::Problem;
use crate::engine::Frame;

/// A task in its place.
pub(super) struct Placed<'p> {
    /// Its JSON pointer.
    pub pointer: String,
    /// The task with its play and blocks.
    pub frame: Frame<'p>,
    /// The number of its play.
    pub play: usize,
    /// Whether a failure would be caught or ignored: then a mistake may be meant.
    pub forgiven: bool,
}

impl Placed<'_> {
    /// A finding about this task; `below` is the rest of the pointer.
    pub(super) fn problem(&self, below: &str, message: impl Into<String>) -> Problem {
        let task = self.frame.task;
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Problem {
            task: some(&task.id),
            name: some(&task.name),
            source: task.source.clone().filter(|s| s.line > 0),
            pointer: format!("{}{below}", self.pointer),
            key: false,
            message: message.into(),
            hint: None,
        }
    }
}

/// A key as a JSON pointer writes it.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// All tasks, in the order of the document, handlers after the tasks of their play.
pub(super) fn tasks(plan: &ExecutionPlan) -> Vec<Placed<'_>> {
    let mut out = Vec::new();
    for (p, play) in plan.plays.iter().enumerate() {
        let mut walk = Walk {
            plan,
            play: p,
            blocks: Vec::new(),
            forgiven: false,
            out: &mut out,
        };
        for (b, batch) in play.batches.iter().enumerate() {
            walk.items(&batch.tasks, &format!("/plays/{p}/batches/{b}/tasks"));
        }
        for (h, task) in play.handlers.iter().enumerate() {
            out.push(Placed {
                pointer: format!("/plays/{p}/handlers/{h}"),
                frame: Frame {
                    play,
                    blocks: Vec::new(),
                    task,
                    handler: true,
                },
                play: p,
                forgiven: task.ignore_errors.is_some(),
            });
        }
    }
    out
}

struct Walk<'w, 'p> {
    plan: &'p ExecutionPlan,
    play: usize,
    blocks: Vec<&'p Block>,
    forgiven: bool,
    out: &'w mut Vec<Placed<'p>>,
}

impl<'p> Walk<'_, 'p> {
    fn items(&mut self, items: &'p [Item], at: &str) {
        for (i, item) in items.iter().enumerate() {
            let pointer = format!("{at}/{i}");
            match item {
                Item::Task(task) => {
                    let frame = Frame {
                        play: &self.plan.plays[self.play],
                        blocks: self.blocks.clone(),
                        task,
                        handler: false,
                    };
                    let ignored = frame.ignore_errors().is_some();
                    self.out.push(Placed {
                        pointer,
                        frame,
                        play: self.play,
                        forgiven: self.forgiven || ignored,
                    });
                }
                Item::Block(block) => {
                    self.blocks.push(block);
                    let before = self.forgiven;
                    self.forgiven |= !block.rescue.is_empty();
                    self.items(&block.block, &format!("{pointer}/block"));
                    self.forgiven = before;
                    self.items(&block.rescue, &format!("{pointer}/rescue"));
                    self.items(&block.always, &format!("{pointer}/always"));
                    self.blocks.pop();
                }
            }
        }
    }
}
