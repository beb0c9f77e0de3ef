//! Writing the artifact: to a temporary name beside its own, renamed when it is whole.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustle_formats::artifact::FrameRecord;
use tempfile::NamedTempFile;

use crate::PackError;

/// A frame that is ready to be written.
pub(crate) enum Made {
    /// Bytes in memory.
    Fresh {
        record: FrameRecord,
        stored: Vec<u8>,
    },
    /// Bytes in memory that were compressed in an earlier run.
    Kept {
        record: FrameRecord,
        stored: Vec<u8>,
    },
    /// Bytes in another file, not read yet.
    Elsewhere {
        record: FrameRecord,
        file: Arc<File>,
        offset: u64,
    },
}

impl Made {
    pub(crate) fn record(&self) -> FrameRecord {
        match self {
            Self::Fresh { record, .. }
            | Self::Kept { record, .. }
            | Self::Elsewhere { record, .. } => *record,
        }
    }
}

/// The largest block of the file systems that share them, in bytes.
const BLOCK: u64 = 4096;

/// A stretch of another file that is still to be copied.
struct Run {
    file: Arc<File>,
    offset: u64,
    len: u64,
}

/// A file in the making. What is not persisted disappears.
pub(crate) struct Output {
    temp: NamedTempFile,
    path: PathBuf,
    at: u64,
    run: Option<Run>,
    /// Whether there may be more space than bytes.
    expects: bool,
}

impl Output {
    /// A new file that will be called `path`.
    pub(crate) fn create(path: &Path) -> Result<Self, PackError> {
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let temp = tempfile::Builder::new()
            .prefix(".rustle-pack-")
            .tempfile_in(dir)
            .map_err(PackError::io("write in the folder", dir))?;
        Ok(Self {
            temp,
            path: path.to_owned(),
            at: 0,
            run: None,
            expects: false,
        })
    }

    /// Asks for the space of about `bytes` in advance, before anything is written. Copying into it is quicker, and ext4 need not find
    /// the space while the file is renamed over an older one, which takes longer than all the copying: one block that has no place
    /// yet makes it write out the whole file, therefore some more than `bytes`. Where it cannot be had, nothing is lost.
    pub(crate) fn expect(&mut self, bytes: u64) {
        debug_assert_eq!(self.at, 0);
        let room = bytes.saturating_add(bytes / 64 + (1 << 20));
        self.expects =
            rustix::fs::fallocate(self.temp.as_file(), FallocateFlags::KEEP_SIZE, 0, room).is_ok();
    }

    /// How many bytes were appended so far.
    pub(crate) fn len(&self) -> u64 {
        self.at
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.flush()?;
        self.temp
            .as_file_mut()
            .write_all(bytes)
            .map_err(PackError::io("write", &self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn append_made(&mut self, made: Made) -> Result<(), PackError> {
        match made {
            Made::Fresh { stored, .. } | Made::Kept { stored, .. } => self.append(&stored),
            Made::Elsewhere {
                record,
                file,
                offset,
            } => self.append_from(file, offset, u64::from(record.stored_len)),
        }
    }

    /// Appends a stretch of another file. Stretches that follow each other there are copied in one go.
    pub(crate) fn append_from(
        &mut self,
        file: Arc<File>,
        offset: u64,
        len: u64,
    ) -> Result<(), PackError> {
        self.at += len;
        if let Some(run) = &mut self.run
            && Arc::ptr_eq(&run.file, &file)
            && run.offset + run.len == offset
        {
            run.len += len;
            return Ok(());
        }
        self.flush_at(len)?;
        self.run = Some(Run { file, offset, len });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PackError> {
        self.flush_at(0)
    }

    /// Copies what is outstanding; `ahead` bytes of `at` belong to what comes next.
    fn flush_at(&mut self, ahead: u64) -> Result<(), PackError> {
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        let start = self.at - ahead - run.len;
        copy(&run, self.temp.as_file(), start).map_err(PackError::io("write", &self.path))?;
        // The file's own position is for `append`.
        rustix::fs::seek(
            self.temp.as_file(),
            rustix::fs::SeekFrom::Start(start + run.len),
        )
        .map_err(|e| PackError::io("write", &self.path)(e.into()))?;
        Ok(())
    }

    /// Writes over bytes that are there already.
    pub(crate) fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<(), PackError> {
        self.flush()?;
        self.temp
            .as_file()
            .write_all_at(bytes, offset)
            .map_err(PackError::io("write", &self.path))
    }

    /// Gives the file its mode and its name.
    pub(crate) fn persist(mut self, mode: u32) -> Result<(), PackError> {
        self.flush()?;
        if self.expects {
            // To its own length: that gives back the space behind it.
            self.temp
                .as_file()
                .set_len(self.at)
                .map_err(PackError::io("write", &self.path))?;
        }
        self.temp
            .as_file()
            .set_permissions(Permissions::from_mode(mode))
            .map_err(PackError::io("change the mode of", &self.path))?;
        self.temp
            .persist(&self.path)
            .map_err(|e| PackError::io("write", &self.path)(e.error))?;
        Ok(())
    }
}

/// Shares the blocks where the file system can (btrfs, XFS; both places on the bounds of a block), else reads and writes.
/// `copy_file_range` without sharing takes twice as long as this buffer where the two places differ within a page, as they
/// nearly always do here: measured 65 ms against 35 ms for 236 MB on ext4.
fn copy(run: &Run, to: &File, start: u64) -> std::io::Result<()> {
    let (mut from_at, mut to_at, mut left) = (run.offset, start, run.len);
    while left > 0 && (from_at | to_at) % BLOCK == 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(&*run.file, Some(&mut from_at), to, Some(&mut to_at), now)
        {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(done) => left -= done as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    let mut buffer = vec![0; left.min(1 << 20) as usize];
    while left > 0 {
        let now = left.min(buffer.len() as u64) as usize;
        run.file.read_exact_at(&mut buffer[..now], from_at)?;
        to.write_all_at(&buffer[..now], to_at)?;
        from_at += now as u64;
        to_at += now as u64;
        left -= now as u64;
    }
    Ok(())
}
