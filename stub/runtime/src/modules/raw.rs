//! `raw`: hands a command line to a shell as it is, with nothing around it.

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Done, Run, lines, split};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Raw;

static SPEC: Spec = Spec {
    name: "raw",
    collection: "ansible.builtin",
    summary: "Hands a command line to a shell as it is.",
    args: &[&[
        Arg::new("_raw_params", Kind::Str, "The command line.").required(),
        Arg::new("executable", Kind::Str, "The shell, `/bin/sh` if none is named."),
    ]],
    free_form: Some("_raw_params"),
    open: false,
    rules: &[],
    check: Support::None,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Raw {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if ctx.check {
            return Ok(Outcome { skipped: true, ..Outcome::ok() });
        }
        let shell = args.str("executable").unwrap_or("/bin/sh");
        let words = split(shell).map_err(Failure::new)?;
        let Some((program, options)) = words.split_first() else {
            return Err(Failure::new("executable is empty"));
        };
        let done = Run::new(program)
            .args(options)
            .arg("-c")
            .arg(args.text("_raw_params"))
            .within(ctx)
            .run()?;
        Ok(result(&done))
    }
}

/// The return values of `raw` and `script`.
pub(super) fn result(done: &Done) -> Outcome {
    let (out, err) = (done.out(), done.err());
    let mut outcome = Outcome::changed(true)
        .with("rc", i64::from(done.rc))
        .with("stdout_lines", lines(&out))
        .with("stderr_lines", lines(&err))
        .with("stdout", out)
        .with("stderr", err);
    if !done.ok() {
        outcome.failed = true;
        outcome.msg = Some("non-zero return code".to_owned());
    }
    outcome
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::trial::Trial;

    #[test]
    fn outputs_are_kept_whole() {
        let t = Trial::new();
        let r = t.run("raw", json!({"_raw_params": "echo a; echo b >&2; exit 3"}));
        assert!(r.failed && r.changed && r.message() == "non-zero return code");
        assert_eq!((r.field("stdout"), r.field("stderr")), ("a\n".into(), "b\n".into()));
        let r = t.run("raw", json!({"_raw_params": "echo $0", "executable": "/bin/bash"}));
        assert_eq!(r.field("stdout"), "/bin/bash\n");
        assert!(Trial::checking().run("raw", json!({"_raw_params": "exit 1"})).skipped);
    }
}
