//! `group`: adds, changes and removes groups.
//!
//! The machine's files are edited directly, by the shadow tools' rules and with their messages; see
//! [`crate::accounts::edit`] for why.

use std::io;
use std::path::Path;

use crate::accounts::Accounts;
use crate::accounts::commit::complete;
use crate::accounts::edit::Editor;
use crate::accounts::policy::{IdKind, Policy};
use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Group;

static SPEC: Spec = Spec {
    name: "group",
    collection: "ansible.builtin",
    summary: "Adds, changes and removes groups.",
    args: &[&[
        Arg::new("name", Kind::Str, "The group's name.").required(),
        Arg::new("gid", Kind::Int, "The group's number."),
        Arg::new("state", Kind::Str, "Whether the group is to be there.")
            .default(Default::Str("present"))
            .choices(&["absent", "present"]),
        Arg::new("force", Kind::Bool, "Whether to remove it though it is a user's primary group.")
            .default(Default::Bool(false)),
        Arg::new("system", Kind::Bool, "Whether a new group is one of the system's.")
            .default(Default::Bool(false)),
        Arg::new("local", Kind::Bool, "Only local files are looked at, which is always so here.")
            .default(Default::Bool(false)),
        Arg::new("non_unique", Kind::Bool, "Whether the number may belong to another group too.")
            .default(Default::Bool(false)),
        Arg::new("gid_min", Kind::Int, "The lowest number for a new group."),
        Arg::new("gid_max", Kind::Int, "The highest number for a new group."),
    ]],
    free_form: None,
    open: false,
    rules: &[Rule::RequiredIf {
        arg: "non_unique",
        value: "True",
        needs: &["gid"],
        any: false,
    }],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for Group {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        apply(args, ctx, Path::new("/"))
    }
}

/// What is wrong with the account files.
pub(super) fn files_failure(e: &io::Error) -> Failure {
    Failure::new(format!("cannot change the account files: {e}"))
}

/// The number of an argument that is an account's.
pub(super) fn id_arg(args: &Args, name: &str) -> Result<Option<u32>, Failure> {
    match args.int(name) {
        None => Ok(None),
        Some(n) => match u32::try_from(n) {
            Ok(id) if id != u32::MAX => Ok(Some(id)),
            _ => Err(Failure::new(format!("{name}: {n} is not a valid number for an account"))),
        },
    }
}

/// Whether the shadow tools take a name: no spaces, colons or slashes, not only digits, and no dash in front.
pub(super) fn valid_name(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c.is_ascii_digit());
    let rest = name
        .trim_end_matches('$')
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_-.@".contains(c));
    first && rest && name.len() <= 32 && !name.chars().all(|c| c.is_ascii_digit())
        || (!name.is_ascii() && !name.contains([':', '/', ' ', ',', '\n', '\t']))
}

fn apply(args: &Args, ctx: &Context<'_>, root: &Path) -> ModuleResult {
    let name = args.text("name");
    if !ctx.check {
        complete(root).map_err(|e| files_failure(&e))?;
    }
    let accounts = Accounts::load(root).map_err(|e| files_failure(&e))?;
    let exists = accounts.group(name).is_some();
    if args.text("state") == "absent" {
        if exists {
            remove(args, ctx, root, &accounts)?;
        }
        if ctx.check && exists {
            return Ok(Outcome::changed(true));
        }
        return Ok(Outcome::changed(exists).with("name", name).with("state", "absent"));
    }
    let wanted = id_arg(args, "gid")?;
    let changed = match accounts.group(name) {
        None => {
            if ctx.check {
                return Ok(Outcome::changed(true));
            }
            add(args, root, wanted)?;
            true
        }
        Some(group) => match wanted {
            Some(gid) if gid != group.gid => {
                if !ctx.check {
                    renumber(args, root, group, gid)?;
                }
                true
            }
            _ => false,
        },
    };
    let now = Accounts::load(root).map_err(|e| files_failure(&e))?;
    let mut outcome = Outcome::changed(changed)
        .with("name", name)
        .with("state", "present")
        .with("system", args.bool("system"));
    if let Some(group) = now.group(name) {
        outcome = outcome.with("gid", i64::from(group.gid));
    }
    Ok(outcome)
}

fn fail(name: &str, message: String) -> Failure {
    Failure::new(message).with("name", name)
}

fn add(args: &Args, root: &Path, wanted: Option<u32>) -> Result<(), Failure> {
    let name = args.text("name");
    if !valid_name(name) {
        return Err(fail(name, format!("groupadd: '{name}' is not a valid group name\n")));
    }
    let mut policy = Policy::load(root).map_err(|e| files_failure(&e))?;
    for (arg, rule) in [("gid_min", "GID_MIN"), ("gid_max", "GID_MAX")] {
        if let Some(id) = id_arg(args, arg)? {
            policy.set(rule, id);
        }
    }
    let mut editor = Editor::open(root).map_err(|e| files_failure(&e))?;
    let gid = match wanted {
        Some(gid) => {
            if !args.bool("non_unique") && editor.accounts().group_by_id(gid).is_some() {
                return Err(fail(name, format!("groupadd: GID '{gid}' already exists\n")));
            }
            gid
        }
        None => {
            let system = args.bool("system");
            editor
                .free_id(IdKind::Gid, policy.ids(IdKind::Gid, system), system)
                .ok_or_else(|| fail(name, "groupadd: Can't get unique GID (no more available GIDs)\n".into()))?
        }
    };
    editor.add_group(name, gid);
    editor.save().map_err(|e| files_failure(&e))
}

fn renumber(
    args: &Args,
    root: &Path,
    group: &crate::accounts::Group,
    gid: u32,
) -> Result<(), Failure> {
    let mut editor = Editor::open(root).map_err(|e| files_failure(&e))?;
    if !args.bool("non_unique") && editor.accounts().group_by_id(gid).is_some() {
        let message = format!("groupmod: GID '{gid}' already exists\n");
        return Err(fail(&group.name, message));
    }
    editor.set_gid(group, gid);
    editor.save().map_err(|e| files_failure(&e))
}

fn remove(args: &Args, ctx: &Context<'_>, root: &Path, accounts: &Accounts) -> Result<(), Failure> {
    let name = args.text("name");
    if ctx.check {
        return Ok(());
    }
    let gid = accounts.group(name).map(|g| g.gid);
    if let Some(user) = accounts.users().iter().find(|u| Some(u.gid) == gid)
        && !args.bool("force")
    {
        let message = format!(
            "groupdel: cannot remove the primary group of user '{}'\n",
            user.name
        );
        return Err(fail(name, message));
    }
    let mut editor = Editor::open(root).map_err(|e| files_failure(&e))?;
    editor.remove_group(name);
    editor.save().map_err(|e| files_failure(&e))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::apply;
    use crate::outcome::Outcome;
    use crate::trial::Trial;

    fn run(t: &Trial, root: &Path, args: serde_json::Value) -> Outcome {
        t.apply("group", args, |a, ctx| apply(a, ctx, root))
    }

    #[test]
    fn the_life_of_a_group() {
        let root = crate::trial::root(&[]);
        let etc = root.path().join("etc");
        let t = Trial::new();
        let r = run(&Trial::checking(), root.path(), json!({"name": "g1"}));
        assert!(r.changed && r.fields.is_empty());
        let r = run(&t, root.path(), json!({"name": "g1"}));
        assert!(r.changed && r.field("gid") == "1001", "{r:?}");
        assert!(!run(&t, root.path(), json!({"name": "g1"})).changed);
        let r = run(&t, root.path(), json!({"name": "g2", "gid": 1001}));
        assert_eq!(r.message(), "groupadd: GID '1001' already exists\n");
        let r = run(&t, root.path(), json!({"name": "g2", "gid": 1001, "non_unique": true}));
        assert!(r.changed);
        let r = run(&t, root.path(), json!({"name": "gs", "system": true}));
        assert_eq!(r.field("gid"), "999");
        let r = run(&t, root.path(), json!({"name": "ann", "state": "absent"}));
        assert_eq!(r.message(), "groupdel: cannot remove the primary group of user 'ann'\n");
        let r = run(&t, root.path(), json!({"name": "ann", "gid": 2000}));
        assert!(r.changed);
        let passwd = std::fs::read_to_string(etc.join("passwd")).expect("passwd");
        assert!(passwd.contains("ann:x:1000:2000:"), "{passwd}");
        assert!(run(&t, root.path(), json!({"name": "g1", "state": "absent"})).changed);
        assert!(!run(&t, root.path(), json!({"name": "g1", "state": "absent"})).changed);
        let group = std::fs::read_to_string(etc.join("group")).expect("group");
        assert_eq!(group, "root:x:0:\nsudo:x:27:\nann:x:2000:\ng2:x:1001:\ngs:x:999:\n");
        let r = run(&t, root.path(), json!({"name": "bad name"}));
        assert!(r.failed && r.message().contains("not a valid group name"));
    }
}
