//! Plays, and playbooks that import playbooks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::action::short;
use super::entries::texts;
use super::keywords::{Keyword, Keywords, Place, find, unknown};
use super::model::{Play, PlaybookImport, RoleUse, text_of};
use super::reader::{Reader, Scope};
use crate::files::{clean, parent};
use crate::problem::Problem;
use crate::source::Position;
use crate::yaml::{Mapping, Node, NodeValue};

/// How deep playbooks may import each other.
const MAX_IMPORTS: usize = 64;

impl Reader<'_> {
    pub(super) fn plays(
        &self,
        path: &Path,
        imports: &[Arc<PlaybookImport>],
        asked: Option<Position>,
        out: &mut Vec<Play>,
    ) -> Result<(), Problem> {
        let root = self.document(path, asked)?;
        let items = match &root.value {
            NodeValue::List(items) if !items.is_empty() => items,
            NodeValue::List(_) | NodeValue::Null => {
                return Err(Problem::error("A playbook must contain at least one play").at(root.at));
            }
            _ => {
                return Err(Problem::error(format!(
                    "a playbook is a list of plays, and this is {}",
                    root.kind()
                ))
                .at(root.at)
                .hint("every play begins with `- `"));
            }
        };
        for item in items.iter() {
            let Some(map) = item.as_map() else {
                return Err(Problem::error(format!(
                    "a play is a mapping, and this is {}",
                    item.kind()
                ))
                .at(item.at));
            };
            let import = map.iter().find(|(key, _)| {
                key.as_str()
                    .is_some_and(|name| short(name) == "import_playbook")
            });
            match import {
                Some((key, file)) => {
                    self.import_playbook(path, item, map, (key, file), imports, out)?
                }
                None => out.push(self.play(path, item, map, imports)?),
            }
        }
        Ok(())
    }

    fn import_playbook(
        &self,
        from: &Path,
        item: &Node,
        map: &Mapping,
        (statement, file): (&Node, &Node),
        imports: &[Arc<PlaybookImport>],
        out: &mut Vec<Play>,
    ) -> Result<(), Problem> {
        if imports.len() >= MAX_IMPORTS {
            return Err(Problem::error("playbooks import each other in a circle").at(file.at));
        }
        let mut keywords = Keywords::default();
        for (key, value) in map {
            let name = text_of(key);
            let known = if key == statement {
                "import_playbook"
            } else {
                &name
            };
            match find(known, Place::ImportPlaybook) {
                Some(keyword) => keywords.push(keyword, key, value),
                None => return Err(unknown(key, &name, Place::ImportPlaybook)),
            }
        }
        self.check_common(&keywords, Place::ImportPlaybook)?;
        let mut scope = self.play_scope(from);
        for import in imports {
            scope = scope.with_vars(import.keywords.get("vars"));
        }
        let scope = scope.with_vars(keywords.get("vars"));
        let name = self.render(file, &scope)?;
        let name = name.trim();
        if name.is_empty() {
            return Err(Problem::error("`import_playbook` names no file").at(statement.at));
        }
        let path = self
            .collections
            .playbook(self, name, &scope)
            .unwrap_or_else(|| clean(&parent(from).join(name)));
        if !self.files.is_file(&path) {
            return Err(Problem::error(format!("there is no playbook `{name}`"))
                .general()
                .at(file.at)
                .over(text_of(file).chars().count())
                .note(format!("looked for {}", path.display())));
        }
        let mut imports = imports.to_vec();
        imports.push(Arc::new(PlaybookImport {
            at: item.at,
            keywords,
        }));
        self.plays(&path, &imports, Some(file.at), out)
    }

    /// The collection that a playbook's file is in: its names are known without the collection.
    fn collection_around(&self, path: &Path) -> Option<String> {
        let path = clean(&self.options.directory.join(path));
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let at = parts
            .iter()
            .rposition(|part| part == "ansible_collections")?;
        match parts.get(at + 1..at + 3)? {
            [namespace, name] => Some(format!("{namespace}.{name}")),
            _ => None,
        }
    }

    pub(super) fn play_scope(&self, path: &Path) -> Scope {
        Scope {
            playbook_dir: parent(path).to_owned(),
            folders: Vec::new(),
            role: None,
            handlers: false,
            in_block: false,
            collections: self.collection_around(path).into_iter().collect(),
            vars: Vec::new(),
            depth: 0,
        }
    }

    fn play(
        &self,
        path: &Path,
        item: &Node,
        map: &Mapping,
        imports: &[Arc<PlaybookImport>],
    ) -> Result<Play, Problem> {
        let keywords = self.play_keywords(item, map)?;
        let mut scope = self.play_scope(path);
        for import in imports {
            scope = scope.with_vars(import.keywords.get("vars"));
        }
        scope = scope.with_vars(keywords.get("vars"));
        self.add_vars_files(&keywords, &mut scope);
        if let Some(collections) = keywords.get("collections") {
            let own = std::mem::replace(&mut scope.collections, texts(collections));
            scope.collections.extend(own);
        }
        let section = |name: &str, scope: &Scope| match keywords.get(name) {
            Some(list) => self.entries(list, name, scope),
            None => Ok(Vec::new()),
        };
        let mut handlers = scope.clone();
        handlers.handlers = true;
        let hosts = self.hosts(&keywords, &scope)?;
        let title = match keywords.get("name").map(|name| self.render(name, &scope)) {
            Some(name) if !matches!(&name, Ok(name) if name.is_empty()) => name?,
            _ => match keywords.get("hosts").map(|h| self.render_list(h, &scope)) {
                // The list that a template gives is shown as Python does.
                Some(Ok(Some(list))) => {
                    let quoted: Vec<_> = list.iter().map(|host| format!("'{host}'")).collect();
                    format!("[{}]", quoted.join(", "))
                }
                _ => hosts.join(","),
            },
        };
        Ok(Play {
            at: item.at,
            hosts,
            title,
            file: path.to_owned(),
            imports: imports.to_vec(),
            pre_tasks: section("pre_tasks", &scope)?,
            roles: match keywords.get("roles") {
                Some(list) => self.roles(list, &scope)?,
                None => Vec::new(),
            },
            tasks: section("tasks", &scope)?,
            post_tasks: section("post_tasks", &scope)?,
            handlers: section("handlers", &handlers)?,
            keywords,
        })
    }

    /// The variables of `vars_files` are known while a play is read, as far as the files are: what is missing, or named by what only
    /// a run knows, is left to the run.
    fn add_vars_files(&self, keywords: &Keywords, scope: &mut Scope) {
        let Some(files) = keywords.get("vars_files") else {
            return;
        };
        for entry in files.as_list().unwrap_or(std::slice::from_ref(files)) {
            let choices = entry.as_list().unwrap_or(std::slice::from_ref(entry));
            let mut paths = choices.iter().filter_map(|choice| {
                let name = self.render(choice, scope).ok()?;
                let folders = [scope.playbook_dir.join("vars"), scope.playbook_dir.clone()];
                let mut paths = folders.iter().map(|folder| clean(&folder.join(&name)));
                paths.find(|path| self.files.is_file(path))
            });
            let found = paths.next();
            let node = found.and_then(|path| self.document(&path, None).ok());
            *scope = scope.with_vars(node.as_ref());
        }
    }

    /// The patterns of `hosts`; a template may give a list.
    fn hosts(&self, keywords: &Keywords, scope: &Scope) -> Result<Vec<String>, Problem> {
        let Some(hosts) = keywords.get("hosts") else {
            return Ok(Vec::new());
        };
        match hosts.as_list() {
            Some(list) => list.iter().map(|host| self.pattern(host, scope)).collect(),
            None => {
                if let Some(list) = self.render_list(hosts, scope)? {
                    return Ok(list);
                }
                let text = self.pattern(hosts, scope)?;
                if hosts.as_str() == Some(&text) {
                    return Ok(vec![text]);
                }
                Ok(text.split(',').map(|part| part.trim().to_owned()).collect())
            }
        }
    }

    /// One pattern. An empty one would be for all hosts.
    fn pattern(&self, host: &Node, scope: &Scope) -> Result<String, Problem> {
        if self.render_list(host, scope)?.is_some() {
            return Err(
                Problem::error("Keyword 'hosts' items must be of type 'str', not 'list'.")
                    .at(host.at),
            );
        }
        let text = self.render(host, scope)?;
        if text.is_empty() {
            return Err(Problem::error(
                "Keyword 'hosts' is required, and cannot have empty values.",
            )
            .at(host.at)
            .hint(
                "give the variable a pattern, or a list of patterns; an empty list is for no host",
            ));
        }
        Ok(text)
    }

    fn play_keywords(&self, item: &Node, map: &Mapping) -> Result<Keywords, Problem> {
        let mut keywords = Keywords::default();
        if map.get("user").is_some() && map.get("remote_user").is_some() {
            return Err(Problem::error("both 'user' and 'remote_user' are set for this play. The use of 'user' is deprecated, and should be removed").at(item.at));
        }
        for (key, value) in map {
            let name = text_of(key);
            // Ansible's old name.
            let name = if name == "user" { "remote_user" } else { &name };
            match find(name, Place::Play) {
                Some(keyword) => keywords.push(keyword, key, value),
                None => return Err(unknown(key, name, Place::Play)),
            }
        }
        check_hosts(item, &keywords)?;
        check_prompts(&keywords)?;
        self.check_common(&keywords, Place::Play)?;
        Ok(keywords)
    }

    /// `roles:` of a play, or the dependencies of a role.
    pub(crate) fn roles(&self, list: &Node, scope: &Scope) -> Result<Vec<Arc<RoleUse>>, Problem> {
        let items = match &list.value {
            NodeValue::Null => return Ok(Vec::new()),
            NodeValue::List(items) => items,
            _ => {
                return Err(Problem::error(format!(
                    "A malformed role declaration was encountered: {} should be a list but is {}",
                    text_of(list),
                    list.kind()
                ))
                .at(list.at));
            }
        };
        items
            .iter()
            .map(|item| self.role_entry(item, scope))
            .collect()
    }

    fn role_entry(&self, item: &Node, scope: &Scope) -> Result<Arc<RoleUse>, Problem> {
        let mut keywords = Keywords::default();
        let mut params = Vec::new();
        let mut name = None;
        match &item.value {
            NodeValue::Str(text) if text.text.contains(',') && !text.text.contains("{{") => {
                return Err(Problem::error(format!(
                    "Invalid old style role requirement: {}",
                    text.text
                ))
                .at(item.at)
                .hint("name one role an entry"));
            }
            NodeValue::Str(_) | NodeValue::Int(_) => name = Some(item.clone()),
            NodeValue::Map(map) => {
                for (key, value) in map.iter() {
                    let text = text_of(key);
                    match find(&text, Place::Role) {
                        _ if matches!(text.as_str(), "role" | "name") => {
                            if name.is_none() || text == "role" {
                                name = Some(value.clone());
                            }
                        }
                        Some(keyword) => keywords.push(keyword, key, value),
                        None => params.push((key.clone(), value.clone())),
                    }
                }
                if name.is_none() {
                    name = map.get("src").cloned();
                    params.retain(|(key, _)| {
                        !matches!(text_of(key).as_str(), "src" | "scm" | "version")
                    });
                }
            }
            _ => {
                return Err(Problem::error(format!(
                    "a role is named by text or a mapping, and this is {}",
                    item.kind()
                ))
                .at(item.at));
            }
        }
        let Some(name) = name.filter(|name| !text_of(name).is_empty()) else {
            return Err(Problem::error("this entry names no role")
                .general()
                .at(item.at)
                .hint("write `- role: NAME`"));
        };
        self.check_common(&keywords, Place::Role)?;
        let mut inner = scope.deeper(name.at)?.with_vars(keywords.get("vars"));
        inner.vars.push(
            Node::map(params.clone(), item.at)
                .as_map()
                .cloned()
                .unwrap_or_default()
                .into(),
        );
        let text = self.render(&name, &inner).map_err(Problem::general)?;
        self.role_use(
            &text,
            &name,
            crate::roles::From::default(),
            &keywords,
            params,
            &inner,
        )
    }
}

/// The files and folders beside a playbook in which roles are.
pub(crate) fn role_folders(reader: &Reader<'_>, scope: &Scope) -> Vec<PathBuf> {
    let mut out = vec![scope.playbook_dir.join("roles")];
    out.extend(reader.options.roles_path.iter().cloned());
    if let Some(role) = &scope.role {
        out.push(parent(&role.path).to_owned());
    }
    out.push(scope.playbook_dir.clone());
    out.iter().map(|path| clean(path)).collect()
}

/// Every entry of `vars_prompt` names a variable.
fn check_prompts(keywords: &Keywords) -> Result<(), Problem> {
    let prompts = keywords.get("vars_prompt").filter(|node| !node.is_null());
    let Some(prompts) = prompts else {
        return Ok(());
    };
    let list = prompts.as_list().unwrap_or(std::slice::from_ref(prompts));
    match list
        .iter()
        .find(|entry| entry.as_map().is_none_or(|map| map.get("name").is_none()))
    {
        None => Ok(()),
        Some(entry) => Err(Problem::error(
            "Invalid vars_prompt data structure, missing 'name' key",
        )
        .at(entry.at)
        .hint("write `- name: VARIABLE`, with `prompt: TEXT` beside it")),
    }
}

fn check_hosts(item: &Node, keywords: &Keywords) -> Result<(), Problem> {
    let Some(hosts) = keywords.get("hosts") else {
        return Err(
            Problem::error("The field 'hosts' is required but was not set.")
                .at(item.at)
                .hint("add `hosts: PATTERN`, for example `hosts: all`"),
        );
    };
    let bad = |what: String| {
        Err(Problem::error(what)
            .at(hosts.at)
            .hint("write `hosts: PATTERN`, or a list of patterns"))
    };
    match &hosts.value {
        NodeValue::List(list) if list.is_empty() => {
            bad("Hosts list cannot be empty. Please check your playbook".to_owned())
        }
        NodeValue::Null => bad("Hosts list cannot be empty. Please check your playbook".to_owned()),
        NodeValue::Str(text) if text.text.is_empty() => {
            bad("Hosts list cannot be empty. Please check your playbook".to_owned())
        }
        NodeValue::List(list) => match list.iter().find(|host| text_of(host).is_empty()) {
            Some(host) => bad(format!(
                "Hosts list contains an invalid host value: '{}'",
                text_of(host)
            )),
            None => Ok(()),
        },
        NodeValue::Map(_) | NodeValue::Vault(_) => {
            bad("Hosts list must be a sequence or string. Please check your playbook.".to_owned())
        }
        _ => Ok(()),
    }
}

/// The keyword that a role's `meta/main.yml` may have beside its own fields.
pub(crate) fn meta_keyword(name: &str) -> Option<&'static Keyword> {
    find(name, Place::Role).filter(|keyword| !matches!(keyword.name, "role" | "tags" | "when"))
}
