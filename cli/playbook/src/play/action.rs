//! What a task does: the module and its arguments, in all the forms in which they can be written.

use super::keywords::{Keywords, Place, find};
use super::model::{Action, derived, text_of};
use super::split::{Shorthand, Unbalanced, split};
use crate::problem::Problem;
use crate::yaml::{Mapping, Node, NodeValue};

/// Modules that take free text.
const FREE_FORM: &[&str] = &[
    "add_host",
    "command",
    "expect",
    "group_by",
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
    "raw",
    "script",
    "set_fact",
    "shell",
    "win_command",
    "win_shell",
];

/// Those among them whose text is a command, in which only a few pairs are arguments.
const COMMANDS: &[&str] = &[
    "command",
    "raw",
    "script",
    "shell",
    "win_command",
    "win_shell",
];

/// The pairs that are arguments in a command's text.
const RAW_OPTIONS: &[&str] = &[
    "chdir",
    "creates",
    "executable",
    "removes",
    "stdin",
    "stdin_add_newline",
    "strip_empty_ends",
    "warn",
];

/// Whether a pair in a command's text is an argument of the module.
pub(crate) fn is_raw_option(key: &str) -> bool {
    RAW_OPTIONS.binary_search(&key).is_ok()
}

/// The name without the collection, if that is Ansible's own or a Windows one.
pub(crate) fn short(name: &str) -> &str {
    ["ansible.builtin.", "ansible.legacy.", "ansible.windows."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// The only action of a task, before its name is resolved: `module` is as written.
pub(super) fn find_action(
    task: &Node,
    map: &Mapping,
    keywords: &Keywords,
    place: Place,
) -> Result<Action, Problem> {
    let mut statements = Vec::new();
    for (key, value) in map {
        let Some(name) = key.as_str() else {
            return Err(Problem::error(format!(
                "the keys of a task are text, and this is {}",
                key.kind()
            ))
            .at(key.at));
        };
        let explicit = matches!(name, "action" | "local_action");
        if explicit || find(name, place).is_none() && !is_loop(name) && !elsewhere(name) {
            statements.push((name, key, value));
        }
    }
    let (name, key, value) = match statements.as_slice() {
        [] => return Err(no_action(task)),
        [only] => *only,
        [first, second, ..] => return Err(conflicting(first.1, second.1)),
    };
    let mut action = match name {
        "action" | "local_action" => explicit(name, key, value)?,
        _ => {
            let mut action = empty(name, key);
            arguments(&mut action, value)?;
            action
        }
    };
    action.is_local = name == "local_action";
    if let Some(args) = keywords.get("args") {
        more_arguments(&mut action, args)?;
    }
    Ok(action)
}

/// `with_NAME`
pub(super) fn is_loop(name: &str) -> bool {
    name.strip_prefix("with_")
        .is_some_and(|rest| !rest.is_empty())
}

/// A keyword that belongs on something else: it is reported as such, not as a module.
fn elsewhere(name: &str) -> bool {
    name == "listen"
}

fn empty(name: &str, key: &Node) -> Action {
    Action {
        name: name.to_owned(),
        module: name.to_owned(),
        at: key.at,
        args: Vec::new(),
        free: None,
        args_template: None,
        is_local: false,
    }
}

/// `action: command ls`, `action: {module: command, cmd: ls}`
fn explicit(keyword: &str, key: &Node, value: &Node) -> Result<Action, Problem> {
    if let Some(map) = value.as_map() {
        let Some(module) = map.get("module") else {
            return Err(Problem::error(format!("`{keyword}` names no `module`"))
                .at(value.at)
                .hint("write the task as `MODULE: ARGUMENTS`"));
        };
        let mut action = empty(&text_of(module), module);
        let others = map.iter().filter(|(key, value)| match key.as_str() {
            Some("module") => false,
            Some("args") => value.as_map().is_none(),
            _ => true,
        });
        action.args = others.cloned().collect();
        if let Some(further) = map.get("args").and_then(Node::as_map) {
            action.args.extend(further.iter().cloned());
        }
        return Ok(action);
    }
    let text = value.as_str().unwrap_or("").trim();
    let (name, rest) = first_word(text);
    if name.is_empty() {
        return Err(Problem::error(format!("`{keyword}` names no module")).at(key.at));
    }
    let mut action = empty(name, value);
    if !rest.trim().is_empty() {
        arguments(&mut action, &derived(rest.trim_start().to_owned(), value))?;
    }
    Ok(action)
}

/// The name that begins a text, which may be a template with blanks, and what follows.
fn first_word(text: &str) -> (&str, &str) {
    let mut open = false;
    for (at, c) in text.char_indices() {
        match &text[at..] {
            rest if rest.starts_with("{{") => open = true,
            rest if rest.starts_with("}}") => open = false,
            _ if c.is_whitespace() && !open => return (&text[..at], &text[at..]),
            _ => {}
        }
    }
    (text, "")
}

/// What stands beside the module's name.
fn arguments(action: &mut Action, value: &Node) -> Result<(), Problem> {
    match &value.value {
        NodeValue::Null => Ok(()),
        NodeValue::Map(map) => {
            action.args = map.iter().cloned().collect();
            Ok(())
        }
        NodeValue::Str(_) => shorthand(action, value),
        _ => Err(Problem::error(format!(
            "the arguments of `{}` are a mapping or text, and this is {}",
            action.name,
            value.kind()
        ))
        .at(value.at)),
    }
}

fn shorthand(action: &mut Action, value: &Node) -> Result<(), Problem> {
    let text = value.as_str().unwrap_or("");
    let name = short(&action.name);
    let is_command = COMMANDS.contains(&name);
    let takes = |key: &str| !is_command || is_raw_option(key);
    let Shorthand { pairs, free } = split(text, takes).map_err(|why| {
        let what = match why {
            Unbalanced::Quote(quote) => format!("the quote {quote} is not closed in the arguments"),
            Unbalanced::Template(open) => format!("`{open}` is not closed in the arguments"),
        };
        Problem::error(format!("{what} of `{}`", action.name))
            .at(value.at)
            .hint("write the arguments as a mapping, one a line")
    })?;
    for (key, text) in pairs {
        action
            .args
            .push((derived(key, value), derived(text, value)));
    }
    if !free.is_empty() {
        // A template alone stands for a mapping of arguments, except where text is what the module takes.
        let is_template = free.starts_with("{{") && free.ends_with("}}");
        if is_template && !FREE_FORM.contains(&name) && action.args.is_empty() {
            action.args_template = Some(derived(free, value));
        } else {
            action.free = Some(derived(free, value));
        }
    }
    Ok(())
}

/// `args:`. What stands beside the module's name wins.
fn more_arguments(action: &mut Action, args: &Node) -> Result<(), Problem> {
    match &args.value {
        NodeValue::Null => Ok(()),
        NodeValue::Map(map) => {
            for (key, value) in map.iter() {
                let known = key.as_str().is_some_and(|name| action.arg(name).is_some());
                if !known {
                    action.args.push((key.clone(), value.clone()));
                }
            }
            Ok(())
        }
        NodeValue::Str(text) if text.text.contains("{{") => {
            action.args_template = Some(args.clone());
            Ok(())
        }
        _ => Err(Problem::error(format!(
            "`args` is a mapping of arguments, and this is {}",
            args.kind()
        ))
        .at(args.at)),
    }
}

fn no_action(task: &Node) -> Problem {
    Problem::error("no module/action detected in task.")
        .at(task.at)
        .hint("a task is `MODULE: ARGUMENTS` beside its keywords; is the module indented as its name is?")
}

fn conflicting(first: &Node, second: &Node) -> Problem {
    let (a, b) = (text_of(first), text_of(second));
    let problem = Problem::error(format!("conflicting action statements: {a}, {b}"))
        .at(second.at)
        .over(b.chars().count())
        .note(format!("`{a}` is in line {}", first.at.line));
    let known: Vec<&str> = super::keywords::KEYWORDS
        .iter()
        .filter(|keyword| keyword.allowed(Place::Task))
        .map(|keyword| keyword.name)
        .collect();
    match (
        rustle_formats::nearest(&b, &known),
        rustle_formats::nearest(&a, &known),
    ) {
        (Some(near), _) => problem.hint(format!("did you mean `{near}`, in place of `{b}`?")),
        (None, Some(near)) => problem.hint(format!("did you mean `{near}`, in place of `{a}`?")),
        _ => problem.hint("is the second one an argument of the first, and not indented as such?"),
    }
}
