//! `ini`: a value of a file of sections, or of properties.

use std::path::PathBuf;

use indexmap::IndexMap;
use rustle_template::{Error, LookupCall, Value};

use crate::arguments::{Asked, asked, terms};
use crate::{OnController, failed, find};

const OPTIONS: [&str; 11] = [
    "type",
    "file",
    "section",
    "re",
    "encoding",
    "default",
    "case_sensitive",
    "allow_none",
    "allow_no_value",
    "interpolation",
    "overwrite",
];

/// Sections by name, each with its values by key.
type Sections = IndexMap<String, IndexMap<String, Option<String>>>;

pub(crate) fn run(
    controller: &OnController<'_>,
    call: &LookupCall<'_>,
    folders: &[PathBuf],
) -> Result<Vec<Value>, Error> {
    for written in terms(call)? {
        let first = written.split_whitespace().next().unwrap_or_default();
        if let Some((option, _)) = first.split_once('=') {
            return Err(failed(match OPTIONS.contains(&option) {
                true => format!(
                    "No key to look up was provided as first term within string inline options: {written}"
                ),
                false => format!("'{option}' is not a valid option."),
            }));
        }
    }
    let mut out = Vec::new();
    for one in asked(call, &OPTIONS)? {
        let name = one.text("file", "ansible.ini")?;
        let path = find(&name, "files", folders).ok_or_else(|| failed("Invalid filename None."))?;
        let text = controller.text_in(&path, &one.text("encoding", "utf-8")?)?;
        value(&text, &one, &name, &mut out)?;
    }
    Ok(out)
}

fn value(text: &str, asked: &Asked, file: &str, out: &mut Vec<Value>) -> Result<(), Error> {
    let section = match asked.text("type", "ini")?.as_str() {
        "properties" => "java_properties".to_owned(),
        _ => asked.text("section", "global")?,
    };
    let text = match section.as_str() {
        "java_properties" => format!("[java_properties]\n{text}"),
        _ => text.to_owned(),
    };
    let exact = asked.flag("case_sensitive", false)?;
    let allow_none = asked.flag("allow_none", false)? || asked.flag("allow_no_value", false)?;
    let sections = parse(&text, exact, allow_none).map_err(|why| {
        failed(match why {
            Trouble::Twice(why) => format!("Duplicate option in '{file}': {why}"),
            Trouble::Other(why) => why,
        })
    })?;
    let default = asked
        .option("default")
        .filter(|v| !matches!(v, Value::None));
    let Some(values) = sections.get(&section) else {
        return Err(failed(format!("No section '{section}' in '{file}'.")));
    };
    // What stands under [DEFAULT] is in every section.
    let general = sections.get("DEFAULT");
    let get = |key: &str| values.get(key).or_else(|| general?.get(key));
    let get_text = |key: &str| get(key)?.as_ref();
    if asked.flag("re", false)? {
        for (key, value) in values {
            if let (true, Some(value)) = (matches(&asked.term, key)?, value) {
                out.push(Value::from(interpolated(value, &get_text)?));
            }
        }
        return Ok(());
    }
    let key = match exact {
        true => asked.term.clone(),
        false => asked.term.to_lowercase(),
    };
    match (get(&key), default) {
        // A key without a value is nothing.
        (Some(None), _) => {}
        (Some(Some(value)), _) if asked.flag("interpolation", true)? => {
            out.push(Value::from(interpolated(value, &get_text)?));
        }
        (Some(Some(value)), _) => out.push(Value::str(value.as_str())),
        (None, Some(default)) => out.push(default.clone()),
        (None, None) => out.push(Value::str("")),
    }
    Ok(())
}

/// Whether a key begins with what a pattern describes.
fn matches(pattern: &str, key: &str) -> Result<bool, Error> {
    let engine = rustle_template::Engine::new();
    let mut scope: IndexMap<String, Value> = IndexMap::new();
    scope.insert("pattern".into(), Value::str(pattern));
    scope.insert("key".into(), Value::str(key));
    engine.eval_expr(&scope, "key is match(pattern)")?.truth()
}

/// A value with `%(name)s` replaced by other values.
fn interpolated<'v>(
    value: &str,
    get: &impl Fn(&str) -> Option<&'v String>,
) -> Result<String, Error> {
    let mut text = value.to_owned();
    for _ in 0..10 {
        let Some(start) = text.find("%(") else {
            break;
        };
        let Some(length) = text[start..].find(")s") else {
            return Err(failed(format!(
                "'%' must be followed by '%' or '(', found: {text:?}"
            )));
        };
        let name = text[start + 2..start + length].to_lowercase();
        let Some(other) = get(&name) else {
            return Err(failed(format!(
                "Bad value substitution: an option refers to `{name}`, which the section does not have"
            )));
        };
        text.replace_range(start..start + length + 2, other);
    }
    Ok(text.replace("%%", "%"))
}

/// Why a file cannot be read, in the words of Python's configparser.
#[derive(Debug, PartialEq)]
enum Trouble {
    /// A key stands twice in a section.
    Twice(String),
    /// Anything else.
    Other(String),
}

/// Reads sections. What is indented continues the value above.
fn parse(text: &str, exact: bool, allow_none: bool) -> Result<Sections, Trouble> {
    let mut sections = Sections::new();
    let mut section: Option<String> = None;
    let mut open: Option<(String, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        let indent = line.len() - line.trim_start().len();
        if trimmed.is_empty() {
            if let (Some((key, _)), Some(name)) = (&open, &section)
                && let Some(Some(value)) = sections.get_mut(name).and_then(|s| s.get_mut(key))
            {
                value.push('\n');
            }
            continue;
        }
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let (Some((key, above)), Some(name)) = (&open, &section)
            && indent > *above
        {
            if let Some(Some(value)) = sections.get_mut(name).and_then(|s| s.get_mut(key)) {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|t| t.split_once(']')) {
            let name = name.0;
            if sections.contains_key(name) && name != "DEFAULT" {
                return Err(Trouble::Other(format!(
                    "While reading from '<???>' [line {number:2}]: section '{name}' already exists"
                )));
            }
            section = Some(name.to_owned());
            sections.entry(name.to_owned()).or_default();
            open = None;
            continue;
        }
        let Some(name) = &section else {
            return Err(Trouble::Other(format!(
                "File contains no section headers.\nfile: '<???>', line: {number}\n'{line}\\n'"
            )));
        };
        let (key, value) = match trimmed.find(['=', ':']) {
            Some(at) => (trimmed[..at].trim(), Some(trimmed[at + 1..].trim())),
            None if allow_none => (trimmed, None),
            None => {
                return Err(Trouble::Other(format!(
                    "Source contains parsing errors: '<???>'\n\t[line {number:2}]: '{line}\\n'"
                )));
            }
        };
        let key = match exact {
            true => key.to_owned(),
            false => key.to_lowercase(),
        };
        let values = sections.entry(name.clone()).or_default();
        if values
            .insert(key.clone(), value.map(str::to_owned))
            .is_some()
        {
            return Err(Trouble::Twice(format!(
                "While reading from '<???>' [line {number:2}]: option '{key}' in section '{name}' already exists"
            )));
        }
        open = Some((key, indent));
    }
    let all = sections.values_mut().flat_map(IndexMap::values_mut);
    for value in all.flatten() {
        value.truncate(value.trim_end().len());
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sections_and_continued_values() {
        let text = "[a]\nKey = x\n  y\n\n  z\n# no\nk2: v\n[b]\nk=\n";
        let read = parse(text, false, false).unwrap();
        assert_eq!(read["a"]["key"].as_deref(), Some("x\ny\n\nz"));
        assert_eq!(read["a"]["k2"].as_deref(), Some("v"));
        assert_eq!(read["b"]["k"].as_deref(), Some(""));
        assert!(parse("k=v", false, false).is_err());
        assert!(parse("[a]\nnothing", false, false).is_err());
        assert!(parse("[a]\nnothing", false, true).is_ok());
    }
}
