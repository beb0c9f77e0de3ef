//! `file`: what a path is (a file, a folder, a link, nothing) and whose.

mod absent;
mod directory;
mod link;
mod regular;

use std::path::{Path, PathBuf};

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::fsops::attrs::Wanted;
use crate::fsops::diff::Pair;
use crate::fsops::info;
use crate::fsops::paths;
use crate::fsops::times::{self, Time};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct File;

static SPEC: Spec = Spec {
    name: "file",
    collection: "ansible.builtin",
    summary: "Makes, changes and removes files, folders and links.",
    args: &[FILE_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Local,
    place: Place::Target,
};

const TIME_FORMAT: &str = "%Y%m%d%H%M.%S";

const ARGS: &[Arg] = &[
    Arg::new("path", Kind::Path, "What is managed.")
        .aliases(&["dest", "name"])
        .required(),
    Arg::new(
        "state",
        Kind::Str,
        "What it shall be. By default what it is; else a folder with `recurse`, else a file, which is not made.",
    )
    .choices(&["absent", "directory", "file", "hard", "link", "touch"]),
    Arg::new("src", Kind::Path, "What a link leads to."),
    Arg::new(
        "recurse",
        Kind::Bool,
        "Whether owner, group and mode go to everything in the folder.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "force",
        Kind::Bool,
        "Whether a link may replace a file, and lead to nothing.",
    )
    .default(Default::Bool(false)),
    Arg::new("follow", Kind::Bool, "Whether links are followed.").default(Default::Bool(true)),
    Arg::new(
        "modification_time",
        Kind::Str,
        "`preserve`, `now`, or a time in the format.",
    ),
    Arg::new(
        "modification_time_format",
        Kind::Str,
        "The format of modification_time, as for strftime.",
    )
    .default(Default::Str(TIME_FORMAT)),
    Arg::new(
        "access_time",
        Kind::Str,
        "`preserve`, `now`, or a time in the format.",
    ),
    Arg::new(
        "access_time_format",
        Kind::Str,
        "The format of access_time, as for strftime.",
    )
    .default(Default::Str(TIME_FORMAT)),
    Arg::new("_original_basename", Kind::Str, "Used by other modules."),
    Arg::new("_diff_peek", Kind::Str, "Used by other modules."),
];

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Directory,
    File,
    Hard,
    Link,
    Touch,
}

impl State {
    fn of(path: &Path) -> State {
        match std::fs::symlink_metadata(path).map(|m| info::state(&m)) {
            Ok("link") => State::Link,
            Ok("directory") => State::Directory,
            Ok("hard") => State::Hard,
            Ok(_) => State::File,
            Err(_) => State::Absent,
        }
    }

    fn named(name: &str) -> Option<State> {
        Some(match name {
            "absent" => State::Absent,
            "directory" => State::Directory,
            "file" => State::File,
            "hard" => State::Hard,
            "link" => State::Link,
            "touch" => State::Touch,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            State::Absent => "absent",
            State::Directory => "directory",
            State::File => "file",
            State::Hard => "hard",
            State::Link => "link",
            State::Touch => "touch",
        }
    }
}

/// The task, read from its arguments.
struct Task<'a> {
    path: PathBuf,
    src: Option<String>,
    before: State,
    wanted: Wanted,
    recurse: bool,
    force: bool,
    follow: bool,
    access: Time,
    modification: Time,
    check: bool,
    ctx: &'a Context<'a>,
}

impl Module for File {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let path = paths::arg(args, "path", ctx).unwrap_or_default();
        let before = State::of(&path);
        let recurse = args.bool("recurse");
        let state = match args.str("state").and_then(State::named) {
            Some(state) => state,
            None if before != State::Absent => before,
            None if recurse => State::Directory,
            None => State::File,
        };
        if recurse && state != State::Directory {
            let failure = Failure::new("recurse option requires state to be 'directory'");
            return Err(info::failed_at(failure, &path));
        }
        if args.has("src") && !matches!(state, State::Link | State::Hard) {
            let failure = Failure::new("src option requires state to be 'link' or 'hard'");
            return Err(info::failed_at(failure, &path));
        }
        let default = match state {
            State::Touch => Time::Now,
            _ => Time::Preserve,
        };
        let time = |name: &str, format: &str| Time::parse(args.str(name), args.text(format), default);
        let task = Task {
            src: paths::arg(args, "src", ctx).map(|p| paths::shown(&p)),
            before,
            wanted: Wanted::from_args(args),
            recurse,
            force: args.bool("force"),
            follow: args.bool("follow"),
            access: time("access_time", "access_time_format")?,
            modification: time("modification_time", "modification_time_format")?,
            check: ctx.check,
            ctx,
            path,
        };
        task.run(state)
    }
}

impl Task<'_> {
    fn run(self, state: State) -> ModuleResult {
        if state != State::Absent
            && let Err(failure) = self.wanted.check()
        {
            return Err(info::failed_at(failure, &self.path));
        }
        match state {
            State::Absent => absent::ensure(&self),
            State::Directory => directory::ensure(self),
            State::File => regular::ensure(self),
            State::Touch => regular::touch(&self),
            State::Link => link::symbolic(&self),
            State::Hard => link::hard(&self),
        }
    }

    /// A difference that names the path, and the state where it changes.
    fn diff(&self, state: State) -> Pair {
        let mut diff = Pair::default();
        let path = paths::shown(&self.path);
        diff.note("path", path.clone(), path);
        if self.before != state {
            diff.note("state", self.before.name(), state.name());
        }
        diff
    }

    /// Sets owner, mode and times on a path.
    fn dress(&self, path: &Path, diff: Option<&mut Pair>) -> Result<bool, Failure> {
        let mut diff = diff;
        let changed = self
            .wanted
            .apply(path, self.follow, self.check, diff.as_deref_mut())
            .map_err(|f| info::failed_at(f, path))?;
        Ok(self.set_times(path, diff)? || changed)
    }

    fn set_times(&self, path: &Path, diff: Option<&mut Pair>) -> Result<bool, Failure> {
        use std::os::unix::fs::MetadataExt;
        if self.access == Time::Preserve && self.modification == Time::Preserve {
            return Ok(false);
        }
        let failed = |e: &std::io::Error| {
            let path = if self.follow { paths::real(path) } else { path.to_path_buf() };
            let message = format!(
                "Error while updating modification or access time: {}",
                crate::fsops::errno::at_bytes(e, &path)
            );
            info::failed_at(Failure::new(message), &path)
        };
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(_) if self.check && std::fs::symlink_metadata(path).is_err() => return Ok(true),
            Err(e) => return Err(failed(&e)),
        };
        let access = self.access.differs((meta.atime(), meta.atime_nsec()));
        let modification = self.modification.differs((meta.mtime(), meta.mtime_nsec()));
        if !access && !modification {
            return Ok(false);
        }
        if !self.check {
            times::set(path, self.access, self.modification).map_err(|e| failed(&e))?;
        }
        if let Some(diff) = diff {
            if modification {
                note_time(diff, "mtime", (meta.mtime(), meta.mtime_nsec()), self.modification);
            }
            if access {
                note_time(diff, "atime", (meta.atime(), meta.atime_nsec()), self.access);
            }
        }
        Ok(true)
    }

    /// The result with `path`, its values and the difference.
    fn done(&self, key: &str, changed: bool, diff: Pair) -> Outcome {
        let mut outcome = Outcome::changed(changed).with(key, paths::shown(&self.path));
        outcome.diff = self.ctx.diff.then(|| diff.into_value());
        info::with_path(outcome, &self.path)
    }
}

fn note_time(diff: &mut Pair, name: &str, before: (i64, i64), after: Time) {
    let seconds = |(s, ns): (i64, i64)| Value::Float(s as f64 + ns as f64 / 1e9);
    let after = match after {
        Time::At(s) => seconds((s, 0)),
        _ => Value::Str("now".to_owned()),
    };
    diff.note(name, seconds(before), after);
}
