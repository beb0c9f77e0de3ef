//! Keywords of a task that may be templates: evaluated when the task's turn comes.

use std::time::Duration;

use indexmap::IndexMap;
use rustle_formats::Value;

use super::Frame;
use crate::args::{boolean, text};
use crate::r#become::Escalate;
use crate::vars::Templar;

/// The keywords of one run of one task, evaluated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keywords {
    pub check: bool,
    pub diff: bool,
    pub environment: IndexMap<String, String>,
    pub escalate: Option<Escalate>,
    pub delegate_to: Option<String>,
    pub delegate_facts: bool,
    pub timeout: Option<Duration>,
    pub retries: Option<u64>,
    pub delay: Duration,
    pub background: Option<Background>,
    /// `ignore_errors`.
    pub ignored: bool,
}

/// `async` and `poll`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Background {
    pub limit: u64,
    pub poll: u64,
}

/// The longest `timeout`, in seconds.
const MAX_TIMEOUT: f64 = 1e8;

/// `throttle`, which has no effect on one host; wrong, it ends the run.
///
/// # Errors
/// Ansible's sentence.
pub(crate) fn throttle(templar: &Templar<'_, '_>, frame: &Frame<'_>) -> Result<(), String> {
    let Some(value) = frame.throttle() else {
        return Ok(());
    };
    let value = templar.value(value).map_err(|e| {
        format!(
            "Failed to convert the throttle value to an integer: {}",
            e.message
        )
    })?;
    let Some(value) = value.filter(|v| !v.is_null()) else {
        return Ok(());
    };
    let number = matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_));
    if number || text(&value).trim().parse::<i64>().is_ok() {
        return Ok(());
    }
    Err(format!(
        "Failed to convert the throttle value to an integer: invalid literal for int() with base 10: '{}'",
        text(&value)
    ))
}

/// Evaluates a keyword.
fn keyword(
    templar: &Templar<'_, '_>,
    name: &str,
    value: Option<&Value>,
) -> Result<Option<Value>, String> {
    let Some(value) = value else { return Ok(None) };
    templar
        .value(value)
        .map(|v| v.filter(|v| !v.is_null()))
        .map_err(|e| format!("Error processing keyword '{name}': {}", e.message))
}

/// Evaluates a keyword that is a boolean.
pub(crate) fn flag(
    templar: &Templar<'_, '_>,
    name: &str,
    value: Option<&Value>,
) -> Result<Option<bool>, String> {
    if let Some(Value::Bool(b)) = value {
        return Ok(Some(*b));
    }
    match keyword(templar, name, value)? {
        None => Ok(None),
        Some(v) => match boolean(&v) {
            Some(b) => Ok(Some(b)),
            None => Err(format!(
                "Error processing keyword '{name}': The value '{}' could not be converted to 'bool'.",
                text(&v)
            )),
        },
    }
}

/// Evaluates a keyword that is a number, of the type that Ansible's sentences name.
fn number(
    templar: &Templar<'_, '_>,
    name: &str,
    kind: &str,
    value: Option<&Value>,
) -> Result<Option<f64>, String> {
    let Some(v) = keyword(templar, name, value)? else {
        return Ok(None);
    };
    let found = match &v {
        Value::Int(i) => Some(*i as f64),
        Value::Float(f) => Some(*f),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        other => text(other).trim().parse().ok(),
    };
    match found.filter(|n: &f64| n.is_finite()) {
        Some(n) => Ok(Some(n)),
        None => Err(format!(
            "Error processing keyword '{name}': The value '{}' could not be converted to '{kind}'.",
            text(&v)
        )),
    }
}

/// Evaluates a keyword that is text; none where it is empty.
pub(crate) fn words(
    templar: &Templar<'_, '_>,
    name: &str,
    value: Option<&Value>,
) -> Result<Option<String>, String> {
    Ok(keyword(templar, name, value)?
        .map(|v| text(&v))
        .filter(|t| !t.is_empty()))
}

/// The environment of a task: from the outside in, the inner ones win.
fn environment(
    templar: &Templar<'_, '_>,
    frame: &Frame<'_>,
    warn: &dyn Fn(String),
) -> Result<IndexMap<String, String>, String> {
    let mut out = IndexMap::new();
    let gathers =
        crate::modules::find(&frame.task.module).is_some_and(|m| m.spec().name == "setup");
    for part in frame.environment() {
        let part = match part {
            // Some of it may be made of the facts that are about to be gathered.
            Value::Map(map) if gathers => {
                let known = map.iter().filter_map(|(name, value)| {
                    match keyword(templar, "environment", Some(value)) {
                        Err(why) if why.ends_with("is undefined") => None,
                        value => Some(value.map(|v| (name.clone(), v.unwrap_or_default()))),
                    }
                });
                Some(Value::Map(known.collect::<Result<_, _>>()?))
            }
            part => keyword(templar, "environment", Some(part))?,
        };
        match part {
            Some(Value::Map(map)) => {
                out.extend(map.into_iter().map(|(k, v)| (k, text(&v))));
            }
            None => {}
            // Ansible warns of it, and does the task.
            Some(other) => warn(format!(
                "could not parse environment value, skipping: {}",
                text(&other)
            )),
        }
    }
    Ok(out)
}

/// Whether the task only predicts and whether it shows differences: needed before anything else of it.
pub(crate) fn modes(
    templar: &Templar<'_, '_>,
    frame: &Frame<'_>,
    (check, diff): (bool, bool),
) -> Result<(bool, bool), String> {
    Ok((
        flag(templar, "check_mode", frame.check_mode())?.unwrap_or(check),
        flag(templar, "diff", frame.diff())?.unwrap_or(diff),
    ))
}

impl Keywords {
    /// Evaluates them all. `warn` is told what is wrong and does no harm.
    ///
    /// # Errors
    /// Ansible's sentence about the first one that cannot be evaluated.
    pub(crate) fn evaluate(
        templar: &Templar<'_, '_>,
        frame: &Frame<'_>,
        modes: (bool, bool),
        warn: &dyn Fn(String),
    ) -> Result<Keywords, String> {
        let task = frame.task;
        let delegate_to = match frame.delegate_to() {
            None => None,
            // Ansible resolves this one earlier than the others, and names no keyword.
            Some(v) => templar
                .value(v)
                .map_err(|e| e.message)?
                .map(|v| text(&v))
                .filter(|t| !t.is_empty()),
        };
        // Variables of the host that does the task say how to become somebody there.
        let elsewhere = delegate_to.as_deref();
        let elsewhere = elsewhere.filter(|host| *host != templar.vars().store().host);
        let escalate = Escalate::evaluate(templar, frame, elsewhere)?;
        let background = match number(templar, "async_val", "int", task.async_.as_ref())? {
            Some(limit) if limit > 0.0 => Some(Background {
                limit: limit as u64,
                poll: number(templar, "poll", "int", task.poll.as_ref())?.unwrap_or(15.0) as u64,
            }),
            _ => None,
        };
        flag(templar, "run_once", frame.run_once())?;
        let timeout = number(templar, "timeout", "int", frame.timeout())?;
        if let Some(wrong) = timeout.filter(|t| !(0.0..=MAX_TIMEOUT).contains(t)) {
            return Err(format!(
                "Timeout {wrong} is invalid, it must be between 0 and 100000000."
            ));
        }
        let delay = number(templar, "delay", "float", task.delay.as_ref())?.unwrap_or(5.0);
        Ok(Keywords {
            check: modes.0,
            diff: modes.1,
            environment: environment(templar, frame, warn)?,
            escalate,
            delegate_facts: delegate_to.is_some()
                && flag(templar, "delegate_facts", frame.delegate_facts())? == Some(true),
            delegate_to,
            timeout: timeout.filter(|t| *t > 0.0).map(seconds),
            retries: number(templar, "retries", "int", task.retries.as_ref())?.map(|n| n as u64),
            delay: seconds(delay),
            background,
            ignored: flag(templar, "ignore_errors", frame.ignore_errors())? == Some(true),
        })
    }
}

/// A span that fits the clock, whatever the plan says.
pub(crate) fn seconds(n: f64) -> Duration {
    Duration::try_from_secs_f64(n.clamp(0.0, 1e9)).unwrap_or_default()
}
