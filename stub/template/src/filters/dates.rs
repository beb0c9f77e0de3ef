//! Dates.

use super::{Filter, filter, of_text};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::text::{DateTime, strftime};
use crate::value::{Value, as_f64, parse_float, to_text};

pub(super) const TABLE: &[Filter] = &[
    of_text("strftime", format_time),
    filter("to_datetime", to_datetime),
];

fn format_time(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [second, utc] = args.bind("strftime", ["second", "utc"], 0)?;
    let utc = utc.truth_or(false)?;
    let now = interp.templar.engine().host().now();
    let moment = match second {
        None | Some(Value::None) => now,
        Some(second) => {
            let seconds = match &second {
                Value::Str(text) => parse_float(text),
                other => as_f64(other),
            };
            let timestamp = seconds
                .map(|seconds| (seconds * 1e6).round())
                .filter(|micros| micros.abs() < 2e17)
                .and_then(|micros| jiff::Timestamp::from_microsecond(micros as i64).ok());
            let timestamp = timestamp.ok_or_else(|| {
                Error::value(format!(
                    "Invalid value for epoch value ({})",
                    to_text(&second).unwrap_or_default()
                ))
            })?;
            timestamp.to_zoned(now.time_zone().clone())
        }
    };
    let moment = if utc {
        moment.with_time_zone(jiff::tz::TimeZone::UTC)
    } else {
        moment
    };
    strftime(&moment, &to_text(&value)?).map(Value::from)
}

fn to_datetime(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [format] = args.bind("to_datetime", ["format"], 0)?;
    let (text, format) = (to_text(&value)?, format.text_or("%Y-%m-%d %H:%M:%S")?);
    let mismatch = || {
        Error::value(format!(
            "time data {} does not match format {}",
            crate::value::str_repr(&text),
            crate::value::str_repr(&format)
        ))
    };
    let parsed = jiff::fmt::strtime::parse(&format, &text).map_err(|_| mismatch())?;
    let date = jiff::civil::Date::new(
        parsed.year().unwrap_or(1900),
        parsed.month().unwrap_or(1),
        parsed.day().unwrap_or(1),
    )
    .or_else(|_| parsed.to_date())
    .map_err(|_| mismatch())?;
    let time = parsed
        .to_time()
        .unwrap_or_else(|_| jiff::civil::Time::midnight());
    Ok(Value::object(DateTime::naive(date.to_datetime(time))))
}
