//! Zip archives: `unzip` unpacks them, and what differs is found by their directory, since `unzip` cannot compare.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::fsops::mode::Mode;
use crate::fsops::{owners, write};
use crate::glob;
use crate::outcome::Failure;
use crate::process::{Run, find_program};

use super::{Extracted, Job, Seen, unreadable};

/// The record at the end without its comment, and the longest comment.
const END: u64 = 22;
const MAX_COMMENT: u64 = 0xffff;
/// The largest directory that is read, in bytes.
const MAX_DIRECTORY: u64 = 256 << 20;
/// The systems of the first byte after the version that made an entry, which say permissions as Unix does.
const UNIX: u8 = 3;
const OS_X: u8 = 19;

/// A zip archive.
pub(super) struct Zip {
    entries: Vec<Entry>,
    /// What stays as it is, for it is newer.
    newer: Vec<String>,
}

struct Entry {
    name: String,
    /// Permissions with the file's kind, where it was made by a Unix.
    mode: Option<u32>,
    size: u64,
    crc: u32,
    /// In seconds since 1970.
    time: i64,
}

impl Entry {
    fn is_dir(&self) -> bool {
        self.name.ends_with('/')
    }

    fn is_link(&self) -> bool {
        self.mode.is_some_and(|m| m & 0o170_000 == 0o120_000)
    }

    fn kind(&self) -> char {
        match (self.is_dir(), self.is_link()) {
            (true, _) => 'd',
            (_, true) => 'L',
            _ => 'f',
        }
    }
}

impl Zip {
    /// Reads its directory; `None` where it is no zip archive.
    pub(super) fn open(job: &Job<'_>) -> Result<Option<Zip>, Failure> {
        let read = File::open(&job.src).and_then(|mut file| directory(&mut file));
        let entries = match read {
            Ok(Some(entries)) => entries,
            // What cannot be read at all is told by tar.
            Ok(None) | Err(_) => return Ok(None),
        };
        let takes = |entry: &Entry| {
            let fits = |patterns: &[String]| {
                let name = entry.name.as_ref();
                patterns.iter().any(|p| *p == entry.name || glob::matches_name(name, p))
            };
            (job.include.is_empty() || fits(&job.include)) && !fits(&job.exclude)
        };
        let entries = entries.into_iter().filter(takes).collect();
        Ok(Some(Zip { entries, newer: Vec::new() }))
    }

    /// Looks at what is there.
    pub(super) fn look(&mut self, job: &Job<'_>) -> Result<Seen, Failure> {
        let mut differences = String::new();
        for entry in &self.entries {
            let Some(path) = job.place(&entry.name) else {
                continue;
            };
            match compared(job, entry, &path)? {
                Compared::Same => {}
                Compared::Newer => self.newer.push(entry.name.clone()),
                Compared::Differs(how) => differences.push_str(&format!("{how} {}\n", entry.name)),
            }
        }
        Ok(Seen {
            // What was asked for and is not there is told by unzip.
            unpacked: differences.is_empty() && (job.include.is_empty() || !self.entries.is_empty()),
            members: self.entries.iter().map(|e| e.name.clone()).collect(),
            differences,
        })
    }

    /// Unpacks it.
    pub(super) fn extract(&self, job: &Job<'_>) -> Result<Extracted, Failure> {
        let Some(program) = find_program(job.ctx, "unzip") else {
            let why = "Unable to find required 'unzip' or 'zipinfo' binary in the path".to_owned();
            return Err(unreadable(&job.src, &[("unzip".to_owned(), why)]));
        };
        let mut arguments: Vec<OsString> = vec!["-o".into()];
        arguments.extend(job.options.iter().map(OsString::from));
        arguments.push(job.src.clone().into());
        arguments.extend(job.include.iter().map(OsString::from));
        if !job.exclude.is_empty() || !self.newer.is_empty() {
            arguments.push("-x".into());
            arguments.extend(job.exclude.iter().chain(&self.newer).map(OsString::from));
        }
        arguments.push("-d".into());
        arguments.push(job.folder().into());
        let mut command = vec![program.display().to_string()];
        command.extend(arguments.iter().map(|a| a.to_string_lossy().into_owned()));
        let done = Run::new(&program).args(arguments).within(job.ctx).run()?;
        Ok(Extracted { command, done })
    }
}

enum Compared {
    Same,
    /// It is newer than the archive's, and stays.
    Newer,
    /// As rsync would tell it.
    Differs(String),
}

fn compared(job: &Job<'_>, entry: &Entry, path: &Path) -> Result<Compared, Failure> {
    let kind = entry.kind();
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return Ok(Compared::Differs(format!(">{kind}++++++.??")));
    };
    let same_kind = match kind {
        'd' => meta.is_dir(),
        'L' => meta.is_symlink(),
        _ => meta.is_file(),
    };
    if !same_kind {
        return Ok(Compared::Differs(format!("c{kind}++++++.??")));
    }
    let mut how: Vec<char> = format!(".{kind}.......??").chars().collect();
    if kind == 'f' {
        if meta.mtime() > entry.time && job.args.bool("keep_newer") {
            return Ok(Compared::Newer);
        }
        if meta.mtime() != entry.time {
            how[4] = 't';
        }
        if meta.len() != entry.size {
            how[3] = 's';
        }
        let crc = crc(path).map_err(|e| {
            Failure::new(format!("Could not read {}", crate::fsops::errno::at(&e, path)))
        })?;
        if crc != entry.crc {
            how[2] = 'c';
        }
    }
    if kind != 'L' && mode(job, entry, &meta)?.is_some_and(|m| m != meta.permissions().mode() & 0o7777) {
        how[5] = 'p';
    }
    // Owner and group stand at one place, as under Ansible.
    if wanted(job, "owner", owners::uid).is_some_and(|uid| uid != meta.uid()) {
        how[6] = 'o';
    }
    if wanted(job, "group", owners::gid).is_some_and(|gid| gid != meta.gid()) {
        how[6] = 'g';
    }
    let how: String = [how[..8].iter().collect(), ".??".to_owned()].concat();
    Ok(match how[2..].starts_with("......") {
        true => Compared::Same,
        false => Compared::Differs(how),
    })
}

/// The number of the owner or group that the task asks for.
fn wanted(job: &Job<'_>, name: &str, number: fn(&str) -> Option<u32>) -> Option<u32> {
    let text = job.args.str(name)?;
    text.parse().ok().or_else(|| number(text))
}

/// The permissions that it will have: those of the task, else those of the archive, else what the umask leaves.
fn mode(job: &Job<'_>, entry: &Entry, meta: &Metadata) -> Result<Option<u32>, Failure> {
    let current = meta.permissions().mode() & 0o7777;
    if let Some(wanted) = job.wanted.mode() {
        let wanted = Mode::parse(wanted).map_err(Failure::new)?;
        return Ok(Some(wanted.apply(current, meta.is_dir(), write::umask())));
    }
    Ok(Some(match entry.mode {
        Some(mode) => mode & 0o7777,
        None => (if entry.is_dir() { 0o777 } else { 0o666 }) & !write::umask(),
    }))
}

fn crc(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// The entries of a zip archive's directory; `None` where there is none.
fn directory(file: &mut File) -> io::Result<Option<Vec<Entry>>> {
    let length = file.metadata()?.len();
    let tail = length.min(END + MAX_COMMENT);
    let mut end = vec![0u8; usize::try_from(tail).unwrap_or_default()];
    file.seek(SeekFrom::Start(length - tail))?;
    file.read_exact(&mut end)?;
    let Some(at) = (0..end.len().saturating_sub(END as usize - 1)).rev().find(|at| end[*at..].starts_with(b"PK\x05\x06")) else {
        return Ok(None);
    };
    let record = Fields(&end[at..]);
    let (mut size, mut offset) = (u64::from(record.u32(12)), u64::from(record.u32(16)));
    // A large one has another record before, and a word in front of this one that says where.
    if let Some(before) = at.checked_sub(20).filter(|b| end[*b..].starts_with(b"PK\x06\x07")) {
        let mut large = [0u8; 56];
        file.seek(SeekFrom::Start(Fields(&end[before..]).u64(8)))?;
        file.read_exact(&mut large)?;
        if large.starts_with(b"PK\x06\x06") {
            (size, offset) = (Fields(&large).u64(40), Fields(&large).u64(48));
        }
    }
    if size > MAX_DIRECTORY || offset.saturating_add(size) > length {
        return Ok(None);
    }
    // What was put in front of the archive moves all of it.
    let place = (length - tail + at as u64).saturating_sub(size);
    let offset = if offset + size <= place { offset } else { place };
    let mut bytes = vec![0u8; usize::try_from(size).unwrap_or_default()];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(Some(entries(&bytes)))
}

fn entries(bytes: &[u8]) -> Vec<Entry> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|r| r.starts_with(b"PK\x01\x02") && r.len() >= 46) {
        let fields = Fields(rest);
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(fields.u16(at)));
        let Some(named) = rest.get(46..46 + name) else {
            break;
        };
        let more = rest.get(46 + name..46 + name + extra).unwrap_or_default();
        let made_by = fields.u16(4).to_le_bytes()[1];
        let mut size = u64::from(fields.u32(24));
        let mut time = dos_time(fields.u16(14), fields.u16(12));
        for (id, body) in extras(more) {
            match id {
                // Sizes of 64 bits, where those of 32 are full.
                1 if size == 0xffff_ffff && body.len() >= 8 => size = Fields(body).u64(0),
                // A time in UTC, if the first bit says so.
                0x5455 if body.len() >= 5 && body[0] & 1 == 1 => {
                    time = i64::from(i32::from_le_bytes([body[1], body[2], body[3], body[4]]));
                }
                _ => {}
            }
        }
        let mode = fields.u32(38) >> 16;
        out.push(Entry {
            name: String::from_utf8_lossy(named).into_owned(),
            mode: (matches!(made_by, UNIX | OS_X) && mode != 0).then_some(mode),
            size,
            crc: fields.u32(16),
            time,
        });
        at += 46 + name + extra + comment;
    }
    out
}

/// The extra fields of an entry.
fn extras(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_at_checked(4)?;
        let (body, rest) = rest.split_at_checked(usize::from(Fields(head).u16(2)))?;
        bytes = rest;
        Some((Fields(head).u16(0), body))
    })
}

/// Numbers in a record, little-endian. What is behind its end is zero.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let found = self.0.get(at..at + N).and_then(|b| b.try_into().ok());
        found.unwrap_or([0; N])
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}

/// The local time of MS-DOS, two seconds exact, in seconds since 1970. A time that is none counts as the first.
fn dos_time(date: u16, time: u16) -> i64 {
    let part = |value: u16, from: u32, bits: u32| i8::try_from((value >> from) & ((1 << bits) - 1)).unwrap_or(0);
    let year = 1980 + i16::try_from(date >> 9).unwrap_or(0);
    let found = DateTime::new(
        year,
        part(date, 5, 4),
        part(date, 0, 5),
        part(time, 11, 5),
        part(time, 5, 6),
        part(time, 0, 5) * 2,
        0,
    );
    found
        .and_then(|t| t.to_zoned(TimeZone::system()))
        .map_or(0, |t| t.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_ms_dos() {
        let local = DateTime::new(2020, 1, 2, 3, 4, 6, 0).and_then(|t| t.to_zoned(TimeZone::system()));
        let expected = local.map(|t| t.timestamp().as_second()).unwrap_or_default();
        assert_eq!(dos_time((40 << 9) | (1 << 5) | 2, (3 << 11) | (4 << 5) | 3), expected);
        assert_eq!(dos_time(0, 0), 0);
    }

    #[test]
    fn a_directory_that_is_cut_or_broken_gives_what_it_has() {
        let mut one = vec![0u8; 46];
        one[..4].copy_from_slice(b"PK\x01\x02");
        one[5] = UNIX;
        one[28] = 1;
        one[38..42].copy_from_slice(&(0o100_644u32 << 16).to_le_bytes());
        one.push(b'a');
        let read = entries(&[&one[..], &one[..20]].concat());
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].name.as_str(), read[0].mode), ("a", Some(0o100_644)));
        assert!(entries(&one[..46]).is_empty());
        assert_eq!(extras(&[1, 0, 9, 0, 1]).count(), 0);
    }
}
