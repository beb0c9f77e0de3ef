//! Owner, group, mode, SELinux context and attributes: what is asked for, compared with what is there, and set.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustle_formats::Value;

use super::diff::Pair;
use super::mode::{self, Mode};
use super::{errno, flags, owners, paths, selinux, write};
use crate::args::Args;
use crate::outcome::Failure;

/// What a task asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    mode: Option<Value>,
    owner: Option<String>,
    group: Option<String>,
    selinux: selinux::Wanted,
    attributes: Option<String>,
}

impl Wanted {
    /// From the arguments of [`crate::spec::FILE_ARGS`].
    pub(crate) fn from_args(args: &Args) -> Wanted {
        let text = |name: &str| args.str(name).map(str::to_owned);
        Wanted {
            mode: args.get("mode").cloned(),
            owner: text("owner"),
            group: text("group"),
            selinux: selinux::Wanted([
                text("seuser"),
                text("serole"),
                text("setype"),
                text("selevel"),
            ]),
            attributes: text("attributes").filter(|a| !a.is_empty()),
        }
    }

    /// The same with another mode.
    pub(crate) fn with_mode(&self, mode: Option<Value>) -> Wanted {
        Wanted {
            mode,
            ..self.clone()
        }
    }

    /// The mode as it was written.
    pub(crate) fn mode(&self) -> Option<&Value> {
        self.mode.as_ref()
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.mode.is_none()
            && self.owner.is_none()
            && self.group.is_none()
            && self.attributes.is_none()
            && self.selinux.is_empty()
    }

    /// Finds mistakes before anything is written: a mode that is none, a user that nobody knows.
    ///
    /// # Errors
    /// As [`Wanted::apply`].
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.uid()?;
        self.gid()?;
        self.parsed_mode().map(drop)
    }

    fn parsed_mode(&self) -> Result<Option<Mode>, Failure> {
        let Some(value) = &self.mode else {
            return Ok(None);
        };
        Mode::parse(value).map(Some).map_err(|details| {
            Failure::new("mode must be in octal or symbolic form").with("details", details)
        })
    }

    fn uid(&self) -> Result<Option<u32>, Failure> {
        match &self.owner {
            None => Ok(None),
            Some(name) => owners::uid(name).map(Some).ok_or_else(|| {
                Failure::new(format!("chown failed: failed to look up user {name}"))
            }),
        }
    }

    fn gid(&self) -> Result<Option<u32>, Failure> {
        match &self.group {
            None => Ok(None),
            Some(name) => owners::gid(name).map(Some).ok_or_else(|| {
                Failure::new(format!("chgrp failed: failed to look up group {name}"))
            }),
        }
    }

    /// Sets everything on `path` (following a link where `follow` says so), or predicts. Says whether something changed.
    ///
    /// # Errors
    /// A sentence that names what could not be set.
    pub(crate) fn apply(
        &self,
        path: &Path,
        follow: bool,
        check: bool,
        mut diff: Option<&mut Pair>,
    ) -> Result<bool, Failure> {
        if self.is_empty() {
            return Ok(false);
        }
        let resolved: PathBuf;
        let path = if follow && std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink()) {
            resolved = paths::real(path);
            &resolved
        } else {
            path
        };
        let changed = self.apply_inode(path, check, diff.as_deref_mut())?;
        Ok(self.apply_flags(path, check, diff)? || changed)
    }

    /// SELinux context, owner, group and mode, without following.
    pub(crate) fn apply_inode(
        &self,
        path: &Path,
        check: bool,
        mut diff: Option<&mut Pair>,
    ) -> Result<bool, Failure> {
        let meta = match std::fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(e) if check && errno::is_missing(&e) => return Ok(!self.is_empty()),
            Err(e) => return Err(Failure::new(errno::at_bytes(&e, path))),
        };
        let mut changed = self.apply_context(path, check, diff.as_deref_mut())?;
        let (mut uid, mut gid) = (None, None);
        if let Some(wanted) = self.uid()?
            && wanted != meta.uid()
        {
            uid = Some(wanted);
            note(&mut diff, "owner", meta.uid(), wanted);
        }
        if let Some(wanted) = self.gid()?
            && wanted != meta.gid()
        {
            gid = Some(wanted);
            note(&mut diff, "group", meta.gid(), wanted);
        }
        let parsed = self.parsed_mode()?;
        if uid.is_some() || gid.is_some() {
            changed = true;
            if !check {
                chown(path, uid, gid)?;
            }
        }
        if let Some(parsed) = parsed {
            let chowned = !check && (uid.is_some() || gid.is_some());
            changed |= set_mode(path, &meta, &parsed, chowned, check, diff)?;
        }
        Ok(changed)
    }

    fn apply_context(
        &self,
        path: &Path,
        check: bool,
        diff: Option<&mut Pair>,
    ) -> Result<bool, Failure> {
        if self.selinux.is_empty() || !selinux::enabled() {
            return Ok(false);
        }
        let current = selinux::context(path).unwrap_or_default();
        let Some(context) = selinux::merged(&current, &self.selinux) else {
            return Ok(false);
        };
        if !check {
            selinux::set(path, &context)?;
        }
        if let Some(diff) = diff {
            diff.note("secontext", current, context);
        }
        Ok(true)
    }

    /// The attributes of chattr, last: an immutable file cannot be changed any more.
    pub(crate) fn apply_flags(
        &self,
        path: &Path,
        check: bool,
        diff: Option<&mut Pair>,
    ) -> Result<bool, Failure> {
        let Some(wanted) = &self.attributes else {
            return Ok(false);
        };
        if check && std::fs::symlink_metadata(path).is_err() {
            return Ok(true);
        }
        let failed = |e: String| {
            Failure::new("chattr failed").with("details", format!("{}: {e}", path.display()))
        };
        let Some(change) = flags::compare(path, wanted).map_err(failed)? else {
            return Ok(false);
        };
        if let Some(diff) = diff {
            diff.note("attributes", change.before.clone(), change.after.clone());
        }
        if !check {
            change.apply(path).map_err(|e| failed(errno::text(&e)))?;
        }
        Ok(true)
    }
}

fn note(diff: &mut Option<&mut Pair>, name: &str, before: u32, after: u32) {
    if let Some(diff) = diff {
        diff.note(
            name,
            Value::Int(i64::from(before)),
            Value::Int(i64::from(after)),
        );
    }
}

fn chown(path: &Path, uid: Option<u32>, gid: Option<u32>) -> Result<(), Failure> {
    let word = if uid.is_some() { "chown" } else { "chgrp" };
    std::os::unix::fs::lchown(path, uid, gid)
        .map_err(|e| Failure::new(format!("{word} failed: {}", errno::at(&e, path))))
}

/// Sets the mode. A link has none of its own: what is asked for is shown, and nothing changes.
fn set_mode(
    path: &Path,
    meta: &std::fs::Metadata,
    wanted: &Mode,
    chowned: bool,
    check: bool,
    diff: Option<&mut Pair>,
) -> Result<bool, Failure> {
    let before = meta.mode() & mode::ALL_BITS;
    let after = wanted.apply(before, meta.is_dir(), write::umask());
    if before != after
        && let Some(diff) = diff
    {
        diff.note("mode", mode::shown(before), mode::shown(after));
    }
    if meta.is_symlink() || (before == after && !chowned) {
        return Ok(false);
    }
    // A change of owner clears the set-id bits, so that an equal mode is set again.
    if !check && (before != after || after & 0o6000 != 0) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(after))
            .map_err(|e| Failure::new(format!("chmod failed: {}", errno::at(&e, path))))?;
    }
    Ok(before != after)
}
