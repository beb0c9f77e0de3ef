//! Tests of files on this machine.

use std::path::Path;

use super::{Predicate, test};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, to_text};

pub(super) const TABLE: &[Predicate] = &[
    test("abs", |_, v, _| is_absolute(v)),
    test("directory", |interp, v, _| {
        metadata(interp, v, true, |m| m.is_dir())
    }),
    test("exists", |interp, v, _| metadata(interp, v, true, |_| true)),
    test("file", |interp, v, _| {
        metadata(interp, v, true, |m| m.is_file())
    }),
    test("is_abs", |_, v, _| is_absolute(v)),
    test("is_dir", |interp, v, _| {
        metadata(interp, v, true, |m| m.is_dir())
    }),
    test("is_file", |interp, v, _| {
        metadata(interp, v, true, |m| m.is_file())
    }),
    test("is_link", |interp, v, _| {
        metadata(interp, v, false, |m| m.is_symlink())
    }),
    test("is_mount", mount),
    test("is_same_file", same_file),
    test("link", |interp, v, _| {
        metadata(interp, v, false, |m| m.is_symlink())
    }),
    test("link_exists", |interp, v, _| {
        metadata(interp, v, false, |_| true)
    }),
    test("mount", mount),
    test("same_file", same_file),
    test("vaulted_file", vaulted_file),
];

/// A path. Numbers of open files, which Python takes too, are nobody's.
fn path(value: &Value) -> Result<String, Error> {
    match value {
        Value::Str(text) => Ok(text.as_str().to_owned()),
        other => Err(Error::type_error(format!(
            "expected str, bytes or os.PathLike object, not {}",
            other.type_name()
        ))),
    }
}

fn is_absolute(value: &Value) -> Result<bool, Error> {
    Ok(path(value)?.starts_with('/'))
}

/// Whether the file holds what ansible-vault makes of one.
fn vaulted_file(interp: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    args.none("vaulted_file")?;
    let name = to_text(value)?;
    let start = interp.templar.engine().host().start_of(Path::new(&name));
    match start {
        Ok(start) => Ok(start.starts_with(b"$ANSIBLE_VAULT")),
        Err(error) => Err(Error::value(format!(
            "Cannot test if the file {} is a vault: {error}",
            crate::value::repr(value)?
        ))),
    }
}

fn metadata(
    interp: &mut Interp<'_>,
    value: &Value,
    follow: bool,
    ask: impl Fn(&std::fs::Metadata) -> bool,
) -> Result<bool, Error> {
    let path = match value {
        // Python takes the number of an open file, which no plan means.
        Value::Int(_) | Value::Bool(_) if follow => return Ok(false),
        value => path(value)?,
    };
    Ok(interp
        .templar
        .engine()
        .host()
        .metadata(Path::new(&path), follow)
        .is_some_and(|found| ask(&found)))
}

/// The device and the number of a file.
fn identity(interp: &Interp<'_>, path: &str, follow: bool) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = interp
        .templar
        .engine()
        .host()
        .metadata(Path::new(path), follow)?;
    Some((found.dev(), found.ino()))
}

fn mount(interp: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    args.none("mount")?;
    let path = path(value)?;
    let parent = format!("{path}/..");
    Ok(
        match (
            identity(interp, &path, false),
            identity(interp, &parent, true),
        ) {
            (Some(here), Some(above)) => here.0 != above.0 || here.1 == above.1,
            _ => false,
        },
    )
}

fn same_file(interp: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    let [other] = args.bind("same_file", ["other"], 1)?;
    let (a, b) = (to_text(value)?, other.text_or("")?);
    match (identity(interp, &a, true), identity(interp, &b, true)) {
        (Some(a), Some(b)) => Ok(a == b),
        (None, _) => Err(missing(&a)),
        _ => Err(missing(&b)),
    }
}

fn missing(path: &str) -> Error {
    Error::value(format!("[Errno 2] No such file or directory: '{path}'"))
}
