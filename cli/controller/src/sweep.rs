//! Taking away what runs have left in a host's cache: runners and artifacts.

use std::time::{Duration, Instant};

use crate::bootstrap::PLACES;
use crate::channel::{Connection, Input};

/// How long a host may take for it.
const LIMIT: Duration = Duration::from_secs(60);

/// What the host does in each of the cache's places. Only folders that are the user's own are touched. What a run that is alone has
/// written down is kept.
const EACH: &str = concat!(
    "[ -L \"$c\" ] && continue; [ -d \"$c\" ] && [ -O \"$c\" ] || continue; ",
    "rm -rf \"$c/stub\" \"$c/artifacts\" || exit 1; rmdir \"$c\" 2>/dev/null; ",
);

/// Removes every runner and every artifact of the user from the host's caches. Runs that are under way go on, but cannot be come back to
/// when they lose their connection.
///
/// # Errors
/// A sentence, where the connection is lost or something could not be removed.
pub fn sweep(connection: &mut dyn Connection) -> Result<(), String> {
    let lost = |e: std::io::Error| format!("the connection was lost: {e}");
    let mut channel = connection
        .exec(&format!(
            "exec sh -c 'u=$(id -u); {PLACES}{EACH}done; exit 0'"
        ))
        .map_err(lost)?;
    let end = Instant::now() + LIMIT;
    let mut told = Vec::new();
    while Instant::now() < end {
        match channel.poll(Duration::from_secs(1), None).map_err(lost)? {
            Input::Closed(Some(0)) => return Ok(()),
            Input::Closed(_) => {
                let told = String::from_utf8_lossy(&told);
                return Err(format!("the cache could not be removed: {}", told.trim()));
            }
            Input::Stderr(bytes) => told.extend_from_slice(&bytes),
            Input::Stdout(_) | Input::Idle => {}
        }
    }
    Err(format!("it took more than {} seconds", LIMIT.as_secs()))
}
