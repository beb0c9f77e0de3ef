//! The `sequence` lookup: numbers from a start to an end, formatted.

use crate::Error;
use crate::eval::Args;
use crate::value::{MAX_ITEMS, Value, binary, parse_int, to_text};

struct Sequence {
    start: i64,
    end: Option<i64>,
    count: Option<i64>,
    stride: i64,
    format: String,
}

pub(super) fn run(args: &Args) -> Result<Vec<Value>, Error> {
    let mut results = Vec::new();
    if args.positional.is_empty() && !args.keywords.is_empty() {
        let mut sequence = Sequence::new();
        sequence.options(args)?;
        sequence.generate(&mut results)?;
    }
    for term in &args.positional {
        let mut sequence = Sequence::new();
        sequence.options(args)?;
        let text = to_text(term)?;
        // What is no shorthand is pairs of keys and values.
        if !sequence.simple(&text)? {
            for pair in text.split_whitespace() {
                let Some((key, value)) = pair.split_once('=') else {
                    return Err(Error::value(format!(
                        "unrecognized arguments to with_sequence: ['_raw_params'] ({pair})"
                    )));
                };
                sequence.set(key, value)?;
            }
        }
        sequence.generate(&mut results)?;
    }
    Ok(results)
}

impl Sequence {
    fn new() -> Self {
        Sequence {
            start: 1,
            end: None,
            count: None,
            stride: 1,
            format: "%d".to_owned(),
        }
    }

    fn options(&mut self, args: &Args) -> Result<(), Error> {
        for (name, value) in &args.keywords {
            self.set(name, &to_text(value)?)?;
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        match key {
            "start" => self.start = number(key, value)?,
            "end" => self.end = Some(number(key, value)?),
            "count" => self.count = Some(number(key, value)?),
            "stride" => self.stride = number(key, value)?,
            "format" => self.format = value.to_owned(),
            other => {
                return Err(Error::value(format!(
                    "unrecognized arguments to with_sequence: ['{other}']"
                )));
            }
        }
        Ok(())
    }

    /// `[start-]end[/stride][:format]`; false if the text is not of that form.
    fn simple(&mut self, text: &str) -> Result<bool, Error> {
        let (numbers, format) = match text.split_once(':') {
            Some((numbers, format)) => (numbers, Some(format)),
            None => (text, None),
        };
        let (span, stride) = match numbers.split_once('/') {
            Some((span, stride)) => (span, Some(stride)),
            None => (numbers, None),
        };
        let (start, end) = match span.split_once('-') {
            Some((start, end)) => (Some(start), end),
            None => (None, span),
        };
        // Pairs of keys and values are the other form, and have blanks or an equals sign before the format.
        if numbers.contains(['=', ' ']) || numbers.is_empty() {
            return Ok(false);
        }
        let is_number = |text: &str| parse_int(text, 0).is_some();
        if start.is_none() && stride.is_none() && !is_number(end) {
            return Ok(false);
        }
        self.end = Some(number("end", end)?);
        if let Some(start) = start {
            self.start = number("start", start)?;
        }
        if let Some(stride) = stride {
            self.stride = number("stride", stride)?;
        }
        if let Some(format) = format {
            self.format = format.to_owned();
        }
        Ok(true)
    }

    fn generate(&self, results: &mut Vec<Value>) -> Result<(), Error> {
        let end = match (self.count, self.end) {
            (None, None) => return Err(Error::value("must specify count or end in with_sequence")),
            (Some(_), Some(_)) => {
                return Err(Error::value(
                    "can't specify both count and end in with_sequence",
                ));
            }
            (Some(0), None) => return Ok(()),
            // Ansible reckons so backwards too, and comes out beyond the count.
            (Some(count), None) => self
                .start
                .saturating_add(count.saturating_mul(self.stride))
                .saturating_sub(1),
            (None, Some(end)) => end,
        };
        if self.stride == 0 {
            return Ok(());
        }
        if self.stride > 0 && end < self.start {
            return Err(Error::value("to count backwards make stride negative"));
        }
        if self.stride < 0 && end > self.start {
            return Err(Error::value("to count forward don't make stride negative"));
        }
        if !self.format.contains('%') {
            return Err(Error::value(format!(
                "bad formatting string: {}",
                self.format
            )));
        }
        let mut at = self.start;
        while if self.stride > 0 {
            at <= end
        } else {
            at >= end
        } {
            if results.len() >= MAX_ITEMS {
                return Err(Error::limit("the sequence is too long"));
            }
            let format = Value::str(self.format.as_str());
            results.push(binary("%", &format, &Value::Int(at)).map_err(|_| {
                Error::value(format!("problem formatting {at} with '{}'", self.format))
            })?);
            match at.checked_add(self.stride) {
                Some(next) => at = next,
                None => break,
            }
        }
        Ok(())
    }
}

fn number(key: &str, text: &str) -> Result<i64, Error> {
    parse_int(text, 0)
        .and_then(|value| value.as_int())
        .ok_or_else(|| {
            Error::value(format!(
                "Config '{key}' for 'sequence' lookup plugin from 'Direct' has an invalid value: Invalid value provided for 'integer': '{text}'"
            ))
        })
}
