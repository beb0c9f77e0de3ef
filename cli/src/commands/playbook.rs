//! `rustle playbook`: ansible-playbook's options; what lists needs no hosts.

mod causes;
mod run;
mod settings;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use rustle_playbook::Problem;
use rustle_playbook::play::{Playbook, Reader, Selection, listing, outline};

use crate::console::{Console, print};
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source as source;
use crate::surroundings::{Surroundings, diagnostic, exit_for};
use crate::vault_options::VaultOptions;

/// Runs playbooks on this machine, as ansible-playbook does with `connection: local`; or shows what is in them.
#[derive(Debug, clap::Args)]
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
    vault: VaultOptions,
}

impl PlaybookCommand {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let surroundings = Surroundings::load(console)?;
        let disk = Disk::new(self.vault.vault(&surroundings, console, false)?);
        let refuse = |problem: Problem| {
            Failure::new(
                exit_for(&problem),
                diagnostic(&problem, &surroundings.sources),
            )
        };
        let extra = source::extra(&surroundings, &disk, &self.extra_vars).map_err(refuse)?;
        let options = source::options(&surroundings, &extra);
        let reader = Reader::new(&surroundings.sources, &disk, &options);
        let listing = self.list_tasks || self.list_tags || self.syntax_check;
        let mut out = String::new();
        let mut worst = Exit::Done as u8;
        for path in &self.playbooks {
            let playbook = source::read(&reader, path).map_err(refuse)?;
            surroundings.say(console, &playbook.warnings);
            if !listing {
                let parts = source::Parts {
                    path,
                    playbook: &playbook,
                    reader: &reader,
                    surroundings: &surroundings,
                    disk: &disk,
                    extra: &extra,
                    open: &|vault| source::open(&disk, vault),
                    vaulted: &|_| false,
                };
                worst = worst.max(self.play(&parts, console)?);
                if worst != 0 {
                    break;
                }
                continue;
            }
            let _ = write!(out, "\nplaybook: {}\n", path.display());
            if self.list_tasks || self.list_tags {
                self.list(&playbook, &mut out);
            }
        }
        print(&out)?;
        Ok(worst)
    }

    fn list(&self, playbook: &Playbook, out: &mut String) {
        let mut only = words(&self.tags);
        if self.list_tags && only.is_empty() {
            // Ansible lists the tag `never` only if nothing was chosen.
            only.extend(["all".to_owned(), "never".to_owned()]);
        }
        let selection = Selection {
            only,
            skip: words(&self.skip_tags),
        };
        let plays = outline(playbook, &selection);
        out.push_str(&listing(&plays, self.list_tasks, self.list_tags));
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
