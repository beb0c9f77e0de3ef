//! The layers that a play adds to those of the inventory, as far as they are known before it runs.

use std::borrow::Cow;
use std::path::PathBuf;

use super::files::VarsFiles;
use super::layers::Layer;
use super::level::Level;
use super::variables::{HashBehaviour, Variables};
use crate::play::{Block, Entry, ImportRole, ImportTasks, Keywords, Play, RoleUse, Task};
use crate::problem::Problem;
use crate::yaml::Node;

/// The layers of a play: of the play itself, its roles, blocks and tasks, each with its owner. What only a run can tell (facts,
/// the answers of `vars_prompt`, files whose names are templates) is named where its place is known, else left out.
///
/// # Errors
/// Where a file of `vars_files` cannot be read.
pub fn play_layers(play: &Play, files: &mut VarsFiles<'_>) -> Result<Vec<Layer<'static>>, Problem> {
    let mut out = Layers(Vec::new());
    let title = format!("play `{}`", play.title);
    for import in &play.imports {
        out.vars(Level::PlayVars, "import_playbook", &import.keywords);
    }
    out.vars(Level::PlayVars, &title, &play.keywords);
    out.prompts(&title, &play.keywords);
    vars_files(play, &title, files, &mut out)?;
    for role in &play.roles {
        out.role(role);
    }
    for section in [
        &play.pre_tasks,
        &play.tasks,
        &play.post_tasks,
        &play.handlers,
    ] {
        out.entries(section);
    }
    Ok(out.0)
}

/// Reads `vars_files`. Of a list in the list, the first file that exists counts.
fn vars_files(
    play: &Play,
    owner: &str,
    files: &mut VarsFiles<'_>,
    out: &mut Layers,
) -> Result<(), Problem> {
    let Some(node) = play.keywords.get("vars_files") else {
        return Ok(());
    };
    let alone = std::slice::from_ref(node);
    let folder = play.file.parent().unwrap_or(&play.file).to_owned();
    for entry in node.as_list().unwrap_or(alone) {
        let alone = std::slice::from_ref(entry);
        let choices = entry.as_list().unwrap_or(alone);
        let found: Option<(PathBuf, &Node)> = choices
            .iter()
            .filter_map(|n| Some((n.as_str()?, n)))
            // Which file a template means is known when its variables are.
            .filter(|(name, _)| !name.contains("{{"))
            .map(|(name, n)| (folder.join(name), n))
            .find(|(path, _)| path.exists());
        if let Some((path, node)) = found {
            let vars = files.read(&path).map_err(|mut problem| {
                problem.at = problem.at.or(Some(node.at));
                problem
            })?;
            out.push(Level::PlayFiles, owner, vars);
        }
    }
    Ok(())
}

struct Layers(Vec<Layer<'static>>);

impl Layers {
    fn push(&mut self, level: Level, owner: &str, vars: Variables) {
        if !vars.is_empty() {
            self.0.push(Layer {
                level,
                owner: Cow::Owned(owner.to_owned()),
                vars: Cow::Owned(vars),
            });
        }
    }

    /// The keyword `vars`: a mapping, or a list of them.
    fn vars(&mut self, level: Level, owner: &str, keywords: &Keywords) {
        let Some(node) = keywords.get("vars") else {
            return;
        };
        let alone = std::slice::from_ref(node);
        let mut vars = Variables::default();
        for mapping in node
            .as_list()
            .unwrap_or(alone)
            .iter()
            .filter_map(Node::as_map)
        {
            vars.merge(&Variables::from_mapping(mapping).0, HashBehaviour::Replace);
        }
        self.push(level, owner, vars);
    }

    /// `vars_prompt`: the default stands for an answer that nobody has given yet.
    fn prompts(&mut self, owner: &str, keywords: &Keywords) {
        let mut vars = Variables::default();
        let list = keywords.get("vars_prompt").and_then(Node::as_list);
        for prompt in list.unwrap_or_default().iter().filter_map(Node::as_map) {
            if let Some(name) = prompt.get("name")
                && let Some(text) = name.as_str()
            {
                let unknown = Node::text("(asked for)", name.at);
                let value = prompt.get("default").cloned().unwrap_or(unknown);
                vars.set(text, value, HashBehaviour::Replace);
            }
        }
        self.push(Level::PlayPrompt, owner, vars);
    }

    fn role(&mut self, used: &RoleUse) {
        for dependency in &used.dependencies {
            self.role(dependency);
        }
        let owner = format!("role `{}`", used.role.name);
        for (level, nodes) in [
            (Level::RoleDefaults, &used.role.defaults),
            (Level::RoleVars, &used.role.vars),
        ] {
            for mapping in nodes.iter().filter_map(Node::as_map) {
                self.push(level, &owner, Variables::from_mapping(mapping).0);
            }
        }
        let mut params = Variables::default();
        for (key, value) in &used.params {
            if let Some(name) = key.as_str() {
                params.set(name, value.clone(), HashBehaviour::Replace);
            }
        }
        self.push(Level::RoleParams, &owner, params);
        self.vars(Level::RoleParams, &owner, &used.keywords);
        self.entries(&used.tasks);
        self.entries(&used.handlers);
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            match entry {
                Entry::Task(task) => self.task(task),
                Entry::Block(block) => self.block(block),
                Entry::ImportTasks(import) => self.import(import),
                Entry::ImportRole(import) => self.import_role(import),
            }
        }
    }

    fn block(&mut self, block: &Block) {
        let name = block.keywords.get("name").and_then(Node::as_str);
        let owner = name.map_or_else(|| "block".to_owned(), |n| format!("block `{n}`"));
        self.vars(Level::BlockVars, &owner, &block.keywords);
        for part in [&block.block, &block.rescue, &block.always] {
            self.entries(part);
        }
    }

    fn import(&mut self, import: &ImportTasks) {
        let owner = format!("tasks of {}", import.file.display());
        self.vars(Level::TaskVars, &owner, &import.task.keywords);
        self.entries(&import.entries);
    }

    fn import_role(&mut self, import: &ImportRole) {
        let owner = format!("import_role of `{}`", import.role.role.name);
        self.vars(Level::RoleParams, &owner, &import.task.keywords);
        self.role(&import.role);
    }

    fn task(&mut self, task: &Task) {
        let name = task.name().unwrap_or_else(|| task.action.name.clone());
        let owner = format!("task `{name}`");
        let builtin = task.action.builtin();
        let level = match builtin {
            Some("include_tasks" | "include_role") => Level::IncludeParams,
            _ => Level::TaskVars,
        };
        self.vars(level, &owner, &task.keywords);
        let mut set = Variables::default();
        if builtin == Some("set_fact") {
            for (key, value) in &task.action.args {
                if let Some(name) = key.as_str().filter(|n| *n != "cacheable") {
                    set.set(name, value.clone(), HashBehaviour::Replace);
                }
            }
        }
        if let Some(register) = task.keywords.get("register")
            && let Some(name) = register.as_str()
        {
            let result = Node::text("(the task's result)", register.at);
            set.set(name, result, HashBehaviour::Replace);
        }
        self.push(Level::SetFacts, &owner, set);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::play::{Options, Reader};
    use crate::source::Sources;
    use crate::vars::{explain, in_order};
    use crate::vault::Vault;
    use crate::{Files, Kind as FileKind};

    struct Disk;

    impl Files for Disk {
        fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
            fs::read(path)
        }

        fn kind(&self, path: &Path) -> Option<FileKind> {
            let meta = fs::metadata(path).ok()?;
            Some(if meta.is_dir() {
                FileKind::Folder
            } else {
                FileKind::File
            })
        }

        fn names(&self, path: &Path) -> Vec<String> {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries
                .filter_map(|e| e.file_name().into_string().ok())
                .collect()
        }
    }

    #[test]
    fn every_level_of_a_play_is_found_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(
            "site.yml",
            "- hosts: all\n  name: one\n  vars: {x: play}\n  vars_prompt:\n  - {name: x, default: prompt}\n  vars_files: [[nope.yml, v.yml]]\n  roles:\n  - {role: r, x: param}\n  tasks:\n  - block:\n    - debug:\n      vars: {x: task}\n    vars: {x: block}\n  - set_fact: {x: fact}\n  - command: id\n    register: x\n  - include_tasks: more.yml\n    vars: {x: include}\n",
        );
        put("more.yml", "- debug:\n");
        put("v.yml", "x: file\n");
        put("roles/r/defaults/main.yml", "x: default\n");
        put("roles/r/vars/main.yml", "x: role\n");
        put("roles/r/tasks/main.yml", "- debug:\n");
        let sources = Sources::default();
        let options = Options::default();
        let reader = Reader::new(&sources, &Disk, &options);
        let book = reader.playbook(&dir.path().join("site.yml")).unwrap();
        let vault = Vault::default();
        let mut files = VarsFiles::new(&sources, &vault);
        let layers = in_order(play_layers(&book.plays[0], &mut files).unwrap());
        let told: String = explain("x", &layers)
            .iter()
            .map(|s| {
                let place = sources.source(s.value.at);
                let file = place
                    .file
                    .rsplit_once('/')
                    .map_or("", |(_, f)| f)
                    .to_owned();
                let value = s.value.as_str().unwrap_or_default();
                format!(
                    "{} {} {file}:{} {value}\n",
                    s.level.number(),
                    s.owner,
                    place.line
                )
            })
            .collect();
        insta::assert_snapshot!(told, @r"
        2 role `r` main.yml:1 default
        12 play `one` site.yml:3 play
        13 play `one` site.yml:5 prompt
        14 play `one` v.yml:1 file
        15 role `r` main.yml:1 role
        16 block site.yml:13 block
        17 task `debug` site.yml:12 task
        19 task `set_fact` site.yml:14 fact
        19 task `command` site.yml:16 (the task's result)
        20 role `r` site.yml:8 param
        21 task `include_tasks` site.yml:18 include
        ");
    }
}
