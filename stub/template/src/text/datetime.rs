//! Python's `datetime` and `timedelta`, as `now()`, `to_datetime` and `strftime` give them to templates.

use std::any::Any;
use std::cmp::Ordering;
use std::rc::Rc;

use jiff::civil;

use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Object, Value};

/// A moment on the calendar, without a time zone (or in UTC).
#[derive(Clone)]
pub(crate) struct DateTime {
    civil: civil::DateTime,
}

impl DateTime {
    pub(crate) fn naive(civil: civil::DateTime) -> Self {
        DateTime { civil }
    }

    /// Python's `strftime`.
    pub(crate) fn strftime(&self, format: &str) -> Result<String, Error> {
        let zoned = self
            .civil
            .to_zoned(jiff::tz::TimeZone::system())
            .map_err(|error| Error::value(format!("no such time: {error}")))?;
        strftime(&zoned, format)
    }

    fn seconds(&self) -> f64 {
        let span = self
            .civil
            .duration_since(civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
        span.as_secs_f64()
    }
}

/// C's `strftime`: unknown directives stay as they are.
pub(crate) fn strftime(moment: &jiff::Zoned, format: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(directive) = chars.next() else {
            out.push('%');
            break;
        };
        let piece = match directive {
            '%' => "%".to_owned(),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            'f' => format!("{:06}", moment.subsec_nanosecond() / 1000),
            'c' => part(moment, "%a %b %e %H:%M:%S %Y")?,
            'x' => part(moment, "%m/%d/%y")?,
            'X' => part(moment, "%H:%M:%S")?,
            'r' => part(moment, "%I:%M:%S %p")?,
            '-' => match chars.next() {
                Some(next) => {
                    part(moment, &format!("%-{next}")).unwrap_or_else(|_| format!("%-{next}"))
                }
                None => "%-".to_owned(),
            },
            other => part(moment, &format!("%{other}")).unwrap_or_else(|_| format!("%{other}")),
        };
        out.push_str(&piece);
    }
    Ok(out)
}

fn part(moment: &jiff::Zoned, format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, moment).map_err(|error| Error::value(error.to_string()))
}

impl Object for DateTime {
    fn type_name(&self) -> &str {
        "datetime"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        let civil = self.civil;
        Ok(Some(Value::Int(match name {
            "year" => i64::from(civil.year()),
            "month" => i64::from(civil.month()),
            "day" => i64::from(civil.day()),
            "hour" => i64::from(civil.hour()),
            "minute" => i64::from(civil.minute()),
            "second" => i64::from(civil.second()),
            "microsecond" => i64::from(civil.subsec_nanosecond() / 1000),
            "strftime" | "isoformat" | "timestamp" | "weekday" | "isoweekday" | "date"
            | "replace" => {
                return Ok(Some(Value::object(DateMethod {
                    moment: self.clone(),
                    name: name.into(),
                })));
            }
            _ => return Ok(None),
        })))
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<DateTime>()
            .is_some_and(|other| other.civil == self.civil)
    }

    fn order(&self, other: &dyn Object) -> Option<Ordering> {
        other
            .as_any()
            .downcast_ref::<DateTime>()
            .map(|other| self.civil.cmp(&other.civil))
    }

    fn add(&self, other: &Value, subtract: bool) -> Option<Value> {
        let Value::Object(other) = other else {
            return None;
        };
        if let (Some(other), true) = (other.as_any().downcast_ref::<DateTime>(), subtract) {
            let span = self.civil.duration_since(other.civil);
            return Some(Value::object(TimeDelta {
                micros: span.as_micros(),
            }));
        }
        let delta = other.as_any().downcast_ref::<TimeDelta>()?;
        let micros = if subtract {
            -delta.micros
        } else {
            delta.micros
        };
        let span = jiff::SignedDuration::from_micros(i64::try_from(micros).ok()?);
        Some(Value::object(DateTime {
            civil: self.civil.checked_add(span).ok()?,
        }))
    }

    fn text(&self) -> String {
        iso(&self.civil, ' ')
    }

    fn repr(&self) -> String {
        let c = self.civil;
        let mut parts = vec![
            i32::from(c.year()),
            i32::from(c.month()),
            i32::from(c.day()),
            i32::from(c.hour()),
            i32::from(c.minute()),
        ];
        let micros = c.subsec_nanosecond() / 1000;
        if c.second() != 0 || micros != 0 {
            parts.push(i32::from(c.second()));
        }
        if micros != 0 {
            parts.push(micros);
        }
        let shown: Vec<String> = parts.iter().map(i32::to_string).collect();
        format!("datetime.datetime({})", shown.join(", "))
    }

    fn is_storable(&self) -> bool {
        true
    }

    fn to_data(&self) -> Option<Value> {
        Some(Value::from(iso(&self.civil, 'T')))
    }
}

fn iso(civil: &civil::DateTime, separator: char) -> String {
    let micros = civil.subsec_nanosecond() / 1000;
    let fraction = if micros == 0 {
        String::new()
    } else {
        format!(".{micros:06}")
    };
    format!(
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}{fraction}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    )
}

/// A method of a date.
struct DateMethod {
    moment: DateTime,
    name: Rc<str>,
}

impl Object for DateMethod {
    fn type_name(&self) -> &str {
        "builtin_function_or_method"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        let civil = self.moment.civil;
        Ok(match &*self.name {
            "strftime" => {
                let [format] = args.bind("strftime", ["format"], 1)?;
                Value::from(self.moment.strftime(&format.text_or("")?)?)
            }
            "isoformat" => {
                let [separator] = args.bind("isoformat", ["sep"], 0)?;
                let separator = separator.text_or("T")?.chars().next().unwrap_or('T');
                Value::from(iso(&civil, separator))
            }
            "timestamp" => {
                let zoned = civil.to_zoned(jiff::tz::TimeZone::system());
                match zoned {
                    Ok(zoned) => Value::Float(zoned.timestamp().as_microsecond() as f64 / 1e6),
                    Err(_) => Value::Float(self.moment.seconds()),
                }
            }
            "weekday" => Value::Int(i64::from(civil.weekday().to_monday_zero_offset())),
            "isoweekday" => Value::Int(i64::from(civil.weekday().to_monday_one_offset())),
            "date" => Value::object(DateTime {
                civil: civil.date().at(0, 0, 0, 0),
            }),
            _ => return self.replace(args),
        })
    }
}

impl DateMethod {
    fn replace(&self, args: Args) -> Result<Value, Error> {
        let names = [
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "microsecond",
        ];
        let bound = args.bind("replace", names, 0)?;
        let c = self.moment.civil;
        let number = |index: usize, current: i64| bound[index].int_or(current);
        let make = || -> Option<civil::DateTime> {
            let small = |index: usize, current: i8| {
                i8::try_from(number(index, i64::from(current)).ok()?).ok()
            };
            civil::DateTime::new(
                i16::try_from(number(0, i64::from(c.year())).ok()?).ok()?,
                small(1, c.month())?,
                small(2, c.day())?,
                small(3, c.hour())?,
                small(4, c.minute())?,
                small(5, c.second())?,
                i32::try_from(
                    number(6, i64::from(c.subsec_nanosecond() / 1000))
                        .ok()?
                        .checked_mul(1000)?,
                )
                .ok()?,
            )
            .ok()
        };
        match make() {
            Some(civil) => Ok(Value::object(DateTime { civil })),
            None => Err(Error::value("day is out of range for month")),
        }
    }
}

/// The time between two moments.
pub(crate) struct TimeDelta {
    micros: i128,
}

impl TimeDelta {
    fn days(&self) -> i128 {
        self.micros.div_euclid(86_400_000_000)
    }

    fn rest(&self) -> i128 {
        self.micros.rem_euclid(86_400_000_000)
    }
}

impl Object for TimeDelta {
    fn type_name(&self) -> &str {
        "timedelta"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        Ok(match name {
            "days" => Some(Value::Int(self.days() as i64)),
            "seconds" => Some(Value::Int((self.rest() / 1_000_000) as i64)),
            "microseconds" => Some(Value::Int((self.rest() % 1_000_000) as i64)),
            "total_seconds" => Some(Value::object(TotalSeconds(self.micros as f64 / 1e6))),
            _ => None,
        })
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<TimeDelta>()
            .is_some_and(|other| other.micros == self.micros)
    }

    fn order(&self, other: &dyn Object) -> Option<Ordering> {
        other
            .as_any()
            .downcast_ref::<TimeDelta>()
            .map(|other| self.micros.cmp(&other.micros))
    }

    fn truth(&self) -> bool {
        self.micros != 0
    }

    fn text(&self) -> String {
        let (days, rest) = (self.days(), self.rest());
        let seconds = rest / 1_000_000;
        let prefix = match days {
            0 => String::new(),
            1 | -1 => format!("{days} day, "),
            _ => format!("{days} days, "),
        };
        let fraction = match rest % 1_000_000 {
            0 => String::new(),
            micros => format!(".{micros:06}"),
        };
        format!(
            "{prefix}{}:{:02}:{:02}{fraction}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    }
}

/// `timedelta.total_seconds`.
struct TotalSeconds(f64);

impl Object for TotalSeconds {
    fn type_name(&self) -> &str {
        "builtin_function_or_method"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _: &mut Interp<'_>, args: Args) -> Result<Value, Error> {
        args.none("total_seconds")?;
        Ok(Value::Float(self.0))
    }
}
