//! The audit log: what ran where, by whom, with which artifact. It is only ever appended to, and every entry carries the digest of the
//! one before, so that nobody can take a line out or change one without all later ones telling.
//!
//! Whoever can write the file can write a new one from its beginning: compare the last digest with one that is kept elsewhere.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::record::instant;

/// The version of an entry.
const VERSION: u32 = 1;
/// What the first entry carries in place of a digest.
const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// More than any line has, in bytes: so far back the last one is looked for.
const LONGEST: u64 = 16 << 20;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Who {
    /// The user's name, as the machine knows it.
    pub user: String,
    /// The user's number.
    pub uid: u32,
    /// Who became this user by sudo, as sudo says.
    pub sudo_user: Option<String>,
    /// The machine that it was done from.
    pub machine: String,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum Deed {
    /// A run began.
    Started {
        /// The run.
        run: String,
        /// The command and what it was given, without variables.
        what: String,
        /// Whether nothing was to be changed.
        check: bool,
        /// The hosts.
        hosts: Vec<String>,
        /// The root of the artifact, in hexadecimal.
        root: Option<String>,
    },
    /// It ended.
    Ended {
        /// The run.
        run: String,
        /// Its exit code.
        exit_code: u8,
        /// How it went, by host: `ok`, `changed`, `failed`, `unreachable`.
        hosts: indexmap::IndexMap<String, String>,
    },
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of this shape: 1.
    pub version: u32,
    /// Counts from 1.
    pub seq: u64,
    /// When: RFC 3339, UTC.
    pub time: String,
    /// Who.
    pub who: Who,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
    /// The BLAKE3 of the line before, without its newline, in hexadecimal; zeros for the first.
    pub previous: String,
}

/// The log.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
}

/// The log, when all of it is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// The digest of the last line: whoever keeps it elsewhere can tell later that nothing before was changed.
    pub last: String,
}

/// What is wrong with a log.
#[derive(Debug)]
pub enum AuditError {
    /// It cannot be read or written.
    Io(io::Error),
    /// A line is not what was written there, or one is missing before it.
    Broken {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl From<io::Error> for AuditError {
    fn from(e: io::Error) -> AuditError {
        AuditError::Io(e)
    }
}

impl Audit {
    /// The log in this file, which need not be there.
    pub fn at(path: PathBuf) -> Audit {
        Audit { path }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an entry; it is on the disk when this returns. Runs that end at the same time wait for each other.
    ///
    /// # Errors
    /// The file cannot be written, or its last line is broken: a chain that is torn is not carried on.
    pub fn append(&self, now_ms: u64, who: &Who, deed: Deed) -> Result<(), AuditError> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from)?;
        let (seq, previous) = last(&mut file)?;
        let entry = Entry {
            version: VERSION,
            seq: seq + 1,
            time: instant(now_ms).to_string(),
            who: who.clone(),
            deed,
            previous,
        };
        let mut line = serde_json::to_string(&entry).map_err(io::Error::other)?;
        line.push('\n');
        let before = file.metadata()?.len();
        if let Err(e) = file
            .write_all(line.as_bytes())
            .and_then(|()| file.sync_data())
        {
            // A disk that is full takes half of a line, and a chain that is torn is not carried on: the log is put back.
            file.set_len(before)?;
            return Err(e.into());
        }
        Ok(())
    }

    /// Reads all of it and checks the chain.
    ///
    /// # Errors
    /// The first line that is not as it was written.
    pub fn verify(&self) -> Result<Verified, AuditError> {
        let mut entries = Vec::new();
        let mut previous = NONE.to_owned();
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Verified {
                    entries,
                    last: previous,
                });
            }
            Err(e) => return Err(e.into()),
        };
        for (at, line) in BufReader::new(file).lines().enumerate() {
            let line = line?;
            let broken = |why: String| AuditError::Broken { line: at + 1, why };
            let entry: Entry = serde_json::from_str(&line).map_err(|e| broken(e.to_string()))?;
            if entry.previous != previous {
                return Err(broken("it does not follow the line before".to_owned()));
            }
            if entry.seq != at as u64 + 1 {
                return Err(broken(format!("its number is {}", entry.seq)));
            }
            previous = digest(line.as_bytes());
            entries.push(entry);
        }
        Ok(Verified {
            entries,
            last: previous,
        })
    }
}

fn digest(line: &[u8]) -> String {
    blake3::hash(line).to_hex().to_string()
}

/// The number and the digest of the last line.
fn last(file: &mut File) -> Result<(u64, String), AuditError> {
    let len = file.metadata()?.len();
    if len == 0 {
        return Ok((0, NONE.to_owned()));
    }
    let from = len.saturating_sub(LONGEST);
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(len - from).read_to_end(&mut text)?;
    let broken = |why: &str| AuditError::Broken {
        line: text.iter().filter(|b| **b == b'\n').count().max(1),
        why: why.to_owned(),
    };
    let Some(rest) = text.strip_suffix(b"\n") else {
        return Err(broken("it has no end"));
    };
    let start = rest
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let line = &rest[start..];
    let entry: Entry = serde_json::from_slice(line).map_err(|_| broken("it is no entry"))?;
    Ok((entry.seq, digest(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(run: &str) -> Deed {
        Deed::Ended {
            run: run.to_owned(),
            exit_code: 0,
            hosts: [("web1".to_owned(), "changed".to_owned())]
                .into_iter()
                .collect(),
        }
    }

    fn log(entries: usize) -> (tempfile::TempDir, Audit) {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::at(dir.path().join("state/audit.jsonl"));
        for n in 0..entries {
            audit
                .append(1000 * n as u64, &Who::default(), ended(&format!("run{n}")))
                .unwrap();
        }
        (dir, audit)
    }

    #[test]
    fn a_log_as_it_was_written_is_whole() {
        let (_dir, audit) = log(3);
        let verified = audit.verify().unwrap();
        assert_eq!(verified.entries.len(), 3);
        assert_eq!(verified.entries[2].seq, 3);
        assert_eq!(verified.entries[1].time, "1970-01-01T00:00:01Z");
        assert_ne!(verified.last, NONE);
    }

    #[test]
    fn every_change_of_a_line_tells() {
        let (_dir, audit) = log(3);
        let whole = std::fs::read_to_string(audit.path()).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let without = |at: usize| {
            let mut kept = lines.clone();
            kept.remove(at);
            kept.join("\n") + "\n"
        };
        let wrong = [
            whole.replace("run1", "runX"),
            without(0),
            without(1),
            format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]),
            format!("{whole}nonsense\n"),
        ];
        for text in wrong {
            std::fs::write(audit.path(), text).unwrap();
            assert!(matches!(audit.verify(), Err(AuditError::Broken { .. })));
        }
    }

    #[test]
    fn a_torn_log_is_not_carried_on() {
        let (_dir, audit) = log(1);
        let whole = std::fs::read_to_string(audit.path()).unwrap();
        std::fs::write(audit.path(), &whole[..whole.len() - 5]).unwrap();
        let done = audit.append(5, &Who::default(), ended("x"));
        assert!(matches!(done, Err(AuditError::Broken { .. })));
    }

    #[test]
    fn many_at_a_time_make_one_chain() {
        let (_dir, audit) = log(0);
        std::thread::scope(|scope| {
            for n in 0..8 {
                let audit = &audit;
                scope.spawn(move || {
                    for _ in 0..5 {
                        audit.append(n, &Who::default(), ended("r")).unwrap();
                    }
                });
            }
        });
        assert_eq!(audit.verify().unwrap().entries.len(), 40);
    }
}
