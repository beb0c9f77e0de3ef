//! Executable inventories: a program that prints JSON for `--list`, and for `--host NAME` where it gives no `_meta`.

use std::path::Path;
use std::process::{Command, Stdio};

use indexmap::IndexSet;

use super::group_names::GroupNames;
use super::model::Inventory;
use crate::problem::Problem;
use crate::source::Sources;
use crate::yaml::{self, Node, NodeValue};

/// Runs a script and adds what it says; what it says on standard error goes to `said`. What stands before an error has been added when it is returned.
///
/// # Errors
/// Where the script fails, or what it prints is no inventory.
pub(super) fn read(
    script: &Path,
    sources: &Sources,
    inventory: &mut Inventory,
    names: &mut GroupNames,
    said: &mut Vec<String>,
) -> Result<(), Problem> {
    let root = ask(script, &["--list"], sources, said)?;
    let Some(top) = root.as_map() else {
        return Err(Problem::error(format!(
            "{} printed {} for --list, and must print a mapping",
            script.display(),
            root.kind()
        )));
    };
    let told = top
        .get("_meta")
        .and_then(Node::as_map)
        .and_then(|m| m.get("hostvars"));
    let told = match told {
        Some(node) => Some(node.as_map().ok_or_else(|| {
            Problem::error(format!(
                "`_meta.hostvars` must be a mapping, and is {}",
                node.kind()
            ))
            .at(node.at)
        })?),
        None => None,
    };
    let mut hosts: IndexSet<String> = IndexSet::new();
    for (name, body) in top.iter() {
        let Some(name) = name.as_str().filter(|n| *n != "_meta") else {
            continue;
        };
        group(name, body, inventory, names, &mut hosts)?;
    }
    for name in hosts {
        let own = match told {
            Some(told) => told.get(&name).cloned(),
            None => Some(ask(script, &["--host", &name], sources, said)?),
        };
        let Some(vars) = own else { continue };
        let Some(vars) = vars.as_map() else {
            return Err(Problem::error(format!(
                "the variables of the host `{name}` must be a mapping, and are {}",
                vars.kind()
            ))
            .at(vars.at));
        };
        let host = inventory.add_host(&name);
        for (key, value) in vars.iter() {
            if let Some(key) = key.as_str() {
                inventory.set_host_var(host, key, value.clone());
            }
        }
    }
    Ok(())
}

fn group(
    name: &str,
    body: &Node,
    inventory: &mut Inventory,
    names: &mut GroupNames,
    hosts: &mut IndexSet<String>,
) -> Result<(), Problem> {
    let id = inventory.add_group(&names.make(name));
    let Some(body) = modern(name, body) else {
        return Err(Problem::error(format!(
            "the group `{name}` must be a mapping, and is {}",
            body.kind()
        ))
        .at(body.at));
    };
    let body = body.as_map().into_iter().flatten();
    for (key, node) in body {
        let must = |what: &str| {
            let key = key.as_str().unwrap_or_default();
            Problem::error(format!(
                "`{name}.{key}` must be {what}, and is {}",
                node.kind()
            ))
            .at(node.at)
        };
        match key.as_str() {
            Some("hosts") => {
                for host in texts(node).ok_or_else(|| must("a list of names"))? {
                    let member = inventory.add_host(host);
                    inventory.add_member(member, id);
                    hosts.insert(host.to_owned());
                }
            }
            Some("vars") => {
                for (key, value) in node.as_map().ok_or_else(|| must("a mapping"))?.iter() {
                    if let Some(key) = key.as_str() {
                        inventory
                            .set_group_var(id, key, value.clone())
                            .map_err(|e| Problem::error(e).at(value.at))?;
                    }
                }
            }
            Some("children") => {
                for child in texts(node).ok_or_else(|| must("a list of names"))? {
                    let child = inventory.add_group(&names.make(child));
                    inventory
                        .add_child(id, child)
                        .map_err(|e| Problem::error(e).at(node.at))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A group as a mapping with `hosts`, `vars` or `children`. Older forms: the hosts alone, as a list; the variables of a host
/// of the group's name, as a mapping without these keys.
fn modern(name: &str, body: &Node) -> Option<Node> {
    let key = |text: &str| Node::text(text, body.at);
    match &body.value {
        NodeValue::List(_) => Some(Node::map(vec![(key("hosts"), body.clone())], body.at)),
        NodeValue::Map(map) => {
            if ["hosts", "vars", "children"]
                .iter()
                .any(|k| map.get(k).is_some())
            {
                return Some(body.clone());
            }
            let host = Node::list(vec![key(name)], body.at);
            let entries = vec![(key("hosts"), host), (key("vars"), body.clone())];
            Some(Node::map(entries, body.at))
        }
        _ => None,
    }
}

fn texts(node: &Node) -> Option<Vec<&str>> {
    node.as_list()?.iter().map(Node::as_str).collect()
}

fn ask(
    script: &Path,
    arguments: &[&str],
    sources: &Sources,
    said: &mut Vec<String>,
) -> Result<Node, Problem> {
    let shown = format!("{} {}", script.display(), arguments.join(" "));
    let output = Command::new(script)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Problem::error(format!("cannot run {}: {e}", script.display())))?;
    if !output.status.success() {
        let problem = Problem::error(format!("{shown} failed ({})", output.status));
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(match said.trim() {
            "" => problem,
            said => problem.note(format!("it said: {said}")),
        });
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    if !errors.trim().is_empty() {
        said.push(errors.trim_end().to_owned());
    }
    if output.stdout.trim_ascii().is_empty() && arguments[0] == "--host" {
        let file = sources.add(&shown, "");
        return Ok(Node::map(
            Vec::new(),
            crate::Position {
                file,
                line: 0,
                column: 0,
            },
        ));
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(&output.stdout).is_err() {
        return Err(Problem::error(format!("{shown} did not print JSON")));
    }
    let document = yaml::read(
        sources,
        Path::new(&shown),
        &output.stdout,
        &yaml::Options::default(),
    )?;
    Ok(document.root)
}
