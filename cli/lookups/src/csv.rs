//! `csvfile`: a cell of a file of records.

use std::path::PathBuf;

use rustle_template::{Error, LookupCall, Value};

use crate::arguments::{Asked, asked};
use crate::delimited::rows;
use crate::{OnController, failed, find};

const OPTIONS: [&str; 7] = [
    "file",
    "delimiter",
    "default",
    "col",
    "keycol",
    "encoding",
    "quotechar",
];

pub(crate) fn run(
    controller: &OnController<'_>,
    call: &LookupCall<'_>,
    folders: &[PathBuf],
) -> Result<Vec<Value>, Error> {
    let all = asked(call, &OPTIONS)?;
    if all.is_empty() {
        return Err(failed("Search key is required but was not found"));
    }
    let mut out = Vec::new();
    for one in all {
        if one.term.is_empty() {
            return Err(failed("Search key is required but was not found"));
        }
        let name = one.text("file", "ansible.csv")?;
        let path = find(&name, "files", folders)
            .ok_or_else(|| failed("expected str, bytes or os.PathLike object, not NoneType"))?;
        let text = controller.text_in(&path, &one.text("encoding", "utf-8")?)?;
        match cell(&text, &one)? {
            Some(found) => out.push(Value::from(found)),
            None => match one.option("default") {
                None | Some(Value::None) => {}
                Some(Value::List(list)) => out.extend(list.to_vec()),
                Some(default) => out.push(default.clone()),
            },
        }
    }
    Ok(out)
}

fn cell(text: &str, asked: &Asked) -> Result<Option<String>, Error> {
    let delimiter = asked.text("delimiter", "TAB")?;
    let delimiter = match delimiter.as_str() {
        "TAB" | "\\t" => '\t',
        other => {
            let mut chars = other.chars();
            match (chars.next(), chars.next()) {
                (Some(one), None) => one,
                _ => return Err(failed("\"delimiter\" must be a 1-character string")),
            }
        }
    };
    let column = |name: &str, default| -> Result<usize, Error> {
        usize::try_from(asked.integer(name, default)?)
            .map_err(|_| failed("list index out of range"))
    };
    let (column, key) = (column("col", 1)?, column("keycol", 0)?);
    for row in rows(text, delimiter, Some('"')) {
        let found = row.get(key);
        if !row.is_empty() && found == Some(&asked.term) {
            return match row.get(column) {
                Some(cell) => Ok(Some(cell.clone())),
                None => Err(failed("list index out of range")),
            };
        }
    }
    Ok(None)
}
