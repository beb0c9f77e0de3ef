//! Asks for secrets on the terminal, without showing what is typed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Puts the terminal back when dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Nothing better can be done where this fails.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Asks; `None` where there is no terminal.
pub(crate) fn ask(prompt: &str) -> Option<Zeroizing<String>> {
    let mut terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let before = tcgetattr(&terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    terminal.write_all(prompt.as_bytes()).ok()?;
    tcsetattr(&terminal, OptionalActions::Flush, &silent).ok()?;
    let quiet = Quiet {
        terminal: &terminal,
        before,
    };
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(1024));
    let read = BufReader::new(&terminal).read_line(&mut line);
    drop(quiet);
    let _ = terminal.write_all(b"\n");
    read.ok().filter(|n| *n > 0)?;
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Some(line)
}
