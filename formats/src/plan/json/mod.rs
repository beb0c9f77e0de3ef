//! The plan as a JSON document: read with the exact place of every mistake, written without what says nothing.
//!
//! Three shapes are read: ours, which carries its `version`, and those of rustle-plan 0.1.0 and rustle-deploy, which
//! are told by their keys and converted (see [`super::foreign`]).

mod decode;
mod node;
mod prune;
mod repeats;

use std::ops::Range;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

pub(super) use decode::{Fault, ITEM};
pub(super) use node::{Kind, Member, Node};

use self::repeats::NoRepeats;
use super::foreign::{self, Origins};
use super::{ExecutionPlan, PLAN_VERSION};

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The first byte, from 0.
    pub offset: usize,
    /// How many bytes.
    pub length: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    fn new(text: &str, span: &Range<usize>) -> Place {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            offset: start,
            length: span.end.saturating_sub(start),
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonError {
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub hint: Option<String>,
    /// Where.
    pub place: Place,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at line {} column {}",
            self.message, self.place.line, self.place.column
        )
    }
}

impl std::error::Error for JsonError {}

/// Whose shape a document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Ours, with a `version`.
    Rustle,
    /// rustle-plan 0.1.0: `plays`, and no `version`.
    RustlePlan,
    /// rustle-deploy: `tasks`, and neither `plays` nor `version`.
    RustleDeploy,
}

/// Something in another tool's plan that has no effect here.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// The field, and why it has no effect.
    pub message: String,
    /// How often it occurs.
    pub count: usize,
    /// Where it occurs first.
    pub place: Place,
}

/// A plan that was read.
#[derive(Debug)]
pub struct Reading {
    /// The plan.
    pub plan: ExecutionPlan,
    /// The shape of the document.
    pub shape: Shape,
    /// What has no effect.
    pub warnings: Vec<Warning>,
    origins: Origins,
}

impl Reading {
    /// A plan of our own shape, made by other means than a text.
    pub fn from_plan(plan: ExecutionPlan) -> Reading {
        Reading {
            plan,
            shape: Shape::Rustle,
            warnings: Vec::new(),
            origins: Origins::default(),
        }
    }

    /// Where in the text stands what these JSON pointers into the *plan* name, each with whether its key is meant.
    ///
    /// A part that the document does not spell out is placed at the nearest part around it.
    pub fn places(&self, text: &str, pointers: &[(String, bool)]) -> Vec<Option<Place>> {
        if pointers.is_empty() {
            return Vec::new();
        }
        let Some(root) = Node::parse(text) else {
            return vec![None; pointers.len()];
        };
        pointers
            .iter()
            .map(|(pointer, key)| {
                let mut pointer = self.origins.locate(pointer);
                let mut exact = true;
                loop {
                    if let Some(found) = root.find(&pointer) {
                        let span = match found.key {
                            Some(name) if *key && exact => name,
                            _ => found.value,
                        };
                        return Some(Place::new(text, &span));
                    }
                    exact = false;
                    let cut = pointer.rfind('/')?;
                    pointer.truncate(cut);
                }
            })
            .collect()
    }
}

/// The keys that tell the shapes apart.
#[derive(Deserialize)]
struct Head {
    version: Option<IgnoredAny>,
    plays: Option<IgnoredAny>,
    tasks: Option<IgnoredAny>,
}

/// Reads a plan of any of the three shapes.
///
/// # Errors
/// Every mistake that was found, in the order of the text. JSON that is not well-formed gives one.
pub fn read(text: &str) -> Result<Reading, Vec<JsonError>> {
    let head: Head = parse(text).map_err(|e| vec![e])?;
    let (shape, convert): (_, foreign::Convert) = match head {
        Head {
            version: Some(_), ..
        } => return own(text).map_err(|e| vec![e]),
        Head { plays: Some(_), .. } => (Shape::RustlePlan, foreign::rustle_plan),
        Head { tasks: Some(_), .. } => (Shape::RustleDeploy, foreign::rustle_deploy),
        Head { .. } => {
            let fault = Fault::at(
                &first_byte(text),
                "this is not a plan: it has no `version`, no `plays` and no `tasks`",
            )
            .hint(format!(
                "a plan begins with {{\"version\": {PLAN_VERSION}, \"plays\": [...]}}; see `rustle schema plan`"
            ));
            return Err(vec![error(text, fault)]);
        }
    };
    let syntax = || {
        vec![
            parse::<IgnoredAny>(text)
                .err()
                .unwrap_or_else(|| lost(text)),
        ]
    };
    let root = Node::parse(text).ok_or_else(syntax)?;
    if let Some(fault) = root.repeated() {
        return Err(vec![error(text, fault)]);
    }
    let converted = convert(root).map_err(|mut faults| {
        faults.sort_by_key(|f| f.span.as_ref().map(|s| s.start));
        faults
            .into_iter()
            .map(|f| error(text, f))
            .collect::<Vec<_>>()
    })?;
    Ok(Reading {
        plan: converted.plan,
        shape,
        warnings: converted
            .warnings
            .into_iter()
            .map(|w| Warning {
                message: w.message,
                count: w.count,
                place: Place::new(text, &w.span),
            })
            .collect(),
        origins: converted.origins,
    })
}

fn own(text: &str) -> Result<Reading, JsonError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let at = |pointer: &str, message: String| {
        let span = Node::parse(text)
            .and_then(|n| n.find(pointer))
            .map_or(0..0, |f| f.value);
        Fault::at(&span, message)
    };
    let Version { version } = parse(text)?;
    if version == 0 || version > PLAN_VERSION {
        let fault = at(
            "/version",
            format!(
                "the plan has version {version}, and this program reads versions up to {PLAN_VERSION}"
            ),
        )
        .hint("make the plan again with the tool of this version, or pack it with the other one");
        return Err(error(text, fault));
    }
    parse::<NoRepeats>(text)?;
    let mut plan: ExecutionPlan = parse(text)?;
    // What an older version says means the same now.
    plan.version = PLAN_VERSION;
    let count = plan.count_tasks();
    match plan.total_tasks {
        Some(total) if total != count => {
            let fault = at(
                "/total_tasks",
                format!("`total_tasks` is {total}, and the plan has {count} tasks"),
            )
            .hint("the plan may have been cut; leave the field out if nobody counts");
            Err(error(text, fault))
        }
        _ => Ok(Reading::from_plan(plan)),
    }
}

/// Reads any document with the place of the first mistake.
///
/// # Errors
/// The mistake.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let quick = match serde_json::from_str::<T>(text) {
        Ok(value) => return Ok(value),
        Err(e) => e,
    };
    // A mistake of meaning hides one of syntax further down, and the syntax comes first.
    let syntax = if quick.is_data() {
        serde_json::from_str::<IgnoredAny>(text).err()
    } else {
        Some(quick)
    };
    if let Some(e) = syntax {
        return Err(malformed(text, &e));
    }
    let Some(root) = Node::parse(text) else {
        return Err(lost(text));
    };
    if let Some(fault) = root.repeated() {
        return Err(error(text, fault));
    }
    T::deserialize(&root).map_err(|fault| error(text, fault))
}

fn malformed(text: &str, e: &serde_json::Error) -> JsonError {
    let line_start = text
        .split_inclusive('\n')
        .take(e.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let offset = (line_start + e.column().saturating_sub(1)).min(text.len());
    let full = e.to_string();
    let message = full.rsplit_once(" at line ").map_or(&*full, |(m, _)| m);
    let message = if text.trim().is_empty() {
        "the text is empty".to_owned()
    } else {
        format!("not well-formed JSON: {message}")
    };
    JsonError {
        message,
        hint: None,
        place: Place::new(text, &(offset..offset + 1)),
    }
}

fn lost(text: &str) -> JsonError {
    error(
        text,
        Fault::at(&first_byte(text), "the document nests too deep"),
    )
}

fn error(text: &str, fault: Fault) -> JsonError {
    JsonError {
        message: fault.message,
        hint: fault.hint,
        place: Place::new(text, &fault.span.unwrap_or_else(|| first_byte(text))),
    }
}

fn first_byte(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..(start + 1).min(text.len())
}

/// Writes any document of ours as JSON on one line, without fields that say nothing.
///
/// # Errors
/// Where a value cannot be written, such as a number that is not finite.
pub fn to_line<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&prune::Pruned(value))
}

/// Writes any document of ours as indented JSON, without fields that say nothing, with a final newline.
///
/// # Errors
/// Where a value cannot be written, such as a number that is not finite.
pub fn to_text<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(&prune::Pruned(value))?;
    text.push('\n');
    Ok(text)
}

impl ExecutionPlan {
    /// Reads a plan of any shape that [`read`] knows.
    ///
    /// # Errors
    /// The first mistake.
    pub fn from_json(text: &str) -> Result<ExecutionPlan, JsonError> {
        match read(text) {
            Ok(reading) => Ok(reading.plan),
            Err(errors) => Err(errors.into_iter().next().unwrap_or_else(|| lost(text))),
        }
    }

    /// Writes the plan as indented JSON.
    ///
    /// # Errors
    /// Where a value cannot be written, such as a number that is not finite.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        to_text(self)
    }

    /// How many tasks there are, handlers apart.
    pub fn count_tasks(&self) -> u64 {
        (self.tasks().count() - self.handler_count()) as u64
    }
}

#[cfg(test)]
mod tests;
