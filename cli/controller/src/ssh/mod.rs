//! Connections by ssh2 (libssh2): the default way to a machine.
//!
//! A host key is accepted when `known_hosts` names it, or, with `accept_new`, when nothing is known of the host. There
//! is no way to skip the check.

mod auth;
mod channel;
pub mod config;
pub mod known_hosts;
mod pace;

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use known_hosts::{HostKeyStatus, KnownHosts};
use pace::Pace;

use crate::destination::Destination;

/// What a user is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question<'a> {
    /// The password of this user on this host.
    Password {
        /// `user@host`.
        of: &'a str,
    },
    /// The passphrase of this key file.
    Passphrase {
        /// The file.
        file: &'a str,
    },
    /// Something that the host asks.
    Prompt {
        /// Its words.
        text: &'a str,
        /// Whether the answer may be shown.
        echo: bool,
    },
}

/// Asks the user. `None`: there is nobody to ask.
pub type Ask = dyn Fn(Question<'_>) -> Option<zeroize::Zeroizing<String>> + Send + Sync;

/// How to connect.
#[derive(Clone)]
pub struct SshOptions {
    /// The user where the destination names none.
    pub user: String,
    /// Key files to try, in order. Missing ones are passed over.
    pub key_files: Vec<PathBuf>,
    /// Whether the agent is asked first.
    pub agent: bool,
    /// Whether the agent is asked only for the keys in `key_files` (`IdentitiesOnly`).
    pub only_named: bool,
    /// Files of known host keys; new ones are added to the first.
    pub known_hosts: Vec<PathBuf>,
    /// Whether the key of a host of which nothing is known is accepted and kept.
    pub accept_new: bool,
    /// How long connecting and every answer may take.
    pub timeout: Duration,
    /// The name under which the host's key is known, where that is not its own.
    pub key_alias: Option<String>,
    /// Whether the stream is compressed. An artifact is compressed already.
    pub compress: bool,
    /// How the user is asked for passwords.
    pub ask: Option<Arc<Ask>>,
}

impl fmt::Debug for SshOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshOptions")
            .field("user", &self.user)
            .field("key_files", &self.key_files)
            .field("known_hosts", &self.known_hosts)
            .field("accept_new", &self.accept_new)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The name cannot be resolved, or nobody answers there.
    Unreachable(String),
    /// The host's key is not the known one, or not known.
    HostKey(String),
    /// No way of proving who we are was accepted.
    Authentication(String),
    /// The protocol failed.
    Protocol(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Unreachable(s)
            | ConnectError::HostKey(s)
            | ConnectError::Authentication(s)
            | ConnectError::Protocol(s) => f.write_str(s),
        }
    }
}

impl std::error::Error for ConnectError {}

/// An open, authenticated connection.
pub struct SshConnection {
    session: ssh2::Session,
    /// The session's own socket, to wait on.
    socket: TcpStream,
    timeout: Duration,
    /// How long connecting took.
    connected: Duration,
}

impl SshConnection {
    /// Connects, checks the host's key, proves who we are.
    ///
    /// # Errors
    /// Says which of the three failed, and what to do.
    pub fn open(to: &Destination, options: &SshOptions) -> Result<SshConnection, ConnectError> {
        let port = to.port.unwrap_or(22);
        let (stream, connected) = dial(&to.host, port, options.timeout)?;
        let known = KnownHosts::load(&options.known_hosts)
            .map_err(|e| ConnectError::HostKey(format!("cannot read the known host keys: {e}")))?;
        let socket = stream
            .try_clone()
            .map_err(|e| ConnectError::Protocol(format!("{to}: {e}")))?;
        // As OpenSSH has it: an alias stands for itself, whatever the port.
        let (name, at) = match &options.key_alias {
            Some(alias) => (alias.as_str(), 22),
            None => (to.host.as_str(), port),
        };
        let known = Checked { known, name, at };
        let session = handshake(stream, to, &known, options)?;
        check_host_key(&session, to, &known, options)?;
        let user = to.user.clone().unwrap_or_else(|| options.user.clone());
        auth::authenticate(&session, &user, &to.host, options)?;
        session.set_keepalive(true, 15);
        Ok(SshConnection {
            session,
            socket,
            timeout: options.timeout,
            connected,
        })
    }
}

impl crate::channel::Connection for SshConnection {
    fn exec(&mut self, command: &str) -> io::Result<Box<dyn crate::channel::Channel + '_>> {
        Ok(Box::new(channel::SshChannel::open(
            &self.session,
            &self.socket,
            command,
            self.timeout,
            Pace::new(self.connected),
        )?))
    }
}

/// A connection, and how long it took once the address was known.
fn dial(host: &str, port: u16, timeout: Duration) -> Result<(TcpStream, Duration), ConnectError> {
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|e| ConnectError::Unreachable(format!("cannot resolve `{host}`: {e}")))?
        .collect();
    let mut last = None;
    for address in addresses {
        let begun = Instant::now();
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                // Frames are small and answered; waiting for more to send only adds latency.
                let _ = stream.set_nodelay(true);
                return Ok((stream, begun.elapsed()));
            }
            Err(e) => last = Some((address, e)),
        }
    }
    Err(ConnectError::Unreachable(match last {
        Some((address, e)) => format!("cannot connect to {host} ({address}): {e}"),
        None => format!("`{host}` has no address"),
    }))
}

/// The known keys, and the name and port that are looked up there.
struct Checked<'a> {
    known: KnownHosts,
    name: &'a str,
    at: u16,
}

fn handshake(
    stream: TcpStream,
    to: &Destination,
    checked: &Checked<'_>,
    options: &SshOptions,
) -> Result<ssh2::Session, ConnectError> {
    let failed = |e: ssh2::Error| {
        ConnectError::Protocol(format!("{to}: the ssh handshake failed: {}", e.message()))
    };
    let mut session = ssh2::Session::new().map_err(failed)?;
    let millis = u32::try_from(options.timeout.as_millis()).unwrap_or(u32::MAX);
    session.set_timeout(millis);
    session.set_compress(options.compress);
    // The server picks the first type that both sides know; ask for those first whose key we can check.
    let types = checked.known.key_types(checked.name, checked.at);
    if !types.is_empty() {
        let preference = known_hosts::preference(&types);
        session
            .method_pref(ssh2::MethodType::HostKey, &preference)
            .map_err(failed)?;
    }
    session.set_tcp_stream(stream);
    session.handshake().map_err(failed)?;
    Ok(session)
}

fn check_host_key(
    session: &ssh2::Session,
    to: &Destination,
    checked: &Checked<'_>,
    options: &SshOptions,
) -> Result<(), ConnectError> {
    let Some((key, _)) = session.host_key() else {
        return Err(ConnectError::HostKey(format!("{to} sent no host key")));
    };
    let print = known_hosts::fingerprint(key);
    match checked.known.check(checked.name, checked.at, key) {
        HostKeyStatus::Known => Ok(()),
        HostKeyStatus::Unknown if options.accept_new => {
            let Some(file) = options.known_hosts.first() else {
                return Ok(());
            };
            known_hosts::add(file, checked.name, checked.at, key).map_err(|e| {
                ConnectError::HostKey(format!(
                    "cannot keep the host key of {to} in {}: {e}",
                    file.display()
                ))
            })
        }
        HostKeyStatus::Unknown => Err(ConnectError::HostKey(format!(
            "the host key of {to} is not known ({print}); compare it, then add it to {} or use --accept-new",
            options
                .known_hosts
                .first()
                .map_or_else(|| "known_hosts".into(), |f| f.display().to_string())
        ))),
        HostKeyStatus::Changed { file, line } => Err(ConnectError::HostKey(format!(
            "the host key of {to} has changed: it is {print}, not the one in {}:{line}; somebody may be in between. If the host was reinstalled, remove that line",
            file.display()
        ))),
        HostKeyStatus::Revoked { file, line } => Err(ConnectError::HostKey(format!(
            "the host key of {to} ({print}) is revoked in {}:{line}",
            file.display()
        ))),
    }
}
