//! The terminal: whether there is one, how wide it is, and asking for a passphrase.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use zeroize::Zeroizing;

/// The longest passphrase that is read.
const LONGEST: usize = 4096;

/// The columns of standard output, where it is a terminal.
pub(crate) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let columns = tcgetwinsize(&out).map_or(0, |size| usize::from(size.ws_col));
    Some(if columns == 0 { 80 } else { columns })
}

/// Whether to colour standard output: as the user said, else where it is a terminal that can, unless `NO_COLOR` is set.
pub(crate) fn colour(asked_for: Option<bool>) -> bool {
    asked_for.unwrap_or_else(|| {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        if set("ANSIBLE_FORCE_COLOR") {
            return true;
        }
        !set("NO_COLOR")
            && !set("ANSIBLE_NOCOLOR")
            && io::stdout().is_terminal()
            && std::env::var_os("TERM").is_some_and(|t| t != "dumb")
    })
}

/// Puts the terminal back as it was.
struct Restore<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Asks for a passphrase on the controlling terminal, without showing it. `None` where there is no terminal.
///
/// # Errors
/// What the terminal says.
pub(crate) fn ask_passphrase(prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
        return Ok(None);
    };
    let before = tcgetattr(&terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let restore = Restore {
        terminal: &terminal,
        before,
    };
    tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
    (&terminal).write_all(prompt.as_bytes())?;
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = [0u8];
    loop {
        match (&terminal).read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if out.len() == LONGEST => {
                return Err(io::Error::other("the passphrase is too long"));
            }
            Ok(_) => out.push(byte[0]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted && !crate::signals::caught() => {}
            Err(e) => return Err(e),
        }
    }
    drop(restore);
    let _ = (&terminal).write_all(b"\n");
    Ok(Some(out))
}
