//! Overlays, on the packing side: what belongs to one host is taken out of the plan, its secrets are read, and both are
//! sealed for that host alone.
//!
//! The base holds the plan without any host's variables and without any secret, so all hosts may keep it. Secrets are read
//! from the places that the plan names, through functions that the caller passes in: this library never looks into the
//! environment.

mod check;
mod error;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use indexmap::IndexMap;
use rustle_formats::plan::{ExecutionPlan, SecretSpec};
use rustle_formats::seal::{
    HostVars, Lock, MAX_SECRET, OverlayContent, Padding, Randomness, SealedFile, SecretMap,
    write_overlay,
};
use rustle_formats::sign::SecretKey;
use zeroize::Zeroizing;

pub use check::check_secrets;
pub use error::{OverlayBuildError, SecretProblem};

/// What a plan holds for single hosts: taken out of it, so that the rest can be the base.
#[derive(Debug, Default)]
pub struct HostData {
    /// Every host of the plan with its variables.
    hosts: IndexMap<String, HostVars>,
    secrets: Vec<SecretSpec>,
    /// Texts of secrets that the caller has.
    given: SecretMap,
}

/// A file made from a secret, and who receives it.
#[derive(Debug, Clone)]
pub struct HostFile {
    /// The only hosts that receive it; empty: all.
    pub hosts: Vec<String>,
    /// The file.
    pub file: SealedFile,
}

/// Where secrets come from when packing.
pub struct SecretSources<'a> {
    /// The plan's folder, from which a relative `file` is meant.
    pub folder: &'a Path,
    /// Looks an environment variable up.
    pub env: &'a dyn Fn(&str) -> Option<Zeroizing<Vec<u8>>>,
}

/// How overlays are sealed and signed.
#[derive(Debug, Default)]
pub struct OverlayOptions {
    /// Whom they are sealed for. Empty is enough when there are only variables: they then lie open, though bound and
    /// checked.
    pub locks: Vec<Lock>,
    /// How much of the lengths shows. Default: their magnitude.
    pub padding: Padding,
    /// Who signs. Default: nobody.
    pub signer: Option<SecretKey>,
}

impl HostData {
    /// Takes the variables of every host out of the plan, and from its secrets where they come from. What stays is the
    /// base's plan: hosts, groups and the names of secrets.
    pub fn split(plan: &mut ExecutionPlan) -> HostData {
        let secrets = plan.secrets.clone();
        for spec in &mut plan.secrets {
            spec.file = None;
            spec.env = None;
        }
        let hosts = plan.hosts.iter_mut();
        HostData {
            hosts: hosts
                .map(|(name, host)| (name.clone(), HostVars::new(std::mem::take(&mut host.vars))))
                .collect(),
            secrets,
            given: SecretMap::new(),
        }
    }

    /// Gives the text of a secret that names no source: the caller has it from somewhere else.
    pub fn give(&mut self, name: &str, text: Zeroizing<Vec<u8>>) {
        self.given.insert(name.to_owned(), text);
    }

    /// Whether the base is of no use without an overlay.
    pub fn needs_overlay(&self) -> bool {
        !self.secrets.is_empty() || self.hosts.values().any(|vars| !vars.as_map().is_empty())
    }

    /// The names of the hosts that have an overlay of their own; none when the plan names no hosts, which has one
    /// overlay for any host.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// Reads the secrets that the given hosts receive. A final end of line of a file is not part of the secret.
    ///
    /// # Errors
    /// Names the secret that cannot be read, with its file or variable; never its text.
    pub fn read_secrets(
        &self,
        hosts: &[&str],
        sources: &SecretSources<'_>,
    ) -> Result<SecretMap, OverlayBuildError> {
        let mut out = SecretMap::new();
        for spec in &self.secrets {
            if hosts.iter().any(|host| receives(&spec.hosts, host)) {
                let text = match self.given.get(&spec.name) {
                    Some(text) => Zeroizing::new(text.to_vec()),
                    None => read_secret(spec, sources)?,
                };
                out.insert(spec.name.clone(), text);
            }
        }
        Ok(out)
    }

    /// What goes into the overlay of one host (empty: of any host): its variables, and of the secrets and files those
    /// that it may have.
    ///
    /// # Errors
    /// [`OverlayBuildError::UnknownHost`].
    pub fn content(
        &self,
        host: &str,
        secrets: &SecretMap,
        files: &[HostFile],
    ) -> Result<OverlayContent, OverlayBuildError> {
        let mut content = OverlayContent {
            host: host.to_owned(),
            ..OverlayContent::default()
        };
        match self.hosts.get(host) {
            Some(vars) => content.vars = vars.clone(),
            None if host.is_empty() || self.hosts.is_empty() => {}
            None => return Err(OverlayBuildError::UnknownHost(host.to_owned())),
        }
        for spec in self
            .secrets
            .iter()
            .filter(|spec| receives(&spec.hosts, host))
        {
            if let Some(text) = secrets.get(&spec.name) {
                content
                    .secrets
                    .insert(spec.name.clone(), Zeroizing::new(text.to_vec()));
            }
        }
        let own = files.iter().filter(|file| receives(&file.hosts, host));
        content.files = own.map(|file| file.file.clone()).collect();
        Ok(content)
    }
}

/// Whether a host is among those that receive something (empty: all do). Any host in particular is none of them.
fn receives(only: &[String], host: &str) -> bool {
    only.is_empty() || only.iter().any(|name| name == host)
}

/// Seals the overlay of one host on the base with that root.
///
/// # Errors
/// [`OverlayBuildError::NoLock`] when there is something secret and nothing to seal it for, and what sealing says.
pub fn build_overlay(
    content: &OverlayContent,
    base_root: &[u8; 32],
    options: &OverlayOptions,
    random: &mut dyn Randomness,
) -> Result<Vec<u8>, OverlayBuildError> {
    let open = [Lock::Open];
    let locks = match options.locks.as_slice() {
        [] => {
            let secrets = content
                .secrets
                .names()
                .next()
                .map(|name| format!("the secret {name:?}"));
            let files = content
                .files
                .first()
                .map(|file| format!("the sealed file {:?}", file.name));
            if let Some(what) = secrets.or(files) {
                return Err(OverlayBuildError::NoLock(what));
            }
            open.as_slice()
        }
        locks => locks,
    };
    let signer = options.signer.as_ref();
    Ok(write_overlay(
        content,
        base_root,
        locks,
        options.padding,
        signer,
        random,
    )?)
}

fn read_secret(
    spec: &SecretSpec,
    sources: &SecretSources<'_>,
) -> Result<Zeroizing<Vec<u8>>, OverlayBuildError> {
    let text = match (&spec.file, &spec.env) {
        (Some(file), None) => {
            let path = sources.folder.join(file);
            let read = read_bounded(&path).map_err(|source| OverlayBuildError::File {
                secret: spec.name.clone(),
                path,
                source,
            })?;
            without_final_newline(read)
        }
        (None, Some(variable)) => {
            (sources.env)(variable).ok_or_else(|| OverlayBuildError::Env {
                secret: spec.name.clone(),
                variable: variable.clone(),
            })?
        }
        _ => {
            let problem = SecretProblem::Source(spec.name.clone());
            return Err(OverlayBuildError::Plan(vec![problem]));
        }
    };
    if text.len() > MAX_SECRET {
        return Err(OverlayBuildError::TooLong(spec.name.clone()));
    }
    Ok(text)
}

/// Reads a file up to a little more than a secret may have, into a buffer that is wiped.
fn read_bounded(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let limit = MAX_SECRET as u64 + 3;
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let room = file.metadata()?.len().clamp(4096, limit) as usize;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn without_final_newline(mut text: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if text.last() == Some(&b'\n') {
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
    }
    text
}
