//! `--graph`: groups and hosts as a tree.

use super::list::VarsOf;
use super::model::{GroupId, Inventory};
use super::show;
use crate::problem::Problem;
use crate::vars::Variables;

/// The tree below a group, with variables where asked for.
///
/// # Errors
/// Where a file of variables is wrong.
pub fn graph<'a>(
    inventory: &'a Inventory,
    group: GroupId,
    vars: Option<&'a mut dyn VarsOf>,
) -> Result<String, Problem> {
    let mut tree = Tree {
        inventory,
        vars,
        out: String::new(),
    };
    line(
        0,
        &format!("@{}:", inventory.group_name(group)),
        &mut tree.out,
    );
    tree.below(group, 1)?;
    Ok(tree.out)
}

struct Tree<'a> {
    inventory: &'a Inventory,
    vars: Option<&'a mut dyn VarsOf>,
    out: String,
}

impl Tree<'_> {
    fn below(&mut self, group: GroupId, depth: usize) -> Result<(), Problem> {
        let inventory = self.inventory;
        for child in &inventory.group(group).children {
            let name = inventory.group_name(*child);
            line(depth, &format!("@{name}:"), &mut self.out);
            self.below(*child, depth + 1)?;
        }
        // Hosts of `all` itself are in `ungrouped`, or elsewhere.
        if group != super::model::ALL {
            for host in &inventory.group(group).hosts {
                line(depth, inventory.host_name(*host), &mut self.out);
                if let Some(of) = &mut self.vars {
                    let vars = of.host(*host)?;
                    variables(&vars, depth + 1, &mut **of, &mut self.out);
                }
            }
        }
        if let Some(of) = &mut self.vars {
            let vars = of.group(group)?;
            variables(&vars, depth, &mut **of, &mut self.out);
        }
        Ok(())
    }
}

fn variables(vars: &Variables, depth: usize, of: &mut dyn VarsOf, out: &mut String) {
    let mut sorted: Vec<_> = vars.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    for (name, value) in sorted {
        let text = show::text(value, &mut |secret| of.decrypt(secret));
        line(depth, &format!("{{{name} = {text}}}"), out);
    }
}

fn line(depth: usize, text: &str, out: &mut String) {
    if depth > 0 {
        for _ in 0..depth {
            out.push_str("  |");
        }
        out.push_str("--");
    }
    out.push_str(text);
    out.push('\n');
}
