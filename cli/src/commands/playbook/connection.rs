//! ansible-playbook's options about connections and passwords. On this machine most have nothing to act on, as under Ansible with
//! `connection: local`.

use std::path::PathBuf;

use rustle_playbook::config::Config;

use super::passwords::Wanted;
use crate::expiry::SignOption;

/// How hosts are reached, and with which passwords.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionOptions {
    /// Connect as this user.
    #[arg(short = 'u', long = "user", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Seconds that connecting may take.
    #[arg(short = 'T', long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,
    /// The private key of ssh.
    #[arg(long, alias = "key-file", value_name = "FILE")]
    pub(crate) private_key: Option<PathBuf>,
    /// Arguments for ssh, sftp and scp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) ssh_common_args: Option<String>,
    /// Arguments for ssh.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) ssh_extra_args: Option<String>,
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
    #[command(flatten)]
    pub(crate) sign: SignOption,
    /// Seconds that connections over ssh stay open after their last use. Default: they are not held, but for those that are.
    #[arg(skip)]
    pub(crate) hold: Option<u64>,
    /// Folders of modules, divided by colons, before the configured ones. May be given several times.
    #[arg(short = 'M', long, value_name = "PATH")]
    module_path: Vec<String>,
}

impl ConnectionOptions {
    /// What is asked for, and the files with passwords: options first, then the settings.
    pub(crate) fn passwords(&self, config: &Config) -> Wanted {
        let file = |given: &Option<PathBuf>, name: &str| {
            let set = config.text(name).filter(|text| !text.is_empty());
            given.clone().or_else(|| set.map(PathBuf::from))
        };
        Wanted {
            ask: self.ask_pass || config.flag("DEFAULT_ASK_PASS"),
            ask_become: self.ask_become_pass || config.flag("DEFAULT_BECOME_ASK_PASS"),
            file: file(&self.connection_password_file, "CONNECTION_PASSWORD_FILE"),
            become_file: file(&self.become_password_file, "BECOME_PASSWORD_FILE"),
        }
    }

    /// The folders of `--module-path`.
    pub(crate) fn module_path(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let parts = self.module_path.iter().flat_map(|text| text.split(':'));
        parts.filter(|part| !part.is_empty()).map(PathBuf::from)
    }
}
