//! A connection to a host, for what is done there beside a run.

use rustle_controller::Connection;
use rustle_controller::fleet::Way;
use rustle_controller::ssh::SshConnection;

/// Opens it; `None`: the host is this machine, which has the program itself.
///
/// # Errors
/// A sentence, where the host cannot be reached.
pub(crate) fn connection(way: &Way) -> Result<Option<Box<dyn Connection>>, String> {
    Ok(match way {
        Way::Child => None,
        Way::Ssh(to) => {
            let opened = SshConnection::open(&to.0, &to.1).map_err(|e| e.to_string())?;
            Some(Box::new(opened))
        }
        Way::Program(program) => Some(program.clone()),
    })
}
