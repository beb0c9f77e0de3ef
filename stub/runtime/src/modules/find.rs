//! `find`: files by name, age, size, content and mode.

use std::fs::Metadata;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustle_formats::order;
use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::fsops::digest::{self, Algorithm};
use crate::fsops::mode::{ALL_BITS, Mode};
use crate::fsops::{errno, info, paths, write};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::pyregex::{Flags, Flavor, PyRegex, from_bytes};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Find;

static SPEC: Spec = Spec {
    name: "find",
    collection: "ansible.builtin",
    summary: "Lists files by name, age, size, content and mode.",
    args: &[ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new("paths", Kind::List(&Kind::Path), "The folders.")
        .aliases(&["name", "path"])
        .required(),
    Arg::new(
        "patterns",
        Kind::List(&Kind::Str),
        "Names that are taken: shell patterns or expressions.",
    )
    .aliases(&["pattern"])
    .default(Default::EmptyList),
    Arg::new(
        "excludes",
        Kind::List(&Kind::Str),
        "Names that are left out.",
    )
    .aliases(&["exclude"]),
    Arg::new(
        "use_regex",
        Kind::Bool,
        "Whether patterns are regular expressions.",
    )
    .default(Default::Bool(false)),
    Arg::new("file_type", Kind::Str, "What is listed.")
        .choices(&["any", "directory", "file", "link"])
        .default(Default::Str("file")),
    Arg::new("recurse", Kind::Bool, "Whether folders below are searched.")
        .default(Default::Bool(false)),
    Arg::new("depth", Kind::Int, "How many levels down."),
    Arg::new("follow", Kind::Bool, "Whether links are followed.").default(Default::Bool(false)),
    Arg::new(
        "hidden",
        Kind::Bool,
        "Whether names that begin with a dot are taken.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "age",
        Kind::Str,
        "At least so old, or with a minus at most: 10, 5m, 2h, 1d, 1w.",
    ),
    Arg::new("age_stamp", Kind::Str, "Which time counts.")
        .choices(&["atime", "ctime", "mtime"])
        .default(Default::Str("mtime")),
    Arg::new(
        "size",
        Kind::Str,
        "At least so large, or with a minus at most: 10, 5k, 2m, 1g, 1t.",
    ),
    Arg::new("contains", Kind::Str, "An expression for the content."),
    Arg::new(
        "read_whole_file",
        Kind::Bool,
        "Whether the expression is looked for in the whole file.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "encoding",
        Kind::Str,
        "The encoding of files; content is matched as UTF-8 or by bytes.",
    ),
    Arg::new("mode", Kind::Mode, "The permissions."),
    Arg::new(
        "exact_mode",
        Kind::Bool,
        "Whether the permissions are these and no more.",
    )
    .default(Default::Bool(true)),
    Arg::new("get_checksum", Kind::Bool, "Whether contents are hashed.")
        .default(Default::Bool(false)),
    Arg::new("checksum_algorithm", Kind::Str, "How contents are hashed.")
        .aliases(&["checksum", "checksum_algo"])
        .choices(Algorithm::NAMES)
        .default(Default::Str("sha1")),
    Arg::new("limit", Kind::Int, "How many matches are enough."),
];

/// How deep folders may nest; links in a circle end here.
const MAX_DEPTH: i64 = 200;

/// What a path must be to be listed.
struct Filter<'a> {
    args: &'a Args,
    takes: Vec<PyRegex>,
    excludes: Vec<PyRegex>,
    age: Option<i64>,
    size: Option<i64>,
    mode: Option<Mode>,
    contains: Option<PyRegex>,
    now: i64,
}

/// The search so far.
struct Search<'a> {
    filter: Filter<'a>,
    ctx: &'a Context<'a>,
    files: Vec<Value>,
    examined: i64,
    skipped: Map,
    limit: Option<usize>,
    depth: i64,
}

impl Module for Find {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let depth = match (args.bool("recurse"), args.int("depth")) {
            (false, _) => 1,
            (true, Some(depth)) if depth > 0 => depth,
            (true, _) => MAX_DEPTH,
        };
        let mut search = Search {
            filter: Filter::from_args(args)?,
            ctx,
            files: Vec::new(),
            examined: 0,
            skipped: Map::new(),
            limit: args.int("limit").and_then(|n| usize::try_from(n).ok()),
            depth,
        };
        for path in args.list("paths").unwrap_or_default() {
            let path = paths::expand(&path, ctx);
            if path.is_dir() {
                search.walk(&path, 1)?;
            } else {
                search.skip(&path, format!("'{}' is not a directory", path.display()));
            }
        }
        Ok(search.finish())
    }
}

impl Search<'_> {
    fn full(&self) -> bool {
        self.limit.is_some_and(|limit| self.files.len() >= limit)
    }

    fn skip(&mut self, path: &Path, why: String) {
        self.ctx.warn(format!(
            "Skipped '{}' path due to this access issue: {why}",
            path.display()
        ));
        self.skipped.insert(paths::shown(path), why.into());
    }

    fn walk(&mut self, folder: &Path, level: i64) -> Result<(), Failure> {
        if (self.ctx.cancelled)() {
            return Err(Failure::new("the search was stopped"));
        }
        if self.full() {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries: Vec<PathBuf> = match entries {
            Ok(entries) => entries.into_iter().map(|e| e.path()).collect(),
            Err(e) => {
                self.skip(folder, errno::at(&e, folder));
                return Ok(());
            }
        };
        order::sort(&mut entries);
        self.examined += i64::try_from(entries.len()).unwrap_or(i64::MAX);
        if level > self.depth {
            return Ok(());
        }
        let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|p| p.is_dir());
        for path in files.iter().chain(&folders) {
            if self.full() {
                return Ok(());
            }
            self.look_at(path);
        }
        if !self.filter.args.bool("recurse") || level > MAX_DEPTH {
            return Ok(());
        }
        for path in folders {
            if self.filter.args.bool("follow") || !path.is_symlink() {
                self.walk(&path, level + 1)?;
            }
        }
        Ok(())
    }

    fn look_at(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !self.filter.takes_name(&name) {
            return;
        }
        let follow = self.filter.args.bool("follow") && path.exists();
        let meta = if follow {
            std::fs::metadata(path)
        } else {
            std::fs::symlink_metadata(path)
        };
        // What vanished in the meantime is not there.
        let Ok(meta) = meta else {
            return;
        };
        if !self.filter.takes(path, &meta) {
            return;
        }
        let mut entry = Map::new();
        entry.insert("path".into(), paths::shown(path).into());
        info::stat_fields(&meta, &mut entry);
        let args = self.filter.args;
        if meta.is_file()
            && args.bool("get_checksum")
            && let Some(algorithm) = Algorithm::named(args.text("checksum_algorithm"))
            && let Ok(sum) = digest::of_file(path, algorithm)
        {
            entry.insert("checksum".into(), sum.into());
        }
        self.files.push(Value::Map(entry));
    }

    fn finish(self) -> Outcome {
        let msg = if self.full() {
            "Limit of matches reached"
        } else if self.skipped.is_empty() {
            "All paths examined"
        } else {
            "Not all paths examined, check warnings for details"
        };
        let matched = i64::try_from(self.files.len()).unwrap_or(i64::MAX);
        Outcome::ok()
            .msg(msg)
            .with("files", Value::List(self.files))
            .with("matched", matched)
            .with("examined", self.examined)
            .with("skipped_paths", self.skipped)
    }
}

impl<'a> Filter<'a> {
    fn from_args(args: &'a Args) -> Result<Filter<'a>, Failure> {
        let names = |name: &str| -> Result<Vec<PyRegex>, Failure> {
            let patterns = args.list(name).unwrap_or_default();
            let use_regex = args.bool("use_regex");
            patterns
                .iter()
                .map(|p| {
                    let pattern = if use_regex {
                        format!(r"\A(?:{p})")
                    } else {
                        glob(p)
                    };
                    compile(&pattern)
                })
                .collect()
        };
        let amount = |name: &str, units: &[(char, i64)]| match args.str(name) {
            None => Ok(None),
            Some(text) => parse_amount(text, units).map(Some).ok_or_else(|| {
                Failure::new(format!("failed to process {name}")).with(name, text)
            }),
        };
        let mode = match args.get("mode") {
            None => None,
            Some(value) => Some(Mode::parse(value).map_err(|details| {
                Failure::new("mode must be in octal or symbolic form").with("details", details)
            })?),
        };
        let contains = match args.str("contains") {
            None => None,
            Some(pattern) if args.bool("read_whole_file") => Some(compile(pattern)?),
            Some(pattern) => Some(compile(&format!(r"\A(?:{pattern})"))?),
        };
        Ok(Filter {
            args,
            takes: names("patterns")?,
            excludes: names("excludes")?,
            age: amount("age", &[('s', 1), ('m', 60), ('h', 3600), ('d', 86400), ('w', 604_800)])?,
            size: amount(
                "size",
                &[('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)],
            )?,
            mode,
            contains,
            now: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX)),
        })
    }

    fn takes_name(&self, name: &str) -> bool {
        let hidden = name.starts_with('.') && !self.args.bool("hidden");
        let taken = self.takes.is_empty() || self.takes.iter().any(|p| p.is_match(name));
        !hidden && taken && !self.excludes.iter().any(|p| p.is_match(name))
    }

    fn takes(&self, path: &Path, meta: &Metadata) -> bool {
        let kind = match self.args.text("file_type") {
            "file" => meta.is_file(),
            "directory" => meta.is_dir(),
            "link" => meta.is_symlink(),
            _ => true,
        };
        let stamp = match self.args.text("age_stamp") {
            "atime" => meta.atime(),
            "ctime" => meta.ctime(),
            _ => meta.mtime(),
        };
        let size = i64::try_from(meta.size()).unwrap_or(i64::MAX);
        kind && fits(self.age, self.now.saturating_sub(stamp))
            && (meta.is_dir() || fits(self.size, size))
            && self.takes_mode(meta)
            && (!meta.is_file() || self.takes_content(path))
    }

    fn takes_mode(&self, meta: &Metadata) -> bool {
        let Some(mode) = &self.mode else {
            return true;
        };
        let actual = meta.mode() & ALL_BITS;
        let wanted = mode.apply(actual, meta.is_dir(), write::umask());
        if self.args.bool("exact_mode") {
            actual == wanted
        } else {
            actual & wanted == wanted
        }
    }

    /// Line by line from each line's beginning, or anywhere in the whole. What cannot be read does not match.
    fn takes_content(&self, path: &Path) -> bool {
        let Some(pattern) = &self.contains else {
            return true;
        };
        let Ok(file) = std::fs::File::open(path) else {
            return false;
        };
        let mut reader = BufReader::new(file);
        let mut buffer = Vec::new();
        if self.args.bool("read_whole_file") {
            return reader.read_to_end(&mut buffer).is_ok() && matches(pattern, &buffer);
        }
        loop {
            buffer.clear();
            match reader.read_until(b'\n', &mut buffer) {
                Ok(0) | Err(_) => return false,
                Ok(_) if matches(pattern, &buffer) => return true,
                Ok(_) => {}
            }
        }
    }
}

fn matches(pattern: &PyRegex, bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) => pattern.is_match(text),
        Err(_) => pattern.is_match(&from_bytes(bytes)),
    }
}

/// At least the limit, or at most where it is negative.
fn fits(limit: Option<i64>, actual: i64) -> bool {
    match limit {
        None => true,
        Some(limit) if limit >= 0 => actual >= limit,
        Some(limit) => actual <= limit.saturating_abs(),
    }
}

fn compile(pattern: &str) -> Result<PyRegex, Failure> {
    let flags = Flags {
        multiline: false,
        dotall: false,
    };
    PyRegex::new(pattern, Flavor::Text, flags).map_err(Failure::new)
}

/// A number with a unit.
fn parse_amount(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, factor) = match units.iter().find(|(unit, _)| text.ends_with(*unit)) {
        Some((unit, factor)) => (text.strip_suffix(*unit)?, *factor),
        None => (text.as_str(), 1),
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

/// A shell pattern as a regular expression for the whole name.
fn glob(pattern: &str) -> String {
    let mut out = String::from(r"(?s)\A(?:");
    let chars: Vec<char> = pattern.chars().collect();
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        i += 1;
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let negated = chars.get(i) == Some(&'!');
                let start = if negated { i + 1 } else { i };
                let end = (start + 1..chars.len()).find(|j| chars.get(*j) == Some(&']'));
                match end {
                    Some(end) => {
                        let inner: String =
                            chars.get(start..end).unwrap_or_default().iter().collect();
                        out.push('[');
                        if negated {
                            out.push('^');
                        }
                        out.push_str(&inner.replace('\\', r"\\").replace('^', r"\^"));
                        out.push(']');
                        i = end + 1;
                    }
                    None => out.push_str(r"\["),
                }
            }
            c if c.is_alphanumeric() || c == '_' => out.push(c),
            c if c.is_ascii() => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push_str(r")\Z");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_amounts() {
        let fits = |p: &str, name: &str| compile(&glob(p)).unwrap().is_match(name);
        assert!(fits("*.txt", "a.txt"));
        assert!(!fits("*.txt", "a.txt2"));
        assert!(fits("[!a]b?", "xbc"));
        assert!(fits("a[", "a["));
        assert_eq!(parse_amount("-2k", &[('k', 1024)]), Some(-2048));
        assert_eq!(parse_amount("x", &[]), None);
    }
}
