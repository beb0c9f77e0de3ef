//! `command`: runs a program without a shell.
//!
//! Also what `shell` shares with it: `creates` and `removes`, check mode, and the return values.

use std::path::{Path, PathBuf};

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::glob::any_match;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{self, Run, RunError, expand, expand_user, expand_variables, lines};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};
use crate::timing;

/// See the module's page in Ansible's documentation.
pub(super) struct Command;

static OWN_ARGS: &[Arg] = &[
    Arg::new("expand_argument_vars", Kind::Bool, "Whether `$NAME` and `~` in arguments are expanded.")
        .default(Default::Bool(true)),
];

static ARGS: &[Arg] = &[
    Arg::new("_raw_params", Kind::Str, "The command, in free form."),
    Arg::new("cmd", Kind::Str, "The command, as text that is split at spaces."),
    Arg::new("argv", Kind::List(&Kind::Str), "The command, as a list."),
    Arg::new("chdir", Kind::Path, "The folder to run it in."),
    Arg::new("creates", Kind::Path, "A pattern; where something matches it, the command is not run."),
    Arg::new("removes", Kind::Path, "A pattern; where nothing matches it, the command is not run."),
    Arg::new("executable", Kind::Path, "The shell to use; `command` has none and only warns."),
    Arg::new("stdin", Kind::Str, "What the command reads from its input."),
    Arg::new("stdin_add_newline", Kind::Bool, "Whether a line end is added to `stdin`.")
        .default(Default::Bool(true)),
    Arg::new("strip_empty_ends", Kind::Bool, "Whether empty lines at the end of the outputs are cut off.")
        .default(Default::Bool(true)),
    Arg::new("_uses_shell", Kind::Bool, "Whether the command goes through a shell; `shell` sets it.")
        .default(Default::Bool(false)),
];

pub(super) static RULES: &[Rule] = &[
    Rule::MutuallyExclusive(&["_raw_params", "cmd", "argv"]),
    Rule::RequiredOneOf(&["_raw_params", "cmd", "argv"]),
];

static SPEC: Spec = Spec {
    name: "command",
    collection: "ansible.builtin",
    summary: "Runs a program without a shell.",
    args: &[ARGS, OWN_ARGS],
    free_form: Some("_raw_params"),
    open: false,
    rules: RULES,
    check: Support::Partial,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Command {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if args.bool("_uses_shell") {
            return run(args, ctx, true);
        }
        if let Some(executable) = args.str("executable") {
            ctx.warn(format!(
                "As of Ansible 2.4, the parameter 'executable' is no longer supported with the 'command' module. \
                 Not using '{executable}'."
            ));
        }
        run(args, ctx, false)
    }
}

/// The arguments that every module has which lends itself to [`run`], for `shell`'s SPEC.
pub(super) static SHARED_ARGS: &[Arg] = ARGS;

/// The command as the user gave it.
enum Given {
    Words(Vec<String>),
    Script(String),
}

impl Given {
    fn read(args: &Args, shell: bool) -> Result<Given, Failure> {
        if let Some(argv) = args.list("argv") {
            return Ok(Given::Words(argv));
        }
        let text = args.str("_raw_params").or(args.str("cmd")).unwrap_or_default();
        if shell {
            return Ok(Given::Script(text.to_owned()));
        }
        process::split(text).map(Given::Words).map_err(Failure::new)
    }

    fn shown(&self) -> Value {
        match self {
            Given::Words(words) => words.clone().into(),
            Given::Script(text) => text.as_str().into(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Given::Words(words) => words.is_empty(),
            Given::Script(text) => text.trim().is_empty(),
        }
    }
}

/// Runs the command that the arguments describe, or says why not.
pub(super) fn run(args: &Args, ctx: &Context<'_>, shell: bool) -> ModuleResult {
    let given = Given::read(args, shell)?;
    let base = match args.str("chdir") {
        Some(dir) => enter(ctx, dir, &given)?,
        None => PathBuf::from("."),
    };
    if given.is_empty() {
        return Err(blank(&given, 256).with_msg("no command given"));
    }
    if let Some(outcome) = guarded(args, ctx, &base, &given) {
        return Ok(outcome);
    }
    if ctx.check {
        let guards = args.has("creates") || args.has("removes");
        let mut outcome = not_run(&given, "", "Command would have run if not in check mode");
        outcome.changed = guards;
        outcome.skipped = !guards;
        return Ok(outcome);
    }
    execute(args, ctx, shell, &given)
}

/// The folder to run in.
fn enter(ctx: &Context<'_>, dir: &str, given: &Given) -> Result<PathBuf, Failure> {
    let path = expand(ctx, dir);
    let entered = std::fs::metadata(&path).and_then(|m| match m.is_dir() {
        true => Ok(()),
        false => Err(std::io::Error::from_raw_os_error(libc::ENOTDIR)),
    });
    match entered {
        Ok(()) => Ok(path),
        Err(e) => Err(blank(given, 0)
            .with("rc", Value::Null)
            .with("start", Value::Null)
            .with("end", Value::Null)
            .with("delta", Value::Null)
            .with_msg(format!(
                "Unable to change directory before execution: {}: '{}'",
                process::errno_text(&e),
                path.display()
            ))),
    }
}

/// What `creates` and `removes` say against running.
fn guarded(args: &Args, ctx: &Context<'_>, base: &Path, given: &Given) -> Option<Outcome> {
    let would = if ctx.check { "Would" } else { "Did" };
    let present = |pattern: &str| any_match(base, &expand(ctx, pattern).to_string_lossy());
    if let Some(creates) = args.str("creates")
        && present(creates)
    {
        return Some(not_run(
            given,
            &format!("skipped, since {creates} exists"),
            &format!("{would} not run command since '{creates}' exists"),
        ));
    }
    if let Some(removes) = args.str("removes")
        && !present(removes)
    {
        return Some(not_run(
            given,
            &format!("skipped, since {removes} does not exist"),
            &format!("{would} not run command since '{removes}' does not exist"),
        ));
    }
    None
}

/// The result of a command that was not run.
fn not_run(given: &Given, stdout: &str, msg: &str) -> Outcome {
    Outcome::ok()
        .with("cmd", given.shown())
        .with("rc", 0i64)
        .with("stdout", stdout)
        .with("stdout_lines", lines(stdout))
        .with("stderr", "")
        .with("stderr_lines", lines(""))
        .with("start", Value::Null)
        .with("end", Value::Null)
        .with("delta", Value::Null)
        .msg(msg)
}

/// A failure before anything was run.
fn blank(given: &Given, rc: i64) -> Blank {
    Blank(
        Failure::new("")
            .with("cmd", given.shown())
            .with("rc", rc)
            .with("stdout", "")
            .with("stdout_lines", lines(""))
            .with("stderr", "")
            .with("stderr_lines", lines("")),
    )
}

/// A failure that still wants its message.
struct Blank(Failure);

impl Blank {
    fn with(self, name: &str, value: impl Into<Value>) -> Blank {
        Blank(self.0.with(name, value))
    }

    fn with_msg(mut self, msg: impl Into<String>) -> Failure {
        self.0.msg = msg.into();
        self.0
    }
}

/// The child, ready to run.
fn child<'a>(args: &Args, ctx: &'a Context<'_>, shell: bool, given: &Given) -> Run<'a> {
    let expanded = |word: &String| {
        if args.bool("expand_argument_vars") {
            expand_user(ctx, &expand_variables(ctx, word))
        } else {
            word.clone()
        }
    };
    let run = match given {
        Given::Words(words) if shell => Run::shell(shell_of(args, ctx), process::join(words)),
        Given::Script(text) => Run::shell(shell_of(args, ctx), text),
        Given::Words(words) => {
            let mut words = words.iter().map(expanded);
            Run::new(words.next().unwrap_or_default()).args(words)
        }
    };
    let run = run.within(ctx);
    match args.str("stdin") {
        Some(text) => {
            let mut bytes = text.as_bytes().to_vec();
            if args.bool("stdin_add_newline") {
                bytes.push(b'\n');
            }
            run.stdin(bytes)
        }
        None => run,
    }
}

fn shell_of(args: &Args, ctx: &Context<'_>) -> PathBuf {
    match args.str("executable") {
        Some(path) => expand(ctx, path),
        None => PathBuf::from("/bin/sh"),
    }
}

fn execute(args: &Args, ctx: &Context<'_>, shell: bool, given: &Given) -> ModuleResult {
    let dir = args.str("chdir").map(|d| expand(ctx, d));
    let mut run = child(args, ctx, shell, given);
    if let Some(dir) = &dir {
        run = run.chdir(dir);
    }
    let line = run.command_line();
    let start = timing::now();
    let done = run.run().map_err(|e| {
        let rc = e.rc();
        let cmd = match &e {
            RunError::Start(..) => Value::from(line),
            _ => given.shown(),
        };
        blank(given, rc)
            .with("cmd", cmd)
            .with_msg(format!("Error executing command: {e}"))
    })?;
    let end = timing::now();
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        match args.bool("strip_empty_ends") {
            true => text.trim_end_matches(['\r', '\n']).to_owned(),
            false => text.into_owned(),
        }
    };
    let (stdout, stderr) = (text(&done.stdout), text(&done.stderr));
    let mut outcome = Outcome::changed(true)
        .with("cmd", given.shown())
        .with("rc", i64::from(done.rc))
        .with("stdout_lines", lines(&stdout))
        .with("stderr_lines", lines(&stderr))
        .with("stdout", stdout)
        .with("stderr", stderr)
        .with("start", timing::moment(&start))
        .with("end", timing::moment(&end))
        .with("delta", timing::span(done.elapsed))
        .msg("");
    if !done.ok() {
        outcome.failed = true;
        outcome.msg = Some("non-zero return code".to_owned());
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use rustle_formats::Value;
    use serde_json::json;

    use crate::trial::Trial;

    #[test]
    fn arguments_are_expanded_without_a_shell() {
        let t = Trial::new().env("A", "1 2");
        let r = t.run("command", json!({"_raw_params": "echo $A $NOPE '~' \"x  y\" a;b"}));
        assert!(r.changed && !r.failed);
        assert_eq!(r.field("stdout"), "1 2 $NOPE /root x  y a;b");
        let r = t.run("command", json!({"argv": ["echo", "$A"], "expand_argument_vars": false}));
        assert_eq!(r.field("stdout"), "$A");
    }

    #[test]
    fn creates_removes_and_check_mode() {
        let t = Trial::new();
        let dir = t.work.path().display().to_string();
        let args = json!({"cmd": "touch new", "chdir": dir, "creates": "ne*"});
        let check = Trial::checking().run("command", args.clone());
        assert!(check.changed && !check.skipped);
        assert_eq!(check.message(), "Command would have run if not in check mode");
        assert!(t.run("command", args.clone()).changed);
        let again = t.run("command", args);
        assert!(!again.changed && !again.skipped);
        assert_eq!(again.message(), "Did not run command since 'ne*' exists");
        assert_eq!(again.field("stdout"), "skipped, since ne* exists");
        let plain = Trial::checking().run("command", json!({"cmd": "touch /nope/x"}));
        assert!(plain.skipped && !plain.changed);
    }

    #[test]
    fn failures_name_the_cause() {
        let t = Trial::new();
        let r = t.run("command", json!({"cmd": "no-such-thing 'a b'"}));
        assert!(r.failed && !r.changed);
        assert_eq!(
            r.message(),
            "Error executing command: [Errno 2] No such file or directory: 'no-such-thing'"
        );
        assert_eq!((r.field("cmd"), r.field("rc")), ("no-such-thing 'a b'".into(), "2".into()));
        let r = t.run("command", json!({"cmd": "ls", "chdir": "/nope"}));
        assert!(r.message().starts_with("Unable to change directory before execution"));
        assert_eq!(r.fields.get("rc"), Some(&Value::Null));
        assert_eq!(t.run("command", json!({"cmd": "echo 'a"})).message(), "No closing quotation");
        let r = t.run("shell", json!({"cmd": "echo out; echo err >&2; exit 3"}));
        assert!(r.failed && r.changed);
        assert_eq!((r.message(), r.field("rc").as_str()), ("non-zero return code", "3"));
    }

    #[test]
    fn input_and_line_ends() {
        let t = Trial::new();
        let r = t.run("command", json!({"cmd": "cat", "stdin": "a", "strip_empty_ends": false}));
        assert_eq!(r.field("stdout"), "a\n");
        let r = t.run("shell", json!({"cmd": "echo $0; cat", "stdin": "b", "stdin_add_newline": false,
            "executable": "/bin/bash"}));
        assert_eq!(r.field("stdout"), "/bin/bash\nb");
    }
}
