//! `blockinfile`: some lines between two marker lines of a text file.

use std::borrow::Cow;

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::fsops::edit::{self, EDIT_ARGS, Edit};
use crate::fsops::paths;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult};
use crate::pyregex::{Flags, Flavor, PyRegex, from_bytes};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct BlockInFile;

static SPEC: Spec = Spec {
    name: "blockinfile",
    collection: "ansible.builtin",
    summary: "Keeps a block of lines between two markers in a text file.",
    args: &[FILE_ARGS, EDIT_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[Rule::MutuallyExclusive(&["insertbefore", "insertafter"])],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Local,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new("state", Kind::Str, "Whether the block shall be there.")
        .choices(&["absent", "present"])
        .default(Default::Str("present")),
    Arg::new("block", Kind::Str, "The lines; none removes the block.")
        .aliases(&["content"])
        .default(Default::Str("")),
    Arg::new("marker", Kind::Str, "The marker lines, with {mark} in them.")
        .default(Default::Str("# {mark} ANSIBLE MANAGED BLOCK")),
    Arg::new(
        "marker_begin",
        Kind::Str,
        "What {mark} is in the first marker.",
    )
    .default(Default::Str("BEGIN")),
    Arg::new("marker_end", Kind::Str, "What {mark} is in the last marker.")
        .default(Default::Str("END")),
    Arg::new(
        "insertafter",
        Kind::Str,
        "Where a new block goes: after the last match, or EOF.",
    ),
    Arg::new(
        "insertbefore",
        Kind::Str,
        "Where a new block goes: before the last match, or BOF.",
    ),
    Arg::new("create", Kind::Bool, "Whether a missing file is made.").default(Default::Bool(false)),
    Arg::new(
        "append_newline",
        Kind::Bool,
        "Whether an empty line follows the block.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "prepend_newline",
        Kind::Bool,
        "Whether an empty line stands before the block.",
    )
    .default(Default::Bool(false)),
];

impl Module for BlockInFile {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let edit = Edit::open(args, ctx)?;
        let Some(before) = edit.before.clone().or_else(|| {
            let may_make = args.bool("create") && args.text("state") != "absent";
            may_make.then(Vec::new)
        }) else {
            let message = format!("Path {} does not exist !", edit.path.display());
            return Err(Failure::new(message).with("rc", Value::Int(257)));
        };
        let after = edited(args, &before)?;
        let wants_block = args.text("state") != "absent" && !args.text("block").is_empty();
        let msg = match &edit.before {
            None => "File created",
            Some(old) if *old == after => "",
            Some(_) if wants_block => "Block inserted",
            Some(_) => "Block removed",
        };
        let done = edit.finish(&after, msg)?;
        Ok(match done.kept {
            Some(kept) => done.outcome.with("backup_file", paths::shown(&kept)),
            None => done.outcome,
        })
    }
}

/// The content with the block in its place, or without it.
fn edited(args: &Args, before: &[u8]) -> Result<Vec<u8>, Failure> {
    let marker = |word: &str| {
        let mut line = args.text("marker").replace("{mark}", args.text(word));
        line.push('\n');
        line.into_bytes()
    };
    let (begin, end) = (marker("marker_begin"), marker("marker_end"));
    let mut lines: Vec<Cow<'_, [u8]>> = edit::lines(before)
        .into_iter()
        .map(Cow::Borrowed)
        .collect();
    let is = |line: &[u8], marker: &[u8]| {
        line == marker || marker.strip_suffix(b"\n").is_some_and(|m| m == line)
    };
    let first = lines.iter().rposition(|l| is(l, &begin));
    let last = lines.iter().rposition(|l| is(l, &end));
    let block = block(args, &begin, &end);
    let at = match (first, last) {
        (Some(first), Some(last)) => {
            let (from, to) = (first.min(last), first.max(last));
            lines.drain(from..=to);
            from
        }
        _ if block.is_empty() => return Ok(before.to_vec()),
        _ => place(args, &lines)?,
    };
    if !block.is_empty() {
        put(args, &mut lines, at, block);
    }
    Ok(lines.concat())
}

/// The block with its markers; nothing where it shall not be there.
fn block(args: &Args, begin: &[u8], end: &[u8]) -> Vec<u8> {
    let text = args.text("block");
    if args.text("state") == "absent" || text.is_empty() {
        return Vec::new();
    }
    let mut block = begin.to_vec();
    block.extend_from_slice(text.as_bytes());
    if !text.ends_with('\n') {
        block.push(b'\n');
    }
    block.extend_from_slice(end);
    block
}

fn put(args: &Args, lines: &mut Vec<Cow<'_, [u8]>>, at: usize, block: Vec<u8>) {
    let mut at = at.min(lines.len());
    if let Some(last) = at.checked_sub(1).and_then(|i| lines.get_mut(i))
        && !last.ends_with(b"\n")
    {
        last.to_mut().push(b'\n');
    }
    let empty = |line: Option<&Cow<'_, [u8]>>| line.is_some_and(|l| edit::bare(l).is_empty());
    if args.bool("prepend_newline") && at > 0 && !empty(lines.get(at - 1)) {
        lines.insert(at, Cow::Borrowed(b"\n"));
        at += 1;
    }
    lines.insert(at, Cow::Owned(block));
    let next = at + 1;
    if args.bool("append_newline") && next < lines.len() && !empty(lines.get(next)) {
        lines.insert(next, Cow::Borrowed(b"\n"));
    }
}

/// Where a new block goes.
fn place(args: &Args, lines: &[Cow<'_, [u8]>]) -> Result<usize, Failure> {
    let (after, before) = (args.str("insertafter"), args.str("insertbefore"));
    let (pattern, offset) = match (after, before) {
        (_, Some("BOF")) => return Ok(0),
        (Some(pattern), _) if pattern != "EOF" => (pattern, 1),
        (None, Some(pattern)) => (pattern, 0),
        _ => return Ok(lines.len()),
    };
    let re = PyRegex::new(pattern, Flavor::Bytes, Flags::default()).map_err(Failure::new)?;
    let found = if pattern.contains("(?m)") {
        in_whole(&re, lines, offset)?
    } else {
        lines
            .iter()
            .rposition(|l| re.is_match(&from_bytes(l)))
            .map(|at| at + offset)
    };
    Ok(found.unwrap_or(lines.len()))
}

/// The line at which the last match over several lines begins, or the one after its end.
fn in_whole(
    re: &PyRegex,
    lines: &[Cow<'_, [u8]>],
    offset: usize,
) -> Result<Option<usize>, Failure> {
    let whole = lines.concat();
    let text = from_bytes(&whole);
    let found = re.find_all(&text).map_err(Failure::new)?;
    Ok(found.last().map(|(start, end)| {
        let until = if offset == 1 { *end } else { *start };
        let passed = text.get(..until).unwrap_or_default();
        let complete = passed.matches('\n').count();
        // A match that ends inside a line lets the block begin after that line.
        if offset == 1 && !passed.ends_with('\n') && !passed.is_empty() {
            complete + 1
        } else {
            complete
        }
    }))
}
