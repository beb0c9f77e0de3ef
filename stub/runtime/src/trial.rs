//! For tests: runs a module as the engine does, with a context that the test sets up.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use rustle_formats::Map;

use crate::args::{Args, Moment};
use crate::assets::{Assets, NoAssets};
use crate::context::Context;
use crate::modules;
use crate::outcome::Outcome;

/// A context in the making.
pub(crate) struct Trial {
    pub(crate) check: bool,
    pub(crate) diff: bool,
    pub(crate) environment: IndexMap<String, String>,
    pub(crate) assets: Box<dyn Assets>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) work: tempfile::TempDir,
}

impl Trial {
    pub(crate) fn new() -> Trial {
        Trial {
            check: false,
            diff: true,
            environment: IndexMap::new(),
            assets: Box::new(NoAssets),
            timeout: Some(Duration::from_secs(60)),
            work: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn checking() -> Trial {
        Trial {
            check: true,
            ..Trial::new()
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Trial {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Calls `f` with the context.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let ctx = Context {
            check: self.check,
            diff: self.diff,
            verbosity: 0,
            environment: &self.environment,
            assets: self.assets.as_ref(),
            asset_paths: &[],
            variables: None,
            deadline: self.timeout.map(|t| Instant::now() + t),
            work_dir: self.work.path(),
            lasting: false,
            no_log: false,
            home: Some(Path::new("/root")),
            staging: None,
            cancelled: &|| false,
            warnings: RefCell::new(Vec::new()),
        };
        f(&ctx)
    }

    /// Runs a module with arguments in JSON. Wrong arguments and failures become failed outcomes.
    pub(crate) fn run(&self, module: &str, args: serde_json::Value) -> Outcome {
        let module = modules::find(module).expect("the module is in the table");
        let raw: Map = serde_json::from_value(args).expect("arguments are a mapping");
        let args = match Args::check(module.spec(), &raw, Moment::Running) {
            Ok(args) => args,
            Err(errors) => {
                let text: Vec<String> = errors.into_iter().map(|e| e.message).collect();
                return Outcome {
                    failed: true,
                    msg: Some(text.join("; ")),
                    ..Outcome::default()
                };
            }
        };
        self.with(|ctx| {
            let mut outcome = module.run(&args, ctx).unwrap_or_else(Outcome::from);
            outcome.warnings.extend(ctx.warnings.take());
            outcome
        })
    }
}

impl Outcome {
    /// A return value as text.
    pub(crate) fn field(&self, name: &str) -> String {
        match self.fields.get(name) {
            Some(value) => match value.as_str() {
                Some(text) => text.to_owned(),
                None => value.to_string(),
            },
            None => "(none)".to_owned(),
        }
    }

    /// The message.
    pub(crate) fn message(&self) -> &str {
        self.msg.as_deref().unwrap_or_default()
    }
}

impl Trial {
    /// Calls a module's inner function with checked arguments.
    pub(crate) fn apply(
        &self,
        module: &str,
        args: serde_json::Value,
        f: impl FnOnce(&Args, &Context<'_>) -> crate::outcome::ModuleResult,
    ) -> Outcome {
        let spec = modules::find(module)
            .expect("the module is in the table")
            .spec();
        let raw: Map = serde_json::from_value(args).expect("arguments are a mapping");
        let args = Args::check(spec, &raw, Moment::Running).expect("arguments are right");
        self.with(|ctx| {
            let mut outcome = f(&args, ctx).unwrap_or_else(Outcome::from);
            outcome.warnings.extend(ctx.warnings.take());
            outcome
        })
    }
}

/// A small tree with account files, and more files on top: path and content.
pub(crate) fn root(more: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut files = vec![
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
        ),
        ("etc/group", "root:x:0:\nsudo:x:27:\nann:x:1000:\n"),
        (
            "etc/shadow",
            "root:*:1:0:99999:7:::\nann:!:1:0:99999:7:::\n",
        ),
        ("etc/gshadow", "root:*::\nsudo:*::\nann:!::\n"),
    ];
    files.extend_from_slice(more);
    for (path, content) in files {
        let path = dir.path().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("a folder");
        }
        std::fs::write(path, content).expect("a file");
    }
    dir
}
