//! A playbook with its inventory and variables: what running, packing and planning start from.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::plan::RuntimeConfig;
use rustle_planner::{InventoryPart, Opened, inventory_part};
use rustle_playbook::Problem;
use rustle_playbook::config::Config;
use rustle_playbook::inventory::{self, Loaded};
use rustle_playbook::pattern::{LOCALHOST, Limit, Mismatch, pick};
use rustle_playbook::play::{Options, Playbook, Reader};
use rustle_playbook::vars::{HashBehaviour, InventoryVars, Roots, Variables, parse_extra};
use rustle_playbook::vault::{self, VaultError};
use rustle_playbook::yaml::{self, DuplicateKeys, Vault};
use rustle_runtime::modules::MODULES;
use rustle_runtime::spec::Spec;
use zeroize::Zeroizing;

use crate::console::Console;
use crate::controller_vars;
use crate::disk::{Disk, installation};
use crate::surroundings::Surroundings;

/// The options that choose hosts.
pub(crate) struct Chosen<'a> {
    /// `-i`.
    pub(crate) inventory: &'a [String],
    /// `--limit`.
    pub(crate) limit: Option<&'a str>,
}

/// What a run is made from.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The playbook's path, as the user named it.
    pub(crate) path: &'a Path,
    /// The playbook.
    pub(crate) playbook: &'a Playbook,
    /// What it was read with.
    pub(crate) reader: &'a Reader<'a>,
    /// The settings and files.
    pub(crate) surroundings: &'a Surroundings,
    /// The file system and the vault passwords.
    pub(crate) disk: &'a Disk,
    /// The variables of `--extra-vars`.
    pub(crate) extra: &'a Variables,
    /// Gives what is under `!vault`.
    pub(crate) open: &'a Open<'a>,
    /// Whether a file was vaulted as a whole, where its texts are to be secrets.
    pub(crate) vaulted: &'a dyn Fn(&Path) -> bool,
}

impl Parts<'_> {
    /// The patterns of each play.
    pub(crate) fn patterns(&self) -> Vec<Vec<String>> {
        let plays = self.playbook.plays.iter();
        plays.map(|play| play.hosts.clone()).collect()
    }
}

/// Opens what is under `!vault`.
pub(crate) type Open<'a> = dyn Fn(&Vault) -> Result<Opened, String> + 'a;

/// The hosts of the plays, and what the inventory says of all.
pub(crate) struct Targets {
    /// All hosts and groups.
    pub(crate) inventory: InventoryPart,
    /// The hosts of each play.
    pub(crate) hosts: Vec<Vec<String>>,
    /// The variables of `--extra-vars`. Their secrets are among the inventory's.
    pub(crate) extra: Map,
    /// The inventory that they were picked from.
    pub(crate) loaded: Loaded,
    /// `--limit`.
    pub(crate) limit: Option<Limit>,
    /// The `localhost` that no source has, where a play means it.
    pub(crate) implicit: Option<String>,
}

impl Targets {
    /// The hosts of all plays, each once, as far as the inventory knows them.
    pub(crate) fn names(&self) -> Vec<String> {
        let known = |name: &&String| self.inventory.hosts.contains_key(*name);
        let mut out: Vec<String> = Vec::new();
        for name in self.hosts.iter().flatten().filter(known) {
            if !out.contains(name) {
                out.push(name.clone());
            }
        }
        out
    }
}

/// Reads a playbook: a path, or a full name in a collection.
pub(crate) fn read(reader: &Reader<'_>, path: &Path) -> Result<Playbook, Problem> {
    match reader.collection_playbook(&path.to_string_lossy()) {
        Some(found) if !path.exists() => reader.playbook(&found),
        _ => reader.playbook(path),
    }
}

/// Where collections are looked for.
pub(crate) fn collections(surroundings: &Surroundings) -> Vec<std::path::PathBuf> {
    let config = &surroundings.config;
    let mut out = config.paths("COLLECTIONS_PATHS");
    out.extend(installation(config.environment().get("PATH")).collections);
    out
}

/// How YAML is read here.
fn yaml_options(surroundings: &Surroundings) -> yaml::Options {
    yaml::Options {
        duplicate_keys: match surroundings.config.text("DUPLICATE_YAML_DICT_KEY") {
            Some("error") => DuplicateKeys::Error,
            Some("ignore") => DuplicateKeys::Ignore,
            _ => DuplicateKeys::Warn,
        },
    }
}

/// Reads `--extra-vars`.
pub(crate) fn extra(
    surroundings: &Surroundings,
    disk: &Disk,
    given: &[String],
) -> Result<Variables, Problem> {
    let config = &surroundings.config;
    let mut files = inventory::vars_files(config, &surroundings.sources, &disk.vault);
    let directory = config.environment().directory.clone();
    parse_extra(given, &mut files, |name| directory.join(name))
}

/// The modules of other collections that need none of them to be installed.
pub(crate) fn native_modules() -> HashSet<String> {
    let of_collections = MODULES.iter().map(|module| module.spec());
    of_collections
        .filter(|spec| spec.collection != "ansible.builtin")
        .map(Spec::full_name)
        .collect()
}

/// How playbooks are read here.
pub(crate) fn options(surroundings: &Surroundings, extra: &Variables) -> Options {
    let config = &surroundings.config;
    let installed = installation(config.environment().get("PATH"));
    let collections_path = collections(surroundings);
    Options {
        yaml: yaml_options(surroundings),
        directory: config.environment().directory.clone(),
        roles_path: config.paths("DEFAULT_ROLES_PATH"),
        collections_path,
        module_path: config.paths("DEFAULT_MODULE_PATH"),
        native_modules: native_modules(),
        builtin_routing: installed.routing,
        environment: config
            .environment()
            .variables
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        builtin_plugins: installed.package,
        extra_vars: extra.to_mapping().into_iter().collect(),
    }
}

/// The inventory, and the hosts that the patterns of the plays pick of it.
pub(crate) struct Picked {
    loaded: Loaded,
    /// The hosts of each play; none where the pattern picks none.
    pub(crate) hosts: Vec<Vec<String>>,
    /// `--limit`.
    limit: Option<Limit>,
    /// The name by which a pattern means this machine, where no inventory has it.
    implicit: Option<String>,
}

/// Reads the inventory and picks the hosts of every play.
///
/// # Errors
/// What is wrong with the inventory and the patterns; and where --limit leaves no host at all.
pub(crate) fn pick_hosts(
    parts: &Parts<'_>,
    chosen: &Chosen<'_>,
    console: &Console,
) -> Result<Picked, Problem> {
    pick_of(parts, &parts.patterns(), chosen, console)
}

/// The same for plays with these patterns.
fn pick_of(
    parts: &Parts<'_>,
    patterns: &[Vec<String>],
    chosen: &Chosen<'_>,
    console: &Console,
) -> Result<Picked, Problem> {
    let config = &parts.surroundings.config;
    let sources = &parts.surroundings.sources;
    let loaded = inventory::open(
        chosen.inventory,
        config,
        sources,
        &parts.disk.vault,
        parts.extra,
    )?;
    parts.surroundings.say(console, &loaded.problems);
    let directory = config.environment().directory.clone();
    let limit = chosen
        .limit
        .map(|text| Limit::parse(text, |name| directory.join(name)));
    let limit = limit.transpose()?;
    if limit.is_some() && loaded.inventory.hosts().next().is_some() {
        let all = pick(
            &loaded.inventory,
            &["all"],
            limit.as_ref(),
            Mismatch::Warning,
        )?;
        let here = LOCALHOST.contains(&chosen.limit.unwrap_or_default());
        if all.hosts.is_empty() && !here {
            parts.surroundings.say(console, &all.warnings);
            return Err(Problem::error("--limit leaves no host of the inventory").general());
        }
    }
    let mut hosts = Vec::new();
    let mut implicit = None;
    for patterns in patterns {
        let picked = pick(
            &loaded.inventory,
            patterns,
            limit.as_ref(),
            Mismatch::Warning,
        )?;
        parts.surroundings.say(console, &picked.warnings);
        let names = picked
            .hosts
            .iter()
            .map(|id| loaded.inventory.host_name(*id).to_owned());
        hosts.push(names.chain(picked.implicit.clone()).collect());
        implicit = implicit.or(picked.implicit);
    }
    Ok(Picked {
        loaded,
        hosts,
        limit,
        implicit,
    })
}

/// Reads the inventory, picks the hosts of every play, and reads the variables of all hosts.
///
/// # Errors
/// What is wrong with the inventory, its variables and the patterns.
pub(crate) fn targets(
    parts: &Parts<'_>,
    chosen: &Chosen<'_>,
    console: &Console,
) -> Result<Targets, Vec<Problem>> {
    targets_of(parts, &parts.patterns(), chosen, console)
}

/// The same for plays with these patterns: the playbook of `parts` is not asked.
///
/// # Errors
/// What is wrong with the inventory, its variables and the patterns.
pub(crate) fn targets_of(
    parts: &Parts<'_>,
    patterns: &[Vec<String>],
    chosen: &Chosen<'_>,
    console: &Console,
) -> Result<Targets, Vec<Problem>> {
    let sources = &parts.surroundings.sources;
    let one = |problem: Problem| vec![problem];
    let picked = pick_of(parts, patterns, chosen, console).map_err(one)?;
    let Picked {
        loaded,
        mut hosts,
        limit,
        implicit,
    } = picked;
    for (names, patterns) in hosts.iter_mut().zip(patterns) {
        if names.is_empty() {
            // A name that no host has: a play without any would be for all.
            names.push(format!("({})", patterns.join(",")));
        }
    }
    let mut inventory = inventory_of(parts, &loaded, implicit.as_deref(), console)?;
    let extra = inventory
        .extra(parts.extra, parts.open, sources, parts.vaulted)
        .map_err(one)?;
    let config = &parts.surroundings.config;
    controller_vars::give(&mut inventory, &loaded, chosen.limit, config);
    Ok(Targets {
        inventory,
        hosts,
        extra,
        loaded,
        limit,
        implicit,
    })
}

/// The variables of a `localhost` that no source has.
pub(crate) fn implicit_vars() -> Map {
    let mut vars = Map::new();
    vars.insert("ansible_connection".to_owned(), "local".into());
    vars
}

/// Hosts and groups as a plan has them. `implicit` is a `localhost` that no source has: it is in no group, and has the
/// variables of `all` and the files that bear its name.
///
/// # Errors
/// What is wrong with files of variables.
pub(crate) fn inventory_of(
    parts: &Parts<'_>,
    loaded: &Loaded,
    implicit: Option<&str>,
    console: &Console,
) -> Result<InventoryPart, Vec<Problem>> {
    let config = &parts.surroundings.config;
    let sources = &parts.surroundings.sources;
    let directory = config.environment().directory.clone();
    let playbook_dir = match parts.path.parent() {
        Some(folder) if folder != Path::new("") => directory.join(folder),
        _ => directory,
    };
    let roots = Roots {
        inventory: loaded.roots.clone(),
        playbook: vec![playbook_dir],
    };
    let files = inventory::vars_files(config, sources, &parts.disk.vault);
    let precedence = config.list("VARIABLE_PRECEDENCE");
    let mut hosts = Cow::Borrowed(&loaded.inventory);
    if let Some(name) = implicit {
        hosts.to_mut().add_host(name);
    }
    let mut vars = InventoryVars::new(&hosts, roots, files, precedence);
    let mut of_host = |name: &str| match hosts.find_host(name) {
        Some(id) => vars.host(id),
        None => Ok(Variables::default()),
    };
    let mut inventory = inventory_part(&hosts, &mut of_host, parts.open, sources, parts.vaulted)?;
    if let Some(host) = implicit.and_then(|name| inventory.hosts.get_mut(name)) {
        let python = controller_vars::python(config);
        let python = python.map(|p| ("ansible_python_interpreter".to_owned(), p.into()));
        for (name, value) in implicit_vars().into_iter().chain(python) {
            host.vars.entry(name).or_insert(value);
        }
    }
    controller_vars::give(&mut inventory, loaded, None, config);
    parts.surroundings.say(console, &vars.take_warnings());
    Ok(inventory)
}

/// Whether mappings of several levels are merged.
pub(crate) fn merges(config: &Config) -> bool {
    inventory::behaviour(config) == HashBehaviour::Merge
}

/// How runs behave as a whole, as far as the settings say.
pub(crate) fn runtime(config: &Config) -> RuntimeConfig {
    let smart = config.text("DEFAULT_GATHERING") == Some("smart");
    let apart = !config.flag("INJECT_FACTS_AS_VARS");
    RuntimeConfig {
        merge_hashes: merges(config).then_some(true),
        smart_gathering: smart.then_some(true),
        facts_apart: apart.then_some(true),
        ..RuntimeConfig::default()
    }
}

/// Refuses questions that nobody has answered: nobody can be asked where a plan runs.
pub(crate) fn refuse_prompts(parts: &Parts<'_>, extra: &Map) -> Result<(), Problem> {
    for play in &parts.playbook.plays {
        let prompts = play.keywords.get("vars_prompt").filter(|n| !n.is_null());
        for prompt in prompts.and_then(|n| n.as_list()).unwrap_or_default() {
            let name = prompt.as_map().and_then(|m| m.get("name"));
            let Some(name) = name.and_then(|n| n.as_str()) else {
                continue;
            };
            if !extra.contains_key(name) {
                return Err(Problem::error(format!(
                    "`vars_prompt` asks for `{name}`, and nobody can be asked where the plan runs"
                ))
                .at(prompt.at)
                .hint(format!("give it now: -e {name}=VALUE")));
            }
        }
    }
    Ok(())
}

/// Opens what is under `!vault`.
pub(crate) fn open(disk: &Disk, vault: &Vault) -> Result<Opened, String> {
    opened(&disk.vault, &vault.ciphertext).map(Opened::Text)
}

/// The same, where a text for which there is no password is only missed when a run uses it.
pub(crate) fn open_if_possible(disk: &Disk, vault: &Vault) -> Result<Opened, String> {
    let why = match disk.vault.decrypt(vault.ciphertext.as_bytes()) {
        Ok(plain) => return text_of(plain).map(Opened::Text),
        Err(VaultError::NoSecrets) => "Attempting to decrypt but no vault secrets found.",
        Err(VaultError::NoneFits { .. }) => {
            "Decryption failed (no vault secrets were found that could decrypt)."
        }
        Err(other) => return Err(other.to_string()),
    };
    Ok(Opened::Closed(why.to_owned()))
}

/// The text of a ciphertext.
pub(crate) fn opened(vault: &vault::Vault, ciphertext: &str) -> Result<Zeroizing<String>, String> {
    let plain = vault
        .decrypt(ciphertext.as_bytes())
        .map_err(|e| e.to_string())?;
    text_of(plain)
}

/// The texts of all ciphertexts that can be opened. What cannot is missed only where it is needed.
pub(crate) fn openable(
    vault: &vault::Vault,
    ciphertexts: &IndexMap<String, String>,
) -> IndexMap<String, Zeroizing<String>> {
    ciphertexts
        .iter()
        .filter_map(|(name, text)| Some((name.clone(), opened(vault, text).ok()?)))
        .collect()
}

fn text_of(plain: vault::Plaintext) -> Result<Zeroizing<String>, String> {
    String::from_utf8(plain.text.to_vec())
        .map(Zeroizing::new)
        .map_err(|_| "what is vaulted is not text".to_owned())
}
