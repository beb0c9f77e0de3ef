//! The `validate` option: a command that says whether new content may take its place.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustle_formats::Value;

use crate::context::Context;
use crate::outcome::Failure;

/// Splits a command into words as a shell would, without expanding anything.
pub(crate) fn words(command: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                let mut closed = false;
                while let Some(inner) = chars.next() {
                    if inner == c {
                        closed = true;
                        break;
                    }
                    if inner == '\\' && c == '"' {
                        match chars.next() {
                            Some(e @ ('"' | '\\')) => word.push(e),
                            Some(e) => word.extend(['\\', e]),
                            None => break,
                        }
                    } else {
                        word.push(inner);
                    }
                }
                if !closed {
                    return Err(Failure::new(format!("No closing quotation: {command}")));
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Refuses a validate command without `%s`.
pub(crate) fn check(command: Option<&str>) -> Result<(), Failure> {
    match command {
        Some(command) if !command.contains("%s") => {
            Err(Failure::new(format!("validate must contain %s: {command}")))
        }
        _ => Ok(()),
    }
}

/// Why new content was refused.
pub(crate) enum Invalid {
    /// The command could not be run.
    NotRun(Failure),
    /// It ended with another code than 0.
    Refused {
        /// The code.
        rc: i64,
        /// What it printed.
        out: String,
        /// What it printed on standard error.
        err: String,
    },
}

impl Invalid {
    /// As the editing modules report it.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Invalid::NotRun(failure) => failure,
            Invalid::Refused { rc, err, .. } => {
                Failure::new(format!("failed to validate: rc:{rc} error:{err}"))
            }
        }
    }

    /// As `copy` reports it.
    pub(crate) fn into_copy_failure(self) -> Failure {
        match self {
            Invalid::NotRun(failure) => failure,
            Invalid::Refused { rc, out, err } => Failure::new("failed to validate")
                .with("exit_status", Value::Int(rc))
                .with("stdout", out)
                .with("stderr", err),
        }
    }
}

/// Runs the command, if there is one, with `%s` replaced by the path of the new content.
///
/// # Errors
/// Where it cannot be started, does not end in time, or ends with another code than 0.
pub(crate) fn run(command: Option<&str>, path: &Path, ctx: &Context<'_>) -> Result<(), Invalid> {
    let Some(command) = command else {
        return Ok(());
    };
    check(Some(command)).map_err(Invalid::NotRun)?;
    let words = words(&command.replace("%s", &path.to_string_lossy())).map_err(Invalid::NotRun)?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Invalid::NotRun(Failure::new("validate is empty")));
    };
    let cannot = |e: &std::io::Error| {
        Invalid::NotRun(Failure::new(format!(
            "failed to validate: {}",
            super::errno::at(e, Path::new(program))
        )))
    };
    let mut child = Command::new(program)
        .args(arguments)
        .envs(ctx.environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| cannot(&e))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let out = std::thread::spawn(move || read_all(stdout));
    let err = std::thread::spawn(move || read_all(stderr));
    let status = wait(&mut child, ctx).map_err(|e| cannot(&e))?;
    let (out, err) = (
        out.join().unwrap_or_default(),
        err.join().unwrap_or_default(),
    );
    if status.success() {
        return Ok(());
    }
    Err(Invalid::Refused {
        rc: i64::from(status.code().unwrap_or(-1)),
        out,
        err,
    })
}

/// Waits for the command; ends it when the task's time is over or the run is stopped.
fn wait(child: &mut Child, ctx: &Context<'_>) -> std::io::Result<ExitStatus> {
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if (ctx.cancelled)() || ctx.deadline.is_some_and(|d| Instant::now() >= d) {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn read_all(source: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut source) = source {
        // What was read before an error is still worth showing.
        let _ = source.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_like_a_shell() {
        let words = words(r#"visudo -cf '/a b' "c \"d\"" e\ f"#);
        assert_eq!(
            words.ok(),
            Some(vec![
                "visudo".into(),
                "-cf".into(),
                "/a b".into(),
                "c \"d\"".into(),
                "e f".into()
            ])
        );
    }

    #[test]
    fn needs_the_placeholder() {
        assert!(check(Some("true")).is_err());
        assert!(check(None).is_ok());
    }
}
