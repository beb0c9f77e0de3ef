//! What a push is given beside the artifact: variables, secrets from files, answers of the user.

use std::path::Path;

use rustle_controller::ssh::Question;
use rustle_formats::{Map, Value};
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::Failure;

/// Extra variables: `@FILE`, JSON, or `k=v` words.
pub(super) fn extra(text: &str) -> Result<Map, Failure> {
    let wrong = |why: String| Failure::text(Exit::Usage, format!("--extra-vars: {why}"));
    let (json, from) = match text.strip_prefix('@') {
        Some(file) => (
            std::fs::read_to_string(file).map_err(|e| wrong(format!("{file}: {e}")))?,
            file,
        ),
        None => (text.to_owned(), "the value"),
    };
    if text.starts_with('@') || json.trim_start().starts_with('{') {
        return match serde_json::from_str(&json) {
            Ok(Value::Map(map)) => Ok(map),
            Ok(_) => Err(wrong(format!("{from} is no JSON object"))),
            Err(e) => Err(wrong(format!("{from}: {e}"))),
        };
    }
    json.split_whitespace()
        .map(|word| {
            word.split_once('=')
                .map(|(k, v)| (k.to_owned(), Value::Str(v.to_owned())))
                .ok_or_else(|| wrong(format!("`{word}` is not KEY=VALUE")))
        })
        .collect()
}

/// A file with a secret in it, without the final end of line.
pub(super) fn secret_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text =
        Zeroizing::new(std::fs::read_to_string(path).map_err(Failure::io("read", path))?);
    // One end of line, as when packing.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

pub(crate) fn own_name() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "root".to_owned())
}

/// What was given beforehand, so that nobody needs to be asked.
pub(super) struct Given {
    /// The password of `--password-file`.
    pub(super) password: Option<Zeroizing<String>>,
    /// The passphrase of `--ssh-passphrase-file`.
    pub(super) passphrase: Option<Zeroizing<String>>,
}

/// Asks on the terminal, or answers with what was given.
pub(super) fn ask(question: Question<'_>, given: &Given) -> Option<Zeroizing<String>> {
    let answer = match question {
        Question::Password { .. } => &given.password,
        Question::Passphrase { .. } => &given.passphrase,
        Question::Prompt { .. } => &None,
    };
    if answer.is_some() {
        return answer.clone();
    }
    let text = match question {
        Question::Password { of } => format!("Password of {of}: "),
        Question::Passphrase { file } => format!("Passphrase of {file}: "),
        Question::Prompt { text, .. } => text.to_owned(),
    };
    crate::terminal::ask(&text)
}
