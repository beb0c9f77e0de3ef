//! Puts content into a file as `copy` and `template` do: compare, back up, stage, validate, replace, set attributes.
//!
//! Content is streamed: a file of any size needs a buffer, not its own size in memory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustle_formats::{Map, Value};

use super::attrs::Wanted;
use super::diff::{self, Pair, Side};
use super::digest::{Algorithm, Hasher, Tee};
use super::holes::Holes;
use super::write::Staged;
use super::{backup, errno, info, paths, validate};
use crate::assets::{AssetEntry, AssetKind};
use crate::context::Context;
use crate::outcome::{Failure, ModuleResult, Outcome};

/// Where content comes from.
pub(crate) enum Content {
    /// A file that came with the plan.
    Asset(AssetEntry),
    /// A file that came with the plan, as it is stored: what is vaulted stays so.
    Stored(AssetEntry),
    /// A file of this machine.
    File(PathBuf),
    /// Bytes in memory.
    Bytes(Vec<u8>),
}

impl Content {
    fn size(&self) -> Option<u64> {
        match self {
            Content::Asset(AssetEntry {
                kind: AssetKind::File { size },
                ..
            }) => Some(*size),
            Content::Asset(_) | Content::Stored(_) => None,
            Content::File(path) => std::fs::metadata(path).ok().map(|m| m.len()),
            Content::Bytes(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Writes all of it.
    pub(crate) fn stream(&self, ctx: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Content::Asset(entry) => ctx.assets.read(&entry.path, out),
            Content::Stored(entry) => ctx.assets.read_as_stored(&entry.path, out),
            Content::File(path) => {
                let mut file = File::open(path)?;
                let mut buffer = vec![0u8; 64 * 1024];
                loop {
                    let n = file.read(&mut buffer)?;
                    if n == 0 {
                        return Ok(());
                    }
                    out.write_all(buffer.get(..n).unwrap_or_default())?;
                }
            }
            Content::Bytes(bytes) => out.write_all(bytes),
        }
    }

    /// Reads all of it, and stages it in an atomic play's rehearsal: for who predicts without a [`Job`].
    ///
    /// # Errors
    /// Content that cannot be read, or not be staged.
    pub(crate) fn rehearse(&self, dest: &Path, ctx: &Context<'_>) -> Result<(), Failure> {
        match ctx.staging.filter(|s| s.is_rehearsing()) {
            Some(staging) => staging.keep(self, &compare(self, dest, ctx)?, dest, ctx),
            None => Ok(()),
        }
    }

    /// Its text for a difference.
    pub(crate) fn side(&self, ctx: &Context<'_>) -> Side {
        match self {
            Content::Bytes(bytes) => Side::of(bytes),
            Content::File(path) => Side::of_file(path),
            Content::Asset(_) | Content::Stored(_) => {
                let mut head = Head(Vec::new());
                // The head ends the stream early on purpose; a damaged asset is reported when it is written.
                let _ = self.stream(ctx, &mut head);
                Side::of(&head.0)
            }
        }
    }

    fn name(&self) -> String {
        match self {
            Content::Asset(entry) | Content::Stored(entry) => {
                String::from_utf8_lossy(&entry.path).into_owned()
            }
            Content::File(path) => paths::shown(path),
            Content::Bytes(_) => "the new content".to_owned(),
        }
    }
}

/// Keeps the beginning and stops the stream after it.
struct Head(Vec<u8>);

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() as u64 > diff::LIMIT {
            return Err(io::Error::other("enough"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compares what is written into it with a file, and keeps checksums.
struct Compare {
    old: Option<File>,
    same: bool,
    sha1: Hasher,
    /// Only where it will be asked for: it takes more time than all the rest.
    md5: Option<Hasher>,
    buffer: Vec<u8>,
}

impl Write for Compare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha1.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if self.same {
            // Not `resize`: where code is small first, it writes its zeros one by one.
            if self.buffer.len() < bytes.len() {
                self.buffer = vec![0; bytes.len()];
            }
            let there = &mut self.buffer[..bytes.len()];
            self.same = match &mut self.old {
                Some(old) => old.read_exact(there).is_ok() && there == bytes,
                None => false,
            };
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What new content is, beside what is there.
pub(crate) struct Compared {
    /// Whether the file has exactly this content.
    pub(crate) same: bool,
    /// SHA-1 of the new content.
    pub(crate) sha1: String,
    /// MD5 of the new content, where it was asked for or the play is atomic; else empty.
    pub(crate) md5: String,
}

/// Compares content with a file.
///
/// # Errors
/// Where the content cannot be read.
pub(crate) fn compare(
    content: &Content,
    dest: &Path,
    ctx: &Context<'_>,
) -> Result<Compared, Failure> {
    compare_by(content, dest, ctx, ctx.staging.is_some())
}

/// As [`compare`], with the MD5.
///
/// # Errors
/// As [`compare`].
pub(crate) fn compare_with_md5(
    content: &Content,
    dest: &Path,
    ctx: &Context<'_>,
) -> Result<Compared, Failure> {
    compare_by(content, dest, ctx, true)
}

fn compare_by(
    content: &Content,
    dest: &Path,
    ctx: &Context<'_>,
    md5: bool,
) -> Result<Compared, Failure> {
    let old = File::open(dest).ok().filter(|f| {
        f.metadata()
            .is_ok_and(|m| m.is_file() && Some(m.len()) == content.size())
    });
    let mut compare = Compare {
        same: old.is_some(),
        old,
        sha1: Hasher::new(Algorithm::Sha1),
        md5: md5.then(|| Hasher::new(Algorithm::Md5)),
        buffer: Vec::new(),
    };
    content
        .stream(ctx, &mut compare)
        .map_err(|e| cannot_read(content, &e))?;
    Ok(Compared {
        same: compare.same,
        sha1: compare.sha1.finish(),
        md5: compare.md5.map(Hasher::finish).unwrap_or_default(),
    })
}

/// Refuses content that has another checksum than the task says.
///
/// # Errors
/// With both checksums.
pub(crate) fn expect(wanted: Option<&str>, actual: &str) -> Result<(), Failure> {
    match wanted {
        Some(wanted) if !wanted.eq_ignore_ascii_case(actual) => Err(Failure::new(
            "Copied file does not match the expected checksum. Transfer failed.",
        )
        .with("checksum", actual)
        .with("expected_checksum", wanted)),
        _ => Ok(()),
    }
}

fn cannot_read(content: &Content, error: &io::Error) -> Failure {
    Failure::new(format!(
        "Could not read {}: {}",
        content.name(),
        errno::text(error)
    ))
}

/// How content gets into its place.
pub(crate) struct Job<'a> {
    /// The file.
    pub(crate) dest: PathBuf,
    /// What it shall hold.
    pub(crate) content: Content,
    /// What the new side of the difference is called.
    pub(crate) header: String,
    /// What `src` in the result says.
    pub(crate) src: String,
    /// Owner, mode and so on.
    pub(crate) wanted: &'a Wanted,
    /// Whether the old file is kept aside.
    pub(crate) backup: bool,
    /// Whether a link at the destination is followed.
    pub(crate) follow: bool,
    /// The command that checks the new content.
    pub(crate) validate: Option<&'a str>,
    /// Whether writing in place is allowed where renaming is impossible.
    pub(crate) unsafe_writes: bool,
    /// The SHA-1 that the content must have.
    pub(crate) checksum: Option<&'a str>,
    /// The run.
    pub(crate) ctx: &'a Context<'a>,
}

impl Job<'_> {
    /// Does it, or predicts it.
    pub(crate) fn run(mut self) -> ModuleResult {
        let named = paths::shown(&self.dest);
        if self.follow && self.dest.is_symlink() && self.dest.exists() {
            self.dest = paths::real(&self.dest);
        }
        let rehearsal = self.ctx.staging.filter(|s| s.is_rehearsing());
        // Earlier tasks of the play may yet make what is missing now.
        if rehearsal.is_none() {
            self.check()?;
        }
        if self.is_plainly_new() {
            return self.put(None, named);
        }
        let compared = compare(&self.content, &self.dest, self.ctx)?;
        if compared.same {
            return self.unchanged(&compared);
        }
        expect(self.checksum, &compared.sha1)?;
        if let Some(staging) = rehearsal {
            staging.keep(&self.content, &compared, &self.dest, self.ctx)?;
        }
        self.put(Some(&compared), named)
    }

    /// Whether nothing is there to compare with, so that the content need not be read before it is written.
    fn is_plainly_new(&self) -> bool {
        !self.ctx.check && self.ctx.staging.is_none() && self.dest.symlink_metadata().is_err()
    }

    /// Puts the content in its place, or predicts it; `named` is what the task calls the file.
    fn put(&self, compared: Option<&Compared>, named: String) -> ModuleResult {
        let exists = self.dest.exists();
        let diff = self.ctx.diff.then(|| {
            let header = exists.then_some(named);
            let before = if exists {
                Side::of_file(&self.dest)
            } else {
                Side::Text(String::new())
            };
            let after = self.content.side(self.ctx);
            Value::List(vec![diff::contents(
                before,
                after,
                header,
                Some(self.header.clone()),
            )])
        });
        if self.ctx.check {
            let mut outcome = Outcome::changed(true);
            outcome.diff = diff;
            return Ok(outcome);
        }
        let mut outcome = Outcome::changed(true)
            .with("dest", paths::shown(&self.dest))
            .with("src", self.src.clone());
        self.write(exists, compared, &mut outcome.fields)?;
        outcome.diff = diff;
        Ok(info::with_path(outcome, &self.dest))
    }

    /// Finds what makes the task impossible before anything is touched.
    fn check(&self) -> Result<(), Failure> {
        validate::check(self.validate)?;
        self.wanted.check()?;
        let folder = paths::parent(&self.dest);
        match std::fs::metadata(folder) {
            Ok(m) if m.is_dir() => {}
            Ok(_) => {
                return Err(Failure::new(format!(
                    "Destination directory {} is not a directory",
                    folder.display()
                )));
            }
            // An earlier task would have made it: Ansible's check mode does not look, and playbooks rely on it.
            Err(_) if self.ctx.check => return Ok(()),
            Err(_) => {
                return Err(Failure::new(format!(
                    "Destination directory {} does not exist",
                    folder.display()
                )));
            }
        }
        if self.dest.is_dir() {
            return Err(Failure::new(format!(
                "Destination {} is a directory",
                self.dest.display()
            )));
        }
        Ok(())
    }

    /// The content is right; only attributes may differ. The result has the form of `file`'s.
    fn unchanged(&self, compared: &Compared) -> ModuleResult {
        let path = paths::shown(&self.dest);
        let mut pair = Pair::default();
        pair.note("path", path.clone(), path.clone());
        let changed = self
            .wanted
            .apply(&self.dest, self.follow, self.ctx.check, Some(&mut pair))
            .map_err(|f| info::failed_at(f, &self.dest))?;
        let mut outcome = Outcome::changed(changed)
            .with("checksum", compared.sha1.clone())
            .with("dest", path.clone())
            .with("path", path);
        outcome.diff = self.ctx.diff.then(|| pair.into_value());
        Ok(info::with_path(outcome, &self.dest))
    }

    /// The new content in a file beside its place, with its SHA-1 and MD5: the one that was staged, or a new one.
    fn stage(&self, compared: Option<&Compared>) -> Result<(Staged, String, String), Failure> {
        let before = self
            .ctx
            .staging
            .zip(compared)
            .and_then(|(s, compared)| Some((s.take(compared, &self.dest)?, compared)));
        if let Some((before, compared)) = before {
            let staged = Staged::ready(before, &self.dest, self.unsafe_writes);
            return Ok((staged, compared.sha1.clone(), compared.md5.clone()));
        }
        let mut staged = Staged::beside(&self.dest, self.unsafe_writes, self.ctx)?;
        let mut tee = Tee::new(Holes::new(staged.file()));
        let written = self.content.stream(self.ctx, &mut tee);
        if let Err(e) = &written
            && !tee.failed()
        {
            return Err(cannot_read(&self.content, e));
        }
        let (holes, sha1, md5) = tee.finish();
        let written = written.and_then(|()| holes.finish());
        written.map_err(|e| staged.cannot_write(&e))?;
        Ok((staged, sha1, md5))
    }

    fn write(
        &self,
        exists: bool,
        compared: Option<&Compared>,
        fields: &mut Map,
    ) -> Result<(), Failure> {
        let (staged, sha1, md5) = self.stage(compared)?;
        if compared.is_none() {
            expect(self.checksum, &sha1)?;
        }
        fields.insert("checksum".into(), sha1.into());
        fields.insert("md5sum".into(), md5.into());
        staged.inherit_and_apply(self.wanted, None)?;
        validate::run(self.validate, staged.path(), self.ctx)
            .map_err(validate::Invalid::into_copy_failure)?;
        if self.backup && exists {
            let kept = backup::make(&self.dest, self.ctx)?;
            fields.insert("backup_file".into(), paths::shown(&kept).into());
        }
        staged.place()?;
        self.wanted.apply_flags(&self.dest, false, None)?;
        Ok(())
    }
}
