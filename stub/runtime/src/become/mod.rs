//! Being another user.
//!
//! As root, a forked child takes the user's groups and numbers and needs nothing else: no sudo, no exec, no file that
//! the other user must be able to read. Users are looked up in the machine's own files, see [`crate::accounts`].

use std::ffi::CString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use indexmap::IndexMap;

use crate::accounts::Accounts;
use crate::engine::Escalate;
use crate::hardening::harden;

/// A user to become.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
    pub shell: String,
}

/// Whether this process may become anybody.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The name of the user that this process runs as, where the machine knows one.
pub(crate) fn own_name() -> Option<String> {
    let accounts = Accounts::load(Path::new("/")).ok()?;
    let own = rustix::process::geteuid().as_raw();
    accounts.user_by_id(own).map(|u| u.name.clone())
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
        // SAFETY: plain system calls; the pointer and the length are those of one vector.
        unsafe {
            check(
                "setgroups",
                libc::setgroups(self.groups.len() as _, self.groups.as_ptr()),
            )?;
            check("setgid", libc::setgid(self.gid))?;
            check("setuid", libc::setuid(self.uid))?;
        }
        // The kernel takes the protection back when a process changes its user, and this one may hold secrets.
        harden();
        // A folder that only root may enter would make every relative path fail.
        let readable =
            std::env::current_dir().is_ok_and(|d| std::fs::metadata(d.join(".")).is_ok());
        if !readable {
            let home = Path::new(&self.home);
            std::env::set_current_dir(home)
                .or_else(|_| std::env::set_current_dir("/"))
                .map_err(|e| format!("cannot become '{}': no folder to work in: {e}", self.name))?;
        }
        Ok(())
    }
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
