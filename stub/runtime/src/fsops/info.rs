//! The return values that say what a path is: owner, group, mode, size, state.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
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

/// What `stat` and `find` say of every path.
pub(crate) fn stat_fields(meta: &Metadata, out: &mut Map) {
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    let kind = meta.file_type();
    let mode = meta.mode();
    put("mode", format!("{:04o}", mode & mode::ALL_BITS).into());
    put("isdir", kind.is_dir().into());
    put("ischr", kind.is_char_device().into());
    put("isblk", kind.is_block_device().into());
    put("isreg", kind.is_file().into());
    put("isfifo", kind.is_fifo().into());
    put("islnk", kind.is_symlink().into());
    put("issock", kind.is_socket().into());
    put("uid", number(meta.uid().into()));
    put("gid", number(meta.gid().into()));
    put("size", number(meta.size()));
    put("inode", number(meta.ino()));
    put("dev", number(meta.dev()));
    put("nlink", number(meta.nlink()));
    put("atime", time(meta.atime(), meta.atime_nsec()));
    put("mtime", time(meta.mtime(), meta.mtime_nsec()));
    put("ctime", time(meta.ctime(), meta.ctime_nsec()));
    for (name, bit) in BITS {
        put(name, (mode & bit != 0).into());
    }
    put("pw_name", owners::user_name(meta.uid()).into());
    put("gr_name", owners::group_name(meta.gid()).into());
}

/// A number that a result can hold.
pub(crate) fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

const BITS: [(&str, u32); 11] = [
    ("wusr", 0o200),
    ("rusr", 0o400),
    ("xusr", 0o100),
    ("wgrp", 0o020),
    ("rgrp", 0o040),
    ("xgrp", 0o010),
    ("woth", 0o002),
    ("roth", 0o004),
    ("xoth", 0o001),
    ("isuid", 0o4000),
    ("isgid", 0o2000),
];

fn time(seconds: i64, nanoseconds: i64) -> Value {
    Value::Float(seconds as f64 + nanoseconds as f64 / 1e9)
}
