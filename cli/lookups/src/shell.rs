//! `pipe` and `lines`: what a command of the controller prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustle_playbook::config::Config;
use rustle_template::{Error, LookupCall, Value};

use crate::arguments::terms;
use crate::failed;

pub(crate) fn pipe(
    config: &Config,
    call: &LookupCall<'_>,
    folders: &[PathBuf],
) -> Result<Vec<Value>, Error> {
    terms(call)?
        .iter()
        .map(|command| {
            let text = output(config, command, "pipe", folders)?;
            Ok(Value::str(text.trim_end()))
        })
        .collect()
}

pub(crate) fn lines(
    config: &Config,
    call: &LookupCall<'_>,
    folders: &[PathBuf],
) -> Result<Vec<Value>, Error> {
    let mut out = Vec::new();
    for command in terms(call)? {
        let text = output(config, &command, "lines", folders)?;
        out.extend(text.lines().map(Value::str));
    }
    Ok(out)
}

/// Runs a command in the playbook's folder, with the environment of this process as the configuration knows it.
fn output(
    config: &Config,
    command: &str,
    lookup: &str,
    folders: &[PathBuf],
) -> Result<String, Error> {
    let folder = folders.last().map_or(Path::new("."), PathBuf::as_path);
    let done = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .current_dir(folder)
        .env_clear()
        .envs(&config.environment().variables)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| failed(format!("/bin/sh cannot be started: {e}")))?;
    match done.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        code => Err(failed(format!(
            "lookup_plugin.{lookup}({command}) returned {}",
            code.unwrap_or_else(|| signal(&done.status))
        ))),
    }
}

/// What Python gives for a child that a signal ended.
fn signal(status: &std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal().map_or(-1, |signal| -signal)
}
