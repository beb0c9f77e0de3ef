//! Every keyword of the language in one table: what is allowed where, what type it has, and whether it is templated.

use rustle_formats::nearest;

use crate::problem::Problem;
use crate::yaml::Node;

/// Where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A play.
    Play,
    /// An entry of `roles:`, or of a role's dependencies.
    Role,
    /// A block.
    Block,
    /// A task.
    Task,
    /// A handler.
    Handler,
    /// An `import_playbook`.
    ImportPlaybook,
    /// `loop_control`.
    LoopControl,
}

impl Place {
    /// For a message: "a play".
    pub fn name(self) -> &'static str {
        match self {
            Place::Play => "a play",
            Place::Role => "a role",
            Place::Block => "a block",
            Place::Task => "a task",
            Place::Handler => "a handler",
            Place::ImportPlaybook => "an `import_playbook`",
            Place::LoopControl => "`loop_control`",
        }
    }

    /// The class that Ansible names in its messages.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Place::Play => "Play",
            Place::Role => "RoleDefinition",
            Place::Block => "Block",
            Place::Task => "Task",
            Place::Handler => "Handler",
            Place::ImportPlaybook => "PlaybookInclude",
            Place::LoopControl => "LoopControl",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The type of a keyword's value, once templates in it are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `yes`, …
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A number, or text that ends with `%`.
    Percent,
    /// Text.
    Text,
    /// A list; a single value stands for a list of one.
    List,
    /// A list of texts; a text with commas stands for several.
    TextList,
    /// A mapping.
    Map,
    /// A list of tasks and blocks.
    Tasks,
}

/// Whether and how a keyword is templated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Templating {
    /// `{{ }}` is rendered.
    Explicit,
    /// The text is an expression.
    Implicit,
    /// Never.
    Static,
}

/// A keyword.
#[derive(Debug, PartialEq, Eq)]
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// How it is templated.
    pub templating: Templating,
    on: u8,
}

impl Keyword {
    /// Whether it may stand there.
    pub fn allowed(&self, place: Place) -> bool {
        self.on & place.bit() != 0
    }
}

const PLAY: u8 = Place::Play.bit();
const ROLE: u8 = Place::Role.bit();
const BLOCK: u8 = Place::Block.bit();
const TASK: u8 = Place::Task.bit() | Place::Handler.bit();
const HANDLER: u8 = Place::Handler.bit();
const IMPORT: u8 = Place::ImportPlaybook.bit();
const LOOP: u8 = Place::LoopControl.bit();
const COMMON: u8 = PLAY | ROLE | BLOCK | TASK | IMPORT;

const fn keyword(name: &'static str, on: u8, kind: Kind) -> Keyword {
    Keyword {
        name,
        kind,
        templating: Templating::Explicit,
        on,
    }
}

const fn expression(name: &'static str, on: u8) -> Keyword {
    Keyword {
        name,
        kind: Kind::List,
        templating: Templating::Implicit,
        on,
    }
}

const fn fixed(name: &'static str, on: u8, kind: Kind) -> Keyword {
    Keyword {
        name,
        kind,
        templating: Templating::Static,
        on,
    }
}

/// The keywords of ansible-core 2.19, by name.
pub const KEYWORDS: &[Keyword] = &[
    keyword("action", TASK, Kind::Text),
    keyword("always", BLOCK, Kind::Tasks),
    keyword("any_errors_fatal", COMMON, Kind::Bool),
    keyword("args", TASK, Kind::Map),
    keyword("async", TASK, Kind::Int),
    keyword("become", COMMON, Kind::Bool),
    keyword("become_exe", COMMON, Kind::Text),
    keyword("become_flags", COMMON, Kind::Text),
    keyword("become_method", COMMON, Kind::Text),
    keyword("become_user", COMMON, Kind::Text),
    keyword("block", BLOCK, Kind::Tasks),
    expression("break_when", LOOP),
    expression("changed_when", TASK),
    keyword("check_mode", COMMON, Kind::Bool),
    fixed("collections", PLAY | ROLE | BLOCK | TASK, Kind::TextList),
    keyword("connection", COMMON, Kind::Text),
    keyword("debugger", COMMON, Kind::Text),
    keyword("delay", TASK, Kind::Float),
    keyword("delegate_facts", ROLE | BLOCK | TASK, Kind::Bool),
    keyword("delegate_to", ROLE | BLOCK | TASK, Kind::Text),
    keyword("diff", COMMON, Kind::Bool),
    keyword("environment", COMMON, Kind::List),
    keyword("extended", LOOP, Kind::Bool),
    keyword("extended_allitems", LOOP, Kind::Bool),
    keyword("fact_path", PLAY, Kind::Text),
    expression("failed_when", TASK),
    keyword("force_handlers", PLAY, Kind::Bool),
    keyword("gather_facts", PLAY, Kind::Bool),
    keyword("gather_subset", PLAY, Kind::TextList),
    keyword("gather_timeout", PLAY, Kind::Int),
    keyword("handlers", PLAY, Kind::Tasks),
    keyword("hosts", PLAY, Kind::TextList),
    keyword("ignore_errors", COMMON, Kind::Bool),
    keyword("ignore_unreachable", COMMON, Kind::Bool),
    keyword("import_playbook", IMPORT, Kind::Text),
    keyword("index_var", LOOP, Kind::Text),
    keyword("label", LOOP, Kind::Text),
    fixed("listen", HANDLER, Kind::TextList),
    keyword("local_action", TASK, Kind::Text),
    keyword("loop", TASK, Kind::List),
    keyword("loop_control", TASK, Kind::Map),
    keyword("loop_var", LOOP, Kind::Text),
    keyword("max_fail_percentage", PLAY, Kind::Percent),
    keyword("module_defaults", COMMON, Kind::List),
    keyword("name", COMMON, Kind::Text),
    keyword("no_log", COMMON, Kind::Bool),
    keyword("notify", BLOCK | TASK, Kind::TextList),
    keyword("order", PLAY, Kind::Text),
    keyword("pause", LOOP, Kind::Float),
    keyword("poll", TASK, Kind::Int),
    keyword("port", COMMON, Kind::Int),
    keyword("post_tasks", PLAY, Kind::Tasks),
    keyword("pre_tasks", PLAY, Kind::Tasks),
    fixed("register", TASK, Kind::Text),
    keyword("remote_user", COMMON, Kind::Text),
    keyword("rescue", BLOCK, Kind::Tasks),
    keyword("retries", TASK, Kind::Int),
    keyword("role", ROLE, Kind::Text),
    keyword("roles", PLAY, Kind::List),
    keyword("run_once", COMMON, Kind::Bool),
    keyword("serial", PLAY, Kind::List),
    keyword("strategy", PLAY, Kind::Text),
    keyword("tags", COMMON, Kind::TextList),
    keyword("tasks", PLAY, Kind::Tasks),
    keyword("throttle", COMMON, Kind::Int),
    keyword("timeout", COMMON, Kind::Int),
    expression("until", TASK),
    fixed("vars", COMMON, Kind::Map),
    keyword("vars_files", PLAY, Kind::List),
    keyword("vars_prompt", PLAY, Kind::List),
    expression("when", ROLE | BLOCK | TASK | IMPORT),
];

/// The keyword of this name that may stand there.
pub fn find(name: &str, place: Place) -> Option<&'static Keyword> {
    KEYWORDS
        .binary_search_by(|keyword| keyword.name.cmp(name))
        .ok()
        .map(|index| &KEYWORDS[index])
        .filter(|keyword| keyword.allowed(place))
}

/// A key that is no keyword there.
pub(crate) fn unknown(key: &Node, name: &str, place: Place) -> Problem {
    let mut problem = Problem::error(format!(
        "'{name}' is not a valid attribute for a {}",
        place.class()
    ))
    .at(key.at)
    .over(name.chars().count());
    let known: Vec<&str> = KEYWORDS
        .iter()
        .filter(|keyword| keyword.allowed(place))
        .map(|keyword| keyword.name)
        .collect();
    if let Some(near) = nearest(name, &known) {
        problem = problem.hint(format!("did you mean `{near}`?"));
    } else if let Ok(index) = KEYWORDS.binary_search_by(|keyword| keyword.name.cmp(name)) {
        let places = [
            Place::Play,
            Place::Role,
            Place::Block,
            Place::Task,
            Place::Handler,
            Place::ImportPlaybook,
            Place::LoopControl,
        ];
        let allowed: Vec<&str> = places
            .into_iter()
            .filter(|place| KEYWORDS[index].allowed(*place))
            .map(Place::name)
            .collect();
        problem = problem.hint(format!("it may stand on {}", allowed.join(", ")));
    }
    problem
}

/// A keyword that was written, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Which one.
    pub keyword: &'static Keyword,
    /// The key.
    pub key: Node,
    /// The value.
    pub value: Node,
}

/// The keywords that were written on one thing, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Keywords(Vec<Written>);

impl Keywords {
    pub(crate) fn push(&mut self, keyword: &'static Keyword, key: &Node, value: &Node) {
        self.0.push(Written {
            keyword,
            key: key.clone(),
            value: value.clone(),
        });
    }

    /// The value of a keyword.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.written(name).map(|written| &written.value)
    }

    /// A keyword with its key.
    pub fn written(&self, name: &str) -> Option<&Written> {
        self.0.iter().find(|written| written.keyword.name == name)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Written> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(KEYWORDS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(find("hosts", Place::Play).is_some());
        assert!(find("hosts", Place::Task).is_none());
        assert!(find("listen", Place::Handler).is_some() && find("listen", Place::Task).is_none());
    }
}
