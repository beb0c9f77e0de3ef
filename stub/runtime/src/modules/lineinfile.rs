//! `lineinfile`: one line of a text file is there, or is not.

use std::borrow::Cow;

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::fsops::edit::{self, EDIT_ARGS, Edit};
use crate::fsops::paths;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::pyregex::{Flags, Flavor, PyRegex, from_bytes, to_bytes};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct LineInFile;

static SPEC: Spec = Spec {
    name: "lineinfile",
    collection: "ansible.builtin",
    summary: "Makes sure that a line is in a text file, or is not.",
    args: &[FILE_ARGS, EDIT_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[
        Rule::MutuallyExclusive(&["insertbefore", "insertafter"]),
        Rule::MutuallyExclusive(&["regexp", "search_string"]),
        Rule::MutuallyExclusive(&["backrefs", "search_string"]),
    ],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Local,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new("state", Kind::Str, "Whether the line shall be there.")
        .choices(&["absent", "present"])
        .default(Default::Str("present")),
    Arg::new("line", Kind::Str, "The line.").aliases(&["value"]),
    Arg::new(
        "regexp",
        Kind::Str,
        "What finds the line that is replaced, or the lines that are removed.",
    )
    .aliases(&["regex"]),
    Arg::new(
        "search_string",
        Kind::Str,
        "Plain text that finds the line, instead of regexp.",
    ),
    Arg::new(
        "backrefs",
        Kind::Bool,
        "Whether `\\1` in the line stands for what the expression found.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "insertafter",
        Kind::Str,
        "Where a new line goes: after the last match, or EOF.",
    ),
    Arg::new(
        "insertbefore",
        Kind::Str,
        "Where a new line goes: before the last match, or BOF.",
    ),
    Arg::new("firstmatch", Kind::Bool, "Whether the first match counts.")
        .default(Default::Bool(false)),
    Arg::new("create", Kind::Bool, "Whether a missing file is made.").default(Default::Bool(false)),
];

/// What finds a line.
enum Finder {
    Expression(PyRegex),
    Text(Vec<u8>),
    Nothing,
}

impl Finder {
    fn from_args(args: &Args) -> Result<Finder, Failure> {
        if let Some(pattern) = args.str("regexp") {
            return Ok(Finder::Expression(compile(pattern)?));
        }
        Ok(match args.str("search_string") {
            Some(text) => Finder::Text(text.as_bytes().to_vec()),
            None => Finder::Nothing,
        })
    }

    /// Whether it finds the line; without an expression, whether it is the line.
    fn finds(&self, line: &[u8], wanted: &[u8]) -> bool {
        match self {
            Finder::Expression(re) => re.is_match(&from_bytes(line)),
            Finder::Text(text) => contains(line, text),
            Finder::Nothing => edit::bare(line) == wanted,
        }
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|w| w == text)
}

fn compile(pattern: &str) -> Result<PyRegex, Failure> {
    PyRegex::new(pattern, Flavor::Bytes, Flags::default()).map_err(Failure::new)
}

impl Module for LineInFile {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let present = args.text("state") != "absent";
        if present && !args.has("line") {
            return Err(Failure::new("line is required with state=present"));
        }
        if args.bool("backrefs") && !args.has("regexp") {
            return Err(Failure::new("regexp is required with backrefs=true"));
        }
        if !present && !["line", "search_string", "regexp"].iter().any(|a| args.has(a)) {
            return Err(Failure::new(
                "one of line, search_string, or regexp is required with state=absent",
            ));
        }
        let hint = " If this is desired, use '^' to match every line in the file and avoid this warning.";
        for (name, what, hint) in [
            ("regexp", "regular expression", hint),
            ("search_string", "search string", ""),
        ] {
            if args.str(name) == Some("") {
                ctx.warn(format!(
                    "The {what} is an empty string, which will match every line in the file. This may have unintended consequences, such as replacing the last line in the file rather than appending.{hint}"
                ));
            }
        }
        let edit = Edit::open(args, ctx)?;
        if present {
            ensure(args, edit)
        } else {
            remove(args, edit)
        }
    }
}

fn ensure(args: &Args, edit: Edit<'_>) -> ModuleResult {
    if edit.before.is_none() && !args.bool("create") {
        let message = format!("Destination {} does not exist !", edit.path.display());
        return Err(Failure::new(message).with("rc", Value::Int(257)));
    }
    let before = edit.before.clone().unwrap_or_default();
    let mut lines: Vec<Cow<'_, [u8]>> = edit::lines(&before)
        .into_iter()
        .map(Cow::Borrowed)
        .collect();
    let finder = Finder::from_args(args)?;
    let wanted = args.text("line").as_bytes();
    let first = args.bool("firstmatch");
    let found = position(&lines, first, |l| finder.finds(l, wanted));
    let there = || lines.iter().any(|l| edit::bare(l) == wanted);
    let msg = match found {
        Some(at) => replace(args, &mut lines, at, &finder)?,
        None if args.bool("backrefs") => "",
        None if !matches!(finder, Finder::Nothing) && there() => "",
        None => insert(args, &mut lines, wanted, first)?,
    };
    let after = lines.concat();
    finish(edit.finish(&after, msg)?)
}

/// The last line that fits, or the first.
fn position(
    lines: &[Cow<'_, [u8]>],
    first: bool,
    fits: impl Fn(&[u8]) -> bool,
) -> Option<usize> {
    if first {
        lines.iter().position(|l| fits(l))
    } else {
        lines.iter().rposition(|l| fits(l))
    }
}

/// Replaces a line that was found.
fn replace(
    args: &Args,
    lines: &mut [Cow<'_, [u8]>],
    at: usize,
    finder: &Finder,
) -> Result<&'static str, Failure> {
    let Some(old) = lines.get_mut(at) else {
        return Ok("");
    };
    let mut new = args.text("line").as_bytes().to_vec();
    if let (true, Finder::Expression(re)) = (args.bool("backrefs"), finder) {
        let template = re
            .template(args.text("line"), Flavor::Bytes)
            .map_err(Failure::new)?;
        let text = from_bytes(old);
        if let Some(captures) = re.captures_from(&text, 0).map_err(Failure::new)? {
            let mut expanded = String::new();
            template.expand(&captures, &mut expanded);
            new = to_bytes(&expanded);
        }
    }
    if !new.ends_with(b"\n") || !args.bool("backrefs") {
        new.push(b'\n');
    }
    if **old == *new {
        return Ok("");
    }
    *old = Cow::Owned(new);
    Ok("line replaced")
}

/// Inserts a line that was not found.
fn insert(
    args: &Args,
    lines: &mut Vec<Cow<'_, [u8]>>,
    wanted: &[u8],
    first: bool,
) -> Result<&'static str, Failure> {
    let mut new = wanted.to_vec();
    new.push(b'\n');
    let (after, before) = (args.str("insertafter"), args.str("insertbefore"));
    let at = if before == Some("BOF") || after == Some("BOF") {
        0
    } else {
        let found = match (after, before) {
            (Some(pattern), _) if pattern != "EOF" => {
                let re = compile(pattern)?;
                position(lines, first, |l| re.is_match(&from_bytes(l))).map(|at| at + 1)
            }
            (None, Some(pattern)) => {
                let re = compile(pattern)?;
                position(lines, first, |l| re.is_match(&from_bytes(l)))
            }
            _ => None,
        };
        found.unwrap_or(lines.len())
    };
    if let Some(last) = at.checked_sub(1).and_then(|i| lines.get_mut(i))
        && !last.ends_with(b"\n")
    {
        last.to_mut().push(b'\n');
    }
    lines.insert(at.min(lines.len()), Cow::Owned(new));
    Ok("line added")
}

fn remove(args: &Args, edit: Edit<'_>) -> ModuleResult {
    let Some(before) = edit.before.clone() else {
        return Ok(Outcome::ok().msg("file not present"));
    };
    let finder = Finder::from_args(args)?;
    let wanted = args.text("line").as_bytes();
    let lines = edit::lines(&before);
    let total = lines.len();
    let left: Vec<&[u8]> = lines
        .into_iter()
        .filter(|l| !finder.finds(l, wanted))
        .collect();
    let found = total - left.len();
    let msg = if found > 0 {
        format!("{found} line(s) removed")
    } else {
        String::new()
    };
    let done = edit.finish(&left.concat(), &msg)?;
    Ok(finish(done)?.with("found", Value::Int(found as i64)))
}

fn finish(done: edit::Done) -> ModuleResult {
    let kept = done.kept.map(|p| paths::shown(&p)).unwrap_or_default();
    Ok(done.outcome.with("backup", kept))
}
