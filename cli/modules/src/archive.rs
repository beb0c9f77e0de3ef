//! A ZIP archive as Python imports from: files stored as they are, since the artifact compresses, and nothing in it that
//! depends on when or where it was made.

use std::collections::BTreeMap;

use flate2::Crc;

/// The first of January 1980, where ZIP begins to count.
const DATE: u16 = 0x21;

/// Version 1.0 is all that stored files need.
const VERSION: u16 = 10;

/// The archive of files by their names.
pub(crate) fn of(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(content);
        let offset = out.len() as u32;
        let mut about = Vec::new();
        for number in [VERSION, 0, 0, 0, DATE] {
            about.extend_from_slice(&number.to_le_bytes());
        }
        for number in [crc.sum(), content.len() as u32, content.len() as u32] {
            about.extend_from_slice(&number.to_le_bytes());
        }
        for number in [name.len() as u16, 0] {
            about.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&about);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(content);
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&VERSION.to_le_bytes());
        directory.extend_from_slice(&about);
        // No comment, on the first disk, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (count, begin) = (files.len() as u16, out.len() as u32);
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&begin.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn python_reads_it() {
        let files = BTreeMap::from([
            (
                "__main__.py".to_owned(),
                b"import a.b\nprint(a.b.x)".to_vec(),
            ),
            ("a/__init__.py".to_owned(), Vec::new()),
            ("a/b.py".to_owned(), b"x = 'here'\n".to_vec()),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, of(&files)).unwrap();
        let Ok(done) = Command::new("/usr/bin/python3").arg(&path).output() else {
            eprintln!("skipped: this machine has no /usr/bin/python3");
            return;
        };
        assert_eq!(String::from_utf8_lossy(&done.stdout), "here\n", "{done:?}");
    }
}
