//! Messages of system errors in the form that Ansible's users know and search for: `[Errno 2] No such file or directory`.

use std::io;
use std::path::Path;

/// The error with its number: `[Errno 28] No space left on device`.
pub(crate) fn text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => {
            let full = error.to_string();
            let words = full.split(" (os error").next().unwrap_or(&full);
            format!("[Errno {code}] {words}")
        }
        None => error.to_string(),
    }
}

/// The error with its number and the path: `[Errno 2] No such file or directory: '/x'`.
pub(crate) fn at(error: &io::Error, path: &Path) -> String {
    format!("{}: '{}'", text(error), path.display())
}

/// The same with the path as Python prints bytes: `b'/x'`.
pub(crate) fn at_bytes(error: &io::Error, path: &Path) -> String {
    format!("{}: b'{}'", text(error), path.display())
}

/// Whether the error says that nothing is there: the name, or a folder on the way.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A system call's error.
pub(crate) fn from_rustix(error: rustix::io::Errno) -> io::Error {
    io::Error::from_raw_os_error(error.raw_os_error())
}
