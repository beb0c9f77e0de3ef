//! `synchronize`: rsync between the controller, or the host that a task is delegated to, and the host of the play. Which machine runs
//! it and how it reaches the other one is the controller's to say: what arrives here is ready to run.

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{self, Done, Run, quote};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in the documentation of the collection ansible.posix.
pub(super) struct Synchronize;

static SPEC: Spec = Spec {
    name: "synchronize",
    collection: "ansible.posix",
    summary: "Copies trees between the controller and the machine by rsync.",
    args: &[ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Outside,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new(
        "src",
        Kind::Path,
        "What is copied: on the machine that runs rsync, or in mode `pull` on the other.",
    ),
    Arg::new("dest", Kind::Path, "Where it is copied to."),
    Arg::new(
        "mode",
        Kind::Str,
        "Whether the play's host is written or read.",
    )
    .choices(&["pull", "push"])
    .default(Default::Str("push")),
    Arg::new(
        "archive",
        Kind::Bool,
        "Folders with all in them, links, permissions, times, owners and devices.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "checksum",
        Kind::Bool,
        "Whether files are compared by their content.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "compress",
        Kind::Bool,
        "Whether what is sent is compressed.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "copy_links",
        Kind::Bool,
        "Whether what links point to is copied.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "delay_updates",
        Kind::Bool,
        "Whether files come to their places when all have arrived.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "delete",
        Kind::Bool,
        "Whether what the source lacks is removed.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "dest_port",
        Kind::Int,
        "The port of the other machine's sshd.",
    ),
    Arg::new(
        "dirs",
        Kind::Bool,
        "Whether folders are copied without what is in them.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "existing_only",
        Kind::Bool,
        "Whether only what is there is written.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "group",
        Kind::Bool,
        "Whether groups are kept. Default: as `archive`.",
    ),
    Arg::new(
        "link_dest",
        Kind::List(&Kind::Path),
        "Folders in which equal files are linked to.",
    ),
    Arg::new(
        "links",
        Kind::Bool,
        "Whether links are copied as links. Default: as `archive`.",
    ),
    Arg::new(
        "owner",
        Kind::Bool,
        "Whether owners are kept. Default: as `archive`.",
    ),
    Arg::new("partial", Kind::Bool, "Whether half a file is kept.").default(Default::Bool(false)),
    Arg::new(
        "perms",
        Kind::Bool,
        "Whether permissions are kept. Default: as `archive`.",
    ),
    Arg::new("private_key", Kind::Path, "The key for ssh."),
    Arg::new(
        "recursive",
        Kind::Bool,
        "Whether folders are copied with all in them. Default: as `archive`.",
    ),
    Arg::new(
        "rsync_opts",
        Kind::List(&Kind::Str),
        "More options of rsync.",
    )
    .default(Default::EmptyList),
    Arg::new("rsync_path", Kind::Str, "The program on the other machine."),
    Arg::new(
        "rsync_timeout",
        Kind::Int,
        "Seconds without any data after which it ends; 0: never.",
    )
    .default(Default::Int(0)),
    Arg::new(
        "set_remote_user",
        Kind::Bool,
        "Whether the user's name is put before the host's.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "ssh_connection_multiplexing",
        Kind::Bool,
        "Whether ssh may share a connection.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "times",
        Kind::Bool,
        "Whether times are kept. Default: as `archive`.",
    ),
    Arg::new(
        "use_ssh_args",
        Kind::Bool,
        "Whether the connection's options of ssh count.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "verify_host",
        Kind::Bool,
        "Whether the host's key must be known.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "_local_rsync_path",
        Kind::Path,
        "Set by the controller: the program here.",
    )
    .default(Default::Str("rsync")),
    Arg::new(
        "_local_rsync_password",
        Kind::Str,
        "Set by the controller: the password for ssh.",
    )
    .secret(),
    Arg::new(
        "_ssh_args",
        Kind::Str,
        "Set by the controller: the connection's options of ssh.",
    ),
    Arg::new(
        "_substitute_controller",
        Kind::Bool,
        "Set by the controller: whether rsync runs elsewhere.",
    )
    .default(Default::Bool(false)),
];

/// What each line about a file begins with.
const MARK: &str = "<<CHANGED>>";
/// What is told there of a file that is as it was, behind a dot and its kind.
const SAME: &str = "         ";
/// What rsync does where `archive` or an argument says so, and its option.
const KEPT: [&str; 6] = ["recursive", "links", "perms", "times", "owner", "group"];
/// Hands the first line of its input on as a password, and gives rsync none.
const WITH_PASSWORD: &str = "exec sshpass -d3 \"$@\" 3<&0 </dev/null";

impl Module for Synchronize {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let path = |name: &str| {
            let text = process::expand_variables(ctx, args.text(name));
            process::expand_user(ctx, &text)
        };
        let (src, dest) = (path("src"), path("dest"));
        let links = args.list("link_dest").unwrap_or_default();
        let whole = |link: String| match std::path::absolute(&link) {
            Ok(path) => path.display().to_string(),
            Err(_) => link,
        };
        let links: Vec<String> = links
            .iter()
            .map(|l| whole(process::expand_user(ctx, l)))
            .collect();
        if let Some(around) = links.iter().find(|link| dest.starts_with(link.as_str())) {
            return Err(Failure::new(format!(
                "Hardlinking into a subdirectory of the source would cause recursion. {around} and {dest}"
            )));
        }
        let rsync = match args.text("_local_rsync_path") {
            named if named.contains('/') => named.to_owned(),
            named => process::program(ctx, named)?.display().to_string(),
        };
        let mut line = Line::default();
        line.extend(options(args, ctx));
        let remote = remote(&src) || remote(&dest);
        if remote || args.bool("_substitute_controller") {
            line.push(format!("--rsh={}", shell(args, ctx)?));
        }
        if let Some(program) = args.str("rsync_path") {
            line.push(format!("--rsync-path={program}"));
        }
        for option in args.list("rsync_opts").unwrap_or_default() {
            line.push_written(option)?;
        }
        line.extend(args.bool("partial").then(|| "--partial".to_owned()));
        if !links.is_empty() {
            line.extend(["-H".to_owned(), "-vv".to_owned()]);
            line.extend(links.iter().map(|link| format!("--link-dest={link}")));
        }
        line.push(format!("--out-format={MARK}%i %n%L"));
        line.extend([src, dest]);
        let (command, done) = call(&rsync, line, args, ctx)?;
        told(&command, &done, ctx.diff, !links.is_empty())
    }
}

/// A command line, and how it is told.
#[derive(Default)]
struct Line {
    words: Vec<String>,
    shown: Vec<String>,
}

impl Line {
    /// Adds a word. What stands behind an option's `=` is told quoted, not the whole.
    fn push(&mut self, word: String) {
        self.shown.push(match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => {
                format!("{option}={}", quote(value))
            }
            _ => quote(&word),
        });
        self.words.push(word);
    }

    fn extend(&mut self, words: impl IntoIterator<Item = String>) {
        words.into_iter().for_each(|word| self.push(word));
    }

    /// Adds what the task has written, which may be several words, quoted as for a shell.
    fn push_written(&mut self, text: String) -> Result<(), Failure> {
        let words = process::split(&text);
        let wrong = |why| Failure::new(format!("`{text}` in rsync_opts cannot be read: {why}"));
        self.words.extend(words.map_err(wrong)?);
        self.shown.push(text);
        Ok(())
    }
}

/// Whether a path names another machine that is reached by a shell.
fn remote(path: &str) -> bool {
    let head = path.split('/').next().unwrap_or_default();
    head.contains(':') && !path.starts_with("rsync://")
}

/// The options before those that name machines, in the order in which Ansible says them.
fn options(args: &Args, ctx: &Context<'_>) -> Vec<String> {
    let mut words = Vec::new();
    let mut say = |wanted: bool, option: &str| {
        if wanted {
            words.push(option.to_owned());
        }
    };
    say(args.bool("delay_updates"), "--delay-updates");
    say(args.bool("delay_updates"), "-F");
    say(args.bool("compress"), "--compress");
    let limit = args.int("rsync_timeout").unwrap_or(0);
    say(limit > 0, &format!("--timeout={limit}"));
    say(ctx.check, "--dry-run");
    say(args.bool("delete"), "--delete-after");
    say(args.bool("existing_only"), "--existing");
    say(args.bool("checksum"), "--checksum");
    say(args.bool("copy_links"), "--copy-links");
    let archive = args.bool("archive");
    say(archive, "--archive");
    for name in KEPT {
        match args.opt_bool(name) {
            Some(true) if !archive => say(true, &format!("--{name}")),
            Some(false) if archive => say(true, &format!("--no-{name}")),
            _ => {}
        }
    }
    say(args.bool("dirs"), "--dirs");
    words
}

/// The program that reaches the other machine, as rsync takes it: words between blanks.
fn shell(args: &Args, ctx: &Context<'_>) -> Result<String, Failure> {
    let mut words = vec![process::program(ctx, "ssh")?.display().to_string()];
    let mut say = |said: &[&str]| words.extend(said.iter().map(|w| (*w).to_owned()));
    if !args.bool("ssh_connection_multiplexing") {
        say(&["-S", "none"]);
    }
    if let Some(key) = args.str("private_key") {
        say(&["-i", &quote(&process::expand_user(ctx, key))]);
    }
    if let Some(port) = args.int("dest_port") {
        say(&["-o", &format!("Port={port}")]);
    }
    if !args.bool("verify_host") {
        say(&["-o", "StrictHostKeyChecking=no"]);
        say(&["-o", "UserKnownHostsFile=/dev/null"]);
    }
    if let Some(more) = args.str("_ssh_args") {
        say(&[more]);
    }
    Ok(words.join(" "))
}

/// Runs it; gives the command as it is told, and what came of it.
fn call(
    rsync: &str,
    line: Line,
    args: &Args,
    ctx: &Context<'_>,
) -> Result<(String, Done), Failure> {
    let mut command = format!("{} {}", quote(rsync), line.shown.join(" "));
    let run = match args.str("_local_rsync_password") {
        None => Run::new(rsync),
        Some(password) => {
            if process::find_program(ctx, "sshpass").is_none() {
                return Err(Failure::new(
                    "to use rsync connection with passwords, you must install the sshpass program",
                ));
            }
            command = format!("sshpass -d3 {command}");
            Run::shell("/bin/sh", WITH_PASSWORD)
                .args(["sh", rsync])
                .stdin(format!("{password}\n").into_bytes())
        }
    };
    match run.args(line.words).within(ctx).run() {
        Ok(done) => Ok((command, done)),
        Err(e) => Err(Failure::from(e).with("cmd", command)),
    }
}

/// The result.
fn told(command: &str, done: &Done, diff: bool, linking: bool) -> ModuleResult {
    if done.rc != 0 {
        return Err(Failure::new(done.err())
            .with("cmd", command)
            .with("rc", i64::from(done.rc)));
    }
    let out = done.out();
    let mut files = out.lines().filter_map(|line| line.strip_prefix(MARK));
    let changed = match linking {
        // There every file is told of: what is as it was has a dot, its kind and blanks.
        true => files.any(|line| !line.starts_with('.') || line.get(2..11) != Some(SAME)),
        false => files.next().is_some(),
    };
    let clean = out.replace(MARK, "");
    let lines = clean.split('\n').filter(|line| !line.is_empty());
    let lines: Vec<Value> = lines.map(Value::from).collect();
    let mut outcome = Outcome::changed(changed)
        .msg(clean.clone())
        .with("rc", i64::from(done.rc))
        .with("cmd", command)
        .with("stdout_lines", Value::List(lines));
    if diff {
        let prepared = [("prepared".to_owned(), clean.into())];
        outcome.diff = Some(Value::Map(prepared.into_iter().collect()));
    }
    Ok(outcome)
}
