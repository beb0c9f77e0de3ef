//! `user`: adds, changes and removes users.
//!
//! The machine's files are edited directly, by the shadow tools' rules and with their messages; see
//! [`crate::accounts::edit`] for why.

mod change;
mod create;
mod home;
mod key;
mod password;
mod remove;

use std::path::{Path, PathBuf};

use crate::accounts::commit::complete;
use crate::accounts::policy::Policy;
use crate::accounts::{Accounts, User as Account};
use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::modules::group::files_failure;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::lines;
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct User;

static ACCOUNT_ARGS: &[Arg] = &[
    Arg::new("name", Kind::Str, "The user's name.").aliases(&["user"]).required(),
    Arg::new("state", Kind::Str, "Whether the user is to be there.")
        .default(Default::Str("present"))
        .choices(&["absent", "present"]),
    Arg::new("uid", Kind::Int, "The user's number."),
    Arg::new("non_unique", Kind::Bool, "Whether the number may belong to another user too.")
        .default(Default::Bool(false)),
    Arg::new("uid_min", Kind::Int, "The lowest number for a new user."),
    Arg::new("uid_max", Kind::Int, "The highest number for a new user."),
    Arg::new("group", Kind::Str, "The primary group, by name or number."),
    Arg::new("groups", Kind::List(&Kind::Str), "The other groups; an empty text removes from all."),
    Arg::new("append", Kind::Bool, "Whether memberships that `groups` does not name are kept.")
        .default(Default::Bool(false)),
    Arg::new("comment", Kind::Str, "The full name, or any other comment."),
    Arg::new("shell", Kind::Path, "The login shell."),
    Arg::new("system", Kind::Bool, "Whether a new user is one of the system's.")
        .default(Default::Bool(false)),
    Arg::new("local", Kind::Bool, "Only local files are looked at, which is always so here.")
        .default(Default::Bool(false)),
    Arg::new("force", Kind::Bool, "Whether to remove though the user is busy; whether to replace a key.")
        .default(Default::Bool(false)),
    Arg::new("remove", Kind::Bool, "Whether a removed user's home and mail go too.")
        .default(Default::Bool(false)),
    Arg::new("seuser", Kind::Str, "The SELinux user of a new user."),
    Arg::new("login_class", Kind::Str, "The login class, on BSD."),
    Arg::new("authorization", Kind::Str, "The authorization, on Solaris."),
    Arg::new("profile", Kind::Str, "The profile, on Solaris."),
    Arg::new("role", Kind::Str, "The role, on Solaris."),
    Arg::new("hidden", Kind::Bool, "Whether the user is hidden, on macOS."),
];

static PASSWORD_ARGS: &[Arg] = &[
    Arg::new("password", Kind::Str, "The password's hash.").secret(),
    Arg::new("update_password", Kind::Str, "Whether an existing user's password is changed.")
        .default(Default::Str("always"))
        .choices(&["always", "on_create"]),
    Arg::new("password_lock", Kind::Bool, "Whether the password is locked."),
    Arg::new("password_expire_max", Kind::Int, "Days after which the password must be changed."),
    Arg::new("password_expire_min", Kind::Int, "Days before which it cannot be changed."),
    Arg::new("password_expire_warn", Kind::Int, "Days of warning before it must be changed."),
    Arg::new("password_expire_account_disable", Kind::Int, "Days after that until the account is closed."),
    Arg::new("expires", Kind::Float, "When the account is closed, in seconds since 1970; negative for never."),
];

static HOME_ARGS: &[Arg] = &[
    Arg::new("home", Kind::Path, "The home folder."),
    Arg::new("create_home", Kind::Bool, "Whether a missing home is made.")
        .aliases(&["createhome"])
        .default(Default::Bool(true)),
    Arg::new("move_home", Kind::Bool, "Whether the home is moved when it changes.")
        .default(Default::Bool(false)),
    Arg::new("skeleton", Kind::Str, "The folder that a new home is copied from."),
    Arg::new("umask", Kind::Str, "The umask for a new home."),
    Arg::new("generate_ssh_key", Kind::Bool, "Whether a missing ssh key is made.")
        .default(Default::Bool(false)),
    Arg::new("ssh_key_bits", Kind::Int, "The key's length."),
    Arg::new("ssh_key_type", Kind::Str, "The key's type.").default(Default::Str("rsa")),
    Arg::new("ssh_key_file", Kind::Path, "The key's file, below the home."),
    Arg::new("ssh_key_comment", Kind::Str, "The key's comment.")
        .default(Default::Str("ansible-generated on $HOSTNAME")),
    Arg::new("ssh_key_passphrase", Kind::Str, "The key's passphrase.").secret(),
];

static SPEC: Spec = Spec {
    name: "user",
    collection: "ansible.builtin",
    summary: "Adds, changes and removes users.",
    args: &[ACCOUNT_ARGS, PASSWORD_ARGS, HOME_ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for User {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        apply(args, ctx, Path::new("/"))
    }
}

/// A failure as the shadow tools report it.
fn fail(name: &str, rc: i64, message: String) -> Failure {
    Failure::new(message).with("name", name).with("rc", rc)
}

/// Days since 1970.
fn today() -> i64 {
    jiff::Timestamp::now().as_second().div_euclid(86_400)
}

/// The groups that the task names, without empty ones; `None` where it does not name any.
fn wanted_groups(args: &Args) -> Option<Vec<String>> {
    let groups = args.list("groups")?;
    Some(
        groups
            .iter()
            .map(|g| g.trim().to_owned())
            .filter(|g| !g.is_empty())
            .collect(),
    )
}

/// The names of groups that are given by name or number, checked.
fn group_names(accounts: &Accounts, groups: &[String]) -> Result<Vec<String>, Failure> {
    groups
        .iter()
        .map(|g| find_group(accounts, g).map(|found| found.name.clone()))
        .collect()
}

fn find_group<'a>(
    accounts: &'a Accounts,
    group: &str,
) -> Result<&'a crate::accounts::Group, Failure> {
    accounts
        .group(group)
        .or_else(|| accounts.group_by_id(group.parse().ok()?))
        .ok_or_else(|| Failure::new(format!("Group {group} does not exist")))
}

/// The permissions of a home that this task makes.
fn home_mode(args: &Args, policy: &Policy) -> Result<u32, Failure> {
    match args.str("umask") {
        None => Ok(policy.home_mode()),
        Some(text) => match u32::from_str_radix(text, 8) {
            Ok(mask) if mask <= 0o777 => Ok(0o777 & !mask),
            _ => Err(Failure::new(format!("umask: '{text}' is not an octal number up to 777"))),
        },
    }
}

/// The folder that a new home is copied from, below `root`.
fn skeleton(args: &Args, policy: &Policy, root: &Path) -> PathBuf {
    let path = match args.str("skeleton") {
        Some(path) => path.to_owned(),
        None => policy.skeleton(),
    };
    root.join(path.trim_start_matches('/'))
}

/// Whether the tools would warn of a login shell.
fn doubtful_shell(shell: &str, root: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let known = ["", "/sbin/nologin", "/usr/sbin/nologin"].contains(&shell);
    let runs = std::fs::metadata(root.join(shell.trim_start_matches('/')))
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    !known && !runs
}

/// Fields that must not break the files' lines.
fn check_fields(args: &Args) -> Result<(), Failure> {
    for name in ["comment", "home", "shell", "password"] {
        if args.str(name).is_some_and(|v| v.contains([':', '\n'])) {
            let what = match name {
                "password" => "password".to_owned(),
                _ => format!("{name} '{}'", args.text(name)),
            };
            return Err(fail(args.text("name"), 3, format!("useradd: invalid {what}\n")));
        }
    }
    Ok(())
}

fn apply(args: &Args, ctx: &Context<'_>, root: &Path) -> ModuleResult {
    let name = args.text("name");
    if !ctx.check {
        complete(root).map_err(|e| files_failure(&e))?;
    }
    let accounts = Accounts::load(root).map_err(|e| files_failure(&e))?;
    if let Some(doubt) = args.str("password").and_then(password::doubt) {
        ctx.warn(doubt);
    }
    let account = accounts.user(name);
    if args.text("state") == "absent" {
        return match account {
            None => Ok(Outcome::ok().with("name", name).with("state", "absent")),
            Some(_) if ctx.check => Ok(Outcome::changed(true)),
            Some(account) => remove::remove(args, root, account),
        };
    }
    check_fields(args)?;
    let mut notes = String::new();
    let outcome = match account {
        None if ctx.check => return Ok(Outcome::changed(true)),
        None => {
            create::create(args, root, &mut notes)?;
            Outcome::changed(true)
                .with("create_home", args.bool("create_home"))
                .with("system", args.bool("system"))
        }
        Some(account) => {
            let changed = change::change(args, ctx, root, &accounts, account, &mut notes)?;
            Outcome::changed(changed)
                .with("append", args.bool("append"))
                .with("move_home", args.bool("move_home"))
        }
    };
    describe(args, ctx, root, outcome, notes)
}

/// Adds the return values that say what the user is like now.
fn describe(
    args: &Args,
    ctx: &Context<'_>,
    root: &Path,
    outcome: Outcome,
    notes: String,
) -> ModuleResult {
    let name = args.text("name");
    let mut outcome = outcome.with("name", name).with("state", "present");
    if args.has("password") {
        outcome = outcome.with("password", "NOT_LOGGING_PASSWORD");
    }
    if !notes.is_empty() {
        outcome = outcome
            .with("stderr_lines", lines(&notes))
            .with("stderr", notes);
    }
    let accounts = Accounts::load(root).map_err(|e| files_failure(&e))?;
    let Some(user) = accounts.user(name) else {
        return Err(Failure::new(format!("the user {name} vanished from /etc/passwd")));
    };
    outcome = with_account(outcome, user);
    if let Some(groups) = wanted_groups(args) {
        outcome = outcome.with("groups", groups.join(","));
    }
    if args.bool("generate_ssh_key") {
        let below = Account {
            home: root.join(user.home.trim_start_matches('/')).to_string_lossy().into_owned(),
            ..user.clone()
        };
        outcome = key::ensure(args, ctx, &below, outcome)?;
    }
    Ok(outcome)
}

fn with_account(outcome: Outcome, user: &Account) -> Outcome {
    outcome
        .with("uid", i64::from(user.uid))
        .with("group", i64::from(user.gid))
        .with("comment", user.gecos.as_str())
        .with("home", user.home.as_str())
        .with("shell", user.shell.as_str())
}

#[cfg(test)]
mod tests;
