//! Tasks and blocks.

use rustle_formats::Value;
use rustle_formats::plan::{ARGS_TEMPLATE, Block, Item, Task};
use rustle_playbook::Problem;
use rustle_playbook::play::{
    Action, Block as PlayBlock, Entry, ImportRole, ImportTasks, Loop, Site, Task as PlayTask,
};

use crate::handlers;
use crate::keywords::{Fields, json, text};
use crate::lowering::Lowering;
use crate::roles::from_names;

impl Lowering<'_> {
    /// A list of tasks and blocks.
    pub(crate) fn items(&mut self, entries: &[Entry], site: &Site) -> Vec<Item> {
        entries.iter().map(|entry| self.item(entry, site)).collect()
    }

    fn item(&mut self, entry: &Entry, site: &Site) -> Item {
        match entry {
            Entry::Task(task) => Item::Task(Box::new(self.task(task, site, &Fields::new()))),
            Entry::Block(block) => Item::Block(Box::new(self.block(block, site))),
            Entry::ImportTasks(import) => Item::Block(Box::new(self.import_tasks(import, site))),
            Entry::ImportRole(import) => Item::Block(Box::new(self.import_role(import))),
        }
    }

    /// A task. `around` are keywords that it takes from what is around it.
    pub(crate) fn task(&mut self, task: &PlayTask, site: &Site, around: &Fields) -> Task {
        if self.is_vaulted(task.at) {
            self.problems.push(
                Problem::error("a task of a vaulted file would be readable in an artifact")
                    .at(task.at)
                    .hint("vault the variables that the task uses, and leave the task itself open"),
            );
            return Task::default();
        }
        let mut fields = self.fields(&task.keywords, &[]);
        handlers::inherit(&mut fields, around);
        match &task.loop_ {
            Some(Loop::Items(items)) => {
                let items = self.value(items);
                fields.insert("loop".to_owned(), json(&items));
            }
            Some(Loop::With { lookup, terms }) => {
                let terms = self.value(terms);
                fields.insert("loop".to_owned(), json(&terms));
                fields.insert("loop_with".to_owned(), lookup.as_str().into());
            }
            None => {}
        }
        let mut out: Task = self.build(fields, task.at);
        out.id = self.task_id();
        out.module = module_of(&task.action);
        self.note_module(&out.module, &task.action.module, site);
        if out.name.is_empty() && out.module != task.action.name {
            // A task without a name is called by its module, as it was written.
            out.name.clone_from(&task.action.name);
        }
        out.source = Some(self.source(task.at));
        self.arguments(&mut out, &task.action);
        if task.action.is_local && out.delegate_to.is_none() {
            out.delegate_to = Some("localhost".into());
        }
        self.includes_of(task, site);
        out
    }

    fn arguments(&mut self, task: &mut Task, action: &Action) {
        task.args = self.entries_map(&action.args);
        if let Some(free) = &action.free {
            let free = self.value(free);
            task.args.insert("_raw_params".to_owned(), free);
        }
        if let Some(template) = &action.args_template {
            let made = self.value(template);
            task.args.insert(ARGS_TEMPLATE.to_owned(), made);
            self.warnings.push(
                Problem::warning("a template for all arguments of a task is not safe where others may set its variables")
                    .at(template.at)
                    .hint("write the arguments out, each with its own template"),
            );
        }
        if action.builtin() == Some("set_fact") {
            for (key, _) in &action.args {
                self.warn_reserved_text(key);
            }
            // What is no text is no name of a variable: the task says so when it is reached.
            for (key, value) in action.args.iter().filter(|(key, _)| key.as_str().is_none()) {
                let value = self.value(value);
                let name = format!("{{{{ {} }}}}", text(key));
                task.args.insert(name, value);
            }
        }
    }

    fn block(&mut self, block: &PlayBlock, site: &Site) -> Block {
        let fields = self.fields(&block.keywords, &["block", "rescue", "always"]);
        let mut out: Block = self.build(fields, block.at);
        out.source = Some(self.source(block.at));
        out.block = self.items(&block.block, site);
        out.rescue = self.items(&block.rescue, site);
        out.always = self.items(&block.always, site);
        out
    }

    fn import_tasks(&mut self, import: &ImportTasks, site: &Site) -> Block {
        let fields = self.fields(&import.task.keywords, &[]);
        let mut out: Block = self.build(fields, import.task.at);
        out.source = Some(self.source(import.task.at));
        out.file = Some(self.name_of(&import.file));
        let mut inner = site.clone();
        if let Some(folder) = import.file.parent() {
            inner.folder = folder.to_owned();
        }
        out.block = self.items(&import.entries, &inner);
        out
    }

    fn import_role(&mut self, import: &ImportRole) -> Block {
        let fields = self.fields(&import.task.keywords, &[]);
        let mut out: Block = self.build(fields, import.task.at);
        out.source = Some(self.source(import.task.at));
        let from = from_names(&import.task.action);
        let mut used = self.role_use(&import.role, &from);
        used.imported = Some(true);
        let flag = |value: Option<Value>| value.as_ref().and_then(truth);
        let mut argument = |name: &str| {
            let node = import.task.action.arg(name).cloned();
            node.map(|node| self.value(&node))
        };
        used.public = flag(argument("public"));
        used.allow_duplicates = flag(argument("allow_duplicates"));
        used.rolespec_validate = flag(argument("rolespec_validate"));
        out.use_role = Some(Box::new(used));
        out
    }
}

/// The module: as it was written where that is its name, else the one that the name leads to.
fn module_of(action: &Action) -> String {
    let written = action.name.as_str();
    let same = ["ansible.builtin.", "ansible.legacy."]
        .iter()
        .any(|collection| action.module.strip_prefix(collection) == Some(written));
    if action.module == "ansible.builtin.gather_facts" {
        // It runs the modules of FACTS_MODULES, which is `setup` here.
        "setup".to_owned()
    } else if same {
        written.to_owned()
    } else {
        action.module.clone()
    }
}

/// A value that says yes or no.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Int(1) => Some(true),
        Value::Int(0) => Some(false),
        Value::Str(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" | "y" | "t" => Some(true),
            "no" | "false" | "off" | "0" | "n" | "f" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
