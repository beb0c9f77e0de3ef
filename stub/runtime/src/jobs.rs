//! The files that tell how background tasks stand, shared by the engine, which writes them, and `async_status`.

use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustle_formats::{Map, Value};

/// The largest state file that is read.
const MAX_STATE: u64 = 256 << 20;

/// The environment variable that names another folder for the files, as in Ansible.
pub(crate) const FOLDER: &str = "ANSIBLE_ASYNC_DIR";

/// How a background task stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// It is being done.
    Running,
    /// It ended, with this result.
    Finished(Map),
}

/// A name for a job that no other job has: like Ansible's, a random number and the process.
pub(crate) fn new_id(number: u64) -> String {
    let mut bytes = [0u8; 8];
    // Without randomness the counter and the process still make it unique on this machine.
    let _ = getrandom::fill(&mut bytes);
    let random = u64::from_le_bytes(bytes) % 1_000_000_000_000;
    format!("j{random:012}.{}", u64::from(std::process::id()) + number)
}

/// Whether a name can be a job's: it becomes part of a path.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() < 128
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        && !id.starts_with('.')
}

/// Makes the folder for state files.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// Says that a job is being done.
pub(crate) fn write_running(file: &Path, id: &str) -> io::Result<()> {
    let mut map = Map::new();
    map.insert("started".into(), true.into());
    map.insert("finished".into(), false.into());
    map.insert("ansible_job_id".into(), id.into());
    write(file, &map)
}

/// Says how a job ended.
pub(crate) fn write_finished(file: &Path, result: &Map) -> io::Result<()> {
    let mut map = result.clone();
    map.insert("started".into(), true.into());
    map.insert("finished".into(), true.into());
    write(file, &map)
}

/// Why a job is not under way.
pub(crate) fn unstarted(e: &io::Error) -> String {
    format!("cannot start the task in the background: {e}")
}

/// Replaces the file at once: a reader sees the old state or the new.
fn write(file: &Path, map: &Map) -> io::Result<()> {
    let text = serde_json::to_vec(map).map_err(io::Error::other)?;
    let next = file.with_extension("tmp");
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)?;
    io::Write::write_all(&mut out, &text)?;
    std::fs::rename(&next, file)
}

/// Reads how a job stands.
///
/// # Errors
/// A sentence, where there is no such job or its file cannot be read.
pub(crate) fn read(file: &Path) -> Result<State, String> {
    let size = match std::fs::metadata(file) {
        Ok(meta) => meta.len(),
        // The job was started a moment ago and has not written its state yet.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(State::Running),
        Err(e) => return Err(format!("cannot read {}: {e}", file.display())),
    };
    if size > MAX_STATE {
        return Err(format!("{} is too large", file.display()));
    }
    let bytes = std::fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let map: Map = serde_json::from_slice(&bytes).map_err(|_| {
        format!(
            "Could not parse job output: {}",
            String::from_utf8_lossy(&bytes)
        )
    })?;
    if matches!(map.get("finished"), Some(Value::Bool(true) | Value::Int(1))) {
        return Ok(State::Finished(map));
    }
    Ok(State::Running)
}

/// The result of a job that ended, as `async_status` gives it.
pub(crate) fn finished(id: &str, file: &Path, mut map: Map) -> Map {
    for stream in ["stdout", "stderr"] {
        map.entry(stream.into()).or_insert_with(|| "".into());
    }
    map.insert("ansible_job_id".into(), id.into());
    map.insert(
        "results_file".into(),
        file.to_string_lossy().as_ref().into(),
    );
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("j1.2");
        write_running(&file, "j1.2").unwrap();
        assert_eq!(read(&file), Ok(State::Running));
        let mut map = Map::new();
        map.insert("rc".into(), 0.into());
        write_finished(&file, &map).unwrap();
        let Ok(State::Finished(back)) = read(&file) else {
            panic!("not finished");
        };
        assert_eq!(back["rc"], 0.into());
        assert!(is_id("j012.34") && !is_id("../x") && !is_id("a/b") && !is_id(""));
        assert!(is_id(&new_id(1)));
    }
}
