//! Modules that are a file by themselves: a program, or a script in any language. They are given the name of a file with
//! their arguments, in one of the ways that Ansible has known.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustle_formats::{Map, Value};

use super::{answer, given, interpreter};
use crate::context::Context;
use crate::fsops::private::PrivateFolder;
use crate::outcome::{Failure, ModuleResult};
use crate::process::{Run, quote};
use crate::report::python_str;

/// What stands in a script in place of its arguments.
const INLINE: &[u8] = b"<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>";

/// What stands in a script that reads JSON.
const WANTS_JSON: &[u8] = b"WANT_JSON";

/// The largest module.
const MAX_MODULE: u64 = 256 << 20;

/// How a module gets its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A program: a file of JSON.
    Binary,
    /// A script with its arguments written into it, as JSON.
    Inline,
    /// A script: a file of JSON.
    Json,
    /// A script: a file of `key=value`, quoted as for a shell.
    Pairs,
}

/// Runs the module `name`.
pub(super) fn run(name: &str, asset: &str, args: &Map, ctx: &Context<'_>) -> ModuleResult {
    let cannot = |e: io::Error| Failure::new(format!("cannot prepare the module '{name}': {e}"));
    let mut content = ctx
        .assets
        .read_to_vec(asset.as_bytes(), MAX_MODULE)
        .map_err(cannot)?;
    let folder = PrivateFolder::new(ctx.work_dir, "module").map_err(cannot)?;
    let given = given::all(name, args, folder.path(), ctx);
    let json = serde_json::to_vec(&given).map_err(|e| cannot(e.into()))?;
    let style = style(&content);
    if style == Style::Inline {
        content = replaced(&content, INLINE, &json);
    }
    let module = write(folder.path(), name, 0o700, &content).map_err(cannot)?;
    let mut words = match style {
        Style::Binary => Vec::new(),
        _ => interpreter::of_line(name, &first_line(&content), ctx)?,
    };
    words.push(module.to_string_lossy().into_owned());
    if style != Style::Inline {
        let text = if style == Style::Pairs {
            pairs(&given).into_bytes()
        } else {
            json
        };
        let file = write(folder.path(), "args", 0o600, &text).map_err(cannot)?;
        words.push(file.to_string_lossy().into_owned());
    }
    let done = Run::new(&words[0]).args(&words[1..]).within(ctx).run()?;
    answer::read(&done, ctx.diff)
}

fn style(content: &[u8]) -> Style {
    let has = |text: &[u8]| content.windows(text.len()).any(|part| part == text);
    if content[..content.len().min(1024)].contains(&0) {
        Style::Binary
    } else if has(INLINE) {
        Style::Inline
    } else if has(WANTS_JSON) {
        Style::Json
    } else {
        Style::Pairs
    }
}

fn first_line(content: &[u8]) -> String {
    let line = content.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).trim_end().to_owned()
}

fn replaced(content: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + with.len());
    let mut rest = content;
    while let Some(at) = rest.windows(what.len()).position(|part| part == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Arguments as `key=value`, values as Python shows them.
fn pairs(args: &Map) -> String {
    let words: Vec<String> = args
        .iter()
        .map(|(key, value)| format!("{key}={}", quote(&shown(value))))
        .collect();
    words.join(" ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        other => python_str(other),
    }
}

fn write(folder: &Path, name: &str, mode: u32, content: &[u8]) -> io::Result<PathBuf> {
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options.open(&path)?.write_all(content)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::assets::{AssetEntry, AssetKind, Assets};
    use crate::outcome::Outcome;
    use crate::trial::Trial;

    struct Files(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Assets for Files {
        fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
            Ok(self.0.get(path).map(|content| AssetEntry {
                path: path.to_vec(),
                kind: AssetKind::File {
                    size: content.len() as u64,
                },
                mode: 0o644,
            }))
        }
        fn below(&self, _: &[u8]) -> io::Result<Vec<AssetEntry>> {
            Ok(Vec::new())
        }
        fn read(&self, path: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
            out.write_all(self.0.get(path).ok_or(io::ErrorKind::NotFound)?)
        }
    }

    fn trial(content: &[u8], args: serde_json::Value) -> Outcome {
        let mut trial = Trial::new();
        trial.assets = Box::new(Files(BTreeMap::from([(b"m".to_vec(), content.to_vec())])));
        let args: Map = serde_json::from_value(args).unwrap();
        let out = trial.with(|ctx| run("mine", "m", &args, ctx).unwrap_or_else(Outcome::from));
        assert_eq!(
            std::fs::read_dir(trial.work.path()).unwrap().count(),
            0,
            "nothing is left"
        );
        out
    }

    #[test]
    fn scripts_get_their_arguments_as_they_want_them() {
        let json = trial(
            b"#!/bin/sh\n# WANT_JSON\nprintf '{\"changed\": true, \"args\": '; cat \"$1\"; echo '}'\n",
            json!({"a": [1, "x y"]}),
        );
        assert!(json.changed, "{json:?}");
        assert_eq!(json.fields["args"].to_string(), r#"{"a":[1,"x y"]}"#);
        let pairs = trial(
            b"#!/bin/sh\n. \"$1\"\necho \"{\\\"msg\\\": \\\"$a $b $_ansible_check_mode\\\"}\"\n",
            json!({"a": "x 'y'", "b": [1, null]}),
        );
        assert_eq!(pairs.message(), "x 'y' [1, None] False");
        let inline = trial(
            b"#!/bin/sh\ncat <<'E'\n{\"args\": <<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>, \"n\": 0}\nE\n",
            json!({"q": "a\"b"}),
        );
        assert_eq!(inline.fields["args"].to_string(), r#"{"q":"a\"b"}"#);
    }

    #[test]
    fn a_script_needs_its_first_line() {
        let out = trial(b"echo\n", json!({}));
        assert!(out.failed);
        assert_eq!(
            out.message(),
            "Task failed: module (mine) is missing interpreter line"
        );
    }

    #[test]
    fn programs_are_told_from_scripts() {
        assert_eq!(style(b"\x7fELF\0WANT_JSON"), Style::Binary);
        assert_eq!(style(b"#!/bin/sh\nx"), Style::Pairs);
        assert_eq!(replaced(b"aXbX", b"X", b"12"), b"a12b12");
    }
}
