//! The files of this machine for the libraries that read repositories; what is vaulted is decrypted on the way.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustle_playbook::vault::{Vault, is_encrypted};
use rustle_playbook::{Files, Kind};

use crate::plan_cache::{Stamp, Watch};

/// The file system.
pub(crate) struct Disk {
    /// The passwords for what is vaulted.
    pub(crate) vault: Vault,
    /// A file that came over standard input.
    given: Option<(PathBuf, Vec<u8>)>,
    /// Whether the files that were read are vaulted as a whole.
    vaulted: Mutex<HashMap<PathBuf, bool>>,
    /// Takes note of all that is asked.
    watch: Option<Watch>,
}

impl Disk {
    /// With these passwords.
    pub(crate) fn new(vault: Vault) -> Disk {
        Disk {
            vault,
            given: None,
            vaulted: Mutex::default(),
            watch: None,
        }
    }

    /// With someone who takes note of all that is asked.
    pub(crate) fn watched(mut self, watch: Watch) -> Disk {
        self.watch = Some(watch);
        self
    }

    /// Who takes note of what is asked.
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    fn noted(&self, path: &Path) {
        if let Some(watch) = &self.watch {
            watch.note(path);
        }
    }

    /// With a file of this name that is nowhere on the disk.
    pub(crate) fn with(mut self, name: &Path, content: Vec<u8>) -> Disk {
        self.given = Some((name.to_owned(), content));
        self
    }

    fn given(&self, path: &Path) -> Option<&Vec<u8>> {
        let (name, content) = self.given.as_ref()?;
        path.ends_with(name).then_some(content)
    }
}

impl Disk {
    /// Whether the file holds what ansible-vault makes of one.
    pub(crate) fn is_vaulted(&self, path: &Path) -> bool {
        let known = self.vaulted.lock().ok();
        let known = known.and_then(|vaulted| vaulted.get(path).copied());
        known.unwrap_or_else(|| is_vaulted(path))
    }

    fn note(&self, path: &Path, is_vaulted: bool) {
        if let Ok(mut vaulted) = self.vaulted.lock() {
            vaulted.insert(path.to_owned(), is_vaulted);
        }
    }

    /// What makes plain contents of vaulted ones.
    pub(crate) fn opener(
        &self,
    ) -> impl Fn(&[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>, String> + 'static {
        let vault = self.vault.clone();
        move |bytes| match vault.decrypt(bytes) {
            Ok(plain) => Ok(zeroize::Zeroizing::new(plain.text.to_vec())),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if let Some(content) = self.given(path) {
            return Ok(content.clone());
        }
        self.noted(path);
        let bytes = std::fs::read(path)?;
        self.note(path, is_encrypted(&bytes));
        if !is_encrypted(&bytes) {
            return Ok(bytes);
        }
        // Nothing of what was in it may be kept.
        if let Some(watch) = &self.watch {
            watch.spoil();
        }
        match self.vault.decrypt(&bytes) {
            Ok(plain) => Ok(plain.text.to_vec()),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        if self.given(path).is_some() {
            return Some(Kind::File);
        }
        let meta = std::fs::metadata(path).ok();
        if let Some(watch) = &self.watch {
            watch.note_as(path, || meta.as_ref().map_or(Stamp::Absent, Stamp::from));
        }
        if meta?.is_dir() {
            Some(Kind::Folder)
        } else {
            Some(Kind::File)
        }
    }

    fn names(&self, path: &Path) -> Vec<String> {
        self.noted(path);
        let Ok(entries) = std::fs::read_dir(path) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }
}

/// Whether the file holds what ansible-vault makes of one.
pub(crate) fn is_vaulted(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|f| f.take(64).read_to_end(&mut start));
    read.is_ok() && is_encrypted(&start)
}

/// What an installation of Ansible on this machine has that playbooks may refer to.
#[derive(Debug, Default)]
pub(crate) struct Installation {
    /// The routing of former modules of ansible.builtin.
    pub(crate) routing: Option<PathBuf>,
    /// The folder that contains the `ansible_collections` of the Python package `ansible`.
    pub(crate) collections: Option<PathBuf>,
    /// The folder of the Python package `ansible` itself (ansible-core).
    pub(crate) package: Option<PathBuf>,
}

/// The installation whose `ansible-playbook` is the first in `PATH` that has Ansible beside it: others are wrappers.
pub(crate) fn installation(search: Option<&str>) -> Installation {
    std::env::split_paths(search.unwrap_or(""))
        .filter_map(|folder| folder.join("ansible-playbook").canonicalize().ok())
        .find_map(|program| installation_of(&program))
        .unwrap_or_default()
}

/// The installation that a program belongs to.
fn installation_of(program: &Path) -> Option<Installation> {
    let prefix = program
        .parent()
        .and_then(Path::parent)
        .unwrap_or(Path::new("/"));
    let mut packages = vec![prefix.join("lib/python3/dist-packages")];
    if let Ok(versions) = std::fs::read_dir(prefix.join("lib")) {
        packages.extend(
            versions
                .flatten()
                .map(|entry| entry.path().join("site-packages")),
        );
    }
    let routing = |folder: &PathBuf| folder.join("ansible/config/ansible_builtin_runtime.yml");
    let folder = packages.iter().find(|folder| routing(folder).is_file())?;
    Some(Installation {
        routing: Some(routing(folder)),
        package: Some(folder.join("ansible")),
        collections: Some(folder.clone())
            .filter(|folder| folder.join("ansible_collections").is_dir()),
    })
}
