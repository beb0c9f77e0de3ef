//! The settings of a command: found, read and checked. The environment wins over the file, the file over the default.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::ini;
use super::table::{self, Effect, Kind, Known};
use crate::problem::Problem;
use crate::source::{Position, Sources};
use rustle_formats::Value;

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(Position),
    /// This environment variable.
    Variable(String),
}

/// What a command does, for [`Config::unhonoured`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// It reads inventories only.
    Inventory,
    /// It plans or runs.
    Run,
}

/// The settings.
#[derive(Debug, Clone, Default)]
pub struct Config {
    file: Option<PathBuf>,
    environment: Environment,
    set: HashMap<&'static str, (String, Origin)>,
}

impl Config {
    /// Finds the configuration file, reads it and the environment, and checks all values. The problems are warnings.
    ///
    /// The first of these counts: `ANSIBLE_CONFIG` (a file, or a directory with `ansible.cfg`), `ansible.cfg` in the
    /// working directory unless everybody may write there, `~/.ansible.cfg`, `/etc/ansible/ansible.cfg`.
    ///
    /// # Errors
    /// Where the file cannot be read or parsed, or a value does not fit its type.
    pub fn load(
        environment: &Environment,
        sources: &Sources,
    ) -> Result<(Config, Vec<Problem>), Problem> {
        let mut warnings = Vec::new();
        let file = find(environment, &mut warnings);
        let sections = match &file {
            Some(path) => {
                let kind = path.extension().and_then(|e| e.to_str()).unwrap_or("");
                if !matches!(kind, "cfg" | "ini") {
                    return Err(Problem::error(format!(
                        "the configuration file {} must end in .cfg or .ini",
                        path.display()
                    )));
                }
                let text = std::fs::read_to_string(path)
                    .map_err(|e| Problem::error(format!("cannot read {}: {e}", path.display())))?;
                let id = sources.add(path, text.as_str());
                ini::parse(&text, id)?
            }
            None => HashMap::new(),
        };
        let mut config = Config {
            file,
            environment: environment.clone(),
            set: HashMap::new(),
        };
        for known in table::all() {
            let from_file = known
                .ini
                .iter()
                .filter_map(|(section, key)| sections.get(*section)?.get(*key))
                .next_back()
                .map(|e| (in_file(known, &e.value), Origin::File(e.at)));
            let from_environment = known.env.iter().rev().find_map(|name| {
                let value = environment.get(name)?;
                Some((value.to_owned(), Origin::Variable((*name).to_owned())))
            });
            if let Some(found) = from_environment.or(from_file) {
                check(known, &found.0, &found.1)?;
                config.set.insert(known.name, found);
            }
        }
        Ok((config, warnings))
    }

    /// The configuration file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What the process knows.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Where the value of a setting comes from.
    pub fn origin(&self, name: &str) -> Origin {
        self.set
            .get(name)
            .map_or(Origin::Default, |(_, o)| o.clone())
    }

    /// All that somebody set, sorted by name: the settings' names and values.
    pub fn given(&self) -> Vec<(&'static str, &str)> {
        let mut out: Vec<_> = self
            .set
            .iter()
            .map(|(name, (value, _))| (*name, value.as_str()))
            .collect();
        out.sort_unstable();
        out
    }

    /// Whether somebody set it.
    pub fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    /// A setting as text, by ansible-core's name for it (`DEFAULT_FORKS`); `None`: not set, and without default.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.set.get(name) {
            Some((value, _)) => Some(value),
            None => table::find(name)?.default,
        }
    }

    /// A setting by its type, as `lookup('config')` gives it; `None`: there is no such setting.
    pub fn value(&self, name: &str) -> Option<Value> {
        let known = table::find(name)?;
        let list = |items: Vec<String>| Value::List(items.into_iter().map(Value::Str).collect());
        let shown = |path: PathBuf| path.to_string_lossy().into_owned();
        let Some(text) = self.text(name) else {
            return Some(Value::Null);
        };
        Some(match known.kind {
            Kind::Boolean => Value::Bool(self.flag(name)),
            Kind::Integer => self.integer(name).map_or(Value::Null, Value::Int),
            Kind::Float => text.parse().map_or(Value::Null, Value::Float),
            Kind::List => list(self.list(name)),
            Kind::Path => self
                .path(name)
                .map_or(Value::Null, |path| Value::Str(shown(path))),
            Kind::PathList | Kind::PathSpec => {
                list(self.paths(name).into_iter().map(shown).collect())
            }
            Kind::Text => Value::Str(text.to_owned()),
        })
    }

    /// A yes or no. Whatever is no word for yes is no, as to Ansible.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(is_true)
    }

    /// A whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        whole(self.text(name)?)
    }

    /// A list divided by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.text(name) {
            None => Vec::new(),
            Some("") if !self.set.contains_key(name) => Vec::new(),
            Some(text) => text.split(',').map(|t| t.trim().to_owned()).collect(),
        }
    }

    /// A path. What stands in the file is relative to the file's directory.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.resolved(name, self.text(name)?))
    }

    /// Several paths, divided by commas or by colons, as the setting has it.
    pub fn paths(&self, name: &str) -> Vec<PathBuf> {
        let Some(text) = self.text(name) else {
            return Vec::new();
        };
        let spec = table::find(name).is_some_and(|k| k.kind == Kind::PathSpec);
        if spec {
            text.split(':').map(|p| self.resolved(name, p)).collect()
        } else {
            text.split(',')
                .map(|p| self.resolved(name, p.trim()))
                .collect()
        }
    }

    fn resolved(&self, name: &str, text: &str) -> PathBuf {
        let env = &self.environment;
        let home = || self.text("ANSIBLE_HOME").unwrap_or("~/.ansible").to_owned();
        let text = if matches!(self.origin(name), Origin::Default) {
            text.replace("{{ANSIBLE_HOME}}", &home())
        } else {
            text.replace("{{CWD}}", &env.directory.to_string_lossy())
        };
        match (
            self.origin(name),
            self.file.as_deref().and_then(Path::parent),
        ) {
            (Origin::File(_), Some(folder)) => env.path_from(&text, folder),
            _ => env.path(&text),
        }
    }

    /// A warning for each setting that somebody set and that Rustle does not honour.
    pub fn unhonoured(&self, concern: Concern) -> Vec<Problem> {
        let mut found: Vec<(&Known, &Origin)> = table::all()
            .iter()
            .filter(|k| match k.effect {
                Effect::Honoured | Effect::Moot => false,
                Effect::Inventory => true,
                Effect::Run => concern == Concern::Run,
            })
            .filter_map(|k| Some((k, &self.set.get(k.name)?.1)))
            // Saying what is so anyway changes nothing.
            .filter(|(k, _)| self.text(k.name) != k.default)
            .collect();
        found.sort_by_key(|(k, _)| k.name);
        found
            .into_iter()
            .map(|(known, origin)| {
                let problem = |how: &str| {
                    Problem::warning(format!("{how} ({}) has no effect in Rustle", known.name))
                };
                match origin {
                    Origin::File(at) => {
                        problem(&format!("the setting `{}`", key_of(known))).at(*at)
                    }
                    Origin::Variable(name) => problem(&format!("the variable {name}")),
                    Origin::Default => problem(known.name),
                }
            })
            .collect()
    }
}

fn key_of(known: &Known) -> &'static str {
    known.ini.first().map_or(known.name, |(_, key)| key)
}

fn in_file(known: &Known, value: &str) -> String {
    let quoted = ['"', '\''].iter().find_map(|q| {
        let inner = value.strip_prefix(*q)?.strip_suffix(*q)?;
        (known.kind == Kind::Text).then_some(inner)
    });
    quoted.unwrap_or(value).to_owned()
}

fn find(env: &Environment, warnings: &mut Vec<Problem>) -> Option<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(text) = env.get("ANSIBLE_CONFIG") {
        let path = env.path(text);
        candidates.push(if path.is_dir() {
            path.join("ansible.cfg")
        } else {
            path
        });
    }
    let here = env.directory.join("ansible.cfg");
    match std::fs::metadata(&env.directory) {
        Ok(meta) if meta.permissions().mode() & 0o002 != 0 => {
            let other = candidates.first().is_some_and(|c| c.exists());
            if here.exists() && !other {
                warnings.push(
                    Problem::warning(format!(
                        "everybody may write to {}: its ansible.cfg is not read",
                        env.directory.display()
                    ))
                    .hint("chmod o-w the directory, or name the file in ANSIBLE_CONFIG"),
                );
            }
        }
        _ => candidates.push(here),
    }
    candidates.extend(env.home.as_ref().map(|h| h.join(".ansible.cfg")));
    candidates.push("/etc/ansible/ansible.cfg".into());
    // One that is there and must not be read is passed over, as Ansible does.
    candidates
        .into_iter()
        .find(|path| std::fs::File::open(path).is_ok())
}

fn is_true(text: &str) -> bool {
    matches!(
        text.trim().to_lowercase().as_str(),
        "y" | "yes" | "on" | "1" | "true" | "t" | "1.0"
    )
}

/// A whole number as Python's `Decimal` reads it: `1.0` is one.
fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.replace('_', "").parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn check(known: &Known, value: &str, origin: &Origin) -> Result<(), Problem> {
    let fits = match known.kind {
        Kind::Integer => whole(value).is_some(),
        Kind::Float => value.trim().parse::<f64>().is_ok(),
        Kind::Text => known.choices.is_empty() || known.choices.contains(&value),
        _ => true,
    };
    if fits {
        return Ok(());
    }
    let name = match origin {
        Origin::Variable(name) => name.clone(),
        _ => key_of(known).to_owned(),
    };
    let problem = Problem::error(format!(
        "`{value}` is no value for `{name}` ({})",
        known.name
    ));
    let problem = match origin {
        Origin::File(at) => problem.at(*at),
        _ => problem,
    };
    Err(match known.kind {
        Kind::Text => problem.hint(format!("choose one of {}", known.choices.join(", "))),
        Kind::Float => problem.hint("a number is expected"),
        _ => problem.hint("a whole number is expected"),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn environment(directory: &Path, variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            directory: directory.to_owned(),
            home: Some("/home/joe".into()),
        }
    }

    fn load(directory: &Path, variables: &[(&str, &str)]) -> Result<Config, Problem> {
        Config::load(&environment(directory, variables), &Sources::default()).map(|(c, _)| c)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let text = "[defaults]\nforks = 10\ninventory = hosts,other ,~/x\nroles_path = roles:~/b:{{CWD}}/d\nmodule_name = \"quoted\"\nhost_key_checking = no\ntimeout = 1.0\n[inventory]\nenable_plugins = host_list, ini\n";
        fs::write(dir.path().join("ansible.cfg"), text).unwrap();
        let config = load(dir.path(), &[("ANSIBLE_FORKS", "7")]).unwrap();
        assert_eq!(config.integer("DEFAULT_FORKS"), Some(7));
        assert_eq!(
            config.origin("DEFAULT_FORKS"),
            Origin::Variable("ANSIBLE_FORKS".into())
        );
        assert_eq!(config.text("DEFAULT_MODULE_NAME"), Some("quoted"));
        assert_eq!(config.integer("DEFAULT_TIMEOUT"), Some(1));
        assert!(!config.flag("HOST_KEY_CHECKING"));
        assert!(config.flag("INVENTORY_UNPARSED_WARNING"));
        assert_eq!(config.list("INVENTORY_ENABLED"), ["host_list", "ini"]);
        assert_eq!(config.list("DEFAULT_VAULT_IDENTITY_LIST"), [""; 0]);
        let at = |p: &str| dir.path().join(p);
        assert_eq!(
            config.paths("DEFAULT_HOST_LIST"),
            [at("hosts"), at("other"), "/home/joe/x".into()]
        );
        assert_eq!(
            config.paths("DEFAULT_ROLES_PATH"),
            [at("roles"), "/home/joe/b".into(), at("d")]
        );
        assert_eq!(
            config.paths("DEFAULT_CALLBACK_PLUGIN_PATH")[0],
            PathBuf::from("/home/joe/.ansible/plugins/callback")
        );
    }

    #[test]
    fn the_file_is_found_where_ansible_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ansible.cfg"), "[defaults]\nforks=2\n").unwrap();
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("ansible.cfg"), "[defaults]\nforks=3\n").unwrap();
        let forks = |variables: &[(&str, &str)]| {
            load(dir.path(), variables)
                .unwrap()
                .integer("DEFAULT_FORKS")
        };
        assert_eq!(forks(&[]), Some(2));
        assert_eq!(forks(&[("ANSIBLE_CONFIG", "other")]), Some(3));
        assert_eq!(forks(&[("ANSIBLE_CONFIG", "nope.cfg")]), Some(2));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let env = environment(dir.path(), &[]);
        let (config, warnings) = Config::load(&env, &Sources::default()).unwrap();
        assert_eq!(config.integer("DEFAULT_FORKS"), Some(5));
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_has_no_effect_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |text: &str| {
            fs::write(dir.path().join("ansible.cfg"), text).unwrap();
            load(dir.path(), &[]).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused("[defaults]\nforks=abc\n"), @"`abc` is no value for `forks` (DEFAULT_FORKS)");
        insta::assert_snapshot!(refused("[defaults]\nhash_behaviour=MERGE\n"), @"`MERGE` is no value for `hash_behaviour` (DEFAULT_HASH_BEHAVIOUR)");
        let text = "[defaults]\nvars_plugins=x\nlookup_plugins=y\nnocows=1\nforks=5\n";
        fs::write(dir.path().join("ansible.cfg"), text).unwrap();
        let config = load(dir.path(), &[("ANSIBLE_FILTER_PLUGINS", "z")]).unwrap();
        let said = |concern| {
            let all = config.unhonoured(concern);
            all.iter().map(|p| format!("{p}\n")).collect::<String>()
        };
        insta::assert_snapshot!(said(Concern::Inventory), @"the setting `vars_plugins` (DEFAULT_VARS_PLUGIN_PATH) has no effect in Rustle");
        insta::assert_snapshot!(said(Concern::Run), @r"
        the variable ANSIBLE_FILTER_PLUGINS (DEFAULT_FILTER_PLUGIN_PATH) has no effect in Rustle
        the setting `lookup_plugins` (DEFAULT_LOOKUP_PLUGIN_PATH) has no effect in Rustle
        the setting `vars_plugins` (DEFAULT_VARS_PLUGIN_PATH) has no effect in Rustle
        ");
    }
}
