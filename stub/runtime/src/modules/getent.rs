//! `getent`: reads entries of the machine's databases into facts.
//!
//! The machine's own `getent` is asked, which knows directory services too. Where there is none, the account files are
//! read here.

use std::path::Path;

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Run, find_program};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Getent;

static SPEC: Spec = Spec {
    name: "getent",
    collection: "ansible.builtin",
    summary: "Reads entries of the machine's databases into facts.",
    args: &[&[
        Arg::new(
            "database",
            Kind::Str,
            "The database: passwd, group, hosts, services, …",
        )
        .required(),
        Arg::new(
            "key",
            Kind::Str,
            "The entry; all of them where none is named.",
        ),
        Arg::new(
            "service",
            Kind::Str,
            "The service that is asked, instead of those of nsswitch.conf.",
        ),
        Arg::new("split", Kind::Str, "What separates the fields."),
        Arg::new(
            "fail_key",
            Kind::Bool,
            "Whether a missing entry is an error.",
        )
        .default(Default::Bool(true)),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

/// Databases that are files with colons.
const FILES: [&str; 4] = ["passwd", "shadow", "group", "gshadow"];

impl Module for Getent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let database = args.text("database");
        let text = match find_program(ctx, "getent") {
            Some(program) => ask(&program, args, ctx)?,
            None if FILES.contains(&database) => read(args, database)?,
            None => {
                return Err(Failure::new(format!(
                    "getent is not installed, and without it the database {database} cannot be read"
                )));
            }
        };
        let name = format!("getent_{database}");
        let entries = match text {
            Some(text) => entries(args, database, &text),
            None => {
                let mut missing = Map::new();
                missing.insert(args.text("key").to_owned(), Value::Null);
                missing
            }
        };
        let mut outcome = Outcome::ok();
        outcome.facts.insert(name, entries.into());
        Ok(outcome)
    }
}

/// What the machine's getent says; `None` where the entry is missing and may be.
fn ask(program: &Path, args: &Args, ctx: &Context<'_>) -> Result<Option<String>, Failure> {
    let mut run = Run::new(program);
    if let Some(service) = args.str("service") {
        run = run.args(["-s", service]);
    }
    run = run.arg(args.text("database"));
    if let Some(key) = args.str("key") {
        run = run.arg(key);
    }
    let done = run.within(ctx).plain().run()?;
    match done.rc {
        0 => Ok(Some(done.out())),
        1 => Err(Failure::new("Missing arguments, or database unknown.")),
        2 => not_found(args),
        3 => Err(Failure::new("Enumeration not supported on this database.")),
        code => Err(done.failure(format!("getent ended with {code}: {}", done.said()))),
    }
}

fn not_found(args: &Args) -> Result<Option<String>, Failure> {
    if args.bool("fail_key") {
        return Err(Failure::new(
            "One or more supplied key could not be found in the database.",
        ));
    }
    Ok(None)
}

/// The same from the files themselves.
fn read(args: &Args, database: &str) -> Result<Option<String>, Failure> {
    let path = format!("/etc/{database}");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Failure::new(format!("cannot read {path}: {e}")))?;
    let Some(key) = args.str("key") else {
        return Ok(Some(text));
    };
    let number = match database {
        "passwd" | "group" => Some(2),
        _ => None,
    };
    let found = text.lines().find(|line| {
        let mut fields = line.split(':');
        fields.next() == Some(key) || number.is_some_and(|i| fields.nth(i - 1) == Some(key))
    });
    match found {
        Some(line) => Ok(Some(line.to_owned())),
        None => not_found(args),
    }
}

/// Lines as lists of fields, by their first field.
fn entries(args: &Args, database: &str, text: &str) -> Map {
    let separator = args
        .str("split")
        .or(FILES.contains(&database).then_some(":"));
    let mut map = Map::new();
    for line in text.lines().filter(|l| !l.is_empty()) {
        let mut fields: Vec<Value> = match separator {
            Some(separator) => line.split(separator).map(Value::from).collect(),
            None => line.split_whitespace().map(Value::from).collect(),
        };
        if fields.is_empty() {
            continue;
        }
        let key = fields.remove(0);
        map.insert(key.as_str().unwrap_or_default().to_owned(), fields.into());
    }
    map
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::trial::Trial;

    #[test]
    fn accounts_become_facts() {
        let t = Trial::new();
        let r = t.run("getent", json!({"database": "passwd", "key": "root"}));
        let root = r
            .facts
            .get("getent_passwd")
            .and_then(|p| p.get("root").cloned());
        let fields = root.as_ref().and_then(|v| v.as_list()).map(<[_]>::len);
        assert_eq!(fields, Some(6), "{r:?}");
        let r = t.run(
            "getent",
            json!({"database": "passwd", "key": "no-such-user"}),
        );
        assert_eq!(
            r.message(),
            "One or more supplied key could not be found in the database."
        );
        let r = t.run(
            "getent",
            json!({"database": "passwd", "key": "no-such-user", "fail_key": false}),
        );
        assert_eq!(
            r.facts.get("getent_passwd").map(ToString::to_string),
            Some("{\"no-such-user\":null}".into())
        );
        assert_eq!(
            t.run("getent", json!({"database": "nope"})).message(),
            "Missing arguments, or database unknown."
        );
    }

    #[test]
    fn files_serve_without_getent() {
        let t = Trial::new();
        let args = json!({"database": "group", "key": "0"});
        let checked = t.apply("getent", args, |a, _| {
            super::read(a, "group")
                .map(|text| crate::outcome::Outcome::ok().with("text", text.unwrap_or_default()))
        });
        assert!(checked.field("text").starts_with("root:"), "{checked:?}");
    }
}
