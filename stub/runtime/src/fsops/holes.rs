//! Writing a new file with holes where there is nothing but zeros, so that a sparse file stays one.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// The smallest hole, in bytes: what file systems allot at once.
const BLOCK: usize = 4096;

/// Writes into a new, empty file, and leaves out what is all zeros.
pub(crate) struct Holes<'a> {
    file: &'a mut File,
    /// Whether the file ends in a hole, which only its length tells.
    open: bool,
}

impl Holes<'_> {
    /// Around a file that is empty.
    pub(crate) fn new(file: &mut File) -> Holes<'_> {
        Holes { file, open: false }
    }

    /// Gives the file its length.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn finish(self) -> io::Result<()> {
        if self.open {
            let len = self.file.stream_position()?;
            self.file.set_len(len)?;
        }
        Ok(())
    }
}

impl Write for Holes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = i64::try_from(bytes.len()).map_err(io::Error::other)?;
        self.open = bytes.len() >= BLOCK && bytes.iter().all(|b| *b == 0);
        if self.open {
            self.file.seek(SeekFrom::Current(len))?;
            return Ok(bytes.len());
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_are_left_out_and_the_length_is_right() {
        let mut file = tempfile::tempfile().unwrap();
        let mut out = Holes::new(&mut file);
        for part in [&[0; 1 << 20][..], b"middle", &[0; 100], b"", &[0; 1 << 20]] {
            out.write_all(part).unwrap();
        }
        out.finish().unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), (2 << 20) + 106);
        assert!(meta.blocks() * 512 < 1 << 20);
        let mut content = Vec::new();
        file.rewind().unwrap();
        io::Read::read_to_end(&mut file, &mut content).unwrap();
        assert_eq!(&content[1 << 20..][..6], b"middle");
        assert_eq!(content.iter().filter(|b| **b != 0).count(), 6);
    }
}
