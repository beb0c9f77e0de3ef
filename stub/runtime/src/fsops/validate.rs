//! The `validate` option: a command that says whether new content may take its place.

use std::path::Path;

use rustle_formats::Value;

use crate::context::Context;
use crate::outcome::Failure;
use crate::process;

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
    let not_run = |e: String| Invalid::NotRun(Failure::new(format!("failed to validate: {e}")));
    check(Some(command)).map_err(Invalid::NotRun)?;
    let words = process::split(&command.replace("%s", &path.to_string_lossy())).map_err(not_run)?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Invalid::NotRun(Failure::new("validate is empty")));
    };
    let done = process::Run::new(program)
        .args(arguments)
        .within(ctx)
        .run()
        .map_err(|e| not_run(e.to_string()))?;
    if done.rc == 0 {
        return Ok(());
    }
    Err(Invalid::Refused {
        rc: i64::from(done.rc),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_the_placeholder() {
        assert!(check(Some("true")).is_err());
        assert!(check(None).is_ok());
    }
}
