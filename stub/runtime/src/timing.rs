//! Points and spans of time written the way that Ansible's return values have them (Python's `str()`).

use std::time::Duration;

use jiff::Zoned;

/// The time now, with its zone.
pub fn now() -> Zoned {
    Zoned::now()
}

/// `2026-11-22 07:26:39.887790`, in the machine's zone.
pub fn moment(at: &Zoned) -> String {
    let micros = at.subsec_nanosecond() / 1000;
    let text = at.strftime("%Y-%m-%d %H:%M:%S");
    if micros == 0 {
        text.to_string()
    } else {
        format!("{text}.{micros:06}")
    }
}

/// `0:00:00.016064`, with `1 day, ` in front where it is longer than one.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        n => format!("{n} days, "),
    };
    text.push_str(&format!(
        "{}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    ));
    if length.subsec_micros() > 0 {
        text.push_str(&format!(".{:06}", length.subsec_micros()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span(Duration::from_micros(16_064)), "0:00:00.016064");
        assert_eq!(span(Duration::from_secs(86_400 + 3661)), "1 day, 1:01:01");
    }

    #[test]
    fn moments() {
        let at = jiff::Timestamp::from_microsecond(1_795_332_399_000_790)
            .expect("a moment")
            .to_zoned(jiff::tz::TimeZone::UTC);
        assert_eq!(moment(&at), "2026-11-22 07:26:39.000790");
    }
}
