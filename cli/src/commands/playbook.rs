//! `rustle playbook`: ansible-playbook's options; what lists needs no hosts.

mod causes;
mod run;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustle_playbook::Problem;
use rustle_playbook::play::{Options, Playbook, Reader, Selection, listing, outline, split};
use rustle_playbook::yaml::{self, DuplicateKeys, Mapping, Node, NodeValue};

use crate::console::{Console, print};
use crate::disk::{Disk, installation};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::{Surroundings, diagnostic};
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
        let disk = Disk {
            vault: self.vault.vault(&surroundings, console, false)?,
        };
        let refuse = |problem: Problem| {
            Failure::new(Exit::Refused, diagnostic(&problem, &surroundings.sources))
        };
        let options = self.options(&surroundings).map_err(refuse)?;
        let reader = Reader::new(&surroundings.sources, &disk, &options);
        let listing = self.list_tasks || self.list_tags || self.syntax_check;
        let mut out = String::new();
        let mut worst = Exit::Done as u8;
        for path in &self.playbooks {
            let playbook = self.read(&reader, path).map_err(refuse)?;
            surroundings.say(console, &playbook.warnings);
            if !listing {
                let parts = run::Parts {
                    path,
                    playbook: &playbook,
                    reader: &reader,
                    surroundings: &surroundings,
                    disk: &disk,
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

    fn read(&self, reader: &Reader<'_>, path: &Path) -> Result<Playbook, Problem> {
        match reader.collection_playbook(&path.to_string_lossy()) {
            Some(found) if !path.exists() => reader.playbook(&found),
            _ => reader.playbook(path),
        }
    }

    fn options(&self, surroundings: &Surroundings) -> Result<Options, Problem> {
        let config = &surroundings.config;
        let yaml = yaml::Options {
            duplicate_keys: match config.text("DUPLICATE_YAML_DICT_KEY") {
                Some("error") => DuplicateKeys::Error,
                Some("ignore") => DuplicateKeys::Ignore,
                _ => DuplicateKeys::Warn,
            },
        };
        let installed = installation(config.environment().get("PATH"));
        let mut collections_path = config.paths("COLLECTIONS_PATHS");
        collections_path.extend(installed.collections);
        let extra_vars = self
            .extra_vars
            .iter()
            .map(|text| extra_vars(text, surroundings, &yaml))
            .collect::<Result<_, _>>()?;
        Ok(Options {
            yaml,
            directory: config.environment().directory.clone(),
            roles_path: config.paths("DEFAULT_ROLES_PATH"),
            collections_path,
            module_path: config.paths("DEFAULT_MODULE_PATH"),
            builtin_routing: installed.routing,
            extra_vars,
            ..Options::default()
        })
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

/// The variables of one `-e`.
fn extra_vars(
    text: &str,
    surroundings: &Surroundings,
    options: &yaml::Options,
) -> Result<Arc<Mapping>, Problem> {
    let sources = &surroundings.sources;
    let text = text.trim();
    let document = if let Some(file) = text.strip_prefix('@') {
        let bytes = std::fs::read(file)
            .map_err(|e| Problem::error(format!("`{file}` of --extra-vars cannot be read: {e}")))?;
        yaml::read(sources, Path::new(file), &bytes, options)?
    } else if text.starts_with(['{', '[']) {
        yaml::read(sources, Path::new("--extra-vars"), text.as_bytes(), options)?
    } else {
        let split = split(text, |_| true).map_err(|_| {
            Problem::error(format!(
                "a quote or a template in `{text}` of --extra-vars is not closed"
            ))
        })?;
        let at = yaml::read(sources, Path::new("--extra-vars"), b"", options)?
            .root
            .at;
        let pairs = split.pairs.into_iter();
        let entries = pairs.map(|(key, value)| (Node::text(key, at), Node::text(value, at)));
        return Ok(mapping(&Node::map(entries.collect(), at)).unwrap_or_default());
    };
    mapping(&document.root).ok_or_else(|| {
        Problem::error(format!(
            "--extra-vars are a mapping, and this is {}",
            document.root.kind()
        ))
        .at(document.root.at)
    })
}

fn mapping(node: &Node) -> Option<Arc<Mapping>> {
    match &node.value {
        NodeValue::Map(map) => Some(map.clone()),
        _ => None,
    }
}
