//! Tasks and blocks.

use std::fmt;

use serde::de::{EnumAccess, Error as _, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Conditions, RoleUse, Span};
use crate::value::{Map, Value};

/// The name under which a task's arguments have a template of a mapping: further arguments, which only the run knows. What
/// is written out beside it wins.
pub const ARGS_TEMPLATE: &str = "_variable_params";

/// A place in a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// The file, as the author names it.
    pub file: String,
    /// The line, from 1; 0: unknown.
    pub line: u32,
    /// The column, from 1; 0: unknown.
    pub column: u32,
}

/// How a loop behaves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LoopControl {
    /// The variable of the item. Default: `item`.
    pub loop_var: Option<String>,
    /// The variable of the index, from 0.
    pub index_var: Option<String>,
    /// What is printed in place of the item.
    pub label: Option<Value>,
    /// Seconds between items.
    pub pause: Option<Value>,
    /// Whether `ansible_loop` is set.
    pub extended: Option<Value>,
    /// Whether `ansible_loop.allitems` is set. Default: yes.
    pub extended_allitems: Option<Value>,
    /// Conditions that end the loop after an item.
    pub break_when: Conditions,
}

/// One task, or one handler.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Task {
    /// An identifier, unique in the plan; made from the position when empty.
    #[serde(alias = "task_id", alias = "handler_id")]
    pub id: String,
    /// The name that is printed. Default: the module.
    pub name: String,
    /// The module, by short or full name.
    pub module: String,
    /// Its arguments. [`ARGS_TEMPLATE`] stands for further ones.
    pub args: Map,
    /// The only hosts of the play that it is for; empty: all.
    pub hosts: Vec<String>,
    /// Tasks that must come before it, by id.
    pub dependencies: Vec<String>,
    /// Conditions.
    pub when: Conditions,
    /// The items of a loop: a list, or a template that gives one.
    #[serde(rename = "loop")]
    pub loop_: Option<Value>,
    /// The lookup that makes the items of `loop`'s terms (`with_items`: `items`). Default: `loop` is the items.
    pub loop_with: Option<String>,
    /// How the loop behaves.
    pub loop_control: Option<LoopControl>,
    /// The variable that keeps the result.
    pub register: Option<String>,
    /// The task is repeated until these hold.
    pub until: Conditions,
    /// How often at most. Default with `until`: 3.
    pub retries: Option<Value>,
    /// Seconds between tries. Default: 5.
    pub delay: Option<Value>,
    /// What makes the result "changed".
    pub changed_when: Conditions,
    /// What makes the result "failed".
    pub failed_when: Conditions,
    /// Whether the play goes on after a failure.
    pub ignore_errors: Option<Value>,
    /// Whether the play goes on after an unreachable host.
    pub ignore_unreachable: Option<Value>,
    /// Handlers to notify when changed, by name or topic.
    pub notify: Vec<String>,
    /// For a handler: the topics that it listens to.
    pub listen: Vec<String>,
    /// Whether to act as another user.
    #[serde(rename = "become")]
    pub become_: Option<Value>,
    /// That user. Default: root.
    pub become_user: Option<Value>,
    /// How: `sudo`, `su`, `doas`.
    pub become_method: Option<Value>,
    /// Flags for the method.
    pub become_flags: Option<Value>,
    /// The program of the method.
    pub become_exe: Option<Value>,
    /// The user of the connection.
    pub remote_user: Option<Value>,
    /// The kind of connection.
    pub connection: Option<Value>,
    /// The port of the connection.
    pub port: Option<Value>,
    /// Environment: a mapping, or a list of mappings, from the outside in.
    pub environment: Option<Value>,
    /// Task variables.
    pub vars: Map,
    /// Tags.
    pub tags: Vec<String>,
    /// `true`: always predict; `false`: always do.
    pub check_mode: Option<Value>,
    /// Whether differences are shown.
    pub diff: Option<Value>,
    /// Whether results are hidden.
    pub no_log: Option<Value>,
    /// The host that does it in place of the play's.
    pub delegate_to: Option<Value>,
    /// Whether facts go to that host.
    pub delegate_facts: Option<Value>,
    /// Whether one host does it for all.
    pub run_once: Option<Value>,
    /// Seconds that the task may take in the background.
    #[serde(rename = "async")]
    pub async_: Option<Value>,
    /// Seconds between looks at a background task; 0: do not wait.
    pub poll: Option<Value>,
    /// Seconds that the task may take.
    pub timeout: Option<Value>,
    /// How many hosts at once.
    pub throttle: Option<Value>,
    /// Whether one failed host ends the play for all.
    pub any_errors_fatal: Option<Value>,
    /// Defaults by module name.
    pub module_defaults: Option<Value>,
    /// Folders of assets in which a relative `src` is looked for, in order; empty: the assets' root.
    pub asset_paths: Vec<String>,
    /// The role that is printed before its name. Default: the role that it is reached through.
    pub role: Option<String>,
    /// The planner's position.
    pub execution_order: Option<u64>,
    /// The planner's opinion.
    pub can_run_parallel: Option<bool>,
    /// The planner's guess.
    pub estimated_duration: Option<Span>,
    /// `Low`, `Medium`, `High`, `Critical`.
    pub risk_level: Option<String>,
    /// Where it was written.
    pub source: Option<Source>,
}

/// Tasks with common keywords, a rescue and an always part. Keywords mean what they mean on a task, for all inside.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Block {
    /// A name, not printed.
    pub name: String,
    /// What is done.
    pub block: Vec<Item>,
    /// What is done when something in `block` failed.
    pub rescue: Vec<Item>,
    /// What is done in any case.
    pub always: Vec<Item>,
    /// The role whose tasks are done in place of `block`, after the roles that it depends on.
    pub use_role: Option<Box<RoleUse>>,
    /// The file that the tasks of `block` were imported from (`import_tasks`), as a name of the plan's `task_files`: what
    /// they include is looked for beside it.
    pub file: Option<String>,
    /// Conditions, asked for every task inside.
    pub when: Conditions,
    /// Variables.
    pub vars: Map,
    /// Tags.
    pub tags: Vec<String>,
    /// Handlers that every changed task inside notifies.
    pub notify: Vec<String>,
    /// As on a task.
    #[serde(rename = "become")]
    pub become_: Option<Value>,
    /// As on a task.
    pub become_user: Option<Value>,
    /// As on a task.
    pub become_method: Option<Value>,
    /// As on a task.
    pub become_flags: Option<Value>,
    /// As on a task.
    pub become_exe: Option<Value>,
    /// As on a task.
    pub remote_user: Option<Value>,
    /// As on a task.
    pub connection: Option<Value>,
    /// As on a task.
    pub port: Option<Value>,
    /// As on a task.
    pub environment: Option<Value>,
    /// As on a task.
    pub check_mode: Option<Value>,
    /// As on a task.
    pub diff: Option<Value>,
    /// As on a task.
    pub no_log: Option<Value>,
    /// As on a task.
    pub ignore_errors: Option<Value>,
    /// As on a task.
    pub ignore_unreachable: Option<Value>,
    /// As on a task.
    pub delegate_to: Option<Value>,
    /// As on a task.
    pub delegate_facts: Option<Value>,
    /// As on a task.
    pub run_once: Option<Value>,
    /// As on a task.
    pub timeout: Option<Value>,
    /// As on a task.
    pub throttle: Option<Value>,
    /// As on a task.
    pub any_errors_fatal: Option<Value>,
    /// As on a task.
    pub module_defaults: Option<Value>,
    /// Where it was written.
    pub source: Option<Source>,
}

/// A task or a block. In JSON, what has a key `block` or `use_role` is a block.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
pub enum Item {
    /// One task.
    Task(Box<Task>),
    /// Several, with rescue and always.
    Block(Box<Block>),
}

impl Item {
    /// Appends the tasks inside, in order: block, rescue, always.
    pub fn collect<'a>(&'a self, out: &mut Vec<&'a Task>) {
        match self {
            Item::Task(task) => out.push(task),
            Item::Block(block) => {
                for item in block.block.iter().chain(&block.rescue).chain(&block.always) {
                    item.collect(out);
                }
            }
        }
    }
}

/// The tagged form on the wire.
#[derive(Serialize)]
enum WireRef<'a> {
    Task(&'a Task),
    Block(&'a Block),
}

/// The tagged form on the wire, owned.
#[derive(Deserialize)]
enum Wire {
    Task(Box<Task>),
    Block(Box<Block>),
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match (self, s.is_human_readable()) {
            (Item::Task(task), true) => task.serialize(s),
            (Item::Block(block), true) => block.serialize(s),
            (Item::Task(task), false) => WireRef::Task(task).serialize(s),
            (Item::Block(block), false) => WireRef::Block(block).serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let _level = crate::depth::Level::enter().map_err(D::Error::custom)?;
        if !d.is_human_readable() {
            return Ok(match Wire::deserialize(d)? {
                Wire::Task(task) => Item::Task(task),
                Wire::Block(block) => Item::Block(block),
            });
        }
        // The decoder with positions tells by the name which form is wanted; others read it as any newtype.
        d.deserialize_newtype_struct(super::json::ITEM, ItemVisitor)
    }
}

/// The keys that tell a block from a task.
pub(super) const BLOCK_KEYS: [&str; 2] = ["block", "use_role"];

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task or a block")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, d: D) -> Result<Item, D::Error> {
        let value = serde_json::Value::deserialize(d)?;
        if BLOCK_KEYS.iter().any(|key| value.get(key).is_some()) {
            serde_json::from_value(value).map(|b| Item::Block(Box::new(b)))
        } else {
            serde_json::from_value(value).map(|t| Item::Task(Box::new(t)))
        }
        .map_err(D::Error::custom)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Item, A::Error> {
        let (name, content) = access.variant::<String>()?;
        if name == "block" {
            content.newtype_variant().map(|b| Item::Block(Box::new(b)))
        } else {
            content.newtype_variant().map(|t| Item::Task(Box::new(t)))
        }
    }
}
