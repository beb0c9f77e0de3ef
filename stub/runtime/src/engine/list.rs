//! What a run would do, without doing it: `--list-tasks`.

use std::rc::Rc;

use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, Item, PlayPlan, Source, Task};

use super::level::Level;
use super::role::Role;
use super::{Frame, Options, tags};

/// How deep blocks and roles are followed.
const MAX_DEPTH: usize = 500;

/// A task as `--list-tasks` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedTask {
    /// Index of its play.
    pub play: usize,
    /// Its id.
    pub id: String,
    /// Its name, with the role before it; not templated.
    pub name: String,
    /// Its tags with those that it inherits, sorted.
    pub tags: Vec<String>,
    /// Where it was written.
    pub source: Option<Source>,
}

/// The tasks that the options' tags select, in the order of the plan, those of roles among them. `meta` tasks are left
/// out, as Ansible does.
pub fn list_tasks(plan: &ExecutionPlan, options: &Options) -> Vec<ListedTask> {
    let mut out = Vec::new();
    for (index, play) in plan.plays.iter().enumerate() {
        let Ok(turns) = super::batches::order(play) else {
            continue;
        };
        let mut list = List {
            plan,
            index,
            play,
            options,
            around: Vec::new(),
            out: &mut out,
        };
        for turn in turns {
            list.item(turn.content);
        }
    }
    out
}

struct List<'l, 'p> {
    plan: &'p ExecutionPlan,
    index: usize,
    play: &'p PlayPlan,
    options: &'l Options,
    around: Vec<Level<'p>>,
    out: &'l mut Vec<ListedTask>,
}

impl<'p> List<'_, 'p> {
    fn item(&mut self, item: &'p Item) {
        match item {
            Item::Task(task) => self.task(task),
            Item::Block(block) => {
                self.around.push(Level::Block(block));
                if let Some(used) = &block.use_role
                    && let Ok(role) = Role::of_block(self.plan, block, used)
                {
                    self.role(&role);
                }
                for inner in block.block.iter().chain(&block.rescue).chain(&block.always) {
                    self.item(inner);
                }
                self.around.pop();
            }
        }
    }

    fn role(&mut self, role: &Rc<Role<'p>>) {
        if self.around.len() > MAX_DEPTH {
            return;
        }
        self.around.push(Level::Role(role.clone()));
        for (entry, dependency) in &role.dependencies {
            self.around.push(Level::Block(entry));
            self.role(dependency);
            self.around.pop();
        }
        for item in role.tasks {
            self.item(item);
        }
        self.around.pop();
    }

    fn task(&mut self, task: &'p Task) {
        let frame = Frame {
            play: self.play,
            around: self.around.clone(),
            task,
            handler: false,
        };
        let mut effective = frame.tags();
        if super::meta::is_meta(&task.module)
            || !tags::selected(&effective, &self.options.tags, &self.options.skip_tags)
        {
            return;
        }
        order::sort(&mut effective);
        let name = frame.written_name();
        self.out.push(ListedTask {
            play: self.index,
            id: task.id.clone(),
            name: match frame.role_name() {
                Some(role) if !role.is_empty() => format!("{role} : {name}"),
                _ => name.to_string(),
            },
            tags: effective.into_iter().map(str::to_owned).collect(),
            source: task.source.clone(),
        });
    }
}
