//! ansible-playbook's options about connections and passwords. On this machine most have nothing to act on, as under Ansible with
//! `connection: local`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;

/// How hosts are reached, and with which passwords.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionOptions {
    /// Connect as this user.
    #[arg(short = 'u', long = "user", value_name = "USER")]
    pub(super) user: Option<String>,
    /// Seconds that connecting may take.
    #[arg(short = 'T', long, value_name = "SECONDS")]
    pub(super) timeout: Option<u32>,
    /// The private key of ssh.
    #[arg(long, alias = "key-file", value_name = "FILE")]
    pub(super) private_key: Option<PathBuf>,
    /// Arguments for ssh, sftp and scp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(super) ssh_common_args: Option<String>,
    /// Arguments for ssh.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(super) ssh_extra_args: Option<String>,
    /// Arguments for sftp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    sftp_extra_args: Option<String>,
    /// Arguments for scp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    scp_extra_args: Option<String>,
    /// Ask for the password of connections.
    #[arg(
        short = 'k',
        long = "ask-pass",
        conflicts_with = "connection_password_file"
    )]
    ask_pass: bool,
    /// A file with the password of connections.
    #[arg(long, alias = "conn-pass-file", value_name = "FILE")]
    connection_password_file: Option<PathBuf>,
    /// Ask for the password for becoming another user.
    #[arg(short = 'K', long, conflicts_with = "become_password_file")]
    ask_become_pass: bool,
    /// A file with the password for becoming another user, or an executable that prints it.
    #[arg(long, alias = "become-pass-file", value_name = "FILE")]
    become_password_file: Option<PathBuf>,
    /// Folders of modules, divided by colons, before the configured ones. May be given several times.
    #[arg(short = 'M', long, value_name = "PATH")]
    module_path: Vec<String>,
}

impl ConnectionOptions {
    /// Asks for passwords and reads those in files. Nothing uses them so far: on this machine there is no connection, and who is
    /// root becomes anybody without.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(crate) fn take_passwords(&self) -> Result<(), Failure> {
        if self.ask_pass {
            terminal::ask("SSH password: ");
        }
        if self.ask_become_pass {
            terminal::ask(match self.ask_pass {
                true => "BECOME password[defaults to SSH password]: ",
                false => "BECOME password: ",
            });
        }
        for file in [&self.connection_password_file, &self.become_password_file] {
            file.as_deref().map(password_of).transpose()?;
        }
        Ok(())
    }

    /// The folders of `--module-path`.
    pub(crate) fn module_path(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let parts = self.module_path.iter().flat_map(|text| text.split(':'));
        parts.filter(|part| !part.is_empty()).map(PathBuf::from)
    }
}

/// The password in a file, or what an executable prints: its first line's end is not part of it.
fn password_of(file: &Path) -> Result<Zeroizing<String>, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |e: String| {
        Failure::text(
            Exit::Plan,
            format!("the password file {} cannot be used: {e}", file.display()),
        )
    };
    let meta = file.metadata().map_err(|e| failed(e.to_string()))?;
    let text = if meta.permissions().mode() & 0o111 != 0 {
        let path = std::path::absolute(file).map_err(|e| failed(e.to_string()))?;
        let done = std::process::Command::new(path)
            .output()
            .map_err(|e| failed(e.to_string()))?;
        if !done.status.success() {
            return Err(failed(format!("it ended with {}", done.status)));
        }
        done.stdout
    } else {
        std::fs::read(file).map_err(|e| failed(e.to_string()))?
    };
    let text =
        Zeroizing::new(String::from_utf8(text).map_err(|_| failed("it is not UTF-8".to_owned()))?);
    let text = text.trim();
    if text.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}
