//! What all parts of the reading share: the files, the options, what was read before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustle_template::{Engine, Error, Host, Scope as Variables, Value as TemplateValue};

use super::model::{Playbook, text_of};
use crate::collections::Collections;
use crate::files::{Files, parent};
use crate::problem::Problem;
use crate::roles::Role;
use crate::source::{Position, Sources};
use crate::yaml::{self, Mapping, Node, NodeValue};

/// How playbooks are read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How YAML is read.
    pub yaml: yaml::Options,
    /// The working directory, against which relative paths are understood.
    pub directory: PathBuf,
    /// `roles_path`, after the playbook's own `roles`.
    pub roles_path: Vec<PathBuf>,
    /// `collections_path`: each contains `ansible_collections`.
    pub collections_path: Vec<PathBuf>,
    /// Folders with modules, beside `library` next to the playbook and in roles.
    pub module_path: Vec<PathBuf>,
    /// Full names of modules that are known though no collection with them is installed.
    pub native_modules: std::collections::HashSet<String>,
    /// The routing of ansible.builtin's former modules to collections, if Ansible is installed:
    /// `ansible/config/ansible_builtin_runtime.yml`.
    pub builtin_routing: Option<PathBuf>,
    /// The environment, by which names of strategies and files may be templated.
    pub environment: HashMap<String, String>,
    /// The folder of the Python package `ansible`, if it is installed: it has the modules of ansible.builtin.
    pub builtin_plugins: Option<PathBuf>,
    /// `--extra-vars`, by which the names of static imports may be templated.
    pub extra_vars: Vec<Arc<Mapping>>,
}

/// How deep files may import each other.
const MAX_IMPORTS: usize = 64;

/// What templates may ask of the machine.
struct Env(HashMap<String, String>);

impl Host for Env {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Reads playbooks.
pub struct Reader<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) files: &'a dyn Files,
    pub(crate) options: &'a Options,
    pub(crate) collections: Collections,
    documents: RefCell<HashMap<PathBuf, Node>>,
    warnings: RefCell<Vec<Problem>>,
    pub(super) engine: Engine<'a>,
}

/// What surrounds a list of tasks.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    /// The playbook's folder.
    pub(crate) playbook_dir: PathBuf,
    /// The folders of the files that led here, the innermost last.
    pub(crate) folders: Vec<PathBuf>,
    /// The role that the tasks belong to.
    pub(crate) role: Option<Arc<Role>>,
    /// Whether they are handlers.
    pub(crate) handlers: bool,
    /// Whether a block is around them.
    pub(crate) in_block: bool,
    /// `collections`
    pub(crate) collections: Vec<String>,
    /// Variables that are known while reading, the innermost last.
    pub(crate) vars: Vec<Arc<Mapping>>,
    /// How many files imported each other to get here.
    pub(crate) depth: usize,
}

impl Scope {
    /// One file further in.
    pub(crate) fn deeper(&self, at: Position) -> Result<Scope, Problem> {
        if self.depth >= MAX_IMPORTS {
            return Err(Problem::error(format!(
                "files import each other {MAX_IMPORTS} levels deep, probably in a circle"
            ))
            .at(at));
        }
        let mut scope = self.clone();
        scope.depth += 1;
        Ok(scope)
    }

    pub(crate) fn with_vars(&self, vars: Option<&Node>) -> Scope {
        let mut scope = self.clone();
        if let Some(NodeValue::Map(map)) = vars.map(|vars| &vars.value) {
            scope.vars.push(map.clone());
        }
        scope
    }
}

impl<'a> Reader<'a> {
    /// A reader of the files of one command.
    pub fn new(sources: &'a Sources, files: &'a dyn Files, options: &'a Options) -> Reader<'a> {
        Reader {
            sources,
            files,
            options,
            collections: Collections::default(),
            documents: RefCell::default(),
            warnings: RefCell::default(),
            engine: Engine::new().with_host(Rc::new(Env(options.environment.clone()))),
        }
    }

    /// Reads a playbook, and all that it imports statically.
    ///
    /// # Errors
    /// The first thing that Ansible refuses.
    pub fn playbook(&self, path: &Path) -> Result<Playbook, Problem> {
        let mut plays = Vec::new();
        self.plays(path, &[], None, &mut plays)?;
        Ok(Playbook {
            plays,
            warnings: self.warnings.take(),
        })
    }

    /// The file of a playbook in an installed collection, by its full name.
    pub fn collection_playbook(&self, name: &str) -> Option<PathBuf> {
        self.collections
            .playbook(self, name, &self.play_scope(Path::new(name)))
    }

    /// The modules of an action group of an installed collection, full names, groups that it extends included. `name` is a
    /// full name, as `module_defaults` has it after `group/`; a group of an unknown collection is empty.
    pub fn action_group(&self, name: &str, playbook: &Path) -> Vec<String> {
        let scope = self.play_scope(playbook);
        self.collections.action_group(self, name, &scope)
    }

    /// The document of a file, from before if it was read before. `asked` is where it is named.
    pub(crate) fn document(&self, path: &Path, asked: Option<Position>) -> Result<Node, Problem> {
        if let Some(node) = self.documents.borrow().get(path) {
            return Ok(node.clone());
        }
        let bytes = self.files.read(path).map_err(|error| {
            let mut problem =
                Problem::error(format!("`{}` cannot be read: {error}", path.display())).general();
            problem.at = asked;
            problem
        })?;
        let document = yaml::read(self.sources, path, &bytes, &self.options.yaml)?;
        self.warnings.borrow_mut().extend(document.warnings);
        self.documents
            .borrow_mut()
            .insert(path.to_owned(), document.root.clone());
        Ok(document.root)
    }

    /// A text in which static statements may have templates: only variables that are known now can be in them.
    pub(crate) fn render(&self, node: &Node, scope: &Scope) -> Result<String, Problem> {
        let text = text_of(node);
        if !text.contains("{{") && !text.contains("{%") {
            return Ok(text);
        }
        let value = self.render_value(&text, node, scope)?;
        Ok(shown(&value))
    }

    /// The texts of the list that a template gives; none where it gives something else.
    pub(crate) fn render_list(
        &self,
        node: &Node,
        scope: &Scope,
    ) -> Result<Option<Vec<String>>, Problem> {
        let text = text_of(node);
        if !text.contains("{{") {
            return Ok(None);
        }
        Ok(match self.render_value(&text, node, scope)? {
            TemplateValue::List(list) => Some(list.to_vec().iter().map(shown).collect()),
            _ => None,
        })
    }

    fn render_value(
        &self,
        text: &str,
        node: &Node,
        scope: &Scope,
    ) -> Result<TemplateValue, Problem> {
        let variables = Known {
            scope,
            extra: &self.options.extra_vars,
        };
        let trusted = TemplateValue::trusted(text);
        self.engine.template_value(&variables, &trusted).map_err(|error| {
            Problem::error(format!("`{text}` cannot be known before the run: {}", error.message()))
                .at(node.at)
                .over(text.chars().count())
                .hint("static statements know the variables of the play, of the role and of `--extra-vars` only; the dynamic form (`include_…`) knows them all")
        })
    }
}

/// The texts that a template of a play gives, of the play's variables: those of a list, or one; none where it needs other
/// variables.
pub(crate) fn known_texts(
    text: &str,
    file: &Path,
    vars: Vec<Arc<Mapping>>,
    extra: &[Arc<Mapping>],
) -> Option<Vec<String>> {
    let scope = Scope {
        playbook_dir: parent(file).to_owned(),
        vars,
        ..Scope::default()
    };
    let known = Known {
        scope: &scope,
        extra,
    };
    let value = Engine::new().template_value(&known, &TemplateValue::trusted(text));
    Some(match value.ok()? {
        TemplateValue::List(list) => list.to_vec().iter().map(shown).collect(),
        other => vec![shown(&other)],
    })
}

/// The variables that are known while a playbook is read.
struct Known<'s> {
    scope: &'s Scope,
    extra: &'s [Arc<Mapping>],
}

impl Variables for Known<'_> {
    fn get(&self, name: &str) -> Result<Option<TemplateValue>, Error> {
        let text = |path: &Path| Some(TemplateValue::str(path.to_string_lossy().into_owned()));
        let role = self.scope.role.as_ref();
        match name {
            "playbook_dir" => return Ok(text(&self.scope.playbook_dir)),
            "role_path" => return Ok(role.and_then(|role| text(&role.path))),
            // Outside of roles it is a variable like others.
            "role_name" | "ansible_role_name" if role.is_some() => {
                return Ok(role.map(|role| TemplateValue::str(role.name.as_str())));
            }
            _ => {}
        }
        let known = self.extra.iter().rev().chain(self.scope.vars.iter().rev());
        let Some(node) = known.into_iter().find_map(|map| map.get(name)) else {
            return Ok(None);
        };
        let mut hidden =
            |_: &yaml::Vault, at| Err(Problem::error("a vaulted value cannot name a file").at(at));
        let data = node
            .to_value(&mut hidden)
            .map_err(|problem| Error::value(problem.message))?;
        Ok(Some(TemplateValue::from_formats(&data, true)))
    }

    fn names(&self) -> Vec<String> {
        let all = self.scope.vars.iter().chain(self.extra);
        all.flat_map(|map| map.iter())
            .filter_map(|(key, _)| key.as_str().map(str::to_owned))
            .collect()
    }
}

fn shown(value: &TemplateValue) -> String {
    match (value.as_str(), value.to_formats()) {
        (Some(text), _) => text.to_owned(),
        (None, Ok(data)) => data.to_string(),
        (None, Err(_)) => String::new(),
    }
}
