//! What `parse`, `facts` and `plan` share: a playbook, or a document that one of them wrote, becomes a plan whose secrets are the
//! ciphertexts of the repository.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::plan::ExecutionPlan;
use rustle_planner::documents::{ArchitectureFacts, EnrichedPlaybook, hide};
use rustle_planner::{Opened, Planned, Request, survey};
use rustle_playbook::Problem;
use rustle_playbook::play::{Playbook, Reader};
use rustle_playbook::vault::{DEFAULT_ID, Vault, is_encrypted};

use crate::carried::{self, PythonModules, PythonModulesOption, Refusals};
use crate::console::Console;
use crate::diagnostic::Diagnostic;
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_cache::Watch;
use crate::playbook_source::{self as source, Chosen, Parts, Targets};
use crate::surroundings::{Surroundings, diagnostic, refused};
use crate::vault_options::VaultOptions;

/// The name of what came over standard input, in messages.
pub(crate) const STDIN: &str = "<stdin>";

/// What a playbook is read with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SourceOptions {
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE")]
    inventory: Vec<String>,
    /// Only hosts that this pattern picks; @FILE: the patterns of a file.
    #[arg(short, long, alias = "subset", value_name = "PATTERN")]
    limit: Option<String>,
    /// Variables: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    #[command(flatten)]
    python: PythonModulesOption,
    /// Read everything anew, and keep nothing for the next time.
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    vault: VaultOptions,
}

impl SourceOptions {
    /// Whether what was made before may be used.
    pub(crate) fn may_cache(&self) -> bool {
        !self.no_cache
    }

    /// Opens what is vaulted with the passwords that were named.
    ///
    /// # Errors
    /// Those of files with passwords.
    pub(crate) fn open_vault(
        &self,
        surroundings: &Surroundings,
        console: &Console,
    ) -> Result<Vault, Failure> {
        self.vault.vault(surroundings, console, false)
    }

    /// The options that choose hosts.
    pub(crate) fn chosen(&self) -> Chosen<'_> {
        Chosen {
            inventory: &self.inventory,
            limit: self.limit.as_deref(),
        }
    }

    /// Adds sources of hosts.
    pub(crate) fn with_inventory(&self, sources: &[String]) -> SourceOptions {
        let mut out = self.clone();
        out.inventory.extend_from_slice(sources);
        out
    }

    /// The first option that was given, as the user writes it.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        [
            (!self.inventory.is_empty(), "--inventory"),
            (self.limit.is_some(), "--limit"),
            (!self.extra_vars.is_empty(), "--extra-vars"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

/// A plan with what was known when it was made.
pub(crate) struct Made {
    /// The playbook, as messages name it.
    pub(crate) name: String,
    /// The plan. Its secrets are references to `ciphertexts`.
    pub(crate) plan: ExecutionPlan,
    /// The patterns of its plays.
    pub(crate) patterns: Vec<String>,
    /// What is known of the machines of its hosts.
    pub(crate) facts: IndexMap<String, ArchitectureFacts>,
    /// The ciphertexts of its secrets by name.
    pub(crate) ciphertexts: IndexMap<String, String>,
    /// Modules that cannot come with the plan.
    pub(crate) refusals: Refusals,
    /// What is wrong or not supported, with its place.
    pub(crate) problems: Vec<Wrong>,
    /// Whether it is made of nothing but what was noted, and holds no secret.
    pub(crate) lasting: bool,
    /// Who takes note of the files that are looked for.
    pub(crate) watch: Option<Watch>,
}

/// Something that is wrong with a playbook.
pub(crate) struct Wrong {
    /// What, for people.
    pub(crate) message: Diagnostic,
    /// The absolute path of the file, where it has a place.
    pub(crate) file: Option<PathBuf>,
}

/// What a command reads.
pub(crate) enum Input {
    /// A document of another command, as JSON.
    Document(serde_json::Value),
    /// A playbook: its path, and its text where that came over standard input.
    Playbook(PathBuf, Option<Vec<u8>>),
}

impl Input {
    /// Reads a file, or standard input for `-`. What begins with `{` is a document; anything else is left to the reader of
    /// playbooks, which finds files by other names too.
    pub(crate) fn read(path: &Path) -> Result<Input, Failure> {
        let stdin = path == Path::new("-");
        let bytes = if stdin {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(Failure::io("read", Path::new("standard input")))?;
            bytes
        } else {
            match std::fs::read(path) {
                Ok(bytes) if bytes.trim_ascii_start().starts_with(b"{") => bytes,
                _ => return Ok(Input::Playbook(path.to_owned(), None)),
            }
        };
        let name = if stdin {
            STDIN.into()
        } else {
            path.display().to_string()
        };
        if bytes.trim_ascii().is_empty() {
            return Err(
                Failure::text(Exit::Refused, format!("{name} is empty")).hint(
                    "it takes a playbook, or what `rustle parse` or `rustle facts` has written",
                ),
            );
        }
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Ok(Input::Playbook(PathBuf::from(STDIN), Some(bytes)));
        }
        serde_json::from_slice(&bytes)
            .map(Input::Document)
            .map_err(|e| Failure::text(Exit::Refused, format!("{name} is no JSON: {e}")))
    }
}

/// Makes a plan of what was read.
///
/// # Errors
/// What is wrong with the document, or keeps the playbook or its inventory from being read. What is wrong with single tasks is
/// handed back with the plan.
pub(crate) fn make(
    input: Input,
    options: &SourceOptions,
    console: &Console,
) -> Result<Made, Failure> {
    match input {
        Input::Document(document) => {
            if let Some(option) = options.first_given() {
                return Err(Failure::text(
                    Exit::Usage,
                    format!("{option} is for playbooks, and a document was given"),
                )
                .hint("give it to `rustle parse`"));
            }
            of_document(document)
        }
        Input::Playbook(path, text) => of_playbook(&path, text, options, console),
    }
}

fn of_document(mut document: serde_json::Value) -> Result<Made, Failure> {
    let ciphertexts = hide(&mut document);
    let read = EnrichedPlaybook::read(document).map_err(|e| Failure::text(Exit::Refused, e))?;
    let (plan, patterns, facts) = read.into_plan();
    Ok(Made {
        name: plan.metadata.name.clone().unwrap_or_default(),
        plan,
        patterns,
        facts,
        ciphertexts,
        refusals: Refusals::new(),
        problems: Vec::new(),
        lasting: false,
        watch: None,
    })
}

fn of_playbook(
    path: &Path,
    text: Option<Vec<u8>>,
    options: &SourceOptions,
    console: &Console,
) -> Result<Made, Failure> {
    with_playbook(path, text, options, console, |parts| {
        let targets = source::targets(parts, &options.chosen(), console);
        let targets = targets.map_err(|p| refused(&p, &parts.surroundings.sources))?;
        planned(parts, options, targets, console)
    })
}

/// Reads a playbook and does something with it. What is vaulted stays so. `text`: the playbook's, where it is nowhere on the disk.
///
/// # Errors
/// Where it cannot be read, and those of `then`.
pub(crate) fn with_playbook<R>(
    path: &Path,
    text: Option<Vec<u8>>,
    options: &SourceOptions,
    console: &Console,
    then: impl FnOnce(&Parts<'_>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    with_reader(path, text, options, None, console, |parts| {
        let sources = &parts.surroundings.sources;
        let playbook = source::read(parts.reader, path).map_err(|p| refused(&[p], sources))?;
        parts.surroundings.say(console, &playbook.warnings);
        then(&Parts {
            playbook: &playbook,
            ..*parts
        })
    })
}

/// Makes ready to read a playbook, of which `then` is told all but its plays: it has none yet. `watch` takes note of the files that
/// are read.
///
/// # Errors
/// What is wrong with the settings and extra variables, and those of `then`.
pub(crate) fn with_reader<R>(
    path: &Path,
    text: Option<Vec<u8>>,
    options: &SourceOptions,
    watch: Option<Watch>,
    console: &Console,
    then: impl FnOnce(&Parts<'_>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let surroundings = Surroundings::load(console)?;
    surroundings.say_unhonoured(console);
    let mut disk = Disk::new(options.vault.vault(&surroundings, console, false)?);
    if let Some(text) = text {
        disk = disk.with(path, text);
    }
    if let Some(watch) = watch {
        disk = disk.watched(watch);
    }
    let sources = &surroundings.sources;
    let one = |problem: Problem| refused(&[problem], sources);
    let extra = source::extra(&surroundings, &disk, &options.extra_vars).map_err(one)?;
    let reading = source::options(&surroundings, &extra);
    let reader = Reader::new(sources, &disk, &reading);
    then(&Parts {
        path,
        playbook: &Playbook::default(),
        reader: &reader,
        surroundings: &surroundings,
        disk: &disk,
        extra: &extra,
        open: &|vault| Ok(Opened::Text(vault.ciphertext.clone().into())),
        vaulted: &|path| disk.is_vaulted(path),
    })
}

/// Makes a plan of a playbook.
///
/// # Errors
/// What asks for answers that nobody can give. What is wrong with single tasks is handed back with the plan.
pub(crate) fn planned(
    parts: &Parts<'_>,
    options: &SourceOptions,
    targets: Targets,
    console: &Console,
) -> Result<Made, Failure> {
    let surroundings = parts.surroundings;
    let sources = &surroundings.sources;
    let path = parts.path;
    let one = |problem: Problem| refused(&[problem], sources);
    source::refuse_prompts(parts, &targets.extra).map_err(one)?;
    let directory = surroundings.config.environment().directory.clone();
    let (planned, problems) = survey(Request {
        playbook: parts.playbook,
        path,
        reader: parts.reader,
        sources,
        inventory: targets.inventory,
        hosts: targets.hosts,
        directory: directory.clone(),
        decrypt: parts.open,
        vaulted: parts.vaulted,
        gather: surroundings.config.text("DEFAULT_GATHERING") != Some("explicit"),
        extra_vars: targets.extra,
        runtime: source::runtime(&surroundings.config),
        prompted: IndexMap::new(),
    });
    surroundings.say(console, &planned.warnings);
    let silent = planned.warnings.is_empty() && parts.playbook.warnings.is_empty();
    let lasting = silent && planned.secrets.is_empty() && problems.is_empty();
    let Planned {
        mut plan,
        secrets,
        modules,
        ..
    } = planned;
    let before = plan.assets.len();
    let refusals = carried::declare(
        &mut plan,
        &modules,
        options.python.python_modules,
        surroundings,
    )?;
    // Whether a module of the repository goes along is in its file, which nobody took note of.
    let of_its_own = plan.assets.len() > before
        || !refusals.is_empty()
        || options.python.python_modules == PythonModules::Always;
    for play in &mut plan.plays {
        // A play without hosts has a name that no host has.
        play.hosts.retain(|host| plan.hosts.contains_key(host));
    }
    let texts = secrets.iter();
    let ciphertexts = texts
        .map(|(name, text)| Ok((name.clone(), encrypted(text, &parts.disk.vault)?)))
        .collect::<Result<_, Failure>>()?;
    Ok(Made {
        name: path.display().to_string(),
        patterns: parts
            .playbook
            .plays
            .iter()
            .map(|p| p.hosts.join(","))
            .collect(),
        plan,
        facts: IndexMap::new(),
        ciphertexts,
        refusals,
        lasting: lasting && !of_its_own,
        watch: parts.disk.watch().cloned(),
        problems: problems
            .iter()
            .map(|problem| Wrong {
                message: diagnostic(problem, sources),
                file: problem.at.map(|at| directory.join(sources.path(at.file))),
            })
            .collect(),
    })
}

/// The ciphertext of a secret: its own, or a new one for a text of a file that was vaulted as a whole.
fn encrypted(text: &str, vault: &Vault) -> Result<String, Failure> {
    if is_encrypted(text.as_bytes()) {
        return Ok(text.to_owned());
    }
    let refuse = |e: String| Failure::text(Exit::Key, e);
    let Some(secret) = vault.secrets.first() else {
        return Err(refuse(
            "there is no vault password to encrypt with".to_owned(),
        ));
    };
    secret
        .encrypt(text.as_bytes(), secret.id(), None)
        .map_err(|e| refuse(e.to_string()))
}

impl Made {
    /// The vault ids that the ciphertexts name.
    pub(crate) fn vault_ids(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for text in self.ciphertexts.values() {
            let header = text.lines().next().unwrap_or_default();
            let id = header
                .trim_end()
                .splitn(4, ';')
                .nth(3)
                .unwrap_or(DEFAULT_ID)
                .to_owned();
            if !out.contains(&id) {
                out.push(id);
            }
        }
        out
    }

    /// Fails where something is wrong.
    pub(crate) fn sound(&mut self) -> Result<(), Failure> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Failure {
            diagnostics: self.problems.drain(..).map(|w| w.message).collect(),
            exit: Exit::Refused,
        })
    }
}
