//! YAML inventories: groups with `hosts`, `vars` and `children`.

use super::group_names::GroupNames;
use super::ini::host_pattern;
use super::model::{GroupId, Inventory};
use crate::problem::Problem;
use crate::yaml::{Mapping, Node, NodeValue};

/// Reads a YAML inventory. What stands before an error has been added when it is returned, as by Ansible.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn read(
    root: &Node,
    inventory: &mut Inventory,
    names: &mut GroupNames,
    warnings: &mut Vec<Problem>,
) -> Result<(), Problem> {
    if root.is_null() {
        return Err(Problem::error("the YAML file is empty").at(root.at));
    }
    let Some(top) = root.as_map() else {
        return Err(Problem::error(format!(
            "a YAML inventory is a mapping of groups, and this is {}",
            root.kind()
        ))
        .at(root.at));
    };
    if top.get("plugin").is_some() {
        return Err(
            Problem::error("this is the configuration of a plugin, and no inventory").at(root.at),
        );
    }
    let mut reader = Reader {
        inventory,
        names,
        warnings,
    };
    for (name, body) in top.iter() {
        reader.group(name, body, 0)?;
    }
    Ok(())
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    names: &'a mut GroupNames,
    warnings: &'a mut Vec<Problem>,
}

/// Deeper groups are refused.
const MAX_DEPTH: usize = 100;

impl Reader<'_> {
    fn group(&mut self, key: &Node, body: &Node, depth: usize) -> Result<GroupId, Problem> {
        let Some(name) = key.as_str() else {
            return Err(Problem::error(format!(
                "a group's name must be text, and is {}",
                key.kind()
            ))
            .at(key.at)
            .hint("quote it"));
        };
        if depth > MAX_DEPTH {
            return Err(Problem::error(format!("groups nest deeper than {MAX_DEPTH}")).at(key.at));
        }
        let id = self.inventory.add_group(&self.names.make(name));
        if body.is_null() {
            return Ok(id);
        }
        let Some(body) = body.as_map() else {
            self.warnings.push(
                Problem::warning(format!(
                    "the group `{name}` is {}, and no mapping: passed over",
                    body.kind()
                ))
                .at(body.at),
            );
            return Ok(id);
        };
        self.body(id, name, body, depth)?;
        Ok(id)
    }

    fn body(
        &mut self,
        id: GroupId,
        name: &str,
        body: &Mapping,
        depth: usize,
    ) -> Result<(), Problem> {
        // First that every section is what it must be, as Ansible does.
        for section in ["vars", "children", "hosts"] {
            let Some((key, value)) = body.entry(section) else {
                continue;
            };
            if !(value.as_map().is_some() || value.is_null() || value.as_str().is_some()) {
                return Err(Problem::error(format!(
                    "`{section}` of the group `{name}` must be a mapping, and is {}",
                    value.kind()
                ))
                .at(key.at)
                .over(section.len())
                .hint(format!(
                    "write `{section}:` and below it `name:` for each, without dashes"
                )));
            }
        }
        for (key, value) in body.iter() {
            let (Some(word), false) = (key.as_str(), value.is_null()) else {
                continue;
            };
            match (word, value.as_map(), value.as_str()) {
                ("vars", Some(vars), _) => self.vars(id, vars)?,
                ("children", Some(children), _) => {
                    for (child, body) in children.iter() {
                        let child_id = self.group(child, body, depth + 1)?;
                        self.inventory
                            .add_child(id, child_id)
                            .map_err(|e| Problem::error(e).at(child.at))?;
                    }
                }
                ("children", None, Some(_)) => {
                    let child_id = self.group(value, &Node { value: NodeValue::Null, at: value.at }, depth + 1)?;
                    self.inventory
                        .add_child(id, child_id)
                        .map_err(|e| Problem::error(e).at(value.at))?;
                }
                ("hosts", Some(hosts), _) => {
                    for (host, vars) in hosts.iter() {
                        self.host(id, host, vars)?;
                    }
                }
                ("hosts", None, Some(_)) => {
                    self.host(id, value, &Node { value: NodeValue::Null, at: value.at })?;
                }
                ("vars", None, _) => {}
                (other, ..) => self.warnings.push(
                    Problem::warning(format!(
                        "`{other}` of the group `{name}` is passed over: hosts, vars and children are known"
                    ))
                    .at(key.at),
                ),
            }
        }
        Ok(())
    }

    fn vars(&mut self, id: GroupId, vars: &Mapping) -> Result<(), Problem> {
        for (key, value) in vars.iter() {
            let name = self.variable(key)?;
            self.inventory
                .set_group_var(id, &name, value.clone())
                .map_err(|e| Problem::error(e).at(value.at))?;
        }
        Ok(())
    }

    fn host(&mut self, group: GroupId, key: &Node, vars: &Node) -> Result<(), Problem> {
        let Some(pattern) = key.as_str() else {
            return Err(Problem::error(format!(
                "Host pattern {} must be a string, and is {}",
                super::show::text(key, &mut |_| None),
                key.kind()
            ))
            .at(key.at)
            .hint("quote it"));
        };
        let (hosts, port) = host_pattern(pattern).map_err(|e| Problem::error(e).at(key.at))?;
        if !vars.is_null() && vars.as_map().is_none() {
            return Err(Problem::error(format!(
                "the variables of the host `{pattern}` must be a mapping, and are {}",
                vars.kind()
            ))
            .at(vars.at));
        }
        for name in hosts {
            let host = self.inventory.add_host(&name);
            self.inventory.add_member(host, group);
            if let Some(port) = port {
                let value = NodeValue::Int(i64::from(port));
                self.inventory
                    .set_host_var(host, "ansible_port", Node { value, at: key.at });
            }
            for (key, value) in vars.as_map().into_iter().flat_map(Mapping::iter) {
                let variable = self.variable(key)?;
                self.inventory.set_host_var(host, &variable, value.clone());
            }
        }
        Ok(())
    }

    /// A variable's name. Ansible still takes other keys than text (`on:` is `true`), and so does this, as text.
    fn variable(&mut self, key: &Node) -> Result<String, Problem> {
        if let Some(name) = key.as_str() {
            return Ok(name.to_owned());
        }
        let name = super::show::text(key, &mut |_| None);
        self.warnings.push(
            Problem::warning(format!(
                "the variable's name `{name}` is {}, and should be text",
                key.kind()
            ))
            .at(key.at)
            .hint("quote it"),
        );
        Ok(name)
    }
}
