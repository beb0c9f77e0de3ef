//! Being another user.
//!
//! As root, a forked child takes the user's groups and numbers and needs nothing else: no sudo, no exec, no file that
//! the other user must be able to read. Users are looked up in the machine's own files, see [`crate::accounts`].
//!
//! Who is not root asks sudo, su, doas or runuser to start this program once more, as a [`Worker`]: it knows nothing but what
//! comes over its standard input, the task and the files that it asks for.

mod command;
mod escalate;
mod placed;
#[cfg(feature = "full")]
mod reading;
mod talk;
mod wire;
mod worker;

use std::cell::OnceCell;
use std::ffi::CString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use indexmap::IndexMap;
use zeroize::Zeroizing;

use crate::accounts::Accounts;
use crate::engine::Machine;
use crate::hardening::harden;
use crate::process;

pub use escalate::BECOME_PASSWORD;
pub(crate) use escalate::{Escalate, Method};
pub(crate) use placed::Placed;
#[cfg(feature = "full")]
pub use reading::with_files;
pub(crate) use talk::{Answers, Talk, Told};
pub(crate) use wire::Job;
pub use worker::{WORKER, Worker};

/// How a task becomes another user.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Who {
    /// A fork of this process changes its user: it is root's.
    Forked(Identity),
    /// Another program starts a worker.
    Started(Started),
}

/// What it takes to start a worker.
#[derive(Clone, PartialEq)]
pub(crate) struct Started {
    pub escalate: Escalate,
    pub password: Option<Zeroizing<String>>,
    /// Whether the run came here over ssh: Ansible then tells less of what went wrong.
    pub remote: bool,
    /// This program as a worker, quoted for a shell.
    pub program: String,
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.escalate.fmt(f)
    }
}

impl Started {
    /// Whom to start, and how. `copy` keeps the program's copy for the rest of the run, where one is needed.
    ///
    /// # Errors
    /// A sentence, where the other user could not execute this program.
    pub(crate) fn new(
        escalate: &Escalate,
        password: Option<Zeroizing<String>>,
        remote: bool,
        machine: &Machine,
        copy: &OnceCell<Placed>,
    ) -> Result<Started, String> {
        let root = matches!(escalate.user.as_str(), "root" | "0");
        let own = machine.program.as_deref();
        let path = match own.filter(|file| root || placed::everybody_executes(file)) {
            Some(file) => file,
            None => {
                if copy.get().is_none() {
                    // Nobody else fills it meanwhile.
                    let _ = copy.set(Placed::copy(machine)?);
                }
                copy.get().map_or(Path::new(""), Placed::path)
            }
        };
        Ok(Started {
            escalate: escalate.clone(),
            password,
            remote,
            program: format!("{} {WORKER}", process::quote(&path.to_string_lossy())),
        })
    }
}

impl Who {
    /// The user's numbers, where this process knows them.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        match self {
            Who::Forked(identity) => Some((identity.uid, identity.gid)),
            Who::Started(_) => None,
        }
    }

    /// The user that a fork of this process becomes.
    pub(crate) fn forked(&self) -> Option<&Identity> {
        match self {
            Who::Forked(identity) => Some(identity),
            Who::Started(_) => None,
        }
    }
}

/// A user to become.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
    pub shell: String,
    /// Whether files of the playbook can still be read, through [`with_files`]: they lie on this machine, and need not be
    /// readable for that user.
    pub keeps_files: bool,
}

/// Whether this process may become anybody.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The user that a task becomes; `None` where this process is that user already.
///
/// # Errors
/// A sentence, where there is no such user.
pub(crate) fn identity(escalate: &Escalate) -> Result<Option<Identity>, String> {
    let accounts = Accounts::load(Path::new("/"))
        .map_err(|e| format!("cannot read this machine's users: {e}"))?;
    let own = rustix::process::geteuid().as_raw();
    let user = match accounts.user(&escalate.user) {
        Some(user) => user.clone(),
        // A machine with no user file at all still has root.
        None if escalate.user == "root" || escalate.user == "0" => {
            return Ok((own != 0).then(|| Identity {
                name: "root".into(),
                uid: 0,
                gid: 0,
                groups: vec![0],
                home: "/root".into(),
                shell: "/bin/sh".into(),
                keeps_files: false,
            }));
        }
        None => accounts
            .uid_of(&escalate.user)
            .and_then(|uid| accounts.user_by_id(uid))
            .cloned()
            .ok_or("there is no such user on this machine")?,
    };
    if user.uid == own {
        return Ok(None);
    }
    Ok(Some(Identity {
        groups: accounts.group_ids(&user),
        name: user.name,
        uid: user.uid,
        gid: user.gid,
        home: user.home,
        shell: if user.shell.is_empty() {
            "/bin/sh".into()
        } else {
            user.shell
        },
        keeps_files: false,
    }))
}

impl Identity {
    /// What a login would set, for the programs that the task starts.
    pub(crate) fn environment(&self) -> IndexMap<String, String> {
        let mut env = IndexMap::new();
        env.insert("HOME".into(), self.home.clone());
        env.insert("USER".into(), self.name.clone());
        env.insert("LOGNAME".into(), self.name.clone());
        env.insert("SHELL".into(), self.shell.clone());
        env
    }

    /// Makes this process that user's, for good. Only in a child: the engine could never come back.
    ///
    /// # Errors
    /// A sentence, where the system refuses.
    pub(crate) fn assume(&self) -> Result<(), String> {
        let check = |what: &str, result: libc::c_int| {
            if result == 0 {
                return Ok(());
            }
            Err(format!(
                "cannot become '{}': {what}: {}",
                self.name,
                io::Error::last_os_error()
            ))
        };
        #[cfg(feature = "full")]
        let keeps = self.keeps_files && reading::keep();
        // SAFETY: plain system calls; the pointer and the length are those of one vector.
        unsafe {
            check(
                "setgroups",
                libc::setgroups(self.groups.len() as _, self.groups.as_ptr()),
            )?;
            check("setgid", libc::setgid(self.gid))?;
            check("setuid", libc::setuid(self.uid))?;
        }
        #[cfg(feature = "full")]
        if keeps {
            reading::leave_but_reading();
        }
        // The kernel takes the protection back when a process changes its user, and this one may hold secrets.
        harden();
        enter_some_folder(&self.home)
            .map_err(|e| format!("cannot become '{}': no folder to work in: {e}", self.name))
    }
}

/// Leaves a folder that the user may not enter: it would make every relative path fail.
fn enter_some_folder(home: &str) -> io::Result<()> {
    if std::env::current_dir().is_ok_and(|d| std::fs::metadata(d.join(".")).is_ok()) {
        return Ok(());
    }
    std::env::set_current_dir(home).or_else(|_| std::env::set_current_dir("/"))
}

static FOLDERS: AtomicU64 = AtomicU64::new(0);

/// Makes a folder for the user's temporary files beside the run's own.
///
/// # Errors
/// Where it cannot be made or given to the user.
pub(crate) fn folder_for(identity: &Identity, work_dir: &Path) -> io::Result<PathBuf> {
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let mut name = work_dir
        .file_name()
        .ok_or_else(|| io::Error::other("the work folder has no name"))?
        .to_owned();
    name.push(format!(".{}-{number}", identity.uid));
    let path = work_dir.with_file_name(name);
    std::fs::DirBuilder::new().mode(0o700).create(&path)?;
    let text = CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: a valid C string.
    let given = unsafe { libc::lchown(text.as_ptr(), identity.uid, identity.gid) };
    if given != 0 {
        let error = io::Error::last_os_error();
        std::fs::remove_dir(&path)?;
        return Err(error);
    }
    Ok(path)
}
