//! Sources: which kind each is, several of them, directories of them.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::constructed::{self, Extra};
use super::group_names::{GroupNames, Transform};
use super::host_list;
use super::ini;
use super::model::Inventory;
use super::script;
use super::{toml_source, yaml_source};
use crate::problem::Problem;
use crate::source::{Position, Sources};
use crate::vars::{HashBehaviour, VarsFiles};
use crate::vault::{Vault, is_encrypted};
use crate::yaml;

/// How inventories are read. The defaults are Ansible's.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kinds of sources that are tried, in order (`INVENTORY_ENABLED`).
    pub enabled: Vec<String>,
    /// Files of a directory with these endings are passed over (`INVENTORY_IGNORE_EXTS`).
    pub ignored_extensions: Vec<String>,
    /// Files of a directory whose names one of these expressions finds are passed over (`INVENTORY_IGNORE_PATTERNS`).
    pub ignored_patterns: Vec<String>,
    /// A source that nothing can read is an error (`INVENTORY_ANY_UNPARSED_IS_FAILED`).
    pub any_unparsed_fails: bool,
    /// It is an error where nothing could be read at all (`INVENTORY_UNPARSED_IS_FAILED`).
    pub unparsed_fails: bool,
    /// A warning where nothing could be read at all (`INVENTORY_UNPARSED_WARNING`).
    pub unparsed_warns: bool,
    /// Names of groups (`TRANSFORM_INVALID_GROUP_CHARS`).
    pub transform: Transform,
    /// Mappings that are set twice (`DEFAULT_HASH_BEHAVIOUR`).
    pub hash_behaviour: HashBehaviour,
    /// The endings of YAML files, with their dots (`YAML_FILENAME_EXTENSIONS`).
    pub yaml_extensions: Vec<String>,
    /// Where relative sources start from; absolute.
    pub directory: PathBuf,
    /// The variables of the command line, for sources that make groups and variables of variables.
    pub extra: Extra,
    /// What a script says on standard error is a warning even where the script did its work
    /// (`ANSIBLE_INVENTORY_PLUGIN_SCRIPT_STDERR`).
    pub script_errors: bool,
}

impl Default for Options {
    fn default() -> Options {
        let words = |w: &str| w.split(' ').map(str::to_owned).collect();
        Options {
            enabled: words("host_list script auto yaml ini toml"),
            ignored_extensions: words(".pyc .pyo .swp .bak ~ .rpm .md .txt .rst .orig .cfg .retry"),
            ignored_patterns: Vec::new(),
            any_unparsed_fails: false,
            unparsed_fails: false,
            unparsed_warns: true,
            transform: Transform::Never,
            hash_behaviour: HashBehaviour::Replace,
            yaml_extensions: words(".yml .yaml .json"),
            directory: PathBuf::from("/"),
            extra: Extra::default(),
            script_errors: true,
        }
    }
}

/// An inventory, and what was wrong while it was read.
#[derive(Debug)]
pub struct Loaded {
    /// The inventory.
    pub inventory: Inventory,
    /// Warnings.
    pub problems: Vec<Problem>,
    /// Whether any source could be read.
    pub parsed: bool,
    /// The folders beside the sources, where group_vars/ and host_vars/ are looked for; in order.
    pub roots: Vec<PathBuf>,
    /// The sources: absolute paths, and lists of hosts as they were written.
    pub sources: Vec<String>,
}

/// Reads sources, in order: files, directories, programs, or lists of hosts divided by commas.
///
/// # Errors
/// Where the options make unreadable sources an error.
pub fn load(
    given: &[String],
    options: &Options,
    sources: &Sources,
    vault: &Vault,
) -> Result<Loaded, Problem> {
    let mut loader = Loader {
        options,
        sources,
        vault,
        inventory: Inventory::new(options.hash_behaviour),
        names: GroupNames::new(options.transform),
        problems: Vec::new(),
        roots: Vec::new(),
        ignored: Vec::new(),
    };
    for pattern in &options.ignored_patterns {
        let compiled = regex::Regex::new(pattern).map_err(|e| {
            Problem::error(format!(
                "`{pattern}` of inventory_ignore_patterns is no regular expression: {e}"
            ))
        })?;
        loader.ignored.push(compiled);
    }
    let mut parsed = false;
    for source in given {
        parsed |= loader.source(source)?;
    }
    let mut loaded = loader.finish(parsed)?;
    loaded.sources = given.to_vec();
    Ok(loaded)
}

struct Loader<'a> {
    options: &'a Options,
    sources: &'a Sources,
    vault: &'a Vault,
    inventory: Inventory,
    names: GroupNames,
    problems: Vec<Problem>,
    roots: Vec<PathBuf>,
    ignored: Vec<regex::Regex>,
}

impl Loader<'_> {
    fn finish(mut self, parsed: bool) -> Result<Loaded, Problem> {
        if parsed {
            self.inventory.complete();
        } else if self.options.unparsed_fails {
            return Err(self.with_causes(
                Problem::error("no inventory could be read").hint("name one with -i"),
            ));
        } else if self.options.unparsed_warns {
            self.problems.push(Problem::warning(
                "no inventory could be read: there is only the implicit localhost",
            ));
        }
        if !self.names.invalid.is_empty() {
            let fate = if self.names.replaces() {
                "replaced by `_`"
            } else {
                "kept"
            };
            self.problems.push(Problem::warning(format!(
                "invalid characters in names of groups were {fate}: {}",
                self.names.invalid.join(", ")
            )));
        }
        for (_, name, _) in self.inventory.groups() {
            if self.inventory.find_host(name).is_some() {
                self.problems.push(Problem::warning(format!(
                    "`{name}` is the name of a group and of a host"
                )));
            }
        }
        Ok(Loaded {
            inventory: self.inventory,
            problems: self.problems,
            parsed,
            roots: self.roots,
            sources: Vec::new(),
        })
    }

    /// The first cause is where the error is.
    fn with_causes(&self, mut problem: Problem) -> Problem {
        for cause in &self.problems {
            problem.notes.push(cause.message.clone());
            if problem.at.is_none() {
                problem.at = cause.at;
                problem.length = cause.length;
            }
        }
        problem
    }

    fn source(&mut self, source: &str) -> Result<bool, Problem> {
        if source.contains(',') {
            return self.hosts(source);
        }
        let path = self.options.directory.join(source);
        self.path(&path)
    }

    /// A list of hosts.
    fn hosts(&mut self, source: &str) -> Result<bool, Problem> {
        self.inventory.source = Some(source.into());
        let kinds = self.options.enabled.iter().map(|k| short(k));
        for kind in kinds {
            if kind != "host_list" && kind != "advanced_host_list" {
                continue;
            }
            let at = Position {
                file: self.sources.add("-i", source),
                line: 1,
                column: 1,
            };
            let advanced = kind == "advanced_host_list";
            match host_list::read(source, advanced, at, &mut self.inventory) {
                Ok(()) => {
                    self.inventory.complete();
                    return Ok(true);
                }
                Err(e) => self.problems.push(Problem::warning(e).at(at)),
            }
        }
        self.unreadable(source)?;
        Ok(false)
    }

    fn path(&mut self, path: &Path) -> Result<bool, Problem> {
        if !path.is_dir() {
            self.root(path.parent().unwrap_or(path));
            return self.file(path);
        }
        self.root(path);
        let wrong =
            |e: std::io::Error| Problem::error(format!("cannot read {}: {e}", path.display()));
        let mut names: VecDeque<String> = VecDeque::new();
        for entry in fs::read_dir(path).map_err(wrong)? {
            names.push_back(
                entry
                    .map_err(wrong)?
                    .file_name()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        names.make_contiguous().sort();
        let mut parsed = false;
        for name in names {
            if self.is_ignored(&name) {
                continue;
            }
            let inner = path.join(&name);
            // A directory in a directory is one more source, but not one more root.
            let roots = self.roots.len();
            parsed |= self.path(&inner)?;
            self.roots.truncate(roots);
        }
        Ok(parsed)
    }

    fn root(&mut self, folder: &Path) {
        if !self.roots.iter().any(|r| r == folder) {
            self.roots.push(folder.to_owned());
        }
    }

    fn is_ignored(&self, name: &str) -> bool {
        matches!(name, "group_vars" | "host_vars" | "vars_plugins")
            || name.starts_with('.')
            || self
                .options
                .ignored_extensions
                .iter()
                .any(|e| name.ends_with(e.as_str()))
            || self.ignored.iter().any(|i| i.is_match(name))
    }

    /// A file: each kind that could be meant is tried, until one can read it.
    fn file(&mut self, path: &Path) -> Result<bool, Problem> {
        self.inventory.source = Some(path.to_string_lossy().into());
        // The inventory that has nothing in it.
        if path == Path::new("/dev/null") {
            return Ok(true);
        }
        let mut failures: Vec<Problem> = Vec::new();
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        if let Some(meta) = meta {
            let executable = meta.permissions().mode() & 0o111 != 0;
            for kind in self.options.enabled.clone() {
                let done = match short(&kind) {
                    "script" if executable => self.script(path),
                    "auto" if self.is_yaml(path) => match self.plugin(path) {
                        Some(result) => result,
                        None => continue,
                    },
                    "yaml" if self.is_yaml(path) || path.extension().is_none() => self.yaml(path),
                    "ini" => self.ini(path),
                    "constructed" if self.is_yaml(path) => self.constructed(path),
                    "toml" if path.extension().is_some_and(|e| e == "toml") => self.toml(path),
                    _ => continue,
                };
                match done {
                    Ok(()) => return Ok(true),
                    Err(problem) => failures.push(problem),
                }
            }
        }
        // What the last kind says of a YAML file, or of one without ending, is seldom what is meant.
        let likely = if self.is_yaml(path) {
            0
        } else {
            failures.len().saturating_sub(1)
        };
        for (at, mut failure) in failures.into_iter().enumerate() {
            if at == likely {
                failure.severity = crate::Severity::Warning;
                self.problems.push(failure);
            }
        }
        self.unreadable(&path.display().to_string())?;
        Ok(false)
    }

    fn unreadable(&mut self, source: &str) -> Result<(), Problem> {
        let message = format!("{source} could not be read as an inventory");
        if self.options.any_unparsed_fails {
            return Err(self.with_causes(Problem::error(message)));
        }
        self.problems.push(Problem::warning(message));
        Ok(())
    }

    fn is_yaml(&self, path: &Path) -> bool {
        let name = path.to_string_lossy();
        self.options
            .yaml_extensions
            .iter()
            .any(|e| name.ends_with(e.as_str()))
    }

    fn script(&mut self, path: &Path) -> Result<(), Problem> {
        let mut said = Vec::new();
        let read = script::read(
            path,
            self.sources,
            &mut self.inventory,
            &mut self.names,
            &mut said,
        );
        if self.options.script_errors {
            let said = said.into_iter();
            self.problems.extend(
                said.map(|text| Problem::warning(format!("{} said: {text}", path.display()))),
            );
        }
        read
    }

    fn document(&mut self, path: &Path) -> Result<yaml::Document, Problem> {
        let bytes = self.bytes(path)?;
        yaml::read(self.sources, path, &bytes, &yaml::Options::default())
    }

    fn bytes(&self, path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, Problem> {
        let bytes = fs::read(path)
            .map_err(|e| Problem::error(format!("cannot read {}: {e}", path.display())))?;
        if is_encrypted(&bytes) {
            let plain = self
                .vault
                .decrypt(&bytes)
                .map_err(|e| Problem::error(format!("{}: {e}", path.display())))?;
            return Ok(plain.text);
        }
        Ok(zeroize::Zeroizing::new(bytes))
    }

    fn ini(&mut self, path: &Path) -> Result<(), Problem> {
        let bytes = self.bytes(path)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Problem::error(format!("{} is no UTF-8", path.display())))?;
        let file = self.sources.add(path, text);
        ini::read(text, file, &mut self.inventory, &mut self.names)
    }

    fn toml(&mut self, path: &Path) -> Result<(), Problem> {
        let bytes = self.bytes(path)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Problem::error(format!("{} is no UTF-8", path.display())))?;
        let root = toml_source::read(text, self.sources.add(path, text))?;
        let mut warnings = Vec::new();
        yaml_source::read(&root, &mut self.inventory, &mut self.names, &mut warnings)?;
        self.problems.extend(warnings);
        Ok(())
    }

    fn yaml(&mut self, path: &Path) -> Result<(), Problem> {
        let document = self.document(path)?;
        let mut warnings = document.warnings;
        yaml_source::read(
            &document.root,
            &mut self.inventory,
            &mut self.names,
            &mut warnings,
        )?;
        self.problems.extend(warnings);
        Ok(())
    }

    /// A YAML file that configures a plugin; `None`: it does not.
    fn plugin(&mut self, path: &Path) -> Option<Result<(), Problem>> {
        let document = self.document(path).ok()?;
        let name = document.root.as_map()?.get("plugin")?;
        let kind = name.as_str().unwrap_or_default();
        Some(match short(kind) {
            "constructed" => self.construct(&document),
            "advanced_host_list" | "host_list" | "ini" | "yaml" | "script" | "generator"
            | "toml" => Err(Problem::error(format!(
                "the inventory plugin `{kind}` takes no configuration file"
            ))
            .at(name.at)),
            _ => Err(Problem::error(format!(
                "the inventory plugin `{kind}` is not known to Rustle"
            ))
            .at(name.at)
            .hint("run `ansible-inventory --list --export` once and use what it prints")),
        })
    }

    fn constructed(&mut self, path: &Path) -> Result<(), Problem> {
        let document = self.document(path)?;
        self.construct(&document)
    }

    fn construct(&mut self, document: &yaml::Document) -> Result<(), Problem> {
        self.inventory.complete();
        let mut files = VarsFiles::new(self.sources, self.vault);
        files.extensions.clone_from(&self.options.yaml_extensions);
        files.behaviour = self.options.hash_behaviour;
        constructed::apply(
            &document.root,
            &mut self.inventory,
            &mut self.names,
            &mut files,
            &self.roots,
            &self.options.extra,
        )
    }
}

/// `ansible.builtin.ini` is `ini`.
fn short(kind: &str) -> &str {
    kind.strip_prefix("ansible.builtin.")
        .or_else(|| kind.strip_prefix("ansible.legacy."))
        .unwrap_or(kind)
}
