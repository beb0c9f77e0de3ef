//! Dates and times of YAML 1.1. Python's `date` and `datetime` show in templates as their `str()`.

use super::resolve::Scalar;

/// `2024-01-02`, or with a time; `None` if it looks like neither.
pub(super) fn resolve(text: &str) -> Option<Scalar> {
    let mut scan = Scan {
        rest: text.as_bytes(),
    };
    let year = scan.digits(4, 4)?;
    scan.byte(b'-')?;
    let (month, month_digits) = scan.counted(1, 2)?;
    scan.byte(b'-')?;
    let (day, day_digits) = scan.counted(1, 2)?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    if scan.rest.is_empty() {
        return (month_digits == 2 && day_digits == 2)
            .then(|| checked(year, month, day, [0; 3], date));
    }
    if scan.byte(b'T').or_else(|| scan.byte(b't')).is_none() {
        scan.blanks(1)?;
    }
    let hour = scan.digits(1, 2)?;
    scan.byte(b':')?;
    let minute = scan.digits(2, 2)?;
    scan.byte(b':')?;
    let second = scan.digits(2, 2)?;
    let fraction = scan.byte(b'.').map_or(String::new(), |()| scan.fraction());
    let zone = scan.zone()?;
    let text = format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}");
    scan.rest
        .is_empty()
        .then(|| checked(year, month, day, [hour, minute, second], text))
}

fn checked(year: u32, month: u32, day: u32, time: [u32; 3], text: String) -> Scalar {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year == 0 || !(1..=12).contains(&month) || !(1..=days).contains(&day) {
        return Scalar::Invalid("it looks like a date, but there is no such day");
    }
    if time[0] > 23 || time[1] > 59 || time[2] > 59 {
        return Scalar::Invalid("it looks like a date with a time, but there is no such time");
    }
    Scalar::Time(text)
}

struct Scan<'t> {
    rest: &'t [u8],
}

impl Scan<'_> {
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn counted(&mut self, least: usize, most: usize) -> Option<(u32, usize)> {
        let count = self
            .rest
            .iter()
            .take(most)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let number = digits.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
        Some((number, count))
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        self.counted(least, most).map(|(number, _)| number)
    }

    fn blanks(&mut self, least: usize) -> Option<()> {
        let count = self
            .rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        self.rest = &self.rest[count..];
        (count >= least).then_some(())
    }

    /// Microseconds, if there are any.
    fn fraction(&mut self) -> String {
        let count = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let mut micros: String = digits.iter().take(6).map(|b| char::from(*b)).collect();
        while micros.len() < 6 {
            micros.push('0');
        }
        if micros == "000000" {
            String::new()
        } else {
            format!(".{micros}")
        }
    }

    /// `Z`, `+01:00`, `-5`, or nothing.
    fn zone(&mut self) -> Option<String> {
        self.blanks(0)?;
        if self.byte(b'Z').is_some() {
            return Some("+00:00".to_owned());
        }
        let sign = match self.rest.first() {
            None => return Some(String::new()),
            Some(b'+') => '+',
            Some(b'-') => '-',
            Some(_) => return None,
        };
        self.rest = &self.rest[1..];
        let hours = self.digits(1, 2)?;
        let minutes = match self.byte(b':') {
            Some(()) => self.digits(2, 2)?,
            None => 0,
        };
        let sign = if hours == 0 && minutes == 0 {
            '+'
        } else {
            sign
        };
        Some(format!("{sign}{hours:02}:{minutes:02}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        let time = |text: &str| match resolve(text) {
            Some(Scalar::Time(text)) => text,
            other => format!("{other:?}"),
        };
        assert_eq!(time("2024-01-02"), "2024-01-02");
        assert_eq!(time("2024-1-2"), "None");
        assert_eq!(
            time("2001-12-14t21:59:43.10-05:00"),
            "2001-12-14 21:59:43.100000-05:00"
        );
        assert_eq!(
            time("2001-12-14 21:59:43.1 Z"),
            "2001-12-14 21:59:43.100000+00:00"
        );
        assert_eq!(time("2001-1-1 1:01:01"), "2001-01-01 01:01:01");
        assert!(time("2024-13-45").starts_with("Some(Invalid"));
    }
}
