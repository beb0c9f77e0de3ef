//! The return values that say what a path is: owner, group, mode, size, state.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustle_formats::{Map, Value};

use super::{mode, owners, paths, selinux};
use crate::outcome::{Failure, Outcome};

/// What `state` is called.
pub(crate) fn state(m: &Metadata) -> &'static str {
    let kind = m.file_type();
    if kind.is_symlink() {
        "link"
    } else if kind.is_dir() {
        "directory"
    } else if m.nlink() > 1 {
        "hard"
    } else {
        "file"
    }
}

/// Puts the values into a mapping, over what it says already. Nothing is said of what does not exist, and of a link that
/// leads to nothing.
pub(crate) fn describe(path: &Path, fields: &mut Map) {
    let (Ok(m), true) = (std::fs::symlink_metadata(path), path.exists()) else {
        return;
    };
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("uid", Value::Int(i64::from(m.uid())));
    put("gid", Value::Int(i64::from(m.gid())));
    put("owner", owners::user_name(m.uid()).into());
    put("group", owners::group_name(m.gid()).into());
    put("mode", mode::shown(m.mode()).into());
    put("state", state(&m).into());
    put("size", Value::Int(m.size() as i64));
    if let Some(context) = selinux::context(path) {
        put("secontext", context.into());
    }
}

/// The outcome with the values of `path` on top.
pub(crate) fn with_path(mut outcome: Outcome, path: &Path) -> Outcome {
    describe(path, &mut outcome.fields);
    outcome
}

/// The failure with `path` and its values on top.
pub(crate) fn failed_at(failure: Failure, path: &Path) -> Failure {
    let mut failure = failure.with("path", paths::shown(path));
    describe(path, &mut failure.fields);
    failure
}
