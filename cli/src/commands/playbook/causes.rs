//! Why a task failed, told cause by cause with the place of each: the keyword, the argument, the condition.
//!
//! The engine knows a task's place and a sentence. What the sentence speaks of is looked up in the file where the task
//! stands, which is read again: that happens after failures only, and costs the plan nothing.

use std::path::PathBuf;

use rustle_formats::Value;
use rustle_formats::plan::Source;
use rustle_playbook::yaml::{self, Mapping, Node};
use rustle_playbook::{Position, Problem, Sources};
use rustle_runtime::report::{Cause, Excerpts, python_repr};

/// What can be done about a condition that is no text.
const BROKEN: &str = "Broken conditionals can be temporarily allowed with the `ALLOW_BROKEN_CONDITIONALS` configuration option.";
/// What can be done about a loop over something else than a list.
const ITEMS: &str = "Provide a list of items/templates, or a template resolving to a list.";
/// Who may give an expression.
const TRUST: &str = "Templates and expressions must be defined by trusted sources such as playbooks or roles, not untrusted sources such as module results.";
/// What names of variables look like.
const NAMES: &str = "Variable names must be strings starting with a letter or underscore character, and contain only letters, numbers and underscores.";

/// Ansible knows no place of what a lookup says, and shows its own call instead.
const OF_LOOKUP: &str = "Origin: <unknown>\n\ninvoke_lookup()";

/// The text of playbooks, and what stands where in them.
pub(in crate::commands) struct Lines {
    directory: PathBuf,
}

impl Lines {
    /// The files whose names start from this folder.
    pub(in crate::commands) fn below(directory: PathBuf) -> Lines {
        Lines { directory }
    }
}

impl Excerpts for Lines {
    fn text(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.directory.join(file)).ok()
    }

    fn causes(&self, task: &Source, module: &str, message: &str) -> Option<Vec<Cause>> {
        let text = self.text(&task.file)?;
        let sources = Sources::default();
        let path = std::path::Path::new(&task.file);
        let document =
            yaml::read(&sources, path, text.as_bytes(), &yaml::Options::default()).ok()?;
        let place = |at: Position| Source {
            file: task.file.clone(),
            ..sources.source(at)
        };
        let around = at_place(&document.root, &|at| {
            let here = place(at);
            (here.line, here.column) == (task.line, task.column)
        })?;
        let written = Written {
            task: around.first()?,
            environments: around
                .iter()
                .rev()
                .filter_map(|map| map.get("environment"))
                .collect(),
            at: task,
            module,
            place: &place,
        };
        written.causes(message)
    }
}

/// The mapping that begins at a place, and those around it, outwards.
fn at_place<'a>(node: &'a Node, wanted: &dyn Fn(Position) -> bool) -> Option<Vec<&'a Mapping>> {
    if let Some(map) = node.as_map() {
        // A play that begins where its first task does is no task.
        if wanted(node.at) && map.get("hosts").is_none() {
            return Some(vec![map]);
        }
        let mut found = map.iter().find_map(|(_, value)| at_place(value, wanted))?;
        found.push(map);
        return Some(found);
    }
    node.as_list()?
        .iter()
        .find_map(|item| at_place(item, wanted))
}

/// What is said of text that nobody trusts.
const UNTRUSTED: &str = "Encountered untrusted template or expression.";

/// A task as it is written.
struct Written<'a> {
    task: &'a Mapping,
    /// The `environment` of what is around it and its own, the outermost first.
    environments: Vec<&'a Node>,
    at: &'a Source,
    module: &'a str,
    place: &'a dyn Fn(Position) -> Source,
}

impl Written<'_> {
    fn causes(&self, message: &str) -> Option<Vec<Cause>> {
        if message.starts_with("The `loop` value must ") {
            let loop_ = self.task.get("loop")?;
            return Some(vec![self.cause(message, loop_.at, Some(ITEMS))]);
        }
        if message.starts_with("Error rendering template: ") {
            let is_template = |n: &&Node| n.as_str().is_some_and(|text| text.contains("{{"));
            let of_lookup = || self.values().into_iter().find(is_template);
            let loop_ = self.task.get("loop").or_else(of_lookup)?;
            return Some(vec![self.cause(message, loop_.at, None)]);
        }
        if message.starts_with("The lookup plugin '") {
            return Some(vec![Cause {
                message: message.to_owned(),
                at: None,
                help: Some(OF_LOOKUP.to_owned()),
            }]);
        }
        let cause = message.strip_prefix("Task failed: ")?;
        if let Some(rest) = cause.strip_prefix("Finalization of task args for ") {
            return self.of_argument(rest);
        }
        if let Some(why) = cause.strip_prefix("Error while resolving `var` expression: ") {
            let at = self.action()?.1.as_map()?.get("var")?.at;
            if why != UNTRUSTED {
                return Some(self.under_task(cause, at, None));
            }
            let mut out = self.under_task("Error while resolving `var` expression.", at, None);
            out.push(self.cause(why, at, Some(TRUST)));
            return Some(out);
        }
        if let Some(rest) = cause.strip_prefix("Error processing keyword '") {
            return self.of_keyword(cause, rest);
        }
        if let Some(rest) = cause.strip_prefix("Invalid variable name '") {
            let name = rest.split('\'').next()?;
            return Some(self.under_task(cause, self.key(name)?.at, Some(NAMES)));
        }
        if cause.starts_with("Cannot resolve '") {
            let action = self.task.get("action")?;
            let module = action.as_map().and_then(|map| map.get("module"));
            return Some(self.under_task(cause, module.unwrap_or(action).at, None));
        }
        if cause == "Conditional expressions must be strings." {
            let wrong = self
                .conditions()
                .into_iter()
                .find(|c| c.as_str().is_none() && c.as_bool().is_none())?;
            return Some(self.under_task(cause, wrong.at, Some(BROKEN)));
        }
        if cause == UNTRUSTED {
            let at = self.meant(&self.conditions(), cause)?.at;
            return Some(self.under_task(cause, at, Some(TRUST)));
        }
        let of_condition = [
            "Error rendering expression: ",
            "Error while evaluating conditional: ",
            "Syntax error in expression",
        ];
        if of_condition.iter().any(|c| cause.starts_with(c)) {
            let at = self.meant(&self.conditions(), cause)?.at;
            return Some(self.under_task(cause, at, None));
        }
        if cause.starts_with('\'') && cause.ends_with("' is undefined") {
            let at = self.meant(&self.values(), cause)?.at;
            return Some(self.under_task(cause, at, None));
        }
        None
    }

    /// "'M' failed: Error while resolving value for 'K': ..."
    fn of_argument(&self, rest: &str) -> Option<Vec<Cause>> {
        let (module, why) = rest.split_once(" failed: ")?;
        let (key, value) = self.action()?;
        let Some(why_not) = why.strip_prefix("Error while resolving value for '") else {
            let all = self.task.get("args").unwrap_or(value);
            let whole = Cause {
                message: format!("Task failed: Finalization of task args for {module} failed."),
                at: Some(self.at.clone()),
                help: None,
            };
            return Some(vec![whole, self.cause(why, all.at, None)]);
        };
        let name = why_not.split_once("': ")?.0;
        let argument = match value.as_map() {
            Some(map) => map.get(name),
            None => Some(value).filter(|v| v.as_str().is_some()),
        };
        let args = || self.task.get("args")?.as_map()?.get(name);
        // Arguments in one line are under `_raw_params` or in `name=value`, and stand where the line begins.
        let argument = args().or(argument)?;
        let mut out = self.under_task(
            &format!("Finalization of task args for {module} failed."),
            key.at,
            None,
        );
        out.push(self.cause(why, argument.at, None));
        Some(out)
    }

    /// "K': ..."
    fn of_keyword(&self, cause: &str, rest: &str) -> Option<Vec<Cause>> {
        let (name, why) = rest.split_once("': ")?;
        if name == "environment" {
            return self.of_environment(why);
        }
        let written = if name == "async_val" { "async" } else { name };
        let at = self.task.get(written)?.at;
        if !why.starts_with("The value ") {
            return Some(self.under_task(cause, at, None));
        }
        let mut out = self.under_task(&format!("Error processing keyword '{name}'."), at, None);
        out.push(self.cause(why, at, None));
        Some(out)
    }

    /// Ansible knows no place of the list that it makes of all environments around a task, and shows the list.
    fn of_environment(&self, why: &str) -> Option<Vec<Cause>> {
        let mut all = Vec::new();
        for node in &self.environments {
            leaves(node, &mut all);
        }
        let shown = all.iter().map(|node| plain(node)).collect();
        let mut values = Vec::new();
        for node in &all {
            match node.as_map() {
                Some(map) => values.extend(map.iter().map(|(_, value)| value)),
                None => values.push(*node),
            }
        }
        let task = Cause {
            message: "Task failed.".to_owned(),
            at: Some(self.at.clone()),
            help: None,
        };
        let keyword = Cause {
            message: "Error processing keyword 'environment'.".to_owned(),
            at: None,
            help: Some(format!(
                "Origin: <unknown>\n\n{}",
                python_repr(&Value::List(shown))
            )),
        };
        let value = self.meant(&values, why)?;
        Some(vec![task, keyword, self.cause(why, value.at, None)])
    }

    /// "Task failed." and its cause, in one sentence where both stand at one place.
    fn under_task(&self, cause: &str, at: Position, help: Option<&str>) -> Vec<Cause> {
        let cause = self.cause(cause, at, help);
        if cause.at.as_ref() == Some(self.at) {
            return vec![Cause {
                message: format!("Task failed: {}", cause.message),
                ..cause
            }];
        }
        let task = Cause {
            message: "Task failed.".to_owned(),
            at: Some(self.at.clone()),
            help: None,
        };
        vec![task, cause]
    }

    fn cause(&self, message: &str, at: Position, help: Option<&str>) -> Cause {
        Cause {
            message: message.to_owned(),
            at: Some((self.place)(at)),
            help: help.map(str::to_owned),
        }
    }

    /// The argument that was to be a variable of this name: the key, or, where that is a template, the item of the loop.
    fn key(&self, name: &str) -> Option<&Node> {
        let arguments = self.action()?.1.as_map()?;
        if let Some((key, _)) = arguments.entry(name) {
            return Some(key);
        }
        let mut items = Vec::new();
        if let Some(items_of) = self.task.get("loop") {
            leaves(items_of, &mut items);
        }
        let item = items.into_iter().find(|item| item.as_str() == Some(name));
        item.or_else(|| templated(arguments).next())
    }

    /// The key that names the module, and what is behind it.
    fn action(&self) -> Option<&(Node, Node)> {
        let names = |key: &str| {
            let short = key.rsplit_once('.').map_or(key, |(_, short)| short);
            short == self.module || matches!(key, "action" | "local_action")
        };
        self.task
            .iter()
            .find(|(key, _)| key.as_str().is_some_and(names))
    }

    /// The conditions of the task: what `assert` checks, then its keywords.
    fn conditions(&self) -> Vec<&Node> {
        let asserted = self
            .action()
            .and_then(|(_, value)| value.as_map()?.get("that"));
        let keywords = ["when", "until"].map(|name| self.task.get(name));
        let mut out = Vec::new();
        for node in asserted.into_iter().chain(keywords.into_iter().flatten()) {
            leaves(node, &mut out);
        }
        out
    }

    /// The values of the keywords that are templated before the arguments are.
    fn values(&self) -> Vec<&Node> {
        let mut out = Vec::new();
        for (key, value) in self.task.iter() {
            let early = |k: &str| matches!(k, "loop" | "delegate_to") || k.starts_with("with_");
            if key.as_str().is_some_and(early) {
                leaves(value, &mut out);
            }
        }
        let arguments = self.action().and_then(|(_, value)| value.as_map());
        out.extend(arguments.into_iter().flat_map(templated));
        out
    }

    /// The one that a sentence is about: that has the last name which the sentence quotes, or is the only one.
    fn meant<'n>(&self, nodes: &[&'n Node], sentence: &str) -> Option<&'n Node> {
        let name = sentence.rsplit('\'').nth(1);
        let has = |node: &&&Node| {
            name.is_some_and(|n| node.as_str().is_some_and(|text| text.contains(n)))
        };
        match nodes {
            [only] => Some(only),
            _ => nodes.iter().find(has).copied(),
        }
    }
}

/// The keys of a mapping that are templates.
fn templated(map: &Mapping) -> impl Iterator<Item = &Node> {
    let keys = map.iter().map(|(key, _)| key);
    keys.filter(|key| key.as_str().is_some_and(|text| text.contains("{{")))
}

/// The node itself, or what is in it if it is a list.
fn leaves<'a>(node: &'a Node, out: &mut Vec<&'a Node>) {
    match node.as_list() {
        Some(items) => items.iter().for_each(|item| leaves(item, out)),
        None => out.push(node),
    }
}

/// The value of a node; what is vaulted is not shown.
fn plain(node: &Node) -> Value {
    let mut hidden = |_: &yaml::Vault, at| Err(Problem::error("vaulted").at(at));
    node.to_value(&mut hidden).unwrap_or_default()
}
