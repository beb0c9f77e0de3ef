//! The machine's own facts: files in `/etc/ansible/facts.d`.
//!
//! Files that may be executed are run, as Ansible does, and give their facts as output: the only case in which gathering
//! starts a program.

use std::os::unix::fs::PermissionsExt;

use rustle_formats::{Map, Value};

use super::Source;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let mut local = Map::new();
    for name in source.names(source.fact_path) {
        let Some(short) = name.strip_suffix(".fact") else {
            continue;
        };
        let path = format!("{}/{name}", source.fact_path);
        let about = std::fs::metadata(source.path(&path));
        let executable = about
            .as_ref()
            .is_ok_and(|m| m.permissions().mode() & 0o111 != 0);
        let value = if let Err(e) = about {
            format!("Could not stat fact ({path}): {e}").into()
        } else if executable {
            run(&source.path(&path))
        } else {
            source.text(&path).map_or_else(
                || format!("error loading fact - could not read {path}").into(),
                |t| parse(&t),
            )
        };
        local.insert(short.to_owned(), value);
    }
    facts.insert("ansible_local".into(), Value::Map(local));
}

/// Runs a file that gives facts on its output.
fn run(path: &std::path::Path) -> Value {
    match std::process::Command::new(path)
        .stdin(crate::process::no_input())
        .output()
    {
        Ok(output) if output.status.success() => parse(&String::from_utf8_lossy(&output.stdout)),
        Ok(output) => format!(
            "Failure executing fact script ({}), {}, err: {}",
            path.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into(),
        Err(e) => format!("Could not execute fact script ({}): {e}", path.display()).into(),
    }
}

fn lone_percent(value: &str) -> bool {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('%') {
        rest = match after.strip_prefix('%') {
            Some(further) => further,
            None if after.starts_with('(') => after,
            None => return true,
        };
    }
    false
}

/// JSON, else sections of `key = value`.
fn parse(text: &str) -> Value {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return value;
    }
    let mut sections = Map::new();
    let mut current: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            sections.insert(name.to_owned(), Value::Map(Map::new()));
            current = Some(name.to_owned());
            continue;
        }
        let entry = line
            .split_once(['=', ':'])
            .map(|(k, v)| (k.trim(), v.trim()));
        match (entry, current.as_ref().and_then(|c| sections.get_mut(c))) {
            // What a lone `%` would refer to is not known.
            (Some((_, value)), _) if lone_percent(value) => {
                return "error loading facts as ini - please check content: '%' must be followed by '%' or '('".into();
            }
            (Some((key, value)), Some(Value::Map(section))) => {
                section.insert(key.to_lowercase(), value.into());
            }
            _ => return "error loading facts as JSON or ini - please check content".into(),
        }
    }
    Value::Map(sections)
}
