//! Paths as arguments name them: `~` and `$VARIABLE` expanded, symbolic links resolved as far as they lead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustle_formats::lexical;

use crate::args::Args;
use crate::context::Context;

/// The path that an argument names, expanded. `None` where it is not given.
pub(crate) fn arg(args: &Args, name: &str, ctx: &Context<'_>) -> Option<PathBuf> {
    args.str(name).map(|text| expand(text, ctx))
}

/// Expands `~`, `~user`, `$NAME` and `${NAME}`. Names that are not set stay as they are, as in a path that really has a `$`.
pub(crate) fn expand(text: &str, ctx: &Context<'_>) -> PathBuf {
    if !text.contains(['~', '$']) {
        return PathBuf::from(text);
    }
    crate::process::expand(ctx, text)
}

/// Resolves all symbolic links, also where the last ones lead to nothing.
pub(crate) fn real(path: &Path) -> PathBuf {
    if let Ok(full) = std::fs::canonicalize(path) {
        return full;
    }
    let mut path = path.to_path_buf();
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = parent(&path).join(target);
    }
    match (std::fs::canonicalize(parent(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => lexical(&path),
    }
}

/// The folder that the name lies in; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}

/// The path with more text at its end.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether the text names a folder by its final slash.
pub(crate) fn names_folder(text: &str) -> bool {
    text.ends_with('/')
}

/// A path as a result shows it.
pub(crate) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
