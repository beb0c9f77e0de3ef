//! What is known of a play before it begins: the roles that it uses, and what cannot be done at all.

use std::rc::Rc;

use rustle_formats::plan::{ExecutionPlan, Item};

use super::level::Level;
use super::role::Role;

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
