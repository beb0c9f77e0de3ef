//! What only the controller has: lookups that ask it, and the Python plugins of its repositories.
//!
//! Nothing here prints, reads the environment or ends the process: the configuration knows the environment, and the
//! caller gives the rest in.

mod arguments;
mod config;
mod csv;
mod delimited;
mod hostnames;
mod ini;
mod password;
mod python;
mod shell;
mod url;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use rustle_formats::Map;
use rustle_playbook::config::Config;
use rustle_playbook::vault::{Vault, is_encrypted};
use rustle_runtime::engine::Controller;
use rustle_template::{Args, Error, ErrorKind, LookupCall, Plugins, Value};
use zeroize::Zeroizing;

pub use python::{Found, PluginKind, Python, discover};

/// The controller of a run in this process.
pub struct OnController<'a> {
    config: &'a Config,
    vault: &'a Vault,
    python: Option<RefCell<Python>>,
}

/// The lookups that are here.
const NAMES: [&str; 8] = [
    "config",
    "csvfile",
    "ini",
    "inventory_hostnames",
    "lines",
    "password",
    "pipe",
    "url",
];

/// The largest file that a lookup reads.
const MAX_FILE: u64 = 64 << 20;

impl<'a> OnController<'a> {
    /// With the settings, which know the environment, and the passwords for what is vaulted.
    pub fn new(config: &'a Config, vault: &'a Vault) -> OnController<'a> {
        OnController {
            config,
            vault,
            python: None,
        }
    }

    /// With plugins that Python runs.
    #[must_use]
    pub fn with_python(mut self, python: Python) -> OnController<'a> {
        self.python = Some(RefCell::new(python));
        self
    }

    /// Whether there is a `filter`, a `test` or a `lookup` of this name.
    pub fn knows(&self, kind: &str, name: &str) -> bool {
        let kind = match kind {
            "filter" => PluginKind::Filter,
            "test" => PluginKind::Test,
            _ if NAMES.contains(&name) => return true,
            _ => PluginKind::Lookup,
        };
        let python = self.python.as_ref();
        python.is_some_and(|python| python.borrow_mut().knows(kind, name))
    }

    /// The text of a file, plain, in an encoding by Python's name for it.
    fn text_in(&self, path: &Path, encoding: &str) -> Result<String, Error> {
        let cannot = |why: String| failed(format!("{}: {why}", path.display()));
        let size = path.metadata().map_err(|e| cannot(e.to_string()))?.len();
        if size > MAX_FILE {
            return Err(cannot(format!("it has {size} bytes, more than {MAX_FILE}")));
        }
        let bytes = std::fs::read(path).map_err(|e| cannot(e.to_string()))?;
        let bytes = match is_encrypted(&bytes) {
            true => self
                .vault
                .decrypt(&bytes)
                .map_err(|e| cannot(e.to_string()))?
                .text
                .to_vec(),
            false => bytes,
        };
        match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => {
                Ok(bytes.iter().map(|byte| char::from(*byte)).collect())
            }
            "utf-8" | "utf8" | "ascii" | "us-ascii" | "utf-8-sig" => String::from_utf8(bytes)
                .map(|text| text.trim_start_matches('\u{feff}').to_owned())
                .map_err(|_| cannot("it is not UTF-8".into())),
            other => Err(cannot(format!("the encoding `{other}` is not supported"))),
        }
    }
}

/// The error of a lookup.
fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Plugin, message)
}

/// The file that a lookup names: as it stands, or in the folders of the task, in `kind` first.
fn find(name: &str, kind: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.is_absolute() {
        return path.exists().then(|| path.to_owned());
    }
    let places = folders
        .iter()
        .flat_map(|folder| [folder.join(kind).join(path), folder.join(path)]);
    places.into_iter().find(|place| place.exists())
}

impl Controller for OnController<'_> {
    fn lookup(
        &self,
        name: &str,
        call: &LookupCall<'_>,
        folders: &[PathBuf],
    ) -> Result<Option<Vec<Value>>, Error> {
        let found = match name {
            "config" => config::run(self.config, call),
            "csvfile" => csv::run(self, call, folders),
            "ini" => ini::run(self, call, folders),
            "inventory_hostnames" => hostnames::run(call),
            "lines" => shell::lines(self.config, call, folders),
            "password" => password::run(call, folders),
            "pipe" => shell::pipe(self.config, call, folders),
            "url" => url::run(self.config, call),
            _ => match &self.python {
                Some(python) => return python.borrow_mut().lookup(name, call, folders),
                None => return Ok(None),
            },
        };
        found.map(Some)
    }

    fn action(&self, told: &Map) -> Result<Map, String> {
        let python = self.python.as_ref();
        let python = python.ok_or("nothing was found that runs Python")?;
        python.borrow_mut().action(told)
    }

    fn decrypt(&self, ciphertext: &str) -> Result<Zeroizing<String>, String> {
        let plain = self
            .vault
            .decrypt(ciphertext.as_bytes())
            .map_err(|e| e.to_string())?;
        String::from_utf8(plain.text.to_vec())
            .map(Zeroizing::new)
            .map_err(|_| "what is vaulted is not text".to_owned())
    }
}

impl Plugins for OnController<'_> {
    fn filter(&self, name: &str, input: &Value, args: &Args) -> Option<Result<Value, Error>> {
        match name {
            "unvault" | "vault" => Some(self.vaulted(name, input)),
            _ => self.python.as_ref()?.borrow_mut().filter(name, input, args),
        }
    }

    fn test(&self, name: &str, input: &Value, args: &Args) -> Option<Result<bool, Error>> {
        self.python.as_ref()?.borrow_mut().test(name, input, args)
    }
}

impl OnController<'_> {
    /// The filter `unvault`. What `vault` would make of text differs every time and has a password of its own, which
    /// `rustle vault encrypt-string` takes more safely.
    fn vaulted(&self, name: &str, input: &Value) -> Result<Value, Error> {
        let text = input
            .as_str()
            .ok_or_else(|| failed(format!("Can only {name} text, not {}", input.type_name())))?;
        if name == "vault" {
            return Err(failed(
                "the filter `vault` is not supported: encrypt with `rustle vault encrypt-string`",
            ));
        }
        if !is_encrypted(text.as_bytes()) {
            return Ok(input.clone());
        }
        let plain = Controller::decrypt(self, text).map_err(failed)?;
        Ok(Value::str(plain.as_str()))
    }
}
