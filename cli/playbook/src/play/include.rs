//! `import_tasks`, `include_tasks`, `import_role`, `include_role`, and what they may say.

use std::path::{Path, PathBuf};

use super::action::short;
use super::model::{Entry, ImportRole, ImportTasks, Task, text_of};
use super::reader::{Reader, Scope};
use crate::files::{clean, parent};
use crate::problem::Problem;
use crate::roles::From;
use crate::yaml::Node;

/// The keywords that a dynamic include may have; others go to what is included by `apply`.
const ON_INCLUDES: &[&str] = &[
    "args",
    "collections",
    "debugger",
    "ignore_errors",
    "loop",
    "loop_control",
    "name",
    "no_log",
    "register",
    "run_once",
    "tags",
    "timeout",
    "vars",
    "when",
    // Allowed on handlers only.
    "listen",
];

const ROLE_ARGUMENTS: &[&str] = &[
    "allow_duplicates",
    "defaults_from",
    "handlers_from",
    "name",
    "public",
    "role",
    "rolespec_validate",
    "tasks_from",
    "vars_from",
];

/// Whether a module's name is one of these statements.
pub(super) fn is_statement(name: &str) -> bool {
    let full = name.starts_with("ansible.") || !name.contains('.');
    let statements = [
        "import_tasks",
        "include_tasks",
        "import_role",
        "include_role",
        "include",
        "import_playbook",
    ];
    full && statements.contains(&short(name))
}

impl Reader<'_> {
    pub(super) fn include(&self, task: Task, scope: &Scope) -> Result<Entry, Problem> {
        let name = short(&task.action.name).to_owned();
        if scope.handlers && matches!(name.as_str(), "import_role" | "include_role") {
            return Err(
                Problem::error(format!("Using '{name}' as a handler is not supported."))
                    .at(task.action.at)
                    .over(task.action.name.len())
                    .hint("`include_tasks` is, and may lead to a file that includes the role"),
            );
        }
        match name.as_str() {
            "include" => Err(Problem::error("The 'ansible.builtin.include' action plugin has been removed. Use include_tasks or import_tasks instead. This feature was removed from ansible-core in a release after 2023-05-16.")
                .at(task.action.at)
                .over(task.action.name.len())
                .general()
                .hint("write `import_tasks` (static) or `include_tasks` (dynamic)")),
            "import_playbook" => Err(Problem::error(
                "`import_playbook` stands between plays, not between tasks",
            )
            .at(task.action.at)
            .over(task.action.name.len())),
            "import_tasks" => self.import_tasks(task, scope),
            "include_tasks" => self.include_tasks(task, scope),
            "import_role" => self.import_role(task, scope),
            _ => self.include_role(task, scope),
        }
    }

    fn import_tasks(&self, task: Task, scope: &Scope) -> Result<Entry, Problem> {
        no_loop(&task)?;
        let file = file_argument(&task, &["_raw_params", "file"])?;
        let name = self.render(&file, scope)?;
        let candidates = self.task_files(&name, scope);
        let Some(path) = candidates.iter().find(|path| self.files.is_file(path)) else {
            return Err(missing(&name, &file, &candidates));
        };
        let mut inner = scope.deeper(file.at)?;
        inner.folders.push(parent(path).to_owned());
        let document = self.document(path, Some(file.at))?;
        let entries = self.entries(&document, "a file of tasks", &inner)?;
        let file = path.clone();
        Ok(Entry::ImportTasks(Box::new(ImportTasks {
            task,
            file,
            entries,
        })))
    }

    fn include_tasks(&self, mut task: Task, scope: &Scope) -> Result<Entry, Problem> {
        let file = file_argument(&task, &["_raw_params", "file", "apply"])?;
        allowed_keywords(&task)?;
        let name = text_of(&file);
        if !name.contains("{{") {
            task.candidates = self.task_files(&name, scope);
        } else if let Ok(name) = self.render(&file, scope) {
            task.candidates = self.task_files(&name, scope);
        }
        task.candidates
            .sort_by_key(|path| !self.files.is_file(path));
        Ok(Entry::Task(Box::new(task)))
    }

    /// Where a file of tasks may be, in Ansible's order.
    fn task_files(&self, name: &str, scope: &Scope) -> Vec<PathBuf> {
        let name = Path::new(name.trim());
        if name.is_absolute() {
            return vec![clean(name)];
        }
        let mut out: Vec<PathBuf> = scope
            .folders
            .iter()
            .rev()
            .map(|folder| clean(&folder.join(name)))
            .collect();
        if let Some(role) = &scope.role {
            let section = if scope.handlers { "handlers" } else { "tasks" };
            out.push(clean(&role.path.join(section).join(name)));
            out.push(clean(&role.path.join("tasks").join(name)));
            out.push(clean(&role.path.join(name)));
        }
        out.push(clean(&scope.playbook_dir.join("tasks").join(name)));
        out.push(clean(&scope.playbook_dir.join(name)));
        let mut seen = Vec::new();
        out.retain(|path| {
            !seen.contains(path) && {
                seen.push(path.clone());
                true
            }
        });
        out
    }

    /// The files that an `include_vars` with a known name may mean, an existing one first.
    pub(super) fn vars_candidates(&self, task: &Task, scope: &Scope) -> Vec<PathBuf> {
        let action = &task.action;
        let Some(file) = action
            .free
            .as_ref()
            .or(action.arg("file"))
            .or(action.arg("_raw_params"))
        else {
            return Vec::new();
        };
        let Ok(name) = self.render(file, scope) else {
            return Vec::new();
        };
        let name = Path::new(name.trim());
        if name.is_absolute() {
            return vec![clean(name)];
        }
        let role = scope.role.iter().map(|role| &role.path);
        let bases = role
            .chain(scope.folders.last())
            .chain([&scope.playbook_dir]);
        let mut out = Vec::new();
        for path in bases.flat_map(|base| [base.join("vars").join(name), base.join(name)]) {
            let path = clean(&path);
            if !out.contains(&path) {
                out.push(path);
            }
        }
        out.sort_by_key(|path| !self.files.is_file(path));
        out
    }

    fn import_role(&self, task: Task, scope: &Scope) -> Result<Entry, Problem> {
        no_loop(&task)?;
        let (name, from) = self.role_arguments(&task, &[])?;
        let role_name = self.render(&name, scope).map_err(Problem::general)?;
        let inner = scope.deeper(name.at)?;
        let from = from.try_map(|node| self.render(node, scope))?;
        let role = self.role_use(&role_name, &name, from, &task.keywords, Vec::new(), &inner)?;
        Ok(Entry::ImportRole(Box::new(ImportRole { task, role })))
    }

    fn include_role(&self, mut task: Task, scope: &Scope) -> Result<Entry, Problem> {
        let (name, _) = self.role_arguments(&task, &["apply"])?;
        allowed_keywords(&task)?;
        if let Ok(name) = self.render(&name, scope) {
            task.candidates = self.role_candidates(&name, scope);
            task.candidates
                .sort_by_key(|path| !self.files.is_folder(path));
        }
        Ok(Entry::Task(Box::new(task)))
    }

    fn role_arguments(&self, task: &Task, more: &[&str]) -> Result<(Node, From<Node>), Problem> {
        let statement = &task.action.name;
        for (key, _) in &task.action.args {
            let name = text_of(key);
            if !ROLE_ARGUMENTS.contains(&name.as_str()) && !more.contains(&name.as_str()) {
                let mut problem = Problem::error(format!("`{statement}` has no argument `{name}`"))
                    .at(key.at)
                    .over(name.chars().count());
                if let Some(near) = rustle_formats::nearest(&name, ROLE_ARGUMENTS) {
                    problem = problem.hint(format!("did you mean `{near}`?"));
                } else if name == "apply" {
                    problem = problem.hint("`apply` is for the dynamic `include_role`; here, keywords of the statement apply to all tasks");
                }
                return Err(problem);
            }
        }
        let name = task.action.arg("name").or(task.action.arg("role"));
        let Some(name) = name.filter(|name| !text_of(name).is_empty()) else {
            return Err(Problem::error(format!("`{statement}` names no role"))
                .at(task.action.at)
                .over(statement.chars().count())
                .hint("write `name: ROLE` below it"));
        };
        let part = |argument: &str| {
            let node = task.action.arg(argument)?;
            (!node.is_null()).then(|| node.clone())
        };
        let from = From {
            tasks: part("tasks_from"),
            vars: part("vars_from"),
            defaults: part("defaults_from"),
            handlers: part("handlers_from"),
            skip_validation: task.action.arg("rolespec_validate").is_some_and(is_no),
        };
        Ok((name.clone(), from))
    }
}

/// Whether a value is one of the words for no.
fn is_no(node: &Node) -> bool {
    let text = text_of(node).to_ascii_lowercase();
    matches!(
        text.as_str(),
        "false" | "no" | "off" | "n" | "f" | "0" | "0.0"
    )
}

fn no_loop(task: &Task) -> Result<(), Problem> {
    if task.loop_.is_none() {
        return Ok(());
    }
    let name = &task.action.name;
    Err(Problem::error(format!(
        "`{name}` cannot be in a loop, because it is resolved before the run"
    ))
    .at(task.action.at)
    .over(name.chars().count())
    .hint(format!("write `{}`", name.replace("import_", "include_"))))
}

/// The file that a statement names.
fn file_argument(task: &Task, known: &[&str]) -> Result<Node, Problem> {
    let action = &task.action;
    for (key, _) in &action.args {
        let name = text_of(key);
        if !known.contains(&name.as_str()) {
            return Err(
                Problem::error(format!("`{}` has no argument `{name}`", action.name))
                    .at(key.at)
                    .over(name.chars().count())
                    .hint("variables for what is included stand in `vars`"),
            );
        }
    }
    action
        .free
        .as_ref()
        .or(action.arg("file"))
        .or(action.arg("_raw_params"))
        .filter(|file| !text_of(file).is_empty())
        .cloned()
        .ok_or_else(|| {
            Problem::error(format!("`{}` names no file", action.name))
                .at(action.at)
                .over(action.name.chars().count())
        })
}

fn allowed_keywords(task: &Task) -> Result<(), Problem> {
    for written in task.keywords.iter() {
        let name = written.keyword.name;
        if !ON_INCLUDES.contains(&name) {
            return Err(Problem::error(format!(
                "`{name}` has no effect on `{}`",
                task.action.name
            ))
            .at(written.key.at)
            .over(name.len())
            .hint(format!(
                "put it below `apply`: it is for the tasks inside; or use `{}`",
                task.action.name.replace("include_", "import_")
            )));
        }
    }
    Ok(())
}

fn missing(name: &str, file: &Node, candidates: &[PathBuf]) -> Problem {
    let mut problem = Problem::error(format!("there is no file `{name}`"))
        .general()
        .at(file.at)
        .over(text_of(file).chars().count());
    for path in candidates {
        problem = problem.note(format!("looked for {}", path.display()));
    }
    problem
}
