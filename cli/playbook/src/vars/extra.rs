//! `--extra-vars`: `key=value` words, YAML, JSON, or a file with `@`.

use std::path::PathBuf;

use super::files::VarsFiles;
use super::variables::{HashBehaviour, Variables};
use crate::problem::Problem;
use crate::source::Position;
use crate::words;
use crate::yaml::{self, Node};

/// Reads the values of several `--extra-vars`, in order. `path` makes a path of what follows `@`.
///
/// # Errors
/// Where one is neither, or a file cannot be read.
pub fn parse_extra(
    given: &[String],
    files: &mut VarsFiles<'_>,
    path: impl Fn(&str) -> PathBuf,
) -> Result<Variables, Problem> {
    let mut out = Variables::default();
    for text in given {
        let vars = match text.strip_prefix('@') {
            Some(name) => files.read(&path(name))?,
            None if text.trim_start().starts_with(['{', '[', '/', '.']) => inline(text, files)?,
            None => pairs(text, files)?,
        };
        out.merge(&vars, files.behaviour);
    }
    Ok(out)
}

/// YAML or JSON on the command line.
fn inline(text: &str, files: &mut VarsFiles<'_>) -> Result<Variables, Problem> {
    if text.starts_with(['/', '.']) {
        return Err(
            Problem::error(format!("`{text}` is no variable for --extra-vars"))
                .of_option()
                .hint("a file is named with an @ before it"),
        );
    }
    let name = PathBuf::from("--extra-vars");
    let document = yaml::read(files.sources, &name, text.as_bytes(), &files.options)?;
    match document.root.as_map() {
        Some(mapping) => Ok(Variables::from_mapping(mapping).0),
        None => Err(Problem::error(format!(
            "--extra-vars must be a mapping, and is {}",
            document.root.kind()
        ))
        .of_option()
        .at(document.root.at)),
    }
}

/// `a=1 b="x y"`: every value is text.
fn pairs(text: &str, files: &VarsFiles<'_>) -> Result<Variables, Problem> {
    let at = Position {
        file: files.sources.add("--extra-vars", text),
        line: 1,
        column: 1,
    };
    let wrong = |why: &str| Problem::error(format!("--extra-vars `{text}`: {why}")).at(at);
    let mut out = Variables::default();
    for word in words::split(text).map_err(wrong)? {
        // A word alone is nothing to Ansible.
        let Some((name, value)) = word.split_once('=') else {
            continue;
        };
        out.set(name.trim(), Node::text(value, at), HashBehaviour::Replace);
    }
    Ok(out)
}
