//! `rustle inventory`: what ansible-inventory shows, as it shows it.

use rustle_playbook::config::Concern;
use rustle_playbook::inventory::{Action, Refusal, Request, answer};

use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::{Surroundings, diagnostic};
use crate::vault_options::VaultOptions;

/// Shows an inventory, as ansible-inventory does.
#[derive(Debug, clap::Args)]
pub(crate) struct Inventory {
    /// With --graph: the group to begin with.
    #[arg(value_name = "GROUP")]
    group: Option<String>,
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(
        short,
        long = "inventory",
        alias = "inventory-file",
        value_name = "SOURCE"
    )]
    inventory: Vec<String>,
    /// Show all hosts and groups.
    #[arg(long)]
    list: bool,
    /// Show the variables of one host.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Show the groups as a tree.
    #[arg(long)]
    graph: bool,
    /// Print YAML instead of JSON.
    #[arg(short, long)]
    yaml: bool,
    /// Print TOML: not supported, as in an Ansible without tomli-w.
    #[arg(long, hide = true)]
    toml: bool,
    /// With --graph: show variables.
    #[arg(long)]
    vars: bool,
    /// With --list: leave variables with the groups that set them.
    #[arg(long)]
    export: bool,
    /// With --list: write to this file.
    #[arg(long, value_name = "FILE")]
    output: Option<std::path::PathBuf>,
    /// Show only hosts that this pattern picks; @FILE: the patterns of a file.
    #[arg(short, long, alias = "subset", value_name = "PATTERN")]
    limit: Option<String>,
    /// The folder whose group_vars/ and host_vars/ count as the playbook's. Default: the working directory.
    #[arg(long, value_name = "DIR")]
    playbook_dir: Option<String>,
    /// Variables that win over all others: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    extra_vars: Vec<String>,
    /// Accepted: nothing is cached.
    #[arg(long, hide = true)]
    flush_cache: bool,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Inventory {
    /// Shows it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let action = self.action()?;
        if self.toml {
            return Err(
                Failure::text(Exit::Plan, "inventories are not printed as TOML")
                    .hint("--yaml prints YAML"),
            );
        }
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        surroundings.say(console, &config.unhonoured(Concern::Inventory));
        let vault = self.vault.vault(&surroundings, console, false)?;
        let request = Request {
            sources: self.inventory.clone(),
            limit: self.limit.clone(),
            action,
            yaml: self.yaml,
            export: self.export || config.flag("INVENTORY_EXPORT"),
            vars: self.vars,
            extra: self.extra_vars.clone(),
            playbook_dir: self.playbook_dir.clone(),
        };
        let answer = answer(&request, config, &surroundings.sources, &vault).map_err(|e| {
            let exit = match &e {
                Refusal::Options(_) => Exit::Options,
                Refusal::Content(_) => Exit::Plan,
                Refusal::Variables(_) => Exit::Refused,
            };
            Failure::new(exit, diagnostic(e.problem(), &surroundings.sources))
        })?;
        surroundings.say(console, &answer.problems);
        match self.output.as_ref().filter(|_| self.list) {
            Some(file) => crate::replace::replace(file, answer.text.as_bytes(), Some(0o644))
                .map_err(Failure::io("write", file))?,
            None => print(&answer.text)?,
        }
        Ok(Exit::Done)
    }

    fn action(&self) -> Result<Action, Failure> {
        let wanted = [self.list, self.graph, self.host.is_some()];
        match wanted.iter().filter(|w| **w).count() {
            0 => Err(Failure::text(
                Exit::Options,
                "nothing to show: give --list, --graph or --host",
            )),
            1 => Ok(match &self.host {
                Some(name) => Action::Host(name.clone()),
                None if self.graph => Action::Graph(self.group.clone()),
                None => Action::List,
            }),
            _ => Err(Failure::text(
                Exit::Options,
                "only one of --list, --graph and --host can be given",
            )),
        }
    }
}
