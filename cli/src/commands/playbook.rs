//! `rustle playbook`: ansible-playbook's options; what lists needs no hosts.

mod callbacks;
pub(super) mod causes;
pub(crate) mod connection;
mod custom_stats;
pub(crate) mod passwords;
pub(super) mod plugins;
mod prompts;
mod roster;
pub(crate) mod run;
pub(super) mod settings;
mod several;
mod step;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rustle_playbook::Problem;
use rustle_playbook::play::{Reader, Selection, listing, outline};

use self::passwords::Passwords;
use super::run::ad_hoc::{self, AdHoc};
use crate::console::{Console, print};
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source::{self as source, Parts};
use crate::surroundings::{Surroundings, refused};
use crate::vault_options::VaultOptions;

/// Runs playbooks on this machine, as ansible-playbook does with `connection: local`; or shows what is in them.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PlaybookCommand {
    /// The playbooks: paths, or full names in collections.
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    /// List all tasks that would run.
    #[arg(long)]
    list_tasks: bool,
    /// List all tags.
    #[arg(long)]
    list_tags: bool,
    /// List the hosts of every play.
    #[arg(long)]
    list_hosts: bool,
    /// Check the playbooks without running them.
    #[arg(long)]
    syntax_check: bool,
    /// Only plays and tasks with these tags.
    #[arg(short, long, value_name = "TAGS")]
    tags: Vec<String>,
    /// Not the plays and tasks with these tags.
    #[arg(long, value_name = "TAGS")]
    skip_tags: Vec<String>,
    /// Variables: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    #[command(flatten)]
    running: run::RunOptions,
    #[command(flatten)]
    connection: connection::ConnectionOptions,
    #[command(flatten)]
    vault: VaultOptions,
    /// What was asked for, or lay in files.
    #[arg(skip)]
    passwords: OnceCell<Passwords>,
    /// The one task of `rustle run`, which stands for a playbook.
    #[arg(skip)]
    ad_hoc: Option<AdHoc>,
    /// The run that was killed and is gone on with.
    #[arg(skip)]
    resumed: Option<String>,
}

impl PlaybookCommand {
    /// The command that does one task.
    pub(crate) fn of_task(
        ad_hoc: AdHoc,
        path: PathBuf,
        extra_vars: Vec<String>,
        running: run::RunOptions,
        connection: connection::ConnectionOptions,
        vault: VaultOptions,
    ) -> PlaybookCommand {
        PlaybookCommand {
            playbooks: vec![path],
            extra_vars,
            running,
            connection,
            vault,
            ad_hoc: Some(ad_hoc),
            ..PlaybookCommand::default()
        }
    }

    /// Goes on with a run that was killed, which these options were given to.
    pub(crate) fn resume(mut self, run: &str, console: &Console) -> Result<u8, Failure> {
        self.resumed = Some(run.to_owned());
        self.run(console)
    }

    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let mut out = String::new();
        let mut worst = Exit::Done as u8;
        self.each(console, |parts| {
            if self.lists() {
                self.show(parts, &mut out, console)?;
                return Ok(true);
            }
            worst = worst.max(self.play(parts, console)?);
            Ok(worst == 0)
        })?;
        print(&out)?;
        Ok(worst)
    }

    /// Reads one playbook after the other, as long as `then` says so.
    fn each(
        &self,
        console: &Console,
        mut then: impl FnMut(&Parts<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let surroundings = Surroundings::load(console)?;
        surroundings.say_unhonoured(console);
        if console.verbose > 0 {
            print(&match surroundings.config.file() {
                Some(file) => format!("Using {} as config file\n", file.display()),
                None => "No config file found; using defaults\n".to_owned(),
            })?;
        }
        let mut disk = Disk::new(self.vault.vault(&surroundings, console, false)?);
        if let Some(ad_hoc) = &self.ad_hoc {
            disk = disk.with(Path::new(ad_hoc::NAME), ad_hoc.playbook());
        }
        let sources = &surroundings.sources;
        let refuse = |problem: Problem| refused(&[problem], sources);
        let extra = source::extra(&surroundings, &disk, &self.extra_vars).map_err(refuse)?;
        let mut options = source::options(&surroundings, &extra);
        options
            .module_path
            .splice(0..0, self.connection.module_path());
        let wanted = self.connection.passwords(&surroundings.config);
        let passwords = wanted.get(&surroundings.config, self.running.become_method.as_deref())?;
        // Nobody has set them before.
        let _ = self.passwords.set(passwords);
        let reader = Reader::new(sources, &disk, &options);
        self.all_there(&reader)?;
        for path in &self.playbooks {
            let playbook = source::read(&reader, path).map_err(refuse)?;
            surroundings.say(console, &playbook.warnings);
            let parts = Parts {
                path,
                playbook: &playbook,
                reader: &reader,
                surroundings: &surroundings,
                disk: &disk,
                extra: &extra,
                open: &|vault| source::open_if_possible(&disk, vault),
                vaulted: &|_| false,
            };
            if !then(&parts)? {
                break;
            }
        }
        Ok(())
    }

    /// The hosts that the plays are for, each once.
    pub(crate) fn hosts(&self, console: &Console) -> Result<Vec<String>, Failure> {
        let mut out: Vec<String> = Vec::new();
        self.each(console, |parts| {
            let sources = &parts.surroundings.sources;
            let picked = source::pick_hosts(parts, &self.chosen(), console);
            let picked = picked.map_err(|p| refused(&[p], sources))?;
            for host in picked.hosts.into_iter().flatten() {
                if !out.contains(&host) {
                    out.push(host);
                }
            }
            Ok(true)
        })?;
        Ok(out)
    }

    fn chosen(&self) -> source::Chosen<'_> {
        source::Chosen {
            inventory: &self.running.inventory,
            limit: self.running.limit.as_deref(),
        }
    }

    fn lists(&self) -> bool {
        self.list_tasks || self.list_tags || self.list_hosts || self.syntax_check
    }

    /// Nothing runs where a playbook is missing.
    fn all_there(&self, reader: &Reader<'_>) -> Result<(), Failure> {
        for path in self.playbooks.iter().filter(|_| self.ad_hoc.is_none()) {
            let why = match path.metadata() {
                Ok(meta) if meta.is_dir() => "is a folder",
                Ok(_) => continue,
                Err(_)
                    if reader
                        .collection_playbook(&path.to_string_lossy())
                        .is_some() =>
                {
                    continue;
                }
                Err(_) => "could not be found",
            };
            return Err(Failure::text(
                Exit::Plan,
                format!("the playbook `{}` {why}", path.display()),
            ));
        }
        Ok(())
    }

    fn show(&self, parts: &Parts<'_>, out: &mut String, console: &Console) -> Result<(), Failure> {
        let sources = &parts.surroundings.sources;
        let picked = source::pick_hosts(parts, &self.chosen(), console);
        let picked = picked.map_err(|p| refused(&[p], sources))?;
        let _ = write!(out, "\nplaybook: {}\n", parts.path.display());
        // To be checked is all that is wanted, whatever else is asked for.
        if self.syntax_check {
            return Ok(());
        }
        let mut only = words(&self.tags);
        if self.list_tags && only.is_empty() {
            // Ansible lists the tag `never` only if nothing was chosen.
            only.extend(["all".to_owned(), "never".to_owned()]);
        }
        let selection = Selection {
            only,
            skip: words(&self.skip_tags),
        };
        let mut plays = outline(
            parts.playbook,
            &selection,
            &parts.extra.to_mapping().into_iter().collect::<Vec<_>>(),
        );
        for (play, hosts) in plays.iter_mut().zip(picked.hosts) {
            play.picked = self.list_hosts.then_some(hosts);
        }
        out.push_str(&listing(&plays, self.list_tasks, self.list_tags));
        Ok(())
    }
}

fn words(options: &[String]) -> BTreeSet<String> {
    options
        .iter()
        .flat_map(|text| text.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}
