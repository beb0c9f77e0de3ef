//! Lookups and included templates: what they name came with the plan as assets.
//!
//! Ansible runs lookups on the controller. Files of the controller were packed, or lie where they are in a run on the
//! controller itself. Lookups that only a controller can answer are its driver's; without one they are refused.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustle_formats::plan::{ExecutionPlan, asset_candidates, asset_name};
use rustle_template::{Error, ErrorKind, Loader, LookupCall, Lookups, Value as Rendered};

use super::{first_found, template};
use crate::assets::AssetKind;
use crate::engine::{Controller, Driver};

/// The largest file that a lookup or an include reads.
const MAX_FILE: u64 = 64 << 20;

/// The lookups that [`Plugins`] has.
pub(crate) const NAMES: &[&str] = &["file", "fileglob", "first_found", "template", "unvault"];

/// The lookups that only a controller could answer.
pub const CONTROLLER: &[&str] = &[
    "config",
    "csvfile",
    "ini",
    "inventory_hostnames",
    "lines",
    "password",
    "pipe",
    "url",
];

/// The plan's files, searched as the current task would.
#[derive(Clone)]
pub(super) struct Files<'r> {
    pub plan: &'r ExecutionPlan,
    pub driver: &'r dyn Driver,
    pub search: Rc<RefCell<Vec<String>>>,
    pub including: Rc<Cell<bool>>,
    /// The folder beside the tasks that `with_first_found` looks into; none for `lookup('first_found')`.
    pub beside: Rc<Cell<Option<&'static str>>>,
}

impl Files<'_> {
    /// The asset that a name means, looked for in `kind` folders first, if there is a kind.
    pub(super) fn find(&self, name: &str, kind: &str) -> Result<Option<Vec<u8>>, Error> {
        let base = self.plan.base_dir.as_deref();
        let inside = base.and_then(|b| name.strip_prefix(b.trim_end_matches('/')));
        let name = inside.map_or(name, |rest| rest.trim_start_matches('/'));
        for candidate in asset_candidates(&self.search.borrow(), kind, name) {
            let candidate = asset_name(&candidate);
            let entry = self
                .driver
                .assets()
                .entry(candidate.as_bytes())
                .map_err(|e| {
                    Error::new(ErrorKind::Plugin, format!("cannot read the assets: {e}"))
                })?;
            if let Some(entry) = entry {
                return Ok(Some(entry.path));
            }
        }
        Ok(None)
    }

    /// The folders that a name can mean, in the order in which they are looked through.
    fn folders_of(&self, name: &str) -> Result<Vec<Vec<u8>>, Error> {
        let base = self.plan.base_dir.as_deref();
        let inside = base.and_then(|b| name.strip_prefix(b.trim_end_matches('/')));
        let name = asset_name(inside.map_or(name, |rest| rest.trim_start_matches('/')));
        let mut out: Vec<Vec<u8>> = Vec::new();
        let search = self.search.borrow();
        let around = search.iter().map(|folder| asset_name(folder));
        let around = around.chain([String::new()]);
        for folder in around.flat_map(|f| [format!("{f}/files/{name}"), format!("{f}/{name}")]) {
            let folder = folder.trim_matches('/').as_bytes();
            let entry = self.driver.assets().entry(folder).map_err(|e| {
                Error::new(ErrorKind::Plugin, format!("cannot read the assets: {e}"))
            })?;
            if entry.is_some_and(|e| e.kind == AssetKind::Dir) {
                out.push(folder.to_vec());
            }
        }
        Ok(out)
    }

    /// The file of tasks that a name means, as it is printed.
    pub(super) fn task_file(&self, name: &str) -> Option<String> {
        let search = self.search.borrow();
        let folders = search
            .iter()
            .flat_map(|f| [format!("{f}/tasks/{name}"), format!("{f}/{name}")]);
        folders
            .chain([format!("tasks/{name}"), name.to_owned()])
            .find_map(|candidate| self.plan.task_files.get_key_value(candidate.as_str()))
            .map(|(key, _)| crate::engine::below(self.plan, key))
    }

    /// The path of an asset as Ansible names it: absolute where the files lie on this machine.
    pub(super) fn shown(&self, path: &[u8]) -> String {
        let path = String::from_utf8_lossy(path).into_owned();
        if self.driver.controller().is_none() {
            return path;
        }
        if let Some(rest) = path.strip_prefix("_root/") {
            return format!("/{rest}");
        }
        if let Some(rest) = path.strip_prefix("_home/")
            && let Some(home) = self.driver.machine().env.get("HOME")
        {
            return format!("{}/{rest}", home.trim_end_matches('/'));
        }
        crate::engine::below(self.plan, &path)
    }

    /// The folders in which the current task's files are looked for, absolute.
    fn folders(&self) -> Vec<PathBuf> {
        let base = Path::new(self.plan.base_dir.as_deref().unwrap_or(""));
        let search = self.search.borrow();
        let mut out: Vec<PathBuf> = search.iter().map(|folder| base.join(folder)).collect();
        out.push(base.to_owned());
        out
    }

    pub(super) fn text(&self, path: &[u8]) -> Result<String, Error> {
        let bytes = self
            .driver
            .assets()
            .read_to_vec(path, MAX_FILE)
            .map_err(|e| Error::new(ErrorKind::Plugin, e.to_string()))?;
        String::from_utf8(bytes).map_err(|_| {
            Error::new(
                ErrorKind::Plugin,
                format!("{} is not UTF-8", String::from_utf8_lossy(path)),
            )
        })
    }

    fn missing(name: &str) -> Error {
        Error::new(
            ErrorKind::Plugin,
            format!(
                "Unable to access the file '{name}': File not found. Use -vvvvv to see paths searched."
            ),
        )
    }
}

impl Loader for Files<'_> {
    fn load(&self, name: &str, _: Option<&str>) -> Result<Option<String>, Error> {
        match self.find(name, "templates")? {
            Some(path) => self.text(&path).map(Some),
            None => Ok(None),
        }
    }
}

/// The lookups that need more than their arguments.
pub(super) struct Plugins<'r> {
    pub files: Files<'r>,
}

impl Lookups for Plugins<'_> {
    fn lookup(&self, name: &str, call: LookupCall<'_>) -> Result<Option<Vec<Rendered>>, Error> {
        match name {
            "file" => self.file(&call).map(Some),
            "unvault" => self.unvault(&call).map(Some),
            "template" => template::run(&self.files, &call).map(Some),
            "fileglob" => self.glob(&call).map(Some),
            "first_found" => first_found::run(&self.files, &call).map(Some),
            _ => self.of_controller(name, &call),
        }
    }
}

impl Plugins<'_> {
    fn of_controller(
        &self,
        name: &str,
        call: &LookupCall<'_>,
    ) -> Result<Option<Vec<Rendered>>, Error> {
        match self.files.driver.controller() {
            Some(controller) => controller.lookup(name, call, &self.files.folders()),
            None if CONTROLLER.contains(&name) => Err(Error::new(
                ErrorKind::Plugin,
                format!("The lookup '{name}' needs the controller, and this run has none."),
            )),
            None => Ok(None),
        }
    }
}

/// The controller's filters and tests.
pub(super) struct Further<'r>(pub &'r dyn Controller);

impl rustle_template::Plugins for Further<'_> {
    fn filter(
        &self,
        name: &str,
        input: &Rendered,
        args: &rustle_template::Args,
    ) -> Option<Result<Rendered, Error>> {
        self.0.filter(name, input, args)
    }

    fn test(
        &self,
        name: &str,
        input: &Rendered,
        args: &rustle_template::Args,
    ) -> Option<Result<bool, Error>> {
        self.0.test(name, input, args)
    }
}

pub(super) fn terms(call: &LookupCall<'_>) -> Result<Vec<String>, Error> {
    let mut out = Vec::new();
    for term in &call.terms {
        match term {
            Rendered::Str(text) => out.push(text.as_str().to_owned()),
            Rendered::List(list) => {
                for item in list.to_vec() {
                    out.extend(item.as_str().map(str::to_owned));
                }
            }
            other => {
                return Err(Error::type_error(format!(
                    "a lookup wants text, not '{}'",
                    other.type_name()
                )));
            }
        }
    }
    Ok(out)
}

pub(super) fn flag(call: &LookupCall<'_>, name: &str, default: bool) -> Result<bool, Error> {
    call.option(name).map_or(Ok(default), Rendered::truth)
}

impl Plugins<'_> {
    fn file(&self, call: &LookupCall<'_>) -> Result<Vec<Rendered>, Error> {
        let rstrip = flag(call, "rstrip", true)?;
        let lstrip = flag(call, "lstrip", false)?;
        let mut out = Vec::new();
        for name in terms(call)? {
            let path = self
                .files
                .find(&name, "files")?
                .ok_or_else(|| Files::missing(&name))?;
            let text = self.files.text(&path)?;
            let text = if rstrip { text.trim_end() } else { &text };
            let text = if lstrip { text.trim_start() } else { text };
            out.push(Rendered::str(text));
        }
        Ok(out)
    }

    /// The contents of files as they are, line ends and all.
    fn unvault(&self, call: &LookupCall<'_>) -> Result<Vec<Rendered>, Error> {
        let mut out = Vec::new();
        for name in terms(call)? {
            let path = self.files.find(&name, "files")?.ok_or_else(|| {
                Error::new(
                    ErrorKind::Plugin,
                    format!("Unable to find file matching \"{name}\""),
                )
            })?;
            out.push(Rendered::from(self.files.text(&path)?));
        }
        Ok(out)
    }

    /// Files whose last component fits a shell pattern.
    fn glob(&self, call: &LookupCall<'_>) -> Result<Vec<Rendered>, Error> {
        let mut out = Vec::new();
        for pattern in terms(call)? {
            let (folder, pattern) = pattern.rsplit_once('/').unwrap_or(("", pattern.as_str()));
            for folder in self.files.folders_of(folder)? {
                let before = out.len();
                self.names_in(&folder, pattern, &mut out)?;
                // The first folder that has any is the one that is meant.
                if out.len() > before {
                    break;
                }
            }
        }
        Ok(out)
    }

    /// Adds the files of a folder that fit a pattern.
    fn names_in(&self, folder: &[u8], pattern: &str, out: &mut Vec<Rendered>) -> Result<(), Error> {
        let failed = |e: std::io::Error| Error::new(ErrorKind::Plugin, e.to_string());
        let mut names: Vec<String> = Vec::new();
        let shown = self.files.shown(folder);
        if self.files.driver.controller().is_some() {
            // Where the files lie on this machine, whatever else is below the folder need not be walked through.
            for entry in std::fs::read_dir(&shown).map_err(failed)?.flatten() {
                if entry.path().is_file() {
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        } else {
            let start = if folder.is_empty() {
                0
            } else {
                folder.len() + 1
            };
            for entry in self.files.driver.assets().below(folder).map_err(failed)? {
                let name = entry.path.get(start..).unwrap_or_default();
                if matches!(entry.kind, AssetKind::File { .. }) && !name.contains(&b'/') {
                    names.push(String::from_utf8_lossy(name).into_owned());
                }
            }
        }
        names.retain(|name| crate::glob::matches_name(name.as_ref(), pattern));
        rustle_formats::order::sort(&mut names);
        let shown = shown.trim_end_matches('/');
        let slash = if shown.is_empty() { "" } else { "/" };
        out.extend(
            names
                .iter()
                .map(|name| Rendered::from(format!("{shown}{slash}{name}"))),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTROLLER, NAMES};

    #[test]
    fn every_lookup_of_ansible_builtin_is_known() {
        // What `ansible-doc -t lookup -l` lists of ansible.builtin in ansible-core 2.19.
        let listed = "\
            config csvfile dict env file fileglob first_found indexed_items ini inventory_hostnames items lines \
            list nested password pipe random_choice sequence subelements template together unvault url varnames \
            vars";
        for name in listed.split_whitespace() {
            let plain = rustle_template::names::lookups().any(|known| known == name);
            assert!(
                plain || NAMES.contains(&name) || CONTROLLER.contains(&name),
                "the lookup {name}"
            );
        }
    }
}
