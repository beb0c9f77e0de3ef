//! Values of keywords whose type cannot fit, whatever their templates give: what Ansible refuses before anything runs.

use super::keywords::{Keywords, Kind, Place, Written};
use super::model::text_of;
use crate::problem::Problem;
use crate::yaml::{Node, NodeValue};

/// Those whose own readers check them, or whose text may be written as a mapping.
const CHECKED_ELSEWHERE: &[&str] = &[
    "action",
    "local_action",
    "register",
    "role",
    "import_playbook",
];

/// Those of plays that are converted before the play begins; others are when they are used.
const CONVERTED: &[&str] = &[
    "force_handlers",
    "gather_facts",
    "gather_timeout",
    "max_fail_percentage",
];

/// Checks all keywords of one thing.
pub(super) fn check(keywords: &Keywords, place: Place) -> Result<(), Problem> {
    keywords.iter().try_for_each(|written| {
        let name = written.keyword.name;
        let value = &written.value;
        match (name, written.keyword.kind) {
            _ if CHECKED_ELSEWHERE.contains(&name) => Ok(()),
            (_, Kind::Text) => text(name, value),
            ("collections" | "listen" | "gather_subset", _) => texts(written),
            ("vars_files", _) => files(written),
            ("hosts", _) => hosts(value),
            ("module_defaults", _) => defaults(value),
            (_, kind) if place == Place::Play && CONVERTED.contains(&name) => {
                converted(name, kind, value)
            }
            _ => Ok(()),
        }
    })
}

/// A text is no list and no mapping.
pub(super) fn text(name: &str, value: &Node) -> Result<(), Problem> {
    match value.value {
        NodeValue::List(_) | NodeValue::Map(_) => Err(Problem::error(format!(
            "`{name}` is text, and this is {}",
            value.kind()
        ))
        .at(value.at)),
        _ => Ok(()),
    }
}

fn is_number(value: &Node) -> bool {
    matches!(
        value.value,
        NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Big(_) | NodeValue::Float(_)
    )
}

/// A text, or a list of texts.
fn texts(written: &Written) -> Result<(), Problem> {
    let value = &written.value;
    let wrong = match &value.value {
        NodeValue::List(items) => items.iter().find(|item| item.as_str().is_none()),
        NodeValue::Map(_) => Some(value),
        _ => Some(value).filter(|value| is_number(value)),
    };
    refuse(written.keyword.name, "a list of texts", wrong)
}

/// The names of files, or lists of names of which one counts.
fn files(written: &Written) -> Result<(), Problem> {
    let value = &written.value;
    let is_name = |item: &&Node| item.as_str().is_none() && item.as_list().is_none();
    let wrong = match &value.value {
        NodeValue::List(items) => items.iter().find(is_name),
        NodeValue::Map(_) => Some(value),
        _ => Some(value).filter(|value| is_number(value) || value.as_str() == Some("")),
    };
    refuse(written.keyword.name, "a list of names of files", wrong)
}

fn hosts(value: &Node) -> Result<(), Problem> {
    let alone = std::slice::from_ref(value);
    let mut items = value.as_list().unwrap_or(alone).iter();
    refuse(
        "hosts",
        "a list of patterns",
        items.find(|item| is_number(item)),
    )
}

/// Mappings from modules to mappings of arguments.
fn defaults(value: &Node) -> Result<(), Problem> {
    let alone = std::slice::from_ref(value);
    for item in value.as_list().unwrap_or(alone) {
        let wrong = match &item.value {
            NodeValue::Map(map) => map
                .iter()
                .map(|(_, arguments)| arguments)
                .find(|arguments| is_number(arguments)),
            NodeValue::Null => Some(item).filter(|_| value.as_list().is_some()),
            NodeValue::Str(text) if text.text.contains("{{") => None,
            _ => Some(item),
        };
        refuse("module_defaults", "a mapping of mappings", wrong)?;
    }
    Ok(())
}

/// Whether a plain value can be made what the keyword needs.
fn converted(name: &str, kind: Kind, value: &Node) -> Result<(), Problem> {
    let text = text_of(value);
    let text = text.trim();
    let (what, fits) = match kind {
        Kind::Bool => ("`true` or `false`", is_truth(text)),
        Kind::Int => (
            "a whole number",
            value.as_bool().is_some() || text.parse::<i64>().is_ok(),
        ),
        _ => {
            let number = text.strip_suffix('%').unwrap_or(text);
            (
                "a number",
                value.as_bool().is_some() || number.parse::<f64>().is_ok(),
            )
        }
    };
    let unknown = value.is_null() || text.contains("{{");
    let plain = value.as_list().is_none() && value.as_map().is_none();
    refuse(
        name,
        what,
        Some(value).filter(|_| !(plain && (fits || unknown))),
    )
}

fn is_truth(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "y", "yes", "on", "1", "true", "t", "1.0", "n", "no", "off", "0", "false", "f", "0.0",
    ];
    WORDS.contains(&text.to_lowercase().as_str())
}

fn refuse(name: &str, what: &str, wrong: Option<&Node>) -> Result<(), Problem> {
    match wrong {
        None => Ok(()),
        Some(node) => Err(Problem::error(format!(
            "`{name}` is {what}, and this is {}",
            match &node.value {
                NodeValue::Str(text) => format!("`{}`", text.text),
                NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) =>
                    format!("`{}`", text_of(node)),
                _ => node.kind().to_owned(),
            }
        ))
        .at(node.at)),
    }
}
