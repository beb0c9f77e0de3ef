//! What the modules share that edit a text in place: lineinfile, blockinfile, replace.

use std::io;
use std::path::{Path, PathBuf};

use rustle_formats::{Map, Value};

use super::attrs::Wanted;
use super::diff::Pair;
use super::write::Staged;
use super::{backup, errno, paths, validate};
use crate::args::Args;
use crate::context::Context;
use crate::outcome::{Failure, Outcome};
use crate::spec::{Arg, Default, Kind};

/// The arguments that all of them have.
pub(crate) const EDIT_ARGS: &[Arg] = &[
    Arg::new("path", Kind::Path, "The file that is edited.")
        .aliases(&["dest", "destfile", "name"])
        .required(),
    Arg::new("backup", Kind::Bool, "Whether the old file is kept aside.")
        .default(Default::Bool(false)),
    Arg::new(
        "validate",
        Kind::Str,
        "A command that checks the new file, `%s`.",
    ),
];

/// The words for a change of attributes.
const ATTRIBUTES_CHANGED: &str = "ownership, perms or SE linux context changed";

/// A file that is being edited.
pub(crate) struct Edit<'a> {
    /// As the user named it.
    pub(crate) path: PathBuf,
    /// Its content; `None` where it does not exist.
    pub(crate) before: Option<Vec<u8>>,
    /// Owner, mode and so on.
    pub(crate) wanted: Wanted,
    args: &'a Args,
    ctx: &'a Context<'a>,
}

impl<'a> Edit<'a> {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it is a folder or cannot be read, or an argument is wrong.
    pub(crate) fn open(args: &'a Args, ctx: &'a Context<'a>) -> Result<Edit<'a>, Failure> {
        let path = paths::arg(args, "path", ctx).unwrap_or_default();
        if path.is_dir() {
            let message = format!("Path {} is a directory !", path.display());
            return Err(Failure::new(message).with("rc", Value::Int(256)));
        }
        let before = match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                return Err(Failure::new(format!(
                    "Could not read {}",
                    errno::at(&e, &path)
                )));
            }
        };
        let wanted = Wanted::from_args(args);
        wanted.check()?;
        validate::check(args.str("validate"))?;
        Ok(Edit {
            path,
            before,
            wanted,
            args,
            ctx,
        })
    }

    /// Puts the new content and the attributes in place, or predicts; adds difference and message.
    ///
    /// # Errors
    /// Where something cannot be written; the file is as it was.
    pub(crate) fn finish(self, after: &[u8], msg: &str) -> Result<Done, Failure> {
        let changed = self.before.as_deref() != Some(after);
        let mut pair = Pair::default();
        let mut kept = None;
        let mut attributes = false;
        let real = paths::real(&self.path);
        if changed && !self.ctx.check {
            if self.before.is_none() {
                make_parent(&self.path)?;
            }
            let mut staged = Staged::beside(&real, self.args.bool("unsafe_writes"), self.ctx)?;
            staged.write(after)?;
            validate::run(self.args.str("validate"), staged.path(), self.ctx)
                .map_err(validate::Invalid::into_failure)?;
            attributes = staged.inherit_and_apply(&self.wanted, Some(&mut pair))?;
            if self.args.bool("backup") && self.before.is_some() {
                kept = Some(backup::make(&real, self.ctx)?);
            }
            staged.place()?;
            attributes |= self.wanted.apply_flags(&real, false, Some(&mut pair))?;
        } else if self.before.is_some() {
            attributes = self
                .wanted
                .apply(&real, true, self.ctx.check, Some(&mut pair))?;
        }
        let msg = match (msg.is_empty(), attributes) {
            (_, false) => msg.to_owned(),
            (true, true) => ATTRIBUTES_CHANGED.to_owned(),
            (false, true) => format!("{msg} and {ATTRIBUTES_CHANGED}"),
        };
        let mut outcome = Outcome::changed(changed || attributes).msg(msg);
        if self.ctx.diff {
            let predicted_new = self.ctx.check && self.before.is_none();
            outcome.diff = Some(self.diff(after, pair, predicted_new));
        }
        Ok(Done { outcome, kept })
    }

    fn diff(&self, after: &[u8], pair: Pair, content_only: bool) -> Value {
        let before = self.before.as_deref().unwrap_or_default();
        let mut content = Map::new();
        let name = format!("{} (content)", self.path.display());
        let text = |bytes: &[u8]| Value::Str(String::from_utf8_lossy(bytes).into_owned());
        content.insert("before".into(), text(before));
        content.insert("after".into(), text(after));
        content.insert("before_header".into(), name.clone().into());
        content.insert("after_header".into(), name.into());
        if content_only {
            return Value::Map(content);
        }
        let name = format!("{} (file attributes)", self.path.display());
        let mut attributes = Map::new();
        if !pair.before.is_empty() {
            attributes.insert("before".into(), pair.before.into());
            attributes.insert("after".into(), pair.after.into());
        }
        attributes.insert("before_header".into(), name.clone().into());
        attributes.insert("after_header".into(), name.into());
        Value::List(vec![Value::Map(content), Value::Map(attributes)])
    }
}

/// What [`Edit::finish`] did.
pub(crate) struct Done {
    /// The result so far.
    pub(crate) outcome: Outcome,
    /// The backup, if one was made.
    pub(crate) kept: Option<PathBuf>,
}

/// Makes the folder that a new file shall lie in.
fn make_parent(path: &Path) -> Result<(), Failure> {
    let folder = paths::parent(path);
    std::fs::create_dir_all(folder).map_err(|e| {
        Failure::new(format!(
            "Error creating {} ({})",
            folder.display(),
            errno::text(&e)
        ))
    })
}

/// The lines of a file, each with its line end.
pub(crate) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|b| *b == b'\n').collect()
}

/// A line without its line end.
pub(crate) fn bare(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let Some((b'\n' | b'\r', rest)) = line.split_last() {
        line = rest;
    }
    line
}
