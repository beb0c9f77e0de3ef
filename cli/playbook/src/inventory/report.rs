//! What ansible-inventory prints: settings and sources in, text out.

use std::collections::HashSet;
use std::path::PathBuf;

use super::constructed::Extra;
use super::emit_json;
use super::emit_yaml;
use super::graph::graph;
use super::group_names::Transform;
use super::list::{Tree, VarsOf, list_json, list_yaml};
use super::load::{self, Loaded};
use super::model::{GroupId, HostId, Inventory};
use crate::config::{Config, Origin};
use crate::pattern::{LOCALHOST, Limit, Mismatch, pick};
use crate::problem::Problem;
use crate::source::{Position, Sources};
use crate::vars::{HashBehaviour, InventoryVars, Roots, Variables, VarsFiles, parse_extra};
use crate::vault::Vault;
use crate::yaml::{DuplicateKeys, Node};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// All hosts and groups.
    List,
    /// A tree of this group; `None`: of `all`.
    Graph(Option<String>),
    /// The variables of one host.
    Host(String),
}

/// The options of ansible-inventory.
#[derive(Debug, Clone)]
pub struct Request {
    /// The sources (`-i`); none: those of the configuration.
    pub sources: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// What is wanted.
    pub action: Action,
    /// YAML, not JSON.
    pub yaml: bool,
    /// Variables of groups stay with the groups.
    pub export: bool,
    /// A graph shows variables.
    pub vars: bool,
    /// `--extra-vars`.
    pub extra: Vec<String>,
    /// `--playbook-dir`.
    pub playbook_dir: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// What is printed.
    pub text: String,
    /// Warnings.
    pub problems: Vec<Problem>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Refusal {
    /// The options name what is not there.
    Options(Problem),
    /// An inventory, a pattern or a file is wrong.
    Content(Problem),
    /// A file of variables is wrong.
    Variables(Problem),
}

impl Refusal {
    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        match self {
            Refusal::Options(p) | Refusal::Content(p) | Refusal::Variables(p) => p,
        }
    }
}

/// Reads the inventory that the options and the configuration name.
///
/// # Errors
/// Where the configuration makes an unreadable source an error.
pub fn open(
    given: &[String],
    config: &Config,
    sources: &Sources,
    vault: &Vault,
    extra: &Variables,
) -> Result<Loaded, Problem> {
    let env = config.environment();
    let mut named: Vec<String> = given.to_vec();
    if named.is_empty() {
        let default = matches!(config.origin("DEFAULT_HOST_LIST"), Origin::Default);
        named = match config.text("DEFAULT_HOST_LIST") {
            // A setting with a comma at its end is a list of hosts.
            Some(text) if text.trim_end().ends_with(',') => vec![text.to_owned()],
            _ => config
                .paths("DEFAULT_HOST_LIST")
                .into_iter()
                .filter(|p| !default || p.exists())
                .map(|p| p.to_string_lossy().into_owned())
                .collect(),
        };
    }
    let mut options = options(config);
    options.extra.vars = extra.clone();
    let named: Vec<String> = named
        .into_iter()
        .map(|s| {
            if s.contains(',') {
                s
            } else {
                env.path(&s).to_string_lossy().into_owned()
            }
        })
        .collect();
    load::load(&named, &options, sources, vault)
}

/// How the configuration wants inventories to be read.
pub fn options(config: &Config) -> load::Options {
    let flag = |name: &str| {
        let set = config.environment().get(name);
        set.map(|text| {
            matches!(
                text.to_ascii_lowercase().as_str(),
                "1" | "true" | "yes" | "on" | "t" | "y"
            )
        })
    };
    load::Options {
        extra: Extra {
            vars: Variables::default(),
            wanted: flag("ANSIBLE_INVENTORY_USE_EXTRA_VARS").unwrap_or(false),
        },
        script_errors: flag("ANSIBLE_INVENTORY_PLUGIN_SCRIPT_STDERR").unwrap_or(true),
        enabled: config.list("INVENTORY_ENABLED"),
        ignored_extensions: config.list("INVENTORY_IGNORE_EXTS"),
        ignored_patterns: config.list("INVENTORY_IGNORE_PATTERNS"),
        any_unparsed_fails: config.flag("INVENTORY_ANY_UNPARSED_IS_FAILED"),
        unparsed_fails: config.flag("INVENTORY_UNPARSED_IS_FAILED"),
        unparsed_warns: config.flag("INVENTORY_UNPARSED_WARNING"),
        transform: Transform::parse(
            config
                .text("TRANSFORM_INVALID_GROUP_CHARS")
                .unwrap_or("never"),
        ),
        hash_behaviour: behaviour(config),
        yaml_extensions: config.list("YAML_FILENAME_EXTENSIONS"),
        directory: config.environment().directory.clone(),
    }
}

/// `DEFAULT_HASH_BEHAVIOUR`.
pub fn behaviour(config: &Config) -> HashBehaviour {
    match config.text("DEFAULT_HASH_BEHAVIOUR") {
        Some("merge") => HashBehaviour::Merge,
        _ => HashBehaviour::Replace,
    }
}

/// A reader of files of variables under the configuration.
pub fn vars_files<'a>(config: &Config, sources: &'a Sources, vault: &'a Vault) -> VarsFiles<'a> {
    let mut files = VarsFiles::new(sources, vault);
    files.extensions = config.list("YAML_FILENAME_EXTENSIONS");
    files.behaviour = behaviour(config);
    files.options.duplicate_keys = match config.text("DUPLICATE_YAML_DICT_KEY") {
        Some("error") => DuplicateKeys::Error,
        Some("ignore") => DuplicateKeys::Ignore,
        _ => DuplicateKeys::Warn,
    };
    files
}

/// Where group_vars/ and host_vars/ are looked for. Without a playbook the working directory is its place.
pub(super) fn playbook_roots(request: &Request, config: &Config, inventory: Vec<PathBuf>) -> Roots {
    let env = config.environment();
    let given = request.playbook_dir.as_deref().map(|d| env.path(d));
    let playbook = given.or_else(|| config.path("PLAYBOOK_DIR"));
    Roots {
        inventory,
        playbook: vec![playbook.unwrap_or_else(|| env.directory.clone())],
    }
}

/// Answers.
///
/// # Errors
/// As [`Refusal`] has it.
pub fn answer(
    request: &Request,
    config: &Config,
    sources: &Sources,
    vault: &Vault,
) -> Result<Answer, Refusal> {
    let env = config.environment();
    let mut files = vars_files(config, sources, vault);
    let extra =
        parse_extra(&request.extra, &mut files, |p| env.path(p)).map_err(Refusal::Options)?;
    let Loaded {
        mut inventory,
        mut problems,
        roots,
        ..
    } = open(&request.sources, config, sources, vault, &extra).map_err(Refusal::Content)?;
    let roots = playbook_roots(request, config, roots);
    if let Action::Host(name) = &request.action {
        localhost(&mut inventory, name, sources);
    }
    let picked = match (&request.limit, &request.action) {
        (Some(limit), Action::List) => Some(limited(&inventory, limit, config, &mut problems)?),
        _ => None,
    };
    let precedence = config.list("VARIABLE_PRECEDENCE");
    let mut shown = Shown {
        vars: InventoryVars::new(&inventory, roots, files, precedence),
        extra,
        export: request.export && request.action == Action::List,
        behaviour: behaviour(config),
        vault,
    };
    let text = print(request, &inventory, picked.as_ref(), &mut shown)?;
    problems.extend(shown.vars.take_warnings());
    Ok(Answer { text, problems })
}

fn print(
    request: &Request,
    inventory: &Inventory,
    picked: Option<&HashSet<HostId>>,
    shown: &mut Shown<'_>,
) -> Result<String, Refusal> {
    let tree = Tree {
        inventory,
        hosts: picked,
        export: shown.export,
    };
    match &request.action {
        Action::List if request.yaml => list_yaml(tree, shown).map_err(Refusal::Variables),
        Action::List => list_json(tree, shown).map_err(Refusal::Variables),
        Action::Host(name) => {
            let host = inventory.find_host(name).ok_or_else(|| {
                Refusal::Options(Problem::error(format!(
                    "`{name}` is no host of the inventory"
                )))
            })?;
            let vars = shown.host(host).map_err(Refusal::Variables)?;
            Ok(host_vars(&vars, request.yaml))
        }
        Action::Graph(name) => {
            let name = name.as_deref().unwrap_or("all");
            let group = inventory.find_group(name).ok_or_else(|| {
                Refusal::Options(Problem::error(format!(
                    "`{name}` is no group of the inventory"
                )))
            })?;
            let vars: Option<&mut dyn VarsOf> = if request.vars { Some(shown) } else { None };
            graph(inventory, group, vars).map_err(Refusal::Variables)
        }
    }
}

fn host_vars(vars: &Variables, yaml: bool) -> String {
    let Some((_, first)) = vars.iter().next() else {
        return "{}\n".to_owned();
    };
    let at = first.at;
    let entries = vars.iter().map(|(k, v)| (Node::text(k, at), v.clone()));
    let node = Node::map(entries.collect(), at);
    if yaml {
        emit_yaml::to_yaml(&node)
    } else {
        format!("{}\n", emit_json::to_json(&node))
    }
}

/// The implicit localhost, where a host of that name is asked for and no source has it.
fn localhost(inventory: &mut Inventory, name: &str, sources: &Sources) {
    if !LOCALHOST.contains(&name) || inventory.find_host(name).is_some() {
        return;
    }
    let host = inventory.add_host(name);
    inventory.set_implicit(host);
    let at = Position {
        file: sources.add("implicit localhost", ""),
        line: 0,
        column: 0,
    };
    inventory.set_host_var(host, "ansible_connection", Node::text("local", at));
}

fn limited(
    inventory: &Inventory,
    limit: &str,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> Result<HashSet<HostId>, Refusal> {
    let env = config.environment();
    let mismatch = match config.text("HOST_PATTERN_MISMATCH") {
        Some("error") => Mismatch::Error,
        Some("ignore") => Mismatch::Ignore,
        _ => Mismatch::Warning,
    };
    let limit = Limit::parse(limit, |p| env.path(p)).map_err(Refusal::Content)?;
    let picked = pick(inventory, &["all"], Some(&limit), mismatch).map_err(Refusal::Content)?;
    problems.extend(picked.warnings);
    Ok(picked.hosts.into_iter().collect())
}

/// The variables that are printed.
struct Shown<'a> {
    vars: InventoryVars<'a>,
    extra: Variables,
    export: bool,
    behaviour: HashBehaviour,
    vault: &'a Vault,
}

impl VarsOf for Shown<'_> {
    fn host(&mut self, host: HostId) -> Result<Variables, Problem> {
        if self.export {
            return self.vars.host_only(host);
        }
        let mut vars = self.vars.host(host)?;
        vars.merge(&self.extra, self.behaviour);
        Ok(vars)
    }

    fn group(&mut self, group: GroupId) -> Result<Variables, Problem> {
        self.vars.group(group)
    }

    fn decrypt(&mut self, secret: &crate::yaml::Vault) -> Option<String> {
        let plain = self.vault.decrypt(secret.ciphertext.as_bytes()).ok()?;
        Some(String::from_utf8_lossy(&plain.text).into_owned())
    }
}
