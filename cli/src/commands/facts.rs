//! `rustle facts`: what kinds of machines the hosts are.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use rustle_formats::Value;
use rustle_formats::plan::HostPlan;
use rustle_planner::documents::{ArchitectureFacts, EnrichedInventory, EnrichedPlaybook, hide};
use serde::{Deserialize, Serialize};

use crate::console::{Console, print};
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::Input;
use crate::this_machine::{architecture, facts, is_here};

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
}

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
        self.enrich(&mut read.inventory, console)?;
        print(&super::document(&read, &ciphertexts)?)?;
        Ok(Exit::Done)
    }

    fn enrich(&self, inventory: &mut EnrichedInventory, console: &Console) -> Result<(), Failure> {
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
                        here = architecture(&facts(&[
                            "!all".into(),
                            "platform".into(),
                            "distribution".into(),
                        ])?);
                    }
                    here.clone()
                }
                None => architecture(&host.vars),
            };
            match found {
                Some(facts) => {
                    let cached = Cached {
                        gathered: now,
                        facts: facts.clone(),
                    };
                    cache.hosts.entry(name.clone()).or_insert(cached);
                    inventory.host_facts.insert(name.clone(), facts);
                }
                None => unknown.push(name.as_str()),
            }
        }
        if !unknown.is_empty() {
            let message = format!(
                "the machines of {} are not known: this version asks no host over ssh",
                unknown.join(", ")
            );
            let hint = "give their `ansible_architecture` in the inventory, or in --cache-file; without it no artifact is made for them";
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
