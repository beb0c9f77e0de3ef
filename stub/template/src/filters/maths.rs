//! Numbers: logarithms, powers, sizes for people, chance.

use super::{Filter, filter};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::text::Twister;
use crate::value::{Value, as_f64, iterate, parse_float, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("filesizeformat", filesizeformat),
    filter("human_readable", human_readable),
    filter("human_to_bytes", human_to_bytes),
    filter("log", log),
    filter("pow", pow),
    filter("random", random),
    filter("root", root),
    filter("shuffle", shuffle),
];

fn number(value: &Value, what: &str) -> Result<f64, Error> {
    as_f64(value).ok_or_else(|| {
        Error::type_error(format!(
            "{what} can only be used on numbers: must be real number, not {}",
            value.type_name()
        ))
    })
}

fn log(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [base] = args.bind("log", ["base"], 0)?;
    let x = number(&value, "log()")?;
    let base = base.map(|base| number(&base, "log()")).transpose()?;
    if x <= 0.0 || base.is_some_and(|base| base <= 0.0) {
        return Err(Error::value(
            "log() can only be used on numbers: math domain error",
        ));
    }
    Ok(Value::Float(match base {
        None => x.ln(),
        Some(10.0) => x.log10(),
        Some(1.0) => return Err(Error::value("float division by zero")),
        Some(base) => x.ln() / base.ln(),
    }))
}

fn pow(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [exponent] = args.bind("pow", ["y"], 1)?;
    let (x, y) = (
        number(&value, "pow()")?,
        number(&exponent.or_none(), "pow()")?,
    );
    let result = x.powf(y);
    if result.is_nan() && !x.is_nan() && !y.is_nan() {
        return Err(Error::value(
            "pow() can only be used on numbers: math domain error",
        ));
    }
    if result.is_infinite() && x.is_finite() && y.is_finite() {
        return Err(Error::value("math range error"));
    }
    Ok(Value::Float(result))
}

fn root(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [base] = args.bind("root", ["base"], 0)?;
    let x = number(&value, "root()")?;
    let base = match base {
        None => 2.0,
        Some(base) => number(&base, "root()")?,
    };
    if x < 0.0 && base != 2.0 && (1.0 / base).fract() != 0.0 {
        return Err(Error::value(
            "root() can only be used on numbers: math domain error",
        ));
    }
    if base == 2.0 {
        if x < 0.0 {
            return Err(Error::value(
                "root() can only be used on numbers: math domain error",
            ));
        }
        return Ok(Value::Float(x.sqrt()));
    }
    if base == 0.0 {
        return Err(Error::value("float division by zero"));
    }
    Ok(Value::Float(x.powf(1.0 / base)))
}

fn filesizeformat(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [binary] = args.bind("filesizeformat", ["binary"], 0)?;
    let binary = binary.truth_or(false)?;
    let text = to_text(&value)?;
    let bytes = as_f64(&value)
        .or_else(|| parse_float(&text))
        .ok_or_else(|| {
            Error::value(format!(
                "could not convert string to float: {}",
                crate::value::str_repr(&text)
            ))
        })?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Value::str("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{} Bytes", bytes.trunc())));
    }
    let letters = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
    let mut unit = base;
    for (index, letter) in letters.iter().enumerate() {
        unit *= base;
        if bytes < unit || index + 1 == letters.len() {
            let suffix = if binary {
                format!("{}iB", letter.to_ascii_uppercase())
            } else {
                format!("{letter}B")
            };
            return Ok(Value::from(format!("{:.1} {suffix}", base * bytes / unit)));
        }
    }
    Ok(Value::None)
}

/// The units from the largest down, and their exponents of 1024.
const UNITS: [(char, i32); 9] = [
    ('Y', 8),
    ('Z', 7),
    ('E', 6),
    ('P', 5),
    ('T', 4),
    ('G', 3),
    ('M', 2),
    ('K', 1),
    ('B', 0),
];

fn human_readable(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [bits, unit] = args.bind("human_readable", ["isbits", "unit"], 0)?;
    let size = as_f64(&value)
        .ok_or_else(|| Error::value("human_readable() failed on bad input: not a number"))?;
    let bits = bits.truth_or(false)?;
    let unit = unit
        .text()?
        .and_then(|unit| unit.chars().next())
        .map(|c| c.to_ascii_uppercase());
    let chosen = UNITS.into_iter().find(|(letter, power)| match unit {
        None => size >= 1024f64.powi(*power),
        Some(unit) => unit == *letter,
    });
    let (letter, power) = chosen.unwrap_or(('B', 0));
    let suffix = match (letter, bits) {
        ('B', true) => "bits".to_owned(),
        ('B', false) => "Bytes".to_owned(),
        (letter, true) => format!("{letter}b"),
        (letter, false) => format!("{letter}B"),
    };
    Ok(Value::from(format!(
        "{:.2} {suffix}",
        size / 1024f64.powi(power)
    )))
}

fn human_to_bytes(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [default_unit, bits] = args.bind("human_to_bytes", ["default_unit", "isbits"], 0)?;
    let bits = bits.truth_or(false)?;
    let text = to_text(&value)?;
    let bad = |why: &str| {
        Error::value(format!(
            "human_to_bytes() failed on bad input: {why}: {text}"
        ))
    };
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let number: f64 = trimmed[..end]
        .parse()
        .map_err(|_| bad("can't interpret following string"))?;
    let mut unit = trimmed[end..].trim().to_owned();
    if unit.is_empty() {
        unit = default_unit.text_or("")?;
    }
    let Some(letter) = unit.chars().next() else {
        return Ok(Value::Int(number.round_ties_even() as i64));
    };
    let known = UNITS
        .into_iter()
        .find(|(known, _)| *known == letter.to_ascii_uppercase());
    let (known, power) =
        known.ok_or_else(|| bad("the suffix must be one of Y, Z, E, P, T, G, M, K, B"))?;
    let rest = &unit[1..];
    let (class, word) = if bits { ("b", "bit") } else { ("B", "byte") };
    let fits = match known {
        'B' => unit.eq_ignore_ascii_case("b") || unit.eq_ignore_ascii_case(word),
        _ if rest.is_empty() => true,
        known => {
            // What stands before `byte` in the written-out names begins with the letter.
            let long = [
                "yotta", "zetta", "exa", "peta", "tera", "giga", "mega", "kilo",
            ]
            .into_iter()
            .find(|long| long.starts_with(known.to_ascii_lowercase()));
            let spelled = unit.to_lowercase();
            letter == known && rest == class
                || long.is_some_and(|long| spelled.strip_prefix(long) == Some(word))
        }
    };
    if !fits {
        return Err(bad("value is not a valid string"));
    }
    let bytes = number * 1024f64.powi(power);
    Ok(Value::from(crate::value::BigInt::from_f64(
        bytes.round_ties_even(),
    )))
}

fn twister(interp: &Interp<'_>, seed: Option<Value>) -> Result<Twister, Error> {
    match seed {
        None | Some(Value::None) => {
            let entropy = interp.templar.engine().host().entropy() >> 1;
            Twister::from_value(&Value::Int(entropy as i64))
        }
        Some(seed) => Twister::from_value(&seed),
    }
}

fn random(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [start, step, seed] = args.bind("random", ["start", "step", "seed"], 0)?;
    let mut twister = twister(interp, seed)?;
    if let Some(end) = value.as_int() {
        let (start, step) = (start.int_or(0)?, step.int_or(1)?);
        let range = crate::value::Range {
            start,
            stop: end,
            step: if step == 0 { 1 } else { step },
        };
        return match range.count() {
            0 => Err(Error::value(format!(
                "empty range for randrange() ({start}, {end}, {})",
                end - start
            ))),
            count => Ok(Value::Int(range.nth(twister.below(count as u64) as usize))),
        };
    }
    let items = iterate(&value)
        .map_err(|_| Error::type_error("random can only be used on sequences and integers"))?;
    if start.is_some() || step.is_some() {
        return Err(Error::type_error(
            "start and step can only be used with integer values",
        ));
    }
    match items.len() {
        0 => Err(Error::value("Cannot choose from an empty sequence")),
        count => Ok(items[twister.below(count as u64) as usize].clone()),
    }
}

fn shuffle(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [seed] = args.bind("shuffle", ["seed"], 0)?;
    let Ok(mut items) = iterate(&value) else {
        return Ok(value);
    };
    twister(interp, seed)?.shuffle(&mut items);
    Ok(Value::list(items))
}
