//! Asks on the terminal; for secrets without showing what is typed.

use std::fs::File;
use std::io::{Read as _, Write as _};

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

fn open() -> Option<File> {
    let mut options = File::options();
    options.read(true).write(true).open("/dev/tty").ok()
}

/// Asks for a secret; `None` where there is no terminal or nothing comes.
pub(crate) fn ask(prompt: &str) -> Option<Zeroizing<String>> {
    question(prompt, true)
}

/// Says something on the terminal, if there is one.
pub(crate) fn tell(text: &str) {
    if let Some(mut terminal) = open() {
        // Where nobody reads there is nobody to tell.
        let _ = terminal.write_all(text.as_bytes());
    }
}

/// Asks; `private`: what is typed is not shown. `None` where there is no terminal or nothing comes.
pub(crate) fn question(prompt: &str, private: bool) -> Option<Zeroizing<String>> {
    let mut terminal = open()?;
    terminal.write_all(prompt.as_bytes()).ok()?;
    let before = tcgetattr(&terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    let quiet = if private {
        tcsetattr(&terminal, OptionalActions::Flush, &silent).ok()?;
        Some(Quiet {
            terminal: &terminal,
            before,
        })
    } else {
        None
    };
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(1024));
    let read = read_line(&terminal, &mut line);
    drop(quiet);
    if private {
        let _ = terminal.write_all(b"\n");
    }
    read.filter(|n| *n > 0)?;
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Some(line)
}

/// Reads one line, and nothing of the next: what is typed ahead is for the next question.
fn read_line(mut terminal: &File, line: &mut String) -> Option<usize> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    let mut byte = [0];
    while bytes.last() != Some(&b'\n') && terminal.read(&mut byte).ok()? == 1 {
        bytes.push(byte[0]);
    }
    line.push_str(std::str::from_utf8(&bytes).ok()?);
    Some(bytes.len())
}
