//! What is packed into this program: found through the slot, read through a descriptor that is kept.
//!
//! The slot is a field of the program's own image, patched when packing. Nothing is searched for, so a start costs the
//! same whatever the payload's size.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustle_formats::artifact::{ArtifactError, Container, EMPTY_SLOT, SLOT_LEN, Slot};
use rustle_formats::sign::{self, PublicKey};

use crate::command::Command;
use crate::exit::{self, Failure};

/// The target triple that this program was built for.
pub(crate) const TARGET: &str = env!("RUSTLE_STUB_TARGET");

/// The slot. Its bytes in the file are replaced when packing, so no reader may assume what the compiler saw.
#[used]
#[unsafe(link_section = ".rustle.slot")]
static SLOT: [u8; SLOT_LEN] = EMPTY_SLOT;

/// What the runner says of itself to who looks at the file: its target, its version, its flavour, with spaces between.
#[cfg(feature = "full")]
const NAME: &str = concat!(
    env!("RUSTLE_STUB_TARGET"),
    " ",
    env!("CARGO_PKG_VERSION"),
    " full"
);
#[cfg(not(feature = "full"))]
const NAME: &str = concat!(
    env!("RUSTLE_STUB_TARGET"),
    " ",
    env!("CARGO_PKG_VERSION"),
    " core"
);

/// [`NAME`] in a section of its own, which the stub catalogue reads.
#[used]
#[unsafe(link_section = ".rustle.stub")]
static NAME_SECTION: [u8; NAME.len()] = {
    let mut bytes = [0; NAME.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = NAME.as_bytes()[at];
        at += 1;
    }
    bytes
};

/// The slot's bytes as they were loaded.
fn own_slot() -> [u8; SLOT_LEN] {
    // SAFETY: the pointer is that of a live, aligned static of the very type that is read. Volatile, because the bytes in
    // the file may differ from those that the compiler knows.
    unsafe { std::ptr::read_volatile(&raw const SLOT) }
}

/// An opened payload.
pub(crate) struct Payload {
    /// The artifact: header, manifest and tables are checked.
    pub container: Container<File>,
    /// Where this program lies, if it can be known.
    pub program: Option<PathBuf>,
}

impl Payload {
    /// Opens this program's own payload.
    ///
    /// # Errors
    /// A bare runner, a payload that is missing, damaged or for another target, each with a code of its own.
    pub(crate) fn open() -> Result<Payload, Failure> {
        let slot = Slot::decode(&own_slot()).map_err(|e| match e {
            ArtifactError::Empty => Failure::new(
                exit::BARE,
                "this is a bare runner of Rustle: nothing is packed into it. `rustle pack` makes artifacts from it",
            ),
            other => Failure::from(other),
        })?;
        let (file, program) = own_file()?;
        let container = Container::open(file, slot)?;
        let made_for = &container.manifest().target;
        if !same_machine(made_for, TARGET) {
            return Err(Failure::new(
                exit::UNFIT,
                format!("the payload is for {made_for}, this runner is for {TARGET}"),
            ));
        }
        Ok(Payload { container, program })
    }

    /// Opens the sidecar, where the data lies in one: the file that was named, else the one beside the program.
    ///
    /// # Errors
    /// Where it is missing or is not the right one.
    pub(crate) fn attach_sidecar(&mut self, named: Option<&Path>) -> Result<(), Failure> {
        if !self.container.lacks_sidecar() {
            return Ok(());
        }
        let beside = self.program.as_ref().map(|p| {
            let mut name = p.clone().into_os_string();
            name.push(".rustle-data");
            PathBuf::from(name)
        });
        let Some(path) = named.map(Path::to_owned).or(beside) else {
            return Err(ArtifactError::SidecarMissing.into());
        };
        let file = File::open(&path).map_err(|e| {
            Failure::new(
                exit::MISSING,
                format!(
                    "the artifact's data lies in a sidecar file: {}: {e}",
                    path.display()
                ),
            )
        })?;
        Ok(self.container.attach_sidecar(Box::new(file))?)
    }

    /// Checks the signature where trusted keys are named. Without them nothing can be said about who packed it.
    ///
    /// # Errors
    /// [`exit::UNTRUSTED`].
    pub(crate) fn check_signature(&self, trusted: &[PublicKey]) -> Result<Option<String>, Failure> {
        if trusted.is_empty() {
            return Ok(None);
        }
        let signature = self.container.signature();
        sign::verify_root(trusted, &self.container.root(), signature.as_ref())
            .map(|key| Some(key.to_line()))
            .map_err(|e| Failure::new(exit::UNTRUSTED, format!("the artifact is {e}")))
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// What is wrong first.
    pub(crate) fn check_everything(&self) -> Result<(), Failure> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(self.container.verify_all(threads.min(8))?)
    }
}

/// The keys of `--trusted`.
///
/// # Errors
/// Where the file cannot be read or is no list of keys.
pub(crate) fn trusted_keys(command: &Command) -> Result<Vec<PublicKey>, Failure> {
    let Some(path) = &command.trusted else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::io(format!("--trusted {}", path.display()), &e))?;
    PublicKey::parse_list(&text)
        .map_err(|e| Failure::new(exit::USAGE, format!("--trusted {}: {e}", path.display())))
}

/// This program's file. `/proc/self/exe` opens it even where it was deleted or renamed since; without /proc, the path that it
/// was executed by.
pub(crate) fn own_file() -> Result<(File, Option<PathBuf>), Failure> {
    let linked = std::fs::read_link("/proc/self/exe").ok();
    let deleted = linked
        .as_ref()
        .is_some_and(|p| p.as_os_str().as_bytes().ends_with(b" (deleted)"));
    let executed = executed_path();
    let known = linked.filter(|_| !deleted).or_else(|| executed.clone());
    if let Ok(file) = File::open("/proc/self/exe") {
        return Ok((file, known.filter(|p| p.is_absolute())));
    }
    let Some(path) = executed else {
        return Err(Failure::new(
            exit::MISSING,
            "cannot find this program's own file: there is no /proc, and no path that it was started by",
        ));
    };
    let file = File::open(&path)
        .map_err(|e| Failure::io(format!("cannot read this program, {}", path.display()), &e))?;
    let program = std::path::absolute(path).ok();
    Ok((file, program))
}

/// The path that the kernel executed, from the auxiliary vector; else the program's name, looked up as a shell does.
fn executed_path() -> Option<PathBuf> {
    let given = rustix::param::linux_execfn();
    if !given.is_empty() {
        return Some(PathBuf::from(std::ffi::OsStr::from_bytes(given.to_bytes())));
    }
    let name = PathBuf::from(std::env::args_os().next()?);
    if name.components().count() > 1 {
        return Some(name);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(&name))
        .find(|candidate| candidate.is_file())
}

/// Whether a payload for one triple may run on the other: processor and system count, the C library does not.
fn same_machine(a: &str, b: &str) -> bool {
    let key = |triple: &str| {
        let mut parts = triple.split('-');
        let processor = parts.next().unwrap_or_default().to_owned();
        let system = ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd"]
            .into_iter()
            .find(|s| triple.contains(s));
        (processor, system)
    };
    key(a) == key(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_fit() {
        assert!(same_machine(
            "x86_64-unknown-linux-musl",
            "x86_64-unknown-linux-gnu"
        ));
        assert!(!same_machine(
            "aarch64-unknown-linux-musl",
            "x86_64-unknown-linux-musl"
        ));
        assert!(!same_machine(
            "x86_64-unknown-freebsd",
            "x86_64-unknown-linux-gnu"
        ));
    }

    #[test]
    fn nothing_is_packed_into_a_test() {
        assert!(matches!(
            Slot::decode(&own_slot()),
            Err(ArtifactError::Empty)
        ));
    }
}
