//! Where an artifact may run and until when: what `pack` is told of it, and what signed runs take.

use std::path::PathBuf;

use jiff::civil::Date;
use jiff::{Span, Timestamp, Zoned};
use rustle_formats::plan::RuntimeConfig;
use rustle_formats::sign::SecretKey;

use crate::console::Console;
use crate::failure::Failure;
use crate::seal;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// What an artifact says of where and until when it runs.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Where and until when")]
pub(crate) struct Bounds {
    /// The machines that it may run on, by their own names (with or without the domain) or those that their policies give
    /// them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    bind: Vec<String>,
    /// When it stops running: in some time (30m, 12h, 7d), or at a time (2026-12-31, 2026-12-31T18:00:00Z). A day counts to
    /// its end, here.
    #[arg(long, value_name = "WHEN", value_parser = until)]
    expires: Option<u64>,
}

impl Bounds {
    /// Writes them into a plan. What it says already stays where nothing is said here.
    pub(crate) fn apply(&self, runtime: &mut RuntimeConfig) {
        if !self.bind.is_empty() {
            runtime.bound_to.clone_from(&self.bind);
        }
        runtime.expires = self.expires.or(runtime.expires);
    }
}

/// The key that a run is signed with.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SignOption {
    /// Sign what is sent to the hosts with this key (`rustle keygen`), for those whose policy asks for it. It can be run until
    /// the end of the next day (UTC).
    #[arg(long, value_name = "KEY", help_heading = "Trust")]
    sign: Option<PathBuf>,
}

/// A key, and when what it signs expires.
pub(crate) struct Signing {
    /// The key.
    pub(crate) key: SecretKey,
    /// In seconds since 1970.
    pub(crate) expires: u64,
}

impl SignOption {
    /// Reads the key.
    ///
    /// # Errors
    /// A file that cannot be read or is no secret key.
    pub(crate) fn signing(&self, console: &Console) -> Result<Option<Signing>, Failure> {
        let Some(file) = &self.sign else {
            return Ok(None);
        };
        Ok(Some(Signing {
            key: seal::signing_key(file, console)?,
            // The same all day: a run that was killed is gone on with only as what it was.
            expires: (seconds(Timestamp::now()) / DAY + 2) * DAY,
        }))
    }
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}

/// Reads a duration, in whole seconds.
pub(crate) fn seconds_of(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no duration: 90s, 10m, 8h");
    let span = text.parse::<jiff::SignedDuration>().map_err(|_| wrong())?;
    u64::try_from(span.as_secs())
        .ok()
        .filter(|s| *s > 0)
        .ok_or_else(wrong)
}

/// Reads a time that is to come.
fn until(text: &str) -> Result<u64, String> {
    let now = Zoned::now();
    let at = if let Ok(span) = text.parse::<Span>() {
        now.checked_add(span)
            .map_err(|e| e.to_string())?
            .timestamp()
    } else if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else if let Ok(day) = text.parse::<Date>() {
        day.tomorrow()
            .and_then(|next| next.to_zoned(now.time_zone().clone()))
            .map_err(|e| e.to_string())?
            .timestamp()
    } else {
        return Err("neither a duration (7d) nor a time (2026-12-31, 2026-12-31T18:00:00Z)".into());
    };
    if at <= now.timestamp() {
        return Err("this time has passed".into());
    }
    Ok(seconds(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_come() {
        let now = seconds(Timestamp::now());
        let hours = |text| (until(text).unwrap() - now + 60) / 3600;
        assert_eq!(hours("30m"), 0);
        assert_eq!(hours("12h"), 12);
        assert!((166..=170).contains(&hours("7d")));
        assert_eq!(until("9000-01-01T00:00:00Z").unwrap(), 221_845_392_000);
        for wrong in ["", "soon", "7", "2020-01-01", "2020-01-01T00:00:00Z", "-1h"] {
            until(wrong).unwrap_err();
        }
    }
}
