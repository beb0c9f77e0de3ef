//! What runs a module: the machine's Python, or what the module's first line names. The variables
//! `ansible_NAME_interpreter` say otherwise.

use std::path::Path;

use rustle_formats::Value;

use crate::context::Context;
use crate::outcome::Failure;
use crate::process::{find_program, split};

/// Where the system's own Python is: it has the bindings to the system that modules ask for.
const PYTHONS: &[&str] = &[
    "/usr/bin/python3",
    "/usr/libexec/platform-python",
    "/usr/local/bin/python3",
];

/// The program and its options that run Python modules.
///
/// # Errors
/// Where the machine has no Python, or the variable that names one is wrong.
pub(super) fn python(module: &str, ctx: &Context<'_>) -> Result<Vec<String>, Failure> {
    if let Some(words) = named("python", ctx)? {
        return Ok(words);
    }
    let there = PYTHONS.iter().find(|path| Path::new(path).exists());
    let found = there
        .map(|path| (*path).to_owned())
        .or_else(|| Some(find_program(ctx, "python3")?.to_string_lossy().into_owned()));
    found.map(|path| vec![path]).ok_or_else(|| {
        Failure::new(format!(
            "the module '{module}' is written in Python, and this machine has none: neither {} nor python3 in PATH. \
             Install it, or name it in ansible_python_interpreter",
            PYTHONS.join(", ")
        ))
    })
}

/// The program and its options that run a script whose first line is given.
///
/// # Errors
/// Where the line names no program, or a variable that replaces it is wrong.
pub(super) fn of_line(module: &str, line: &str, ctx: &Context<'_>) -> Result<Vec<String>, Failure> {
    let missing = || {
        Failure::new(format!(
            "Task failed: module ({module}) is missing interpreter line"
        ))
    };
    let written = line.strip_prefix("#!").ok_or_else(missing)?;
    let words = split(written.trim()).map_err(Failure::new)?;
    let (mut program, mut rest) = words.split_first().ok_or_else(missing)?;
    let name = |program: &String| {
        let path = Path::new(program);
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    // `env` only looks for the one that counts.
    if name(program) == "env" {
        (program, rest) = rest.split_first().ok_or_else(missing)?;
    }
    let name = name(program);
    let found = if name.starts_with("python") {
        python(module, ctx)?
    } else {
        named(&name, ctx)?.unwrap_or_else(|| vec![program.clone()])
    };
    Ok(found.into_iter().chain(rest.iter().cloned()).collect())
}

/// What the variable for an interpreter says; nothing where it asks for the one that is there.
fn named(name: &str, ctx: &Context<'_>) -> Result<Option<Vec<String>>, Failure> {
    let variable = format!("ansible_{name}_interpreter");
    let Some(variables) = ctx.variables else {
        return Ok(None);
    };
    let value = variables
        .get(&variable)
        .map_err(|why| Failure::new(format!("{variable}: {why}")))?;
    let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() || text.starts_with("auto") {
        return Ok(None);
    }
    let words = split(text).map_err(|why| Failure::new(format!("{variable}: {why}")))?;
    Ok(Some(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;

    #[test]
    fn the_first_line_names_what_runs_it() {
        let of = |line: &str| Trial::new().with(|ctx| of_line("m", line, ctx));
        assert_eq!(of("#!/bin/sh -e").unwrap(), ["/bin/sh", "-e"]);
        assert_eq!(of("#! /usr/bin/env ruby").unwrap(), ["ruby"]);
        assert!(
            of("echo")
                .unwrap_err()
                .msg
                .contains("missing interpreter line")
        );
        assert!(of("#!").is_err());
    }
}
