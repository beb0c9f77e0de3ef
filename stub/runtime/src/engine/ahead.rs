//! What is known of a play before it begins: the roles that it uses, and what cannot be done at all.

use std::rc::Rc;

use rustle_formats::Value;
use rustle_formats::plan::{ExecutionPlan, Item, PlayPlan};

use super::Frame;
use super::level::Level;
use super::role::Role;
use super::runner::Abort;
use crate::r#become;

/// A role that a play uses, and what is around the use.
pub(crate) struct Used<'p> {
    pub role: Rc<Role<'p>>,
    pub around: Vec<Level<'p>>,
    /// Whether `import_role` uses it.
    pub imported: bool,
}

/// The roles that items use without asking at run time, in order; roles that others depend on come with those.
///
/// # Errors
/// Where the plan does not have one.
pub(crate) fn roles<'p>(
    plan: &'p ExecutionPlan,
    items: impl Iterator<Item = &'p Item>,
    around: &[Level<'p>],
) -> Result<Vec<Used<'p>>, String> {
    let mut walk = Walk {
        plan,
        around: around.to_vec(),
        out: Vec::new(),
    };
    for item in items {
        walk.item(item)?;
    }
    Ok(walk.out)
}

struct Walk<'p> {
    plan: &'p ExecutionPlan,
    around: Vec<Level<'p>>,
    out: Vec<Used<'p>>,
}

impl<'p> Walk<'p> {
    fn item(&mut self, item: &'p Item) -> Result<(), String> {
        let Item::Block(block) = item else {
            return Ok(());
        };
        self.around.push(Level::Block(block));
        if let Some(used) = &block.use_role {
            if self.around.len() > MAX_DEPTH {
                return Err(format!("the role '{}' uses itself", used.role));
            }
            let role = Role::of_block(self.plan, block, used)?;
            self.out.push(Used {
                role: role.clone(),
                around: self.around.clone(),
                imported: used.imported == Some(true),
            });
            self.around.push(Level::Role(role.clone()));
            for inner in role.tasks {
                self.item(inner)?;
            }
            self.around.pop();
        }
        for inner in block.block.iter().chain(&block.rescue).chain(&block.always) {
            self.item(inner)?;
        }
        self.around.pop();
        Ok(())
    }
}

/// How deep blocks and roles that are known when planning may be in each other.
const MAX_DEPTH: usize = 500;

/// Tasks that become another user need root. It is said before the play changes anything, where it can be known then.
pub(crate) fn refuse_impossible(play: &PlayPlan) -> Result<(), Abort> {
    if r#become::is_root() {
        return Ok(());
    }
    let Some(own) = r#become::own_name() else {
        return Ok(());
    };
    for (frame, pinned) in frames(play) {
        let wants = matches!(frame.become_(), Some(Value::Bool(true)));
        let user = match frame.become_user() {
            None => "root",
            Some(Value::Str(user)) if !user.contains("{{") => user,
            Some(_) => continue,
        };
        let on_target = crate::modules::find(&frame.task.module)
            .is_some_and(|m| m.spec().place == crate::spec::Place::Target);
        if wants && on_target && user != own && frame.task.hosts.is_empty() && !pinned {
            return Err(Abort::Error(format!(
                "task '{}' becomes the user '{user}', and this program runs as '{own}': start it as root or with sudo",
                frame.written_name()
            )));
        }
    }
    Ok(())
}

/// The tasks of a play that run in any case where their conditions hold, with their blocks; `true` for those that a tag
/// keeps from running unless it is asked for. Those of roles are left to the run.
fn frames(play: &PlayPlan) -> Vec<(Frame<'_>, bool)> {
    fn walk<'p>(
        play: &'p PlayPlan,
        item: &'p Item,
        around: &mut Vec<Level<'p>>,
        out: &mut Vec<(Frame<'p>, bool)>,
    ) {
        match item {
            Item::Task(task) => {
                let frame = Frame {
                    play,
                    around: around.clone(),
                    task,
                    handler: false,
                };
                let never = frame.tags().contains(&"never");
                out.push((frame, never));
            }
            Item::Block(block) => {
                around.push(Level::Block(block));
                for inner in block.block.iter().chain(&block.always) {
                    walk(play, inner, around, out);
                }
                around.pop();
            }
        }
    }
    let mut out = Vec::new();
    for item in play.batches.iter().flat_map(|b| &b.tasks) {
        walk(play, item, &mut Vec::new(), &mut out);
    }
    out
}
