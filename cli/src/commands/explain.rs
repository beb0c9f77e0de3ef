//! `rustle explain`: where a variable of a host comes from.

use rustle_playbook::config::Concern;
use rustle_playbook::inventory::{Action, Refusal, Request, explain_variable, to_json};

use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::{Surroundings, diagnostic};
use crate::vault_options::VaultOptions;

/// Shows every place of the inventory, group_vars/, host_vars/ and --extra-vars that sets a variable, in order of precedence.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The variable.
    #[arg(value_name = "VARIABLE")]
    variable: String,
    /// The host.
    #[arg(long, value_name = "HOST")]
    host: String,
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(
        short,
        long = "inventory",
        alias = "inventory-file",
        value_name = "SOURCE"
    )]
    inventory: Vec<String>,
    /// The folder whose group_vars/ and host_vars/ count as the playbook's. Default: the working directory.
    #[arg(long, value_name = "DIR")]
    playbook_dir: Option<String>,
    /// Variables that win over all others: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long = "extra-vars", value_name = "VARS")]
    extra_vars: Vec<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Explain {
    /// Shows it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        surroundings.say(console, &config.unhonoured(Concern::Inventory));
        let vault = self.vault.vault(&surroundings, console, false)?;
        let request = Request {
            sources: self.inventory.clone(),
            limit: None,
            action: Action::Host(self.host.clone()),
            yaml: false,
            export: false,
            vars: false,
            extra: self.extra_vars.clone(),
            playbook_dir: self.playbook_dir.clone(),
        };
        let sources = &surroundings.sources;
        let found = explain_variable(
            &self.variable,
            &request,
            Vec::new(),
            config,
            sources,
            &vault,
        )
        .map_err(|e| {
            let exit = match &e {
                Refusal::Options(_) => Exit::Options,
                Refusal::Content(_) => Exit::Plan,
                Refusal::Variables(_) => Exit::Refused,
            };
            Failure::new(exit, diagnostic(e.problem(), sources))
        })?;
        surroundings.say(console, &found.problems);
        if found.settings.is_empty() {
            return Err(Failure::text(
                Exit::Plan,
                format!(
                    "nothing sets `{}` for the host {}",
                    self.variable, self.host
                ),
            ));
        }
        let last = found.settings.len() - 1;
        let mut out = String::new();
        for (at, setting) in found.settings.iter().enumerate() {
            let place = sources.source(setting.value.at);
            let owner = match setting.owner.as_str() {
                "" => String::new(),
                owner => format!(" ({owner})"),
            };
            let value: Vec<String> = to_json(&setting.value)
                .lines()
                .map(|l| l.trim().to_owned())
                .collect();
            out.push_str(&format!(
                "{} {:>2}  {}{owner}\n      {}:{}:{}\n      {} = {}\n",
                if at == last { '*' } else { ' ' },
                setting.level.number(),
                setting.level,
                place.file,
                place.line,
                place.column,
                self.variable,
                value.join(" ")
            ));
        }
        print(&out)?;
        Ok(Exit::Done)
    }
}
