//! The lock that keeps two unrelated runs on one machine apart.
//!
//! Advisory (`flock`): it goes when its holder goes, however that happens. The file says who holds it, for the message.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::exit::{self, Failure};
use crate::places::{Surroundings, own_file};
use crate::signals;

/// Between two looks at a lock that another run holds.
const PAUSE: Duration = Duration::from_millis(100);

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock, waiting up to `wait`. `None` where the machine has no place for one.
///
/// # Errors
/// [`exit::BUSY`] where another run holds it, with that run's process; a lock file that was asked for and cannot be used.
pub(crate) fn take(
    surroundings: &Surroundings,
    asked_for: Option<&Path>,
    run_id: &str,
    wait: Duration,
) -> Result<Option<Lock>, Failure> {
    let candidates: Vec<PathBuf> = match asked_for {
        Some(path) => vec![path.to_owned()],
        None => surroundings.locks(),
    };
    for path in candidates {
        match own_file(&path) {
            Ok(file) => return hold(file, &path, run_id, wait).map(Some),
            Err(e) if asked_for.is_some() => {
                return Err(Failure::io(format!("the lock {}", path.display()), &e));
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

fn hold(mut file: File, path: &Path, run_id: &str, wait: Duration) -> Result<Lock, Failure> {
    let until = Instant::now() + wait;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            // A file system without locks: as if there were no place for one.
            Err(_) => return Ok(Lock { _file: file }),
        }
        if let Some((name, code)) = signals::ended_by() {
            return Err(Failure::new(
                code,
                format!("ended by {name} while waiting for the lock"),
            ));
        }
        if Instant::now() >= until {
            let mut holder = String::new();
            let _ = file.rewind();
            let _ = (&file).take(200).read_to_string(&mut holder);
            let pid = holder.split_whitespace().next().unwrap_or("unknown");
            return Err(Failure::new(
                exit::BUSY,
                format!(
                    "another run is under way on this machine: process {pid} holds {} (--wait-lock SECONDS waits for it)",
                    path.display()
                ),
            ));
        }
        sleep(PAUSE);
    }
    let _ = file.set_len(0);
    let _ = file.rewind();
    let _ = writeln!(file, "{} {run_id}", std::process::id());
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_run_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let s = Surroundings::default();
        let held = take(&s, Some(&path), "a", Duration::ZERO).unwrap();
        let busy = take(&s, Some(&path), "b", Duration::ZERO).unwrap_err();
        assert_eq!(busy.code, exit::BUSY);
        assert!(
            busy.message
                .contains(&format!("process {} holds", std::process::id())),
            "{}",
            busy.message
        );
        drop(held);
        assert!(
            take(&s, Some(&path), "b", Duration::ZERO)
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(take(&Surroundings::default(), Some(&path), "a", Duration::ZERO).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }
}
