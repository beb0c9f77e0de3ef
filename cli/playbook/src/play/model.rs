//! Playbooks as they were written, static includes resolved, everything with its place.

use std::path::PathBuf;
use std::sync::Arc;

use super::keywords::Keywords;
use crate::problem::Problem;
use crate::roles::Role;
use crate::source::Position;
use crate::yaml::{Node, Style};

/// A playbook, with all that it imports.
#[derive(Debug, Clone, Default)]
pub struct Playbook {
    /// The plays, those of imported playbooks in their place.
    pub plays: Vec<Play>,
    /// What Ansible warns of.
    pub warnings: Vec<Problem>,
}

/// A play.
#[derive(Debug, Clone)]
pub struct Play {
    /// Where it begins.
    pub at: Position,
    /// The file that it stands in.
    pub file: PathBuf,
    /// The patterns of `hosts`, rendered.
    pub hosts: Vec<String>,
    /// The name, rendered, or else the hosts, with commas.
    pub title: String,
    /// Its keywords. The sections with tasks and roles are in fields of their own.
    pub keywords: Keywords,
    /// The `import_playbook` statements that led to it, from the outside in: their tags, `when` and variables apply.
    pub imports: Vec<Arc<PlaybookImport>>,
    /// `pre_tasks`.
    pub pre_tasks: Vec<Entry>,
    /// `roles`.
    pub roles: Vec<Arc<RoleUse>>,
    /// `tasks`.
    pub tasks: Vec<Entry>,
    /// `post_tasks`.
    pub post_tasks: Vec<Entry>,
    /// `handlers`.
    pub handlers: Vec<Entry>,
}

/// An `import_playbook`.
#[derive(Debug, Clone)]
pub struct PlaybookImport {
    /// Where it stands.
    pub at: Position,
    /// Its keywords.
    pub keywords: Keywords,
}

/// One thing in a list of tasks.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A task that runs, dynamic includes among them.
    Task(Box<Task>),
    /// A block.
    Block(Box<Block>),
    /// An `import_tasks`, and what it imports.
    ImportTasks(Box<ImportTasks>),
    /// An `import_role`, and the role.
    ImportRole(Box<ImportRole>),
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Where it begins.
    pub at: Position,
    /// What it does.
    pub action: Action,
    /// Its keywords.
    pub keywords: Keywords,
    /// The items that it is done for.
    pub loop_: Option<Loop>,
    /// For a dynamic include with a literal name: the files that it may mean, the first existing one first.
    pub candidates: Vec<PathBuf>,
}

impl Task {
    /// The name, if it has one.
    pub fn name(&self) -> Option<String> {
        let name = text_of(self.keywords.get("name")?);
        (!name.is_empty()).then_some(name)
    }
}

/// What a task does.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The module, as it was written.
    pub name: String,
    /// Its full name, redirects followed; for a name in no collection (`library/`), as written.
    pub module: String,
    /// Where it was written.
    pub at: Position,
    /// Its arguments, those of `args:` included.
    pub args: Vec<(Node, Node)>,
    /// The free text of `command`, `shell`, `meta`, …
    pub free: Option<Node>,
    /// An `args:` that is a template of a mapping.
    pub args_template: Option<Node>,
    /// It came from `local_action`.
    pub is_local: bool,
}

impl Action {
    /// An argument's value.
    pub fn arg(&self, name: &str) -> Option<&Node> {
        self.args
            .iter()
            .find(|(key, _)| key.as_str() == Some(name))
            .map(|(_, value)| value)
    }

    /// The name without its collection, if that is Ansible's own.
    pub fn builtin(&self) -> Option<&str> {
        self.module.strip_prefix("ansible.builtin.")
    }
}

/// What a task is repeated over.
#[derive(Debug, Clone, PartialEq)]
pub enum Loop {
    /// `loop:`
    Items(Node),
    /// `with_NAME:`, the lookup's name and its terms.
    With {
        /// The lookup.
        lookup: String,
        /// Its terms.
        terms: Node,
    },
}

/// Tasks with common keywords.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it begins.
    pub at: Position,
    /// Its keywords. The lists of tasks are in fields of their own.
    pub keywords: Keywords,
    /// What is done.
    pub block: Vec<Entry>,
    /// What is done when something in `block` failed.
    pub rescue: Vec<Entry>,
    /// What is done in any case.
    pub always: Vec<Entry>,
}

/// An `import_tasks`.
#[derive(Debug, Clone)]
pub struct ImportTasks {
    /// The statement, whose keywords apply to all that is imported.
    pub task: Task,
    /// The file.
    pub file: PathBuf,
    /// What it contains.
    pub entries: Vec<Entry>,
}

/// An `import_role`.
#[derive(Debug, Clone)]
pub struct ImportRole {
    /// The statement, whose keywords apply to all tasks of the role.
    pub task: Task,
    /// The role.
    pub role: Arc<RoleUse>,
}

/// A role where it is used.
#[derive(Debug, Clone)]
pub struct RoleUse {
    /// Where it is named.
    pub at: Position,
    /// The role.
    pub role: Arc<Role>,
    /// The keywords of the entry.
    pub keywords: Keywords,
    /// Other keys of the entry: variables with the precedence of parameters.
    pub params: Vec<(Node, Node)>,
    /// The roles that it depends on, which come first.
    pub dependencies: Vec<Arc<RoleUse>>,
    /// The validation that the role's argument specification asks for, before its tasks.
    pub validation: Option<Validation>,
    /// Its tasks.
    pub tasks: Vec<Entry>,
    /// Its handlers.
    pub handlers: Vec<Entry>,
}

/// The implicit task that validates a role's arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// The entry point: `main`, or the name in `tasks_from`.
    pub entry_point: String,
    /// Its `short_description`.
    pub description: Option<String>,
    /// Its `options`.
    pub options: Option<Node>,
}

impl Validation {
    /// The name of the task.
    pub fn title(&self) -> String {
        let mut title = format!(
            "Validating arguments against arg spec '{}'",
            self.entry_point
        );
        if let Some(description) = &self.description {
            title.push_str(" - ");
            title.push_str(description);
        }
        title
    }
}

/// A scalar as Python's `str()` shows it.
pub(crate) fn text_of(node: &Node) -> String {
    use crate::yaml::NodeValue;
    match &node.value {
        NodeValue::Null | NodeValue::Vault(_) | NodeValue::List(_) | NodeValue::Map(_) => {
            String::new()
        }
        NodeValue::Bool(true) => "True".to_owned(),
        NodeValue::Bool(false) => "False".to_owned(),
        NodeValue::Int(i) => i.to_string(),
        NodeValue::Big(big) => big.to_string(),
        NodeValue::Float(f) => format!("{f:?}"),
        NodeValue::Time(text) => text.to_string(),
        NodeValue::Str(text) => text.text.to_string(),
    }
}

/// A text that was made from another one, in the same place.
pub(crate) fn derived(text: String, from: &Node) -> Node {
    let mut node = Node::text(text, from.at);
    if let (crate::yaml::NodeValue::Str(new), crate::yaml::NodeValue::Str(old)) =
        (&mut node.value, &from.value)
    {
        new.is_unsafe = old.is_unsafe;
        new.style = Style::Plain;
    }
    node
}
