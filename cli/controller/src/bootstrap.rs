//! The first line that a host hears: it finds out what the host is, whether the runner is in its cache, and starts it.
//!
//! One command, one exec. (The file that probes for an executable folder has no `#!`: a shell runs such a file by itself,
//! and a `!` would be history to csh.)
//!
//! It must be understood by whatever the user's login shell is (dash, bash, ash, fish, csh), so
//! it is one line that hands a single-quoted text without quotes, backslashes before quotes or exclamation marks to
//! `sh`. What a host's profile prints before is skipped: our lines carry a random word.

use std::fmt::Write as _;

/// What the host answers before the runner speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Its system and architecture, as `uname` says them, and the user's number.
    Host {
        /// `uname -s`.
        system: String,
        /// `uname -m`.
        machine: String,
        /// `id -u`.
        uid: String,
    },
    /// The runner is there and starts now; frames follow.
    Have,
    /// The runner's bytes are to be sent.
    Need,
    /// The runner arrived and starts now; frames follow.
    Ready,
    /// The runner did not arrive as it was sent.
    Broken,
    /// No folder can be written to and executed from.
    NoDir,
}

/// What the runner is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// A session.
    Session,
    /// The way back to a session, by the name that its key gives it.
    Attach(&'a str),
}

/// Goes through the places of the cache in order: `$d` is the folder, `$c` the cache in it. A loop that is still open; `$u` is the
/// user's number.
pub(crate) const PLACES: &str = concat!(
    "for d in \"$XDG_CACHE_HOME\" \"$HOME/.cache\" /var/cache /var/tmp /tmp /dev/shm /run; do ",
    "case \"$d\" in \"\"|/.cache) continue ;; esac; ",
    "case \"$d\" in /var/tmp|/tmp|/dev/shm) c=$d/rustle-$u ;; *) c=$d/rustle ;; esac; ",
);

/// Makes the command for a runner of this digest (in hexadecimal) and size. `word` is random, hexadecimal. `fresh`
/// ignores a runner in the cache (because it turned out damaged).
pub fn command(
    word: &str,
    stub_hex: &str,
    stub_size: u64,
    fresh: bool,
    purpose: Purpose<'_>,
) -> String {
    let (option, name) = match purpose {
        Purpose::Session => ("session", ""),
        Purpose::Attach(name) => ("attach", name),
    };
    let mut sh = String::new();
    let _ = write!(
        sh,
        "n={word}; h={stub_hex}; z={stub_size}; o={option}; a={name}; f={}; ",
        u8::from(fresh)
    );
    sh.push_str(concat!(
        "m=$(umask); umask 077; u=$(id -u); ",
        "echo \"RUSTLE $n host $(uname -s) $(uname -m) $u\"; ",
    ));
    sh.push_str(PLACES);
    sh.push_str(concat!(
        "[ -d \"${d%/.cache}\" ] || continue; ",
        "mkdir -p \"$c/stub\" 2>/dev/null || continue; ",
        "[ -L \"$c\" ] && continue; [ -O \"$c\" ] && [ -w \"$c\" ] || continue; ",
        "t=$c/stub/.probe.$$; ",
        "echo exit 42 2>/dev/null >\"$t\" && chmod 700 \"$t\" && \"$t\" 2>/dev/null; r=$?; ",
        "rm -f \"$t\"; [ $r = 42 ] || continue; ",
        "s=$c/stub/$h; ",
        "if [ $f = 0 ] && [ -x \"$s\" ]; then echo \"RUSTLE $n have\"; umask $m; exec \"$s\" --$o \"$c\" $a; fi; ",
        "echo \"RUSTLE $n need\"; ",
        "head -c $z >\"$s.$$\" && [ $(wc -c <\"$s.$$\") = $z ] && chmod 700 \"$s.$$\" && mv -f \"$s.$$\" \"$s\" && ",
        "echo \"RUSTLE $n ready\" && umask $m && exec \"$s\" --$o \"$c\" $a; ",
        "rm -f \"$s.$$\"; echo \"RUSTLE $n broken\"; exit 73; ",
        "done; echo \"RUSTLE $n nodir\"; exit 73"
    ));
    format!("exec sh -c '{sh}'")
}

/// Reads a line of the host's; `None` for what its profile printed.
pub fn parse(line: &str, word: &str) -> Option<Greeting> {
    let mut words = line.trim_end().split(' ');
    // A prompt or a banner without a newline may stand before our line.
    words.find(|w| w.ends_with("RUSTLE"))?;
    if words.next()? != word {
        return None;
    }
    Some(match words.next()? {
        "host" => Greeting::Host {
            system: words.next()?.to_owned(),
            machine: words.next()?.to_owned(),
            uid: words.next()?.to_owned(),
        },
        "have" => Greeting::Have,
        "need" => Greeting::Need,
        "ready" => Greeting::Ready,
        "broken" => Greeting::Broken,
        "nodir" => Greeting::NoDir,
        _ => return None,
    })
}

/// Whether a runner of this triple runs on what `uname` says.
pub fn fits(triple: &str, system: &str, machine: &str) -> bool {
    let architecture = triple.split('-').next().unwrap_or_default();
    let right_system = match system {
        "Linux" => triple.contains("-linux"),
        "Darwin" => triple.contains("-darwin"),
        "FreeBSD" => triple.contains("-freebsd"),
        _ => false,
    };
    let right_machine = match machine {
        "amd64" | "x86_64" => matches!(architecture, "x86_64" | "i686"),
        "arm64" | "aarch64" => architecture == "aarch64",
        "armv7l" | "armv8l" => architecture == "armv7",
        "i386" | "i486" | "i586" | "i686" => architecture == "i686",
        "riscv64" => architecture.starts_with("riscv64"),
        _ => false,
    };
    right_system && right_machine
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn the_text_survives_any_shell() {
        let text = command("ab12", "cd34", 10, false, Purpose::Session);
        let inner = text
            .strip_prefix("exec sh -c '")
            .and_then(|t| t.strip_suffix('\''))
            .unwrap();
        assert!(!inner.contains(['\'', '!', '\n']));
    }

    #[test]
    fn lines_after_a_banner_are_found() {
        assert_eq!(parse("$ RUSTLE ab need\n", "ab"), Some(Greeting::Need));
        assert_eq!(parse("RUSTLE other need", "ab"), None);
        assert_eq!(parse("Welcome to Debian", "ab"), None);
        assert!(fits("x86_64-unknown-linux-musl", "Linux", "x86_64"));
        assert!(!fits("aarch64-unknown-linux-musl", "Linux", "x86_64"));
    }

    /// A real shell, a runner that is a shell script: sent the first time, found the second.
    #[test]
    fn a_runner_is_sent_once() {
        let cache = tempfile::tempdir().unwrap();
        let runner = b"#!/bin/sh\necho started $1\n";
        for (round, expected) in [(0, "need"), (1, "have")] {
            let mut child = Command::new("sh")
                .arg("-c")
                .arg(command(
                    "w",
                    "hash",
                    runner.len() as u64,
                    false,
                    Purpose::Session,
                ))
                .env("XDG_CACHE_HOME", cache.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            if round == 0 {
                child.stdin.take().unwrap().write_all(runner).unwrap();
            }
            let out = child.wait_with_output().unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            assert!(text.contains(&format!("RUSTLE w {expected}")), "{text}");
            assert!(text.ends_with("started --session\n"), "{text}");
        }
    }
}
