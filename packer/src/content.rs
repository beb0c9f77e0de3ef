//! Reading files that may change while they are read, and noticing it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::PackError;
use crate::collect::{Content, Stamp};

/// Appends `len` bytes of `content` from `offset` on to `out`.
pub(crate) fn read_part(
    content: &Content,
    offset: u64,
    len: usize,
    out: &mut Vec<u8>,
) -> Result<(), PackError> {
    match content {
        Content::Memory(bytes) => {
            let part = usize::try_from(offset)
                .ok()
                .and_then(|at| bytes.get(at..at.checked_add(len)?));
            out.extend_from_slice(
                part.ok_or_else(|| PackError::Request("an asset ends early".into()))?,
            );
            Ok(())
        }
        Content::Disk { path, stamp } => {
            let file = open(path)?;
            let start = out.len();
            out.resize(start + len, 0);
            if !(is_sparse(stamp, &file) && lies_in_hole(&file, offset, len)) {
                match file.read_exact_at(&mut out[start..], offset) {
                    Ok(()) => {}
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                        return Err(PackError::Changed(path.clone()));
                    }
                    Err(e) => return Err(PackError::io("read", path)(e)),
                }
            }
            check(path, stamp, &file)
        }
    }
}

/// Opens a file that was listed. Whether it is still that file shows in [`check`], when it has been read.
fn open(path: &Path) -> Result<File, PackError> {
    File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => PackError::Changed(path.to_owned()),
        _ => PackError::io("open", path)(e),
    })
}

fn check(path: &Path, stamp: &Stamp, file: &File) -> Result<(), PackError> {
    let now = Stamp::of(&file.metadata().map_err(PackError::io("read", path))?);
    if now == *stamp {
        Ok(())
    } else {
        Err(PackError::Changed(path.to_owned()))
    }
}

/// Whether it is worth asking for holes: large files whose blocks do not cover their size.
fn is_sparse(stamp: &Stamp, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    stamp.size > 1 << 20
        && file
            .metadata()
            .is_ok_and(|m| m.blocks().saturating_mul(512) < stamp.size)
}

/// Whether the file system says that the whole part is a hole. Only a short cut: its bytes read as zeros anyway.
fn lies_in_hole(file: &File, offset: u64, len: usize) -> bool {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(data) => data >= offset.saturating_add(len as u64),
        Err(rustix::io::Errno::NXIO) => true,
        Err(_) => false,
    }
}
