//! `rustle facts`: what kinds of machines the hosts are.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use rustle_formats::plan::HostPlan;
use rustle_formats::{Map, Value};
use rustle_planner::documents::{ArchitectureFacts, EnrichedInventory, EnrichedPlaybook, hide};
use serde::{Deserialize, Serialize};

use super::connection::ConnectionOptions;
use crate::ask_hosts::{Answers, ask};
use crate::console::{Console, print};
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::Input;
use crate::playbook_source::openable;
use crate::reach::Reach;
use crate::surroundings::Surroundings;
use crate::this_machine::{architecture, facts, is_here};
use crate::vault_options::VaultOptions;

/// Adds to a parsed playbook what kinds of machines its hosts are, and prints it (`rustle schema enriched`). On a terminal, or
/// with --local: prints the facts of this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Facts {
    /// What `rustle parse` has written; `-`: standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Print the facts of this machine, all or those of --gather-subset, as the module `setup` gathers them.
    #[arg(long)]
    local: bool,
    /// With --local: which facts, as for `setup`. May be given several times.
    #[arg(long, value_name = "SUBSET", requires = "local")]
    gather_subset: Vec<String>,
    /// Facts of earlier runs, which count as long as they are not too old. It is written anew.
    #[arg(long, value_name = "FILE")]
    cache_file: Option<PathBuf>,
    /// Seconds that facts in the cache count; 0: for ever.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    cache_timeout: u64,
    /// Ask no host: only variables, the cache and this machine count.
    #[arg(long)]
    offline: bool,
    /// The kind of connection where the inventory names none: `ssh` or `local`. Default: ssh.
    #[arg(short, long, value_name = "KIND")]
    connection: Option<String>,
    /// How many hosts are asked at a time. Default: 5.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    forks: Option<u32>,
    #[command(flatten)]
    reaching: ConnectionOptions,
    #[command(flatten)]
    vault: VaultOptions,
}

/// What decides which runner a machine needs: no more is asked for.
const SUBSETS: &[&str] = &["!all", "platform", "distribution"];

/// The version of the cache's shape.
const CACHE_VERSION: u32 = 1;

/// The file of `--cache-file`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cache {
    version: u32,
    hosts: IndexMap<String, Cached>,
}

/// The facts of a host, and when they were gathered.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cached {
    /// Seconds since 1970.
    gathered: u64,
    facts: ArchitectureFacts,
}

fn keep(cache: &mut Cache, now: u64, name: &str, facts: &ArchitectureFacts) {
    cache
        .hosts
        .entry(name.to_owned())
        .or_insert_with(|| Cached {
            gathered: now,
            facts: facts.clone(),
        });
}

impl Facts {
    /// Prints them.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let asked = self.file == Path::new("-") && std::io::stdin().is_terminal();
        if self.local || asked {
            let all = facts(&self.gather_subset)?;
            let mut out = rustle_formats::Map::new();
            out.insert("ansible_facts".to_owned(), Value::Map(all));
            print(&super::json(&out)?)?;
            return Ok(Exit::Done);
        }
        let Input::Document(mut document) = Input::read(&self.file)? else {
            return Err(Failure::text(
                Exit::Refused,
                "facts are added to what `rustle parse` has written",
            )
            .hint("rustle parse site.yml | rustle facts"));
        };
        let ciphertexts = hide(&mut document);
        let mut read =
            EnrichedPlaybook::read(document).map_err(|e| Failure::text(Exit::Refused, e))?;
        self.enrich(&mut read.inventory, &ciphertexts, console)?;
        print(&super::document(&read, &ciphertexts)?)?;
        Ok(Exit::Done)
    }

    fn enrich(
        &self,
        inventory: &mut EnrichedInventory,
        ciphertexts: &IndexMap<String, String>,
        console: &Console,
    ) -> Result<(), Failure> {
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or(Duration::ZERO)
            .as_secs();
        let mut cache = self.cache(now)?;
        let mut here: Option<ArchitectureFacts> = None;
        let mut unknown = Vec::new();
        for (name, host) in &inventory.hosts {
            if inventory.host_facts.contains_key(name) {
                continue;
            }
            let found = match cache.hosts.get(name) {
                Some(cached) => Some(cached.facts.clone()),
                None if this_one(name, host) => {
                    if here.is_none() {
                        let subsets: Vec<String> = SUBSETS.iter().map(|s| s.to_string()).collect();
                        here = architecture(&facts(&subsets)?);
                    }
                    here.clone()
                }
                None => architecture(&host.vars),
            };
            match found {
                Some(facts) => {
                    keep(&mut cache, now, name, &facts);
                    inventory.host_facts.insert(name.clone(), facts);
                }
                None => unknown.push(name.clone()),
            }
        }
        let left = match unknown.is_empty() || self.offline {
            true => unknown.into_iter().map(|name| (name, None)).collect(),
            false => {
                let hosts = unknown.iter().map(|name| {
                    let host = inventory.hosts.get(name).cloned().unwrap_or_default();
                    (name.clone(), host)
                });
                let answers = self.ask(hosts.collect(), ciphertexts, console)?;
                let mut left = Vec::new();
                for name in unknown {
                    let answer = answers.get(&name).cloned();
                    let answer = answer.unwrap_or_else(|| Err("it gave no answer".to_owned()));
                    match answer.map(|facts| architecture(&facts)) {
                        Ok(Some(facts)) => {
                            keep(&mut cache, now, &name, &facts);
                            inventory.host_facts.insert(name, facts);
                        }
                        Ok(None) => left.push((name, None)),
                        Err(why) => left.push((name, Some(why))),
                    }
                }
                left
            }
        };
        for (name, why) in &left {
            let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let message = format!("the machine of {name} is not known{why}");
            let hint = "give its `ansible_architecture` in the inventory, or in --cache-file; without it no artifact is made for it";
            console.say(&Diagnostic::new(Level::Warning, message).hint(hint));
        }
        match &self.cache_file {
            Some(file) => {
                crate::replace::replace(file, super::json(&cache)?.as_bytes(), Some(0o644))
                    .map_err(Failure::io("write", file))
            }
            None => Ok(()),
        }
    }

    /// Asks the hosts that nothing is known of.
    fn ask(
        &self,
        hosts: IndexMap<String, HostPlan>,
        ciphertexts: &IndexMap<String, String>,
        console: &Console,
    ) -> Result<Answers, Failure> {
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        let vault = self.vault.vault(&surroundings, console, false)?;
        let secrets = openable(&vault, ciphertexts);
        let passwords = self.reaching.passwords(config).get(config, None)?;
        let folder = crate::failure::work_folder("facts")?;
        let reach = Reach {
            config,
            given: &self.reaching,
            kind: self.connection.as_deref(),
            password: passwords.connection.as_ref(),
            extra: &Map::new(),
            secrets: &secrets,
            folder: folder.path(),
        };
        let forks = self.forks.map(|n| n as usize);
        let signing = self.reaching.sign.signing(console)?;
        ask(hosts, SUBSETS, reach, &vault, forks, folder.path(), signing)
    }

    /// What is in the cache and not too old.
    fn cache(&self, now: u64) -> Result<Cache, Failure> {
        let empty = Cache {
            version: CACHE_VERSION,
            ..Cache::default()
        };
        let Some(file) = &self.cache_file else {
            return Ok(empty);
        };
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(empty),
            Err(e) => return Err(Failure::io("read", file)(e)),
        };
        let mut cache: Cache = serde_json::from_slice(&bytes).map_err(|e| {
            Failure::text(
                Exit::Refused,
                format!("{} is no cache of facts: {e}", file.display()),
            )
        })?;
        if cache.version != CACHE_VERSION {
            return Ok(empty);
        }
        let fresh = |c: &Cached| {
            self.cache_timeout == 0 || now.saturating_sub(c.gathered) < self.cache_timeout
        };
        cache.hosts.retain(|_, cached| fresh(cached));
        Ok(cache)
    }
}

fn this_one(name: &str, host: &HostPlan) -> bool {
    let elsewhere = host.vars.get("ansible_connection").is_some() && !is_here(host);
    is_here(host) || (!elsewhere && matches!(name, "localhost" | "127.0.0.1" | "::1"))
}
