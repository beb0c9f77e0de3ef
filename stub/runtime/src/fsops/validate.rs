//! The `validate` option: a command that says whether new content may take its place.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

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
        Some(command) if !command.contains("%s") => Err(Failure::new(format!(
            "validate must contain %s: {command}"
        ))),
        _ => Ok(()),
    }
}

/// Runs the command with `%s` replaced by the path of the new content.
///
/// # Errors
/// Where it cannot be started, or ends with another code than 0: then with `rc`, `stdout` and `stderr`.
pub(crate) fn run(command: Option<&str>, path: &Path, ctx: &Context<'_>) -> Result<(), Failure> {
    let Some(command) = command else {
        return Ok(());
    };
    check(Some(command))?;
    let words = words(&command.replace("%s", &path.to_string_lossy()))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::new("validate is empty"));
    };
    let child = Command::new(program)
        .args(arguments)
        .envs(ctx.environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|e| {
        Failure::new(format!(
            "failed to validate: {}",
            super::errno::at(&e, Path::new(program))
        ))
    })?;
    let stderr = child.stderr.take();
    let reader = std::thread::spawn(move || read_all(stderr));
    let out = read_all(child.stdout.take());
    let err = reader.join().unwrap_or_default();
    let status = child
        .wait()
        .map_err(|e| Failure::new(format!("failed to validate: {e}")))?;
    if status.success() {
        return Ok(());
    }
    let rc = i64::from(status.code().unwrap_or(-1));
    Err(
        Failure::new(format!("failed to validate: rc:{rc} error:{err}"))
            .with("rc", Value::Int(rc))
            .with("stdout", out)
            .with("stderr", err),
    )
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
