//! `replace`: every match of an expression in a text file is replaced.

use std::borrow::Cow;

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::fsops::edit::{EDIT_ARGS, Edit};
use crate::fsops::paths;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult};
use crate::pyregex::{Flags, Flavor, PyRegex, from_bytes, to_bytes};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Replace;

static SPEC: Spec = Spec {
    name: "replace",
    collection: "ansible.builtin",
    summary: "Replaces every match of an expression in a text file.",
    args: &[FILE_ARGS, EDIT_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Local,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new("regexp", Kind::Str, "What is replaced.").required(),
    Arg::new("replace", Kind::Str, "What takes its place; nothing removes.")
        .default(Default::Str("")),
    Arg::new("after", Kind::Str, "Only what follows this is looked at."),
    Arg::new("before", Kind::Str, "Only what precedes this is looked at."),
    Arg::new("encoding", Kind::Str, "The encoding of the file.").default(Default::Str("utf-8")),
];

/// What was replaced.
struct Replaced {
    text: String,
    count: usize,
}

impl Module for Replace {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let edit = Edit::open(args, ctx)?;
        let Some(before) = edit.before.clone() else {
            let message = format!("Path {} does not exist !", edit.path.display());
            return Err(Failure::new(message).with("rc", Value::Int(257)));
        };
        let (text, flavor) = decode(&before, args.text("encoding"))?;
        let replaced = match section(args, &text, flavor)? {
            Ok((start, end)) => replace(args, &text, flavor, start, end)?,
            Err(pattern) => {
                let message = format!(
                    "Pattern for before/after params did not match the given file: {pattern}"
                );
                return Ok(crate::outcome::Outcome::ok()
                    .with("rc", Value::Int(0))
                    .msg(message));
            }
        };
        let after = match flavor {
            Flavor::Text => replaced.text.into_bytes(),
            Flavor::Bytes => to_bytes(&replaced.text),
        };
        let msg = if replaced.count > 0 && after != before {
            format!("{} replacements made", replaced.count)
        } else {
            String::new()
        };
        let name = paths::shown(&edit.path);
        let done = edit.finish(&after, &msg)?;
        let mut outcome = done.outcome.with("rc", Value::Int(0));
        outcome.diff = (ctx.diff && after != before).then(|| difference(&name, &before, &after));
        Ok(match done.kept {
            Some(kept) => outcome.with("backup_file", paths::shown(&kept)),
            None => outcome,
        })
    }
}

fn difference(name: &str, before: &[u8], after: &[u8]) -> Value {
    let text = |bytes: &[u8]| Value::Str(String::from_utf8_lossy(bytes).into_owned());
    let mut map = Map::new();
    map.insert("before_header".into(), name.into());
    map.insert("before".into(), text(before));
    map.insert("after_header".into(), name.into());
    map.insert("after".into(), text(after));
    Value::Map(map)
}

/// The file as text; byte by byte where it is no UTF-8, or is said to be in an encoding of single bytes.
fn decode<'a>(bytes: &'a [u8], encoding: &str) -> Result<(Cow<'a, str>, Flavor), Failure> {
    match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => Ok(match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), Flavor::Text),
            Err(_) => (from_bytes(bytes), Flavor::Bytes),
        }),
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => Ok((from_bytes(bytes), Flavor::Bytes)),
        _ => Err(Failure::new(format!(
            "encoding {encoding} is not supported: utf-8 and latin-1 are"
        ))),
    }
}

/// The part of the text between `after` and `before`; the pattern, where it is not there.
fn section(
    args: &Args,
    text: &str,
    flavor: Flavor,
) -> Result<Result<(usize, usize), String>, Failure> {
    let pattern = match (args.str("after"), args.str("before")) {
        (Some(after), Some(before)) => format!("{after}(?P<subsection>.*?){before}"),
        (Some(after), None) => format!("{after}(?P<subsection>.*)"),
        (None, Some(before)) => format!("(?P<subsection>.*){before}"),
        (None, None) => return Ok(Ok((0, text.len()))),
    };
    let flags = Flags {
        multiline: false,
        dotall: true,
    };
    let re = PyRegex::new(&pattern, flavor, flags).map_err(Failure::new)?;
    let captures = re.captures_from(text, 0).map_err(Failure::new)?;
    Ok(captures
        .and_then(|c| c.name("subsection").map(|m| (m.start(), m.end())))
        .ok_or(pattern))
}

fn replace(
    args: &Args,
    text: &str,
    flavor: Flavor,
    start: usize,
    end: usize,
) -> Result<Replaced, Failure> {
    let flags = Flags {
        multiline: true,
        dotall: false,
    };
    let re = PyRegex::new(args.text("regexp"), flavor, flags).map_err(Failure::new)?;
    let unable =
        |e: String| Failure::new(format!("Unable to process replace due to error: {e}"));
    let template = re.template(args.text("replace"), flavor).map_err(unable)?;
    let part = text.get(start..end).unwrap_or_default();
    let (new, count) = re.replace_all(part, &template).map_err(unable)?;
    let mut out = String::with_capacity(text.len() + new.len());
    out.push_str(text.get(..start).unwrap_or_default());
    out.push_str(&new);
    out.push_str(text.get(end..).unwrap_or_default());
    Ok(Replaced { text: out, count })
}
