//! `rustle explain`: where a variable of a host comes from.

use std::path::{Path, PathBuf};

use rustle_playbook::config::Concern;
use rustle_playbook::inventory::{Action, Refusal, Request, explain_variable, to_json};
use rustle_playbook::play::{Options, Play, Reader};
use rustle_playbook::vault::Vault;

use crate::console::{Console, print};
use crate::disk::{Disk, installation};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source::native_modules;
use crate::surroundings::{Surroundings, diagnostic, refused};
use crate::vault_options::VaultOptions;

/// Shows every place that sets a variable of a host, in order of precedence: of the inventory, group_vars/, host_vars/,
/// --extra-vars, and of the plays of a playbook that run on the host.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The variable.
    #[arg(value_name = "VARIABLE")]
    variable: String,
    /// A playbook whose plays count too.
    #[arg(value_name = "PLAYBOOK")]
    playbook: Option<PathBuf>,
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
    /// The folder whose group_vars/ and host_vars/ count as the playbook's. Default: the playbook's, else the working
    /// directory.
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
        let plays = match &self.playbook {
            Some(path) => self.plays(path, &surroundings, &vault, console)?,
            None => Vec::new(),
        };
        let beside = self.playbook.as_deref().map(folder_of);
        let request = Request {
            sources: self.inventory.clone(),
            limit: None,
            action: Action::Host(self.host.clone()),
            yaml: false,
            export: false,
            vars: false,
            extra: self.extra_vars.clone(),
            playbook_dir: self.playbook_dir.clone().or(beside),
        };
        let sources = &surroundings.sources;
        let found = explain_variable(&self.variable, &request, &plays, config, sources, &vault)
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

    fn plays(
        &self,
        path: &Path,
        surroundings: &Surroundings,
        vault: &Vault,
        console: &Console,
    ) -> Result<Vec<Play>, Failure> {
        let config = &surroundings.config;
        let installed = installation(config.environment().get("PATH"));
        let mut collections_path = config.paths("COLLECTIONS_PATHS");
        collections_path.extend(installed.collections);
        let options = Options {
            roles_path: config.paths("DEFAULT_ROLES_PATH"),
            collections_path,
            module_path: config.paths("DEFAULT_MODULE_PATH"),
            native_modules: native_modules(),
            builtin_routing: installed.routing,
            builtin_plugins: installed.package,
            ..Options::default()
        };
        let disk = Disk::new(vault.clone());
        let playbook = Reader::new(&surroundings.sources, &disk, &options)
            .playbook(path)
            .map_err(|p| refused(&[p], &surroundings.sources))?;
        surroundings.say(console, &playbook.warnings);
        Ok(playbook.plays)
    }
}

fn folder_of(path: &Path) -> String {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_string_lossy().into_owned(),
        _ => ".".to_owned(),
    }
}
