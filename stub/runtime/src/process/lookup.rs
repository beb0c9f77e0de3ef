//! Finding programs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::environment::variable;
use crate::context::Context;
use crate::outcome::Failure;

/// Folders that hold an administrator's tools and are missing in many users' PATH.
const SYSTEM_FOLDERS: [&str; 3] = ["/sbin", "/usr/sbin", "/usr/local/sbin"];
/// Where programs are looked for without a PATH.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Finds an executable in the task's PATH and the system's sbin folders.
pub fn find_program(ctx: &Context<'_>, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return executable(Path::new(name)).then(|| PathBuf::from(name));
    }
    let path = variable(ctx, "PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(name))
        .find(|candidate| executable(candidate))
}

/// Finds an executable that the module cannot do without.
///
/// # Errors
/// Where it is not there, with all places that were searched.
pub fn program(ctx: &Context<'_>, name: &str) -> Result<PathBuf, Failure> {
    find_program(ctx, name).ok_or_else(|| {
        let path = variable(ctx, "PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let mut searched: Vec<String> = std::env::split_paths(&path)
            .map(|p| p.to_string_lossy().into_owned())
            .collect();
        for folder in SYSTEM_FOLDERS {
            if !searched.iter().any(|s| s == folder) && Path::new(folder).exists() {
                searched.push(folder.to_owned());
            }
        }
        Failure::new(format!(
            "Failed to find required executable \"{name}\" in paths: {}",
            searched.join(":")
        ))
    })
}

fn executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
