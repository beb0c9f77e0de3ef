//! `script`: runs a script that came with the plan.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::assets::AssetKind;
use crate::context::Context;
use crate::fsops::private::PrivateFolder;
use crate::modules::{Module, raw};
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Run, RunError, expand, split};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Script;

static SPEC: Spec = Spec {
    name: "script",
    collection: "ansible.builtin",
    summary: "Runs a script of the controller's on the target.",
    args: &[&[
        Arg::new("_raw_params", Kind::Str, "The script and its arguments, in free form.").asset(),
        Arg::new("cmd", Kind::Str, "The script and its arguments.").asset(),
        Arg::new("chdir", Kind::Str, "The folder to run it in."),
        Arg::new("creates", Kind::Str, "A path; where it exists, the script is not run."),
        Arg::new("removes", Kind::Str, "A path; where it does not exist, the script is not run."),
        Arg::new("executable", Kind::Str, "The program that is given the script."),
        Arg::new("decrypt", Kind::Bool, "Whether a script in a vault was opened when packing.")
            .default(Default::Bool(true)),
    ]],
    free_form: Some("_raw_params"),
    open: false,
    rules: &[
        Rule::MutuallyExclusive(&["_raw_params", "cmd"]),
        Rule::RequiredOneOf(&["_raw_params", "cmd"]),
    ],
    check: Support::Partial,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Script {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let line = args.str("_raw_params").or(args.str("cmd")).unwrap_or_default();
        let words = split(line).map_err(Failure::new)?;
        let Some((name, arguments)) = words.split_first() else {
            return Err(Failure::new("no script given"));
        };
        if let Some(outcome) = guarded(args, ctx) {
            return Ok(outcome);
        }
        let dir = args.str("chdir").map(|d| expand(ctx, d));
        if let Some(dir) = dir.as_ref().filter(|d| !d.is_absolute()) {
            return Err(Failure::new(format!(
                "chdir {} must be an absolute path for a Unix-aware remote node",
                dir.display()
            )));
        }
        let entry = ctx.find_asset(name, "files")?;
        if !matches!(entry.kind, AssetKind::File { .. }) {
            return Err(Failure::new(format!("the script {name} is not a file")));
        }
        if ctx.check {
            let guards = args.has("creates") || args.has("removes");
            return Ok(Outcome {
                skipped: !guards,
                changed: guards,
                msg: (!guards).then(|| "Check mode is not supported for this task.".to_owned()),
                ..Outcome::default()
            });
        }
        let script = Unpacked::new(ctx, &entry.path, name)?;
        execute(args, ctx, &script, arguments, dir.as_deref())
    }
}

fn guarded(args: &Args, ctx: &Context<'_>) -> Option<Outcome> {
    let skip = |msg: String| Outcome { skipped: true, msg: Some(msg), ..Outcome::default() };
    if let Some(creates) = args.str("creates")
        && expand(ctx, creates).exists()
    {
        return Some(skip(format!("{creates} exists, matching creates option")));
    }
    if let Some(removes) = args.str("removes")
        && !expand(ctx, removes).exists()
    {
        return Some(skip(format!("{removes} does not exist, matching removes option")));
    }
    None
}

/// The script in the work folder; gone when dropped.
struct Unpacked {
    _folder: PrivateFolder,
    path: PathBuf,
}

impl Unpacked {
    fn new(ctx: &Context<'_>, asset: &[u8], name: &str) -> Result<Unpacked, Failure> {
        let cannot = |e: std::io::Error| Failure::new(format!("cannot unpack the script {name}: {e}"));
        let base = Path::new(name).file_name().unwrap_or(name.as_ref());
        let folder = PrivateFolder::new(ctx.work_dir, "script").map_err(cannot)?;
        let unpacked = Unpacked { path: folder.path().join(base), _folder: folder };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&unpacked.path)
            .map_err(cannot)?;
        ctx.assets.read(asset, &mut file).map_err(cannot)?;
        file.flush().map_err(cannot)?;
        Ok(unpacked)
    }
}

fn execute(
    args: &Args,
    ctx: &Context<'_>,
    script: &Unpacked,
    arguments: &[String],
    dir: Option<&Path>,
) -> ModuleResult {
    let start = |direct: bool| -> Result<Run<'_>, Failure> {
        let mut run = match args.str("executable") {
            Some(line) => {
                let words = split(line).map_err(Failure::new)?;
                let (program, options) = words
                    .split_first()
                    .ok_or_else(|| Failure::new("executable is empty"))?;
                Run::new(program).args(options).arg(&script.path)
            }
            None if direct => Run::new(&script.path),
            None => Run::new("/bin/sh").arg(&script.path),
        };
        if let Some(dir) = dir {
            run = run.chdir(dir);
        }
        Ok(run.args(arguments).within(ctx))
    };
    if let Some(dir) = dir.filter(|d| !d.is_dir()) {
        return Err(Failure::new(format!("chdir: cannot enter {}", dir.display())).with("rc", 2i64));
    }
    // A script without `#!` is a shell's, as when a shell starts it.
    let done = match start(true)?.run() {
        Err(RunError::Start(_, e)) if e.raw_os_error() == Some(libc::ENOEXEC) => start(false)?.run(),
        other => other,
    };
    Ok(raw::result(&done?))
}

#[cfg(test)]
mod tests {
    use std::io;

    use serde_json::json;

    use crate::assets::{AssetEntry, AssetKind, Assets};
    use crate::trial::Trial;

    struct One(&'static str);

    impl Assets for One {
        fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
            Ok((path == b"files/a.sh").then(|| AssetEntry {
                path: path.to_vec(),
                kind: AssetKind::File { size: self.0.len() as u64 },
                mode: 0o644,
            }))
        }
        fn below(&self, _: &[u8]) -> io::Result<Vec<AssetEntry>> {
            Ok(Vec::new())
        }
        fn read(&self, _: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
            out.write_all(self.0.as_bytes())
        }
    }

    #[test]
    fn runs_and_cleans_up() {
        let mut t = Trial::new();
        t.assets = Box::new(One("echo $# \"$2\"; basename $0; pwd; exit ${3:-0}\n"));
        let r = t.run("script", json!({"_raw_params": "a.sh 1 'b c'", "chdir": "/usr"}));
        assert_eq!(r.field("stdout"), "2 b c\na.sh\n/usr\n", "{r:?}");
        assert!(r.changed);
        let r = t.run("script", json!({"cmd": "a.sh 1 2 4"}));
        assert!(r.failed && r.field("rc") == "4");
        assert_eq!(std::fs::read_dir(t.work.path()).expect("a folder").count(), 0);
        assert!(t.run("script", json!({"cmd": "b.sh"})).message().contains("Could not find"));
        assert!(t.run("script", json!({"cmd": "a.sh", "chdir": "x"})).message().contains("absolute"));
        let r = t.run("script", json!({"cmd": "a.sh", "creates": "/etc"}));
        assert_eq!((r.skipped, r.message()), (true, "/etc exists, matching creates option"));
    }
}
