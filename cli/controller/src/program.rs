//! Connections that another program carries: the system's `ssh`, and the clients of containers and chroots.
//!
//! libssh2 cannot do all that OpenSSH can (a shared connection, a proxy command, GSSAPI, hardware keys). Where a host's
//! configuration asks for such a thing, `ssh` itself carries the session; nothing else changes.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use zeroize::Zeroizing;

use crate::channel::{Channel, Connection};
use crate::process::ProcessChannel;

/// The environment variable in which `ssh` hands the place of the password to the program that it asks.
pub const ASKPASS_SOCKET: &str = "RUSTLE_ASKPASS_SOCKET";

/// A way to a machine by a program.
#[derive(Clone)]
pub struct ProgramConnection {
    /// The program and its arguments; the command for the machine follows them.
    pub command: Vec<OsString>,
    /// Whether the machine's login shell gets the command as a text, as ssh does; else `/bin/sh -c` is put before it.
    pub login_shell: bool,
    /// A password, for ssh alone.
    pub password: Option<Password>,
}

/// A password for `ssh`, which runs a program to ask for it.
#[derive(Clone)]
pub struct Password {
    /// The password.
    pub text: Zeroizing<String>,
    /// The program: it must call [`answer`] where [`ASKPASS_SOCKET`] is set.
    pub asker: PathBuf,
    /// A private folder for the socket on which it gets the password.
    pub folder: PathBuf,
}

impl std::fmt::Debug for ProgramConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgramConnection")
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

impl ProgramConnection {
    /// A sentence for a session that did not come about, or was lost: what was said of it, as Ansible would begin it for ssh.
    pub fn explain(&self, why: &str) -> String {
        if self.login_shell {
            // 255 is ssh's own: what was said then, it said.
            let own = why
                .contains("(status 255)")
                .then(|| why.split_once("it said: "));
            let said = own.flatten().map_or(why, |(_, said)| said);
            format!("Failed to connect to the host via ssh: {said}")
        } else {
            why.to_owned()
        }
    }
}

impl ProgramConnection {
    /// Ends the connection that `ssh` holds open for others, if there is one.
    ///
    /// # Errors
    /// Where the program cannot be run.
    pub fn end(&self) -> io::Result<()> {
        let Some((program, args)) = self.command.split_first().filter(|_| self.login_shell) else {
            return Ok(());
        };
        // What it says where nothing is held is no trouble of ours.
        Command::new(program)
            .args(["-O", "exit"])
            .args(args)
            .output()
            .map(|_| ())
    }
}

impl Connection for ProgramConnection {
    fn exec(&mut self, command: &str) -> io::Result<Box<dyn Channel + '_>> {
        let (program, args) = self
            .command
            .split_first()
            .ok_or_else(|| io::Error::other("there is no program for this connection"))?;
        let mut process = Command::new(program);
        process.args(args);
        if !self.login_shell {
            process.args(["/bin/sh", "-c"]);
        }
        process.arg(command);
        if let Some(password) = &self.password {
            let socket = password.serve()?;
            process
                .env("SSH_ASKPASS", &password.asker)
                .env("SSH_ASKPASS_REQUIRE", "force")
                .env(ASKPASS_SOCKET, socket);
        }
        let channel = ProcessChannel::start(process).map_err(|e| {
            io::Error::new(
                e.kind(),
                format!("cannot run `{}`: {e}", program.to_string_lossy()),
            )
        })?;
        Ok(Box::new(channel))
    }
}

impl Password {
    /// Opens a socket that only this user reaches, and gives the password to the first who asks there: it stands neither in
    /// arguments nor in an environment.
    fn serve(&self) -> io::Result<PathBuf> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let path = self.folder.join(format!("ask-{}", hex::encode(random)));
        let listener = UnixListener::bind(&path)?;
        let (text, file) = (self.text.clone(), path.clone());
        std::thread::Builder::new()
            .name("askpass".to_owned())
            .spawn(move || {
                if let Ok((mut stream, _)) = listener.accept() {
                    // Who hangs up gets nothing.
                    let _ = stream.write_all(text.as_bytes());
                }
                let _ = std::fs::remove_file(file);
            })?;
        Ok(path)
    }
}

/// What the program that `ssh` asks for a password has to say.
///
/// # Errors
/// Where nobody answers on the socket.
pub fn answer(socket: &Path) -> io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    let mut text = Zeroizing::new(String::new());
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Input;
    use std::time::Duration;

    #[test]
    fn a_shell_stands_between() {
        let mut connection = ProgramConnection {
            command: vec!["env".into(), "WORD=hello".into()],
            login_shell: false,
            password: None,
        };
        let mut channel = connection.exec("read x; echo $WORD $x").unwrap();
        channel.send(b"world\n");
        let mut out = Vec::new();
        let status = loop {
            match channel.poll(Duration::from_secs(5), None).unwrap() {
                Input::Stdout(bytes) => out.extend(bytes),
                Input::Closed(status) => break status,
                _ => {}
            }
        };
        assert_eq!((out.as_slice(), status), (&b"hello world\n"[..], Some(0)));
    }

    #[test]
    fn a_missing_program_is_named() {
        let mut connection = ProgramConnection {
            command: vec!["/nonexistent/ssh".into()],
            login_shell: true,
            password: None,
        };
        let e = connection.exec("true").err().unwrap();
        assert!(
            e.to_string().contains("cannot run `/nonexistent/ssh`"),
            "{e}"
        );
    }

    #[test]
    fn the_password_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let password = Password {
            text: Zeroizing::new("sesame".to_owned()),
            asker: "rustle".into(),
            folder: folder.path().to_owned(),
        };
        let socket = password.serve().unwrap();
        assert_eq!(answer(&socket).unwrap().as_str(), "sesame");
        while socket.exists() {
            std::thread::yield_now();
        }
        assert!(answer(&socket).is_err());
    }
}
