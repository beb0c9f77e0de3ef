//! `rustle run`: one task, with ansible's options and output.

pub(crate) mod ad_hoc;

use std::path::PathBuf;

use super::playbook::PlaybookCommand;
use super::playbook::connection::ConnectionOptions;
use super::playbook::run::RunOptions;
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::vault_options::VaultOptions;
use ad_hoc::AdHoc;

/// Runs one task on hosts, as ansible does with `connection: local`.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The pattern of the hosts.
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// The module.
    #[arg(
        short,
        long = "module-name",
        default_value = "command",
        value_name = "NAME"
    )]
    module: String,
    /// Its arguments: key=value words, or JSON.
    #[arg(
        short,
        long,
        default_value = "",
        value_name = "ARGS",
        allow_hyphen_values = true
    )]
    args: String,
    /// Print one line for each host.
    #[arg(short, long)]
    one_line: bool,
    /// Write the result of each host into a file of this folder, too.
    #[arg(short, long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// Run in the background, for at most so many seconds.
    #[arg(short = 'B', long, value_name = "SECONDS")]
    background: Option<u64>,
    /// Seconds between looks at what runs in the background; 0: do not wait.
    #[arg(short = 'P', long, default_value_t = 15, value_name = "SECONDS")]
    poll: u64,
    /// Seconds that the task may take.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    task_timeout: Option<u64>,
    /// List the hosts.
    #[arg(long)]
    list_hosts: bool,
    /// The folder that stands for the playbook's.
    #[arg(long, value_name = "DIR")]
    playbook_dir: Option<PathBuf>,
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE")]
    inventory: Vec<String>,
    /// Only hosts that this pattern picks; @FILE: the patterns of a file.
    #[arg(short, long, alias = "subset", value_name = "PATTERN")]
    limit: Option<String>,
    /// Variables: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    /// The kind of connection.
    #[arg(short, long, value_name = "KIND")]
    connection: Option<String>,
    /// Predict what would be changed, and change nothing.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show what changes in files.
    #[arg(short = 'D', long)]
    diff: bool,
    /// Become another user.
    #[arg(short, long = "become")]
    become_: bool,
    /// That user. Default: root.
    #[arg(long, value_name = "USER")]
    become_user: Option<String>,
    /// How: sudo, su, doas.
    #[arg(long, value_name = "METHOD")]
    become_method: Option<String>,
    /// How many hosts at once.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    forks: Option<u32>,
    /// Accepted: nothing is cached.
    #[arg(long)]
    flush_cache: bool,
    #[command(flatten)]
    reaching: ConnectionOptions,
    #[command(flatten)]
    vault: VaultOptions,
}

/// Modules that are nothing without arguments.
const NEED_ARGS: &[&str] = &[
    "command",
    "win_command",
    "shell",
    "win_shell",
    "raw",
    "script",
];

impl Run {
    /// Runs it; gives ansible's exit code.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let module = ad_hoc::short(&self.module);
        if module == "import_playbook" {
            return Err(Failure::text(
                Exit::Options,
                format!("`{}` is nothing that one task can do", self.module),
            ));
        }
        if self.args.trim().is_empty() && NEED_ARGS.contains(&module) && !self.list_hosts {
            return Err(Failure::text(
                Exit::Options,
                format!("the module `{module}` needs arguments"),
            )
            .hint(format!("-m {module} -a 'ARGUMENTS'")));
        }
        let ad_hoc = AdHoc {
            pattern: self.pattern.clone(),
            module: self.module.clone(),
            args: self.args.clone(),
            one_line: self.one_line,
            tree: self.tree.clone(),
            background: self.background,
            poll: self.poll,
            timeout: self.task_timeout,
        };
        let path = match &self.playbook_dir {
            Some(folder) => folder.join(ad_hoc::NAME),
            None => PathBuf::from(ad_hoc::NAME),
        };
        let running = RunOptions {
            inventory: self.inventory.clone(),
            limit: self.limit.clone(),
            connection: self.connection.clone(),
            check: self.check,
            diff: self.diff,
            become_: self.become_,
            become_user: self.become_user.clone(),
            become_method: self.become_method.clone(),
            forks: self.forks,
            flush_cache: self.flush_cache,
            ..RunOptions::default()
        };
        let command = PlaybookCommand::of_task(
            ad_hoc,
            path,
            self.extra_vars.clone(),
            running,
            self.reaching.clone(),
            self.vault.clone(),
        );
        if self.list_hosts {
            let hosts = command.hosts(console)?;
            let mut out = format!("  hosts ({}):\n", hosts.len());
            for host in hosts {
                out.push_str(&format!("    {host}\n"));
            }
            print(&out)?;
            return Ok(Exit::Done as u8);
        }
        command.run(console)
    }
}
