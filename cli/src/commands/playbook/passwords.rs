//! The passwords of connections and of becoming another user: asked for, in files, in the environment.

use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustle_playbook::config::Config;
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;

/// Where passwords come from.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(super) ask: bool,
    pub(super) ask_become: bool,
    pub(super) file: Option<PathBuf>,
    pub(super) become_file: Option<PathBuf>,
}

/// The passwords of a run. `Debug` hides them.
#[derive(Clone, Default)]
pub(crate) struct Passwords {
    /// For connections.
    pub(crate) connection: Option<Zeroizing<String>>,
    /// For becoming another user.
    pub(crate) becoming: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(…)")
    }
}

/// The variables that hold a password for becoming another user: a method, and its name.
const VARIABLES: &[(&str, &str)] = &[
    ("", "ANSIBLE_BECOME_PASS"),
    ("sudo", "ANSIBLE_SUDO_PASS"),
    ("su", "ANSIBLE_SU_PASS"),
    ("doas", "ANSIBLE_DOAS_PASS"),
];

/// What [`take_from_environment`] took.
static TAKEN: Mutex<Vec<(&str, Zeroizing<String>)>> = Mutex::new(Vec::new());

/// Takes passwords out of this process's environment, which every program that it starts would inherit.
///
/// # Safety
/// Only while this process has one thread.
pub(crate) unsafe fn take_from_environment() {
    let Ok(mut taken) = TAKEN.lock() else { return };
    for (method, name) in VARIABLES {
        if let Ok(text) = std::env::var(name) {
            taken.push((method, Zeroizing::new(text)));
            // SAFETY: the caller says that there is one thread.
            unsafe { std::env::remove_var(name) };
        }
    }
}

impl Wanted {
    /// Asks, in Ansible's order, and reads files. `method`: how the run becomes another user where nothing else is said.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(crate) fn get(&self, config: &Config, method: Option<&str>) -> Result<Passwords, Failure> {
        let method = method.or(config.text("DEFAULT_BECOME_METHOD"));
        let method = method.unwrap_or("sudo");
        let method = method.rsplit('.').next().unwrap_or(method);
        let mut connection = self.file.as_deref().map(password_of).transpose()?;
        if self.ask && self.file.is_none() {
            connection = ask("SSH password: ");
        }
        let mut becoming = self.become_file.as_deref().map(password_of).transpose()?;
        if self.ask_become && self.become_file.is_none() {
            let what = match config.flag("AGNOSTIC_BECOME_PROMPT") {
                true => "BECOME".to_owned(),
                false => method.to_uppercase(),
            };
            becoming = ask(&match self.ask {
                true => format!("{what} password[defaults to SSH password]: "),
                false => format!("{what} password: "),
            });
            if self.ask && becoming.as_ref().is_none_or(|text| text.is_empty()) {
                becoming.clone_from(&connection);
            }
        }
        Ok(Passwords {
            connection,
            becoming: becoming.or_else(|| set(config, method)),
        })
    }
}

/// The password that the environment or ansible.cfg has for the method.
fn set(config: &Config, method: &str) -> Option<Zeroizing<String>> {
    let taken = TAKEN.lock().ok()?;
    let of = |wanted: &str| taken.iter().find(|(of, _)| *of == wanted);
    if let Some((_, text)) = of(method).or_else(|| of("")) {
        return Some(text.clone());
    }
    let written = config.text(&format!("{method}_become_plugin.password"));
    written.map(|text| Zeroizing::new(text.to_owned()))
}

/// Asks on the terminal; without one, on standard input.
fn ask(prompt: &str) -> Option<Zeroizing<String>> {
    if let Some(text) = terminal::ask(prompt) {
        return Some(text);
    }
    // Where nobody reads the prompt, the answer may stand there all the same.
    let _ = write!(std::io::stderr(), "{prompt}");
    let mut line = Zeroizing::new(String::with_capacity(1024));
    std::io::stdin().lock().read_line(&mut line).ok()?;
    let _ = writeln!(std::io::stderr());
    let text = line.trim_end_matches(['\n', '\r']);
    Some(Zeroizing::new(text.to_owned()))
}

/// The password in a file, or what an executable prints: its first line's end is not part of it.
fn password_of(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |e: String| {
        Failure::text(
            Exit::Plan,
            format!("the password file {} cannot be used: {e}", file.display()),
        )
    };
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut text)
            .map_err(|e| failed(e.to_string()))?;
        text.into_bytes()
    } else {
        content(file).map_err(failed)?
    };
    let text =
        Zeroizing::new(String::from_utf8(text).map_err(|_| failed("it is not UTF-8".to_owned()))?);
    let text = text.trim();
    if text.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn content(file: &Path) -> Result<Vec<u8>, String> {
    let meta = file.metadata().map_err(|e| e.to_string())?;
    if meta.permissions().mode() & 0o111 == 0 {
        return std::fs::read(file).map_err(|e| e.to_string());
    }
    let path = std::path::absolute(file).map_err(|e| e.to_string())?;
    let done = std::process::Command::new(path)
        .output()
        .map_err(|e| e.to_string())?;
    match done.status.success() {
        true => Ok(done.stdout),
        false => Err(format!("it ended with {}", done.status)),
    }
}
