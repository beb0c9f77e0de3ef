//! Building the tree in the staging folder.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustle_formats::artifact::{
    ArtifactError, Container, Entry, FrameScratch, Kind, ReadAt, chunk_value, merge_chunk_values,
};
use rustle_formats::order;

use super::{DIR_FLAGS, ExtractError, ExtractOptions, ExtractReport, Staging};

/// Mode, time and owner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meta {
    mode: u16,
    mtime: Option<(i64, u32)>,
    owner: Option<(u32, u32)>,
}

/// A regular file to be written. Its path is relative to the tree.
pub(super) struct FileJob {
    pub(super) path: Vec<u8>,
    meta: Meta,
    size: u64,
    /// Whether several threads write it.
    shared: bool,
}

/// A piece of a file, to be written when its frame is at hand.
struct Piece {
    /// `None`: zeros, which are checked and not written.
    frame: Option<u32>,
    offset: u32,
    len: u32,
    file: u32,
    /// Where it lies in its file.
    at: u64,
    digest: [u8; 32],
}

/// What is to be built. Paths are relative to the tree.
pub(super) struct Tree {
    /// Every folder, parents first.
    pub(super) dirs: Vec<(Vec<u8>, Option<Meta>)>,
    pub(super) files: Vec<FileJob>,
    /// Path and the path of the file that it is another name of.
    pub(super) hardlinks: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) symlinks: Vec<(Vec<u8>, Vec<u8>, Meta)>,
    /// Sorted by frame.
    pieces: Vec<Piece>,
}

impl Tree {
    /// Lists what lies below `prefix`.
    pub(super) fn read<R: ReadAt>(
        container: &Container<R>,
        prefix: &[u8],
    ) -> Result<Self, ExtractError> {
        let mut tree = Self {
            dirs: Vec::new(),
            files: Vec::new(),
            hardlinks: Vec::new(),
            symlinks: Vec::new(),
            pieces: Vec::new(),
        };
        let cut = if prefix.is_empty() {
            0
        } else {
            prefix.len() + 1
        };
        let mut dirs: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut metas = Vec::new();
        for entry in container.below(prefix)? {
            let entry = entry?;
            let path = entry.path[cut..].to_vec();
            let meta = Meta {
                mode: entry.mode,
                mtime: entry.mtime,
                owner: entry.owner,
            };
            if let Some(end) = path.iter().rposition(|&b| b == b'/')
                && !dirs.contains(&path[..end])
            {
                let ends = path
                    .iter()
                    .enumerate()
                    .filter(|(_, b)| **b == b'/')
                    .map(|(i, _)| i);
                dirs.extend(ends.map(|i| path[..i].to_vec()));
            }
            match entry.kind {
                Kind::Dir => {
                    dirs.insert(path.clone());
                    metas.push((path, meta));
                }
                Kind::File { .. } => tree.add_file(path, meta, &entry)?,
                Kind::Symlink { target } => tree.symlinks.push((path, target, meta)),
                Kind::Hardlink { ref to }
                    if to.len() > cut
                        && to.starts_with(prefix)
                        && (cut == 0 || to[cut - 1] == b'/') =>
                {
                    let to = to[cut..].to_vec();
                    tree.hardlinks.push((path, to));
                }
                // The file that it is a name of stays behind: it becomes a file of its own.
                Kind::Hardlink { .. } => {
                    let file = container.resolve(entry)?;
                    tree.add_file(path, meta, &file)?;
                }
            }
        }
        let mut metas = metas.into_iter().peekable();
        for path in dirs {
            let meta = metas.next_if(|(p, _)| *p == path).map(|(_, meta)| meta);
            tree.dirs.push((path, meta));
        }
        order::sort_by_key(&mut tree.pieces, |p| (p.frame.is_none(), p.frame, p.offset));
        Ok(tree)
    }

    fn add_file(&mut self, path: Vec<u8>, meta: Meta, entry: &Entry) -> Result<(), ExtractError> {
        let Kind::File {
            size,
            digest,
            chunk_log,
            chunks,
        } = &entry.kind
        else {
            return Ok(());
        };
        let shared = *chunk_log != 0;
        let file = u32::try_from(self.files.len())
            .map_err(|_| ArtifactError::Malformed("too many assets".into()))?;
        let mut at = 0;
        for chunk in chunks {
            let digest = if shared { chunk.value } else { *digest };
            self.pieces.push(Piece {
                frame: chunk.frame,
                offset: chunk.offset,
                len: chunk.len,
                file,
                at,
                digest,
            });
            at += u64::from(chunk.len);
        }
        if shared {
            let values: Vec<_> = chunks.iter().map(|c| c.value).collect();
            if merge_chunk_values(*size, *chunk_log, &values) != Some(*digest) {
                return Err(damaged(&path));
            }
        }
        self.files.push(FileJob {
            path,
            meta,
            size: *size,
            shared,
        });
        Ok(())
    }

    /// Builds everything in the staging folder.
    pub(super) fn build<R: ReadAt>(
        &self,
        container: &Container<R>,
        staging: &Staging,
        options: ExtractOptions,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<ExtractReport, ExtractError> {
        for (path, _) in &self.dirs {
            rustix::fs::mkdirat(&staging.root, path.as_slice(), Mode::RWXU)
                .map_err(io("make the folder", path))?;
        }
        let mut place = Place::new(staging);
        for job in self.files.iter().filter(|f| f.shared || f.size == 0) {
            let file = place.create(&job.path, job.meta)?;
            file.set_len(job.size).map_err(io("write", &job.path))?;
            finish(&file, job, options)?;
        }
        self.contents(container, staging, options, stop)?;
        for (path, to) in &self.hardlinks {
            let root = &staging.root;
            rustix::fs::linkat(root, to.as_slice(), root, path.as_slice(), AtFlags::empty())
                .map_err(io("link", path))?;
        }
        for (path, target, meta) in &self.symlinks {
            rustix::fs::symlinkat(target.as_slice(), &staging.root, path.as_slice())
                .map_err(io("link", path))?;
            self.link_meta(staging, path, *meta, options)?;
        }
        // Writing chunks moved the times of large files, and files those of their folders.
        for job in self
            .files
            .iter()
            .filter(|f| f.shared && f.meta.mtime.is_some())
        {
            set_times(&staging.root, &job.path, job.meta)?;
        }
        for (path, meta) in self.dirs.iter().rev() {
            dir_meta(staging, path, *meta, options)?;
        }
        let mode = Mode::from_raw_mode(0o777 & !staging.umask);
        rustix::fs::fchmod(&staging.root, mode).map_err(io("change the mode of", b"."))?;
        Ok(ExtractReport {
            files: (self.files.len() + self.hardlinks.len()) as u64,
            dirs: self.dirs.len() as u64,
            symlinks: self.symlinks.len() as u64,
            bytes: self.files.iter().map(|f| f.size).sum(),
        })
    }

    fn link_meta(
        &self,
        staging: &Staging,
        path: &[u8],
        meta: Meta,
        options: ExtractOptions,
    ) -> Result<(), ExtractError> {
        if let (true, Some((user, group))) = (options.owners, meta.owner) {
            let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
            rustix::fs::chownat(&staging.root, path, user, group, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(io("change the owner of", path))?;
        }
        set_times(&staging.root, path, meta)
    }

    /// Writes and checks all contents, on several threads, frame by frame.
    fn contents<R: ReadAt>(
        &self,
        container: &Container<R>,
        staging: &Staging,
        options: ExtractOptions,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), ExtractError> {
        let mut starts: Vec<usize> = Vec::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            if i == 0 || piece.frame.is_none() || piece.frame != self.pieces[i - 1].frame {
                starts.push(i);
            }
        }
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let threads = threads.clamp(1, starts.len().max(1));
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<ExtractError>> = Mutex::new(None);
        let work = || {
            let mut scratch = FrameScratch::default();
            let mut place = Place::new(staging);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(&start) = starts.get(number) else {
                    return;
                };
                let end = starts.get(number + 1).copied().unwrap_or(self.pieces.len());
                let outcome = if stop() {
                    Err(ExtractError::Stopped)
                } else {
                    let pieces = &self.pieces[start..end];
                    self.group(pieces, container, &mut scratch, &mut place, options)
                };
                if let Err(error) = outcome {
                    failure
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                    next.store(usize::MAX / 2, Ordering::Relaxed);
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Writes the pieces of one frame.
    fn group<R: ReadAt>(
        &self,
        pieces: &[Piece],
        container: &Container<R>,
        scratch: &mut FrameScratch,
        place: &mut Place<'_>,
        options: ExtractOptions,
    ) -> Result<(), ExtractError> {
        let Some(frame) = pieces.first().and_then(|p| p.frame) else {
            return pieces.iter().try_for_each(|p| self.check_zeros(p));
        };
        let plain = container.read_frame_into(frame, scratch)?;
        for piece in pieces {
            let job = &self.files[piece.file as usize];
            let start = piece.offset as usize;
            let bytes = plain
                .get(start..start + piece.len as usize)
                .ok_or_else(|| damaged(&job.path))?;
            if job.shared {
                if chunk_value(bytes, piece.at) != piece.digest {
                    return Err(damaged(&job.path));
                }
                let file = place.reopen(&job.path)?;
                file.write_all_at(bytes, piece.at)
                    .map_err(io("write", &job.path))?;
            } else {
                if *blake3::hash(bytes).as_bytes() != piece.digest {
                    return Err(damaged(&job.path));
                }
                let mut file = place.create(&job.path, job.meta)?;
                file.write_all(bytes).map_err(io("write", &job.path))?;
                finish(&file, job, options)?;
            }
        }
        Ok(())
    }

    fn check_zeros(&self, piece: &Piece) -> Result<(), ExtractError> {
        let zeros = vec![0; piece.len as usize];
        if chunk_value(&zeros, piece.at) == piece.digest {
            Ok(())
        } else {
            Err(damaged(&self.files[piece.file as usize].path))
        }
    }
}

fn damaged(path: &[u8]) -> ExtractError {
    let name = String::from_utf8_lossy(path);
    ArtifactError::Damaged(format!("the asset {name} does not have its digest").into()).into()
}

pub(super) fn io<E: Into<std::io::Error>>(
    doing: &'static str,
    path: &[u8],
) -> impl FnOnce(E) -> ExtractError {
    let path = Path::new(OsStr::from_bytes(path)).to_owned();
    move |e| ExtractError::Io {
        doing,
        path,
        source: e.into(),
    }
}

/// Makes files, and keeps the folder of the last one open: the next is mostly in the same.
struct Place<'a> {
    staging: &'a Staging,
    dir: Vec<u8>,
    fd: Option<OwnedFd>,
}

impl<'a> Place<'a> {
    fn new(staging: &'a Staging) -> Self {
        Self {
            staging,
            dir: Vec::new(),
            fd: None,
        }
    }

    fn create(&mut self, path: &[u8], meta: Meta) -> Result<File, ExtractError> {
        // The mode right away, where the umask allows it: most files then need no second call. Never more than will be.
        let mode = Mode::from_raw_mode(u32::from(meta.mode) & 0o777 | 0o200);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.open(path, flags, mode)?;
        let wanted = u32::from(meta.mode);
        if wanted & 0o7000 != 0 || wanted & 0o200 == 0 || wanted & self.staging.umask != 0 {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(wanted))
                .map_err(io("change the mode of", path))?;
        }
        Ok(file)
    }

    fn reopen(&mut self, path: &[u8]) -> Result<File, ExtractError> {
        self.open(
            path,
            OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
    }

    fn open(&mut self, path: &[u8], flags: OFlags, mode: Mode) -> Result<File, ExtractError> {
        let cut = path.iter().rposition(|&b| b == b'/');
        let (dir, name) = cut.map_or((&[][..], path), |i| (&path[..i], &path[i + 1..]));
        if dir.is_empty() {
            let fd = rustix::fs::openat(&self.staging.root, name, flags, mode)
                .map_err(io("create", path))?;
            return Ok(fd.into());
        }
        let parent = match &self.fd {
            Some(fd) if self.dir == dir => fd,
            _ => {
                let fd = rustix::fs::openat(&self.staging.root, dir, DIR_FLAGS, Mode::empty());
                self.dir = dir.to_vec();
                self.fd.insert(fd.map_err(io("open the folder", dir))?)
            }
        };
        Ok(rustix::fs::openat(parent, name, flags, mode)
            .map_err(io("create", path))?
            .into())
    }
}

/// Owner and time of a file whose content is there. The owner first: changing it clears set-id bits.
fn finish(file: &File, job: &FileJob, options: ExtractOptions) -> Result<(), ExtractError> {
    if let (true, Some((user, group))) = (options.owners, job.meta.owner) {
        rustix::fs::fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
            .map_err(io("change the owner of", &job.path))?;
        rustix::fs::fchmod(file, Mode::from_raw_mode(job.meta.mode.into()))
            .map_err(io("change the mode of", &job.path))?;
    }
    if let Some(times) = times_of(job.meta) {
        rustix::fs::futimens(file, &times).map_err(io("set the time of", &job.path))?;
    }
    Ok(())
}

fn times_of(meta: Meta) -> Option<Timestamps> {
    let (seconds, nanos) = meta.mtime?;
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanos.into(),
    };
    Some(Timestamps {
        last_access: time,
        last_modification: time,
    })
}

fn set_times(root: &OwnedFd, path: &[u8], meta: Meta) -> Result<(), ExtractError> {
    let Some(times) = times_of(meta) else {
        return Ok(());
    };
    rustix::fs::utimensat(root, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(io("set the time of", path))
}

fn dir_meta(
    staging: &Staging,
    path: &[u8],
    meta: Option<Meta>,
    options: ExtractOptions,
) -> Result<(), ExtractError> {
    // A folder that is only implied by what lies in it is made as `mkdir` would.
    let mode = meta.map_or(0o777 & !staging.umask, |m| m.mode.into());
    if let (true, Some((user, group))) = (options.owners, meta.and_then(|m| m.owner)) {
        let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
        rustix::fs::chownat(&staging.root, path, user, group, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(io("change the owner of", path))?;
    }
    if mode != 0o700 {
        rustix::fs::chmodat(
            &staging.root,
            path,
            Mode::from_raw_mode(mode),
            AtFlags::empty(),
        )
        .map_err(io("change the mode of", path))?;
    }
    meta.map_or(Ok(()), |meta| set_times(&staging.root, path, meta))
}
