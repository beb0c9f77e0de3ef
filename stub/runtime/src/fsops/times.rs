//! Access and modification times as `file` takes them: `preserve`, `now`, or a moment in a format of strftime's.

use std::path::Path;

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use super::errno;
use crate::outcome::Failure;

/// What a time shall become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Time {
    /// What it is.
    Preserve,
    /// This moment.
    Now,
    /// Seconds since the epoch.
    At(i64),
}

impl Time {
    /// Reads the argument; `default` where it is not given.
    ///
    /// # Errors
    /// Where the text does not fit the format.
    pub(crate) fn parse(text: Option<&str>, format: &str, default: Time) -> Result<Time, Failure> {
        match text {
            None => Ok(default),
            Some("preserve") => Ok(Time::Preserve),
            Some("now") => Ok(Time::Now),
            Some(text) => moment(text, format).map(Time::At).ok_or_else(|| {
                Failure::new(format!(
                    "Error while obtaining timestamp for time {text} using format {format}: time data '{text}' does not match format '{format}'"
                ))
            }),
        }
    }

    fn spec(self) -> Timespec {
        let (tv_sec, tv_nsec) = match self {
            Time::Preserve => (0, UTIME_OMIT),
            Time::Now => (0, UTIME_NOW),
            Time::At(seconds) => (seconds, 0),
        };
        Timespec { tv_sec, tv_nsec }
    }

    /// Whether setting it would change `current` (seconds and nanoseconds).
    pub(crate) fn differs(self, current: (i64, i64)) -> bool {
        match self {
            Time::Preserve => false,
            Time::Now => true,
            Time::At(seconds) => current != (seconds, 0),
        }
    }
}

/// The local moment that a text means. A missing part is that of 1900-01-01 00:00:00, as in Python.
fn moment(text: &str, format: &str) -> Option<i64> {
    let mut parsed = jiff::fmt::strtime::parse(format, text).ok()?;
    if parsed.year().is_none() {
        parsed.set_year(Some(1900)).ok()?;
    }
    if parsed.month().is_none() && parsed.day_of_year().is_none() {
        parsed.set_month(Some(1)).ok()?;
    }
    if parsed.day().is_none() && parsed.day_of_year().is_none() {
        parsed.set_day(Some(1)).ok()?;
    }
    if let Ok(timestamp) = parsed.to_timestamp() {
        return Some(timestamp.as_second());
    }
    let date = parsed.to_date().ok()?;
    let time = parsed.to_time().unwrap_or_default();
    let zoned = date
        .to_datetime(time)
        .to_zoned(jiff::tz::TimeZone::system())
        .ok()?;
    Some(zoned.timestamp().as_second())
}

/// Sets both times.
///
/// # Errors
/// What the system says.
pub(crate) fn set(path: &Path, access: Time, modification: Time) -> std::io::Result<()> {
    let times = Timestamps {
        last_access: access.spec(),
        last_modification: modification.spec(),
    };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, AtFlags::empty())
        .map_err(errno::from_rustix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let utc = |s: &str, f: &str| moment(s, f);
        assert!(utc("200102030405.06", "%Y%m%d%H%M.%S").is_some());
        assert!(utc("2001-02-03", "%Y-%m-%d").is_some());
        assert_eq!(utc("yesterday", "%Y%m%d%H%M.%S"), None);
    }
}
