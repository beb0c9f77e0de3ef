//! Proving who we are: agent, key files, keyboard-interactive, password, in ssh's own order.

use std::path::{Path, PathBuf};

use ssh2::{KeyboardInteractivePrompt, Prompt, Session};
use zeroize::Zeroizing;

use super::{Ask, ConnectError, Question, SshOptions};

/// How often a passphrase or a password is asked for.
const TRIES: usize = 3;

/// Tries what the server allows, in order.
pub(super) fn authenticate(
    session: &Session,
    user: &str,
    host: &str,
    options: &SshOptions,
) -> Result<(), ConnectError> {
    let methods = match session.auth_methods(user) {
        Ok(methods) => methods.to_owned(),
        // The server took us without asking anything.
        Err(_) if session.authenticated() => return Ok(()),
        Err(e) => {
            return Err(ConnectError::Protocol(format!(
                "{host}: the server does not say how to log in: {}",
                e.message()
            )));
        }
    };
    let mut tried: Vec<String> = Vec::new();
    if methods.contains("publickey") {
        let named = options.only_named.then_some(options.key_files.as_slice());
        if options.agent && by_agent(session, user, named, &mut tried) {
            return Ok(());
        }
        for file in &options.key_files {
            if by_key_file(session, user, file, options.ask.as_deref(), &mut tried) {
                return Ok(());
            }
        }
    }
    let ask = options.ask.as_deref();
    if methods.contains("keyboard-interactive")
        && by_questions(session, user, host, ask, &mut tried)
    {
        return Ok(());
    }
    if methods.contains("password") && by_password(session, user, host, ask, &mut tried) {
        return Ok(());
    }
    Err(ConnectError::Authentication(format!(
        "{user}@{host} refused us (it takes {methods}); tried: {}",
        if tried.is_empty() {
            "nothing, there is no agent, key file or password to try".to_owned()
        } else {
            tried.join("; ")
        }
    )))
}

/// Asks the agent to sign, with the keys of these files or with all that it has.
fn by_agent(
    session: &Session,
    user: &str,
    named: Option<&[PathBuf]>,
    tried: &mut Vec<String>,
) -> bool {
    let Ok(mut agent) = session.agent() else {
        return false;
    };
    if agent.connect().is_err() || agent.list_identities().is_err() {
        return false;
    }
    let mut identities = agent.identities().unwrap_or_default();
    if let Some(files) = named {
        let wanted: Vec<Vec<u8>> = files.iter().filter_map(|f| public_key(f)).collect();
        identities.retain(|identity| wanted.iter().any(|key| key == identity.blob()));
        if identities.is_empty() {
            return false;
        }
    }
    for identity in &identities {
        if agent.userauth(user, identity).is_ok() {
            return true;
        }
    }
    tried.push(format!("{} keys of the agent", identities.len()));
    false
}

fn by_key_file(
    session: &Session,
    user: &str,
    file: &Path,
    ask: Option<&Ask>,
    tried: &mut Vec<String>,
) -> bool {
    if !file.exists() {
        return false;
    }
    let name = file.display().to_string();
    let encrypted = std::fs::read_to_string(file).is_ok_and(|text| is_encrypted(&text));
    if !encrypted {
        let outcome = session.userauth_pubkey_file(user, None, file, None);
        if let Err(e) = &outcome {
            tried.push(format!("{name} ({})", e.message()));
        }
        return outcome.is_ok();
    }
    for _ in 0..TRIES {
        let Some(passphrase) = ask.and_then(|ask| ask(Question::Passphrase { file: &name })) else {
            tried.push(format!("{name} (it has a passphrase, and nobody gave it)"));
            return false;
        };
        match session.userauth_pubkey_file(user, None, file, Some(&passphrase)) {
            Ok(()) => return true,
            // -18: the key was read and the server does not want it; asking again does not help.
            Err(e) if e.code() == ssh2::ErrorCode::Session(-18) => {
                tried.push(format!("{name} ({})", e.message()));
                return false;
            }
            Err(_) => {}
        }
    }
    tried.push(format!("{name} (wrong passphrase)"));
    false
}

/// Whether a private key file asks for a passphrase, by what its format says in the clear.
fn is_encrypted(text: &str) -> bool {
    if text.contains("ENCRYPTED") {
        return true;
    }
    let Some(body) = text
        .split_once("-----BEGIN OPENSSH PRIVATE KEY-----")
        .and_then(|(_, rest)| rest.split_once("-----END"))
        .map(|(body, _)| body)
    else {
        return false;
    };
    let Some(bytes) = decoded(body) else {
        return false;
    };
    // magic, then the cipher's name with its length
    bytes.starts_with(MAGIC) && bytes.get(MAGIC.len() + 4..MAGIC.len() + 8) != Some(b"none")
}

/// What lies in a private key of OpenSSH begins so.
const MAGIC: &[u8] = b"openssh-key-v1\0";

fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let compact: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .ok()
}

/// The public half of a key, as an agent tells it: from the file beside it, else from the key itself, where OpenSSH's format has it
/// in the clear.
fn public_key(file: &Path) -> Option<Vec<u8>> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    let of_line = |text: String| decoded(text.split_whitespace().nth(1)?);
    let beside = std::fs::read_to_string(beside).ok();
    beside.and_then(of_line).or_else(|| {
        let text = std::fs::read_to_string(file).ok()?;
        let Some((_, body)) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----") else {
            return of_line(text);
        };
        let bytes = decoded(body.split_once("-----END")?.0)?;
        let mut rest = bytes.strip_prefix(MAGIC)?;
        // Cipher, the derivation of its key, and what that takes.
        for _ in 0..3 {
            rest = text_of(rest)?.1;
        }
        let after_count = rest.get(4..)?;
        Some(text_of(after_count)?.0.to_vec())
    })
}

/// A text that its length stands before, and what comes after it.
fn text_of(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

struct Questions<'a> {
    of: String,
    ask: Option<&'a Ask>,
    /// Whether anything was asked for that nobody answered.
    silent: bool,
}

impl KeyboardInteractivePrompt for Questions<'_> {
    fn prompt<'b>(&mut self, _: &str, _: &str, prompts: &[Prompt<'b>]) -> Vec<String> {
        prompts
            .iter()
            .map(|prompt| {
                let question = if prompt.text.to_lowercase().contains("password") {
                    Question::Password { of: &self.of }
                } else {
                    Question::Prompt {
                        text: &prompt.text,
                        echo: prompt.echo,
                    }
                };
                match self.ask.and_then(|ask| ask(question)) {
                    Some(answer) => answer.to_string(),
                    None => {
                        self.silent = true;
                        String::new()
                    }
                }
            })
            .collect()
    }
}

fn by_questions(
    session: &Session,
    user: &str,
    host: &str,
    ask: Option<&Ask>,
    tried: &mut Vec<String>,
) -> bool {
    if ask.is_none() {
        return false;
    }
    for _ in 0..TRIES {
        let mut questions = Questions {
            of: format!("{user}@{host}"),
            ask,
            silent: false,
        };
        if session
            .userauth_keyboard_interactive(user, &mut questions)
            .is_ok()
        {
            return true;
        }
        if questions.silent {
            return false;
        }
    }
    tried.push("keyboard-interactive (refused)".to_owned());
    false
}

fn by_password(
    session: &Session,
    user: &str,
    host: &str,
    ask: Option<&Ask>,
    tried: &mut Vec<String>,
) -> bool {
    let of = format!("{user}@{host}");
    for _ in 0..TRIES {
        let Some(password): Option<Zeroizing<String>> =
            ask.and_then(|ask| ask(Question::Password { of: &of }))
        else {
            return false;
        };
        if session.userauth_password(user, &password).is_ok() {
            return true;
        }
    }
    tried.push("password (refused)".to_owned());
    false
}
