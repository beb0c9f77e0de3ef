//! What stands between a play and its tasks: blocks with rescue and always, and roles.

use std::rc::Rc;

use rustle_formats::Map;
use rustle_formats::plan::{Block, Item, RoleUse};

use super::level::{Included, Level};
use super::play::{Flow, PlayRun};
use super::role::Role;
use super::runner::Abort;
use super::{Frame, ahead, handlers, includes};

impl<'r> PlayRun<'_, 'r> {
    /// Runs a task or a block.
    pub(super) fn item(&self, item: &'r Item, around: &mut Vec<Level<'r>>) -> Result<Flow, Abort> {
        match item {
            Item::Task(task) => self.task(task, around),
            Item::Block(block) => {
                around.push(Level::Block(block));
                let flow = self.block(block, around);
                around.pop();
                flow
            }
        }
    }

    /// Runs tasks and blocks one after the other.
    pub(crate) fn items(
        &self,
        items: &'r [Item],
        around: &mut Vec<Level<'r>>,
    ) -> Result<Flow, Abort> {
        for (step, item) in (0u32..).zip(items) {
            self.enter(step);
            let flow = self.item(item, around)?;
            self.leave();
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn block(&self, block: &'r Block, around: &mut Vec<Level<'r>>) -> Result<Flow, Abort> {
        let rescues = usize::from(!block.rescue.is_empty());
        self.rescuers.set(self.rescuers.get() + rescues);
        self.enter(0);
        let flow = match &block.use_role {
            Some(used) => self.used_role(block, used, around),
            None => self.items(&block.block, around),
        };
        self.leave();
        self.rescuers.set(self.rescuers.get() - rescues);
        let mut flow = flow?;
        if flow == Flow::Failed && rescues > 0 {
            self.enter(1);
            flow = self.items(&block.rescue, around)?;
            self.leave();
        }
        if !matches!(flow, Flow::EndPlay | Flow::EndRole | Flow::Unreachable) {
            self.enter(2);
            let end = self.items(&block.always, around)?;
            self.leave();
            if end != Flow::Next {
                flow = end;
            }
        }
        Ok(flow)
    }

    /// Runs the role that a block uses.
    fn used_role(
        &self,
        block: &'r Block,
        used: &'r RoleUse,
        around: &mut Vec<Level<'r>>,
    ) -> Result<Flow, Abort> {
        let plan = self.run.store.plan;
        let role = Role::of_block(plan, block, used).map_err(Abort::Error)?;
        let frame = |task| Frame {
            play: self.play,
            around: around.clone(),
            task,
            handler: false,
        };
        // What is imported knows the role that it was imported by.
        let parents = match role.tasks.first() {
            Some(Item::Task(task)) if used.imported == Some(true) => {
                includes::parents(&frame(task))
            }
            _ => Map::new(),
        };
        if parents.is_empty() {
            return self.role_tasks(&role, around);
        }
        around.push(Level::Include(Rc::new(Included {
            data: parents,
            ..Included::default()
        })));
        let flow = self.role_tasks(&role, around);
        around.pop();
        flow
    }

    /// Runs a role that was included: the play learns of it first.
    pub(crate) fn role(
        &self,
        role: &Rc<Role<'r>>,
        around: &mut Vec<Level<'r>>,
    ) -> Result<Flow, Abort> {
        handlers::add(self, role, around);
        if role.public {
            self.vars.roles.borrow_mut().push(role.clone());
        }
        around.push(Level::Role(role.clone()));
        let learned = self.learn(role.tasks, around);
        around.pop();
        learned?;
        self.role_tasks(role, around)
    }

    /// Takes in the roles that tasks which were just included use.
    pub(crate) fn learn(&self, items: &'r [Item], around: &[Level<'r>]) -> Result<(), Abort> {
        let plan = self.run.store.plan;
        for used in ahead::roles(plan, items.iter(), around).map_err(Abort::Error)? {
            handlers::add(self, &used.role, &used.around);
            self.vars.roles.borrow_mut().push(used.role);
        }
        Ok(())
    }

    /// Runs the roles that a role depends on, and then its own tasks, unless the same has run before.
    fn role_tasks(&self, role: &Rc<Role<'r>>, around: &mut Vec<Level<'r>>) -> Result<Flow, Abort> {
        around.push(Level::Role(role.clone()));
        let mut flow = Flow::Next;
        let mut step = 0;
        for (entry, dependency) in &role.dependencies {
            around.push(Level::Block(entry));
            self.enter(step);
            flow = self.role_tasks(dependency, around)?;
            self.leave();
            step += 1;
            around.pop();
            if flow != Flow::Next {
                break;
            }
        }
        let done = self.roles_done.borrow().contains(&role.identity);
        if flow == Flow::Next && (role.allow_duplicates || !done) {
            if let Some(check) = self.run.validator(role) {
                self.enter(step);
                flow = self.task(check, around)?;
                self.leave();
            }
            if flow == Flow::Next {
                self.enter(step + 1);
                flow = self.items(role.tasks, around)?;
                self.leave();
            }
            if flow == Flow::EndRole {
                flow = Flow::Next;
            }
            if flow == Flow::Next && self.roles_begun.borrow().contains(&role.identity) {
                self.roles_done.borrow_mut().insert(role.identity.clone());
            }
        }
        around.pop();
        Ok(flow)
    }
}
