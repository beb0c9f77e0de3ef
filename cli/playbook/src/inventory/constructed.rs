//! The plugin `constructed`: variables and groups made from expressions over the variables of each host.

use std::borrow::Cow;
use std::path::PathBuf;

use indexmap::IndexMap;
use rustle_template::{Engine, Templar, Value};

use super::group_names::GroupNames;
use super::model::{HostId, Inventory};
use crate::problem::Problem;
use crate::source::Position;
use crate::vars::{Layer, Level, Variables, VarsFiles, merge};
use crate::yaml::{Mapping, Node, NodeValue, Style, Text};

/// The variables of the command line, and whether expressions see them where their source does not say.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// The variables.
    pub vars: Variables,
    /// `use_extra_vars` of the settings. Default: no.
    pub wanted: bool,
}

/// Applies a configuration to all hosts of the inventory.
///
/// # Errors
/// Where the configuration is wrong, or with `strict` an expression cannot be evaluated.
pub(super) fn apply(
    root: &Node,
    inventory: &mut Inventory,
    names: &mut GroupNames,
    files: &mut VarsFiles<'_>,
    roots: &[PathBuf],
    extra: &Extra,
) -> Result<(), Problem> {
    let config = Config::read(root, extra)?;
    let hosts: Vec<HostId> = inventory.hosts().map(|(id, ..)| id).collect();
    for host in hosts {
        let mut builder = Builder {
            config: &config,
            inventory: &mut *inventory,
            names: &mut *names,
            host,
            extra: &extra.vars,
        };
        let mut vars = builder.vars(files, roots)?;
        builder.compose(&vars)?;
        // The groups see what was composed.
        vars = builder.vars(files, roots)?;
        builder.groups(&vars)?;
        builder.keyed_groups(&vars)?;
    }
    Ok(())
}

struct Config<'a> {
    strict: bool,
    use_vars_plugins: bool,
    use_extra_vars: bool,
    leading_separator: bool,
    compose: Option<&'a Mapping>,
    groups: Option<&'a Mapping>,
    keyed_groups: &'a [Node],
}

impl<'a> Config<'a> {
    fn read(root: &'a Node, extra: &Extra) -> Result<Config<'a>, Problem> {
        let top = root
            .as_map()
            .ok_or_else(|| Problem::error("the configuration must be a mapping").at(root.at))?;
        let mapping = |key: &str| match top.get(key).filter(|n| !n.is_null()) {
            None => Ok(None),
            Some(node) => match node.as_map() {
                Some(map) => Ok(Some(map)),
                None => Err(must_be(key, "a mapping", node)),
            },
        };
        let keyed_groups = match top.get("keyed_groups").filter(|n| !n.is_null()) {
            None => &[][..],
            Some(node) => node
                .as_list()
                .ok_or_else(|| must_be("keyed_groups", "a list", node))?,
        };
        Ok(Config {
            strict: flag(top, "strict", false)?,
            use_vars_plugins: flag(top, "use_vars_plugins", false)?,
            use_extra_vars: flag(top, "use_extra_vars", extra.wanted)?,
            leading_separator: flag(top, "leading_separator", true)?,
            compose: mapping("compose")?,
            groups: mapping("groups")?,
            keyed_groups,
        })
    }
}

fn must_be(key: &str, what: &str, node: &Node) -> Problem {
    Problem::error(format!("`{key}` must be {what}, and is {}", node.kind())).at(node.at)
}

fn flag(map: &Mapping, key: &str, default: bool) -> Result<bool, Problem> {
    match map.get(key).filter(|n| !n.is_null()) {
        None => Ok(default),
        Some(node) => match (node.as_bool(), node.as_str()) {
            (Some(b), _) => Ok(b),
            (None, Some("yes" | "true" | "on" | "1")) => Ok(true),
            (None, Some("no" | "false" | "off" | "0")) => Ok(false),
            _ => Err(must_be(key, "true or false", node)),
        },
    }
}

struct Builder<'a> {
    config: &'a Config<'a>,
    inventory: &'a mut Inventory,
    names: &'a mut GroupNames,
    host: HostId,
    /// The variables of the command line.
    extra: &'a Variables,
}

type Scope = IndexMap<String, Value>;

impl Builder<'_> {
    /// What expressions see: the host's variables, those of its groups, and a few that every host has.
    fn vars(&self, files: &mut VarsFiles<'_>, roots: &[PathBuf]) -> Result<Scope, Problem> {
        let inventory = &*self.inventory;
        let name = inventory.host_name(self.host);
        let groups = inventory.groups_of(self.host);
        let mut layers: Vec<Layer<'_>> = groups
            .iter()
            .map(|g| Layer::new(Level::InventoryGroup, "", &inventory.group(*g).vars))
            .collect();
        if self.config.use_vars_plugins {
            for root in roots {
                for group in &groups {
                    let found =
                        files.entity(&root.join("group_vars"), inventory.group_name(*group))?;
                    layers.extend(found.map(|v| owned(Level::InventoryGroupVars, &v)));
                }
            }
        }
        layers.push(Layer::new(
            Level::InventoryHost,
            "",
            &inventory.host(self.host).vars,
        ));
        if self.config.use_vars_plugins {
            for root in roots {
                let found = files.entity(&root.join("host_vars"), name)?;
                layers.extend(found.map(|v| owned(Level::InventoryHostVars, &v)));
            }
        }
        if self.config.use_extra_vars {
            layers.push(Layer::new(Level::ExtraVars, "", self.extra));
        }
        let merged = merge(&layers, inventory.hash_behaviour);
        let mut scope = Scope::with_capacity(merged.len() + 4);
        for (key, node) in merged.iter() {
            let vault = files.vault;
            let data = node.to_value(&mut |secret, at| {
                let plain = vault
                    .decrypt(secret.ciphertext.as_bytes())
                    .map_err(|e| Problem::error(e.to_string()).at(at))?;
                Ok(rustle_formats::Value::Str(
                    String::from_utf8_lossy(&plain.text).into_owned(),
                ))
            })?;
            scope.insert(key.to_owned(), Value::from_formats(&data, true));
        }
        scope.insert("inventory_hostname".to_owned(), Value::str(name));
        let short = name.split('.').next().unwrap_or(name);
        scope.insert("inventory_hostname_short".to_owned(), Value::str(short));
        let group_names = inventory
            .group_names(self.host)
            .into_iter()
            .map(Value::str)
            .collect();
        scope.insert("group_names".to_owned(), Value::list(group_names));
        Ok(scope)
    }

    fn compose(&mut self, vars: &Scope) -> Result<(), Problem> {
        for (key, expression) in self.config.compose.into_iter().flatten() {
            let name = key
                .as_str()
                .ok_or_else(|| must_be("compose", "a mapping of names", key))?;
            match evaluate(expression, vars) {
                Ok(value) => {
                    let node = to_node(&value, expression.at)?;
                    self.inventory.set_host_var(self.host, name, node);
                }
                Err(e) if self.config.strict => {
                    return Err(self.failed(&format!("set {name}"), &e, expression));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn groups(&mut self, vars: &Scope) -> Result<(), Problem> {
        for (key, condition) in self.config.groups.into_iter().flatten() {
            let name = key
                .as_str()
                .ok_or_else(|| must_be("groups", "a mapping of names", key))?;
            let engine = Engine::new();
            let value = match condition.as_bool() {
                Some(b) => Value::Bool(b),
                None => Value::trusted(condition.as_str().unwrap_or_default()),
            };
            match Templar::new(&engine, vars).eval_condition(&value) {
                Ok(true) => {
                    let made = self.names.make_up(name).into_owned();
                    self.add(&made, None)?;
                }
                Ok(false) => {}
                Err(e) if self.config.strict => {
                    return Err(self.failed(
                        &format!("add it to the group {name}"),
                        &e.to_string(),
                        condition,
                    ));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn keyed_groups(&mut self, vars: &Scope) -> Result<(), Problem> {
        for entry in self.config.keyed_groups {
            let Some(keyed) = entry.as_map() else {
                return Err(must_be("keyed_groups", "a list of mappings", entry));
            };
            let Some(key) = keyed.get("key") else {
                return Err(Problem::error("an entry of keyed_groups has no `key`").at(entry.at));
            };
            let value = match evaluate(key, vars) {
                Ok(value) => value,
                Err(e) if self.config.strict => {
                    return Err(self.failed("make a group", &e, key));
                }
                Err(_) => continue,
            };
            let default = keyed.get("default_value").and_then(Node::as_str);
            let trailing = flag(keyed, "trailing_separator", true)?;
            if default.is_some() && !trailing {
                return Err(Problem::error(
                    "default_value and trailing_separator exclude each other",
                )
                .at(entry.at));
            }
            let truth = value.truth().unwrap_or(false);
            if !truth && default.is_none() {
                if self.config.strict && matches!(value, Value::None) {
                    return Err(self.failed("make a group", "the key is empty", key));
                }
                continue;
            }
            let text = |key: &str, default: &str| match keyed.get(key).filter(|n| !n.is_null()) {
                Some(node) => super::show::text(node, &mut |_| None),
                None => default.to_owned(),
            };
            let (prefix, separator) = (text("prefix", ""), text("separator", "_"));
            let parent = match keyed.get("parent_group").and_then(Node::as_str) {
                Some(template) => Some(self.parent(template, vars, key)?),
                None => None,
            };
            let shape = Shape {
                separator: &separator,
                default,
                trailing,
            };
            for name in shape.names(&value, key)? {
                let full = if prefix.is_empty() && !self.config.leading_separator {
                    name
                } else {
                    format!("{prefix}{separator}{name}")
                };
                let made = self.names.make_up(&full).into_owned();
                self.add(&made, parent.as_deref())?;
            }
        }
        Ok(())
    }

    /// The parent's name may be a template.
    fn parent(&self, template: &str, vars: &Scope, key: &Node) -> Result<String, Problem> {
        if !template.contains("{{") {
            return Ok(template.to_owned());
        }
        let engine = Engine::new();
        let rendered = Templar::new(&engine, vars).render(template);
        match rendered.map(|v| v.as_str().map(str::to_owned)) {
            Ok(Some(name)) => Ok(name),
            Ok(None) => Err(self.failed("make a group", "its parent's name is no text", key)),
            Err(e) => Err(self.failed("make a group", &e.to_string(), key)),
        }
    }

    fn add(&mut self, name: &str, parent: Option<&str>) -> Result<(), Problem> {
        let group = self.inventory.add_group(name);
        self.inventory.add_member(self.host, group);
        if let Some(parent) = parent {
            let made = self.names.make_up(parent).into_owned();
            let parent = self.inventory.add_group(&made);
            if parent != group {
                self.inventory
                    .add_child(parent, group)
                    .map_err(Problem::error)?;
            }
        }
        Ok(())
    }

    fn failed(&self, doing: &str, why: &str, expression: &Node) -> Problem {
        Problem::error(format!(
            "cannot {doing} for the host {}: {why}",
            self.inventory.host_name(self.host)
        ))
        .at(expression.at)
    }
}

/// How the value of a key becomes names.
struct Shape<'a> {
    separator: &'a str,
    default: Option<&'a str>,
    trailing: bool,
}

impl Shape<'_> {
    /// A text is one name, a list several, a mapping one of each key and value.
    fn names(&self, value: &Value, key: &Node) -> Result<Vec<String>, Problem> {
        let wrong = |of: &Value| {
            Problem::error(format!(
                "the key of a group must give text, a list or a mapping, and gave {}",
                of.type_name()
            ))
            .at(key.at)
            .hint("append `| string`")
        };
        let text = |value: &Value| match value {
            Value::None => Ok(String::new()),
            Value::Bool(true) => Ok("True".to_owned()),
            Value::Bool(false) => Ok("False".to_owned()),
            Value::Int(i) => Ok(i.to_string()),
            other => other
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| wrong(other)),
        };
        let or_default = |name: String| match (name.is_empty(), self.default) {
            (true, Some(default)) => default.to_owned(),
            _ => name,
        };
        Ok(match value {
            Value::Str(name) => vec![or_default(name.as_str().to_owned())],
            Value::List(items) => {
                let mut out = Vec::new();
                for item in items.to_vec() {
                    out.push(or_default(text(&item)?));
                }
                out
            }
            Value::Dict(dict) => {
                let mut out = Vec::new();
                for (name, value) in dict.pairs() {
                    let (name, value) = (text(&name)?, text(&value)?);
                    out.push(match (value.is_empty(), self.default) {
                        (true, Some(default)) => format!("{name}{}{default}", self.separator),
                        (true, None) if !self.trailing => name,
                        _ => format!("{name}{}{value}", self.separator),
                    });
                }
                out
            }
            Value::None => vec![self.default.unwrap_or_default().to_owned()],
            other => return Err(wrong(other)),
        })
    }
}

fn owned(level: Level, vars: &Variables) -> Layer<'static> {
    Layer {
        level,
        owner: Cow::Borrowed(""),
        vars: Cow::Owned(vars.clone()),
    }
}

fn evaluate(expression: &Node, vars: &Scope) -> Result<Value, String> {
    let Some(text) = expression.as_str() else {
        let text = super::show::text(expression, &mut |_| None);
        return evaluate_text(&text, vars);
    };
    evaluate_text(text, vars)
}

fn evaluate_text(text: &str, vars: &Scope) -> Result<Value, String> {
    let engine = Engine::new();
    Templar::new(&engine, vars)
        .eval_expr(text)
        .map_err(|e| e.to_string())
}

/// A result as a value of the inventory. Its texts are no templates, however they look.
fn to_node(value: &Value, at: Position) -> Result<Node, Problem> {
    let data = value
        .to_formats()
        .map_err(|e| Problem::error(e.to_string()).at(at))?;
    Ok(from_data(&data, at))
}

fn from_data(data: &rustle_formats::Value, at: Position) -> Node {
    use rustle_formats::Value as Data;
    let text = |t: &str| {
        NodeValue::Str(Text {
            text: t.into(),
            style: Style::Plain,
            is_unsafe: true,
        })
    };
    let value = match data {
        Data::Null => NodeValue::Null,
        Data::Bool(b) => NodeValue::Bool(*b),
        Data::Int(i) => NodeValue::Int(*i),
        Data::Float(f) => NodeValue::Float(*f),
        Data::Str(t) | Data::Unsafe(t) | Data::Secret(t) => text(t),
        Data::List(items) => {
            return Node::list(items.iter().map(|i| from_data(i, at)).collect(), at);
        }
        Data::Map(map) => {
            let entries = map
                .iter()
                .map(|(k, v)| (Node::text(k.as_str(), at), from_data(v, at)));
            return Node::map(entries.collect(), at);
        }
        Data::Pairs(pairs) => {
            let entries = pairs
                .iter()
                .map(|(k, v)| (from_data(k, at), from_data(v, at)));
            return Node::map(entries.collect(), at);
        }
    };
    Node { value, at }
}
