//! Changing a user that is there.

use std::path::Path;

use super::{doubtful_shell, fail, find_group, group_names, home, home_mode, skeleton, today, wanted_groups};
use crate::accounts::edit::{Aging, Editor};
use crate::accounts::policy::Policy;
use crate::accounts::{Accounts, User};
use crate::args::Args;
use crate::context::Context;
use crate::modules::group::{files_failure, id_arg};
use crate::outcome::Failure;

/// The arguments that set ages of passwords.
pub(super) const AGES: [(&str, Aging); 4] = [
    ("password_expire_min", Aging::Min),
    ("password_expire_max", Aging::Max),
    ("password_expire_warn", Aging::Warn),
    ("password_expire_account_disable", Aging::Inactive),
];

/// Makes the user what the arguments describe, or predicts it. Whether something changes.
pub(super) fn change(
    args: &Args,
    ctx: &Context<'_>,
    root: &Path,
    accounts: &Accounts,
    old: &User,
    notes: &mut String,
) -> Result<bool, Failure> {
    let new = wanted(args, accounts, old)?;
    let memberships = wanted_memberships(args, accounts, &new)?;
    let policy = Policy::load(root).map_err(|e| files_failure(&e))?;
    let mode = home_mode(args, &policy)?;
    let moves = new.home != old.home && args.bool("move_home");
    if moves {
        check_move(root, old, &new)?;
    }
    let opened = if ctx.check { Editor::peek(root) } else { Editor::open(root) };
    let mut editor = opened.map_err(|e| files_failure(&e))?;
    let mut changed = new != *old || memberships.is_some();
    if new.shell != old.shell && doubtful_shell(&new.shell, root) && !ctx.check {
        notes.push_str(&format!(
            "usermod: Warning: missing or non-executable shell '{}'\n",
            new.shell
        ));
    }
    changed |= password(args, &mut editor)?;
    changed |= ages(args, &mut editor)?;
    let missing_home = args.bool("create_home") && !below(root, &new.home).exists() && !moves_there(root, old, moves);
    if ctx.check {
        return Ok(changed || missing_home);
    }
    if changed {
        editor.set_user(&new);
        if let Some(groups) = &memberships {
            editor.set_memberships(&new.name, groups);
        }
        store(&mut editor, root, old, &new, moves)?;
        hand_over(root, old, &new)?;
    }
    if missing_home {
        home::create(&home::Home {
            path: &below(root, &new.home),
            skeleton: &skeleton(args, &policy, root),
            mode,
            uid: new.uid,
            gid: new.gid,
        })
        .map_err(|e| Failure::new(format!("cannot create the home {}: {e}", new.home)))?;
    }
    Ok(changed || missing_home)
}

/// Writes the files, after the home was moved. Where they cannot be written, it is moved back.
fn store(editor: &mut Editor, root: &Path, old: &User, new: &User, moves: bool) -> Result<(), Failure> {
    let (from, to) = (below(root, &old.home), below(root, &new.home));
    let moves = moves_there(root, old, moves);
    if moves {
        home::relocate(&from, &to).map_err(|e| {
            let message = format!("usermod: cannot rename directory {} to {}: {e}\n", old.home, new.home);
            fail(&new.name, 12, message)
        })?;
    }
    editor.save().map_err(|e| {
        if moves {
            let _ = home::relocate(&to, &from);
        }
        files_failure(&e)
    })
}

fn below(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Whether there is a home to move.
fn moves_there(root: &Path, old: &User, moves: bool) -> bool {
    moves && below(root, &old.home).is_dir()
}

/// The user as the arguments want it.
fn wanted(args: &Args, accounts: &Accounts, old: &User) -> Result<User, Failure> {
    let mut new = old.clone();
    if let Some(uid) = id_arg(args, "uid")?
        && uid != old.uid
    {
        if !args.bool("non_unique") && accounts.user_by_id(uid).is_some() {
            let message = format!("usermod: UID '{uid}' already exists\n");
            return Err(fail(&old.name, 4, message));
        }
        new.uid = uid;
    }
    if let Some(group) = args.str("group") {
        new.gid = find_group(accounts, group)?.gid;
    }
    for (arg, field) in [
        ("comment", &mut new.gecos),
        ("home", &mut new.home),
        ("shell", &mut new.shell),
    ] {
        if let Some(value) = args.str(arg) {
            *field = value.to_owned();
        }
    }
    Ok(new)
}

/// The groups that the user is to be a member of, where they differ from those that it is in.
fn wanted_memberships(
    args: &Args,
    accounts: &Accounts,
    new: &User,
) -> Result<Option<Vec<String>>, Failure> {
    let Some(given) = wanted_groups(args) else {
        return Ok(None);
    };
    let primary = accounts.group_by_id(new.gid).map(|g| g.name.as_str());
    let current: Vec<String> = accounts
        .memberships(&new.name)
        .map(|g| g.name.clone())
        .collect();
    let mut wanted = group_names(accounts, &given)?;
    wanted.retain(|g| Some(g.as_str()) != primary || current.contains(g));
    let missing = wanted.iter().any(|g| !current.contains(g));
    if args.bool("append") && !given.is_empty() {
        wanted.extend(current);
        return Ok(missing.then_some(wanted));
    }
    if args.bool("append") {
        return Ok(None);
    }
    let surplus = current
        .iter()
        .any(|g| !wanted.contains(g) && Some(g.as_str()) != primary);
    Ok((missing || surplus).then_some(wanted))
}

/// Password and lock. Whether something changes.
fn password(args: &Args, editor: &mut Editor) -> Result<bool, Failure> {
    let name = args.text("name");
    let current = editor.password(name);
    let bare = |hash: &str| hash.trim_start_matches('!').to_owned();
    if let Some(hash) = args.str("password")
        && args.text("update_password") == "always"
        && bare(hash) != bare(&current)
    {
        let locked = args.bool("password_lock") && !hash.starts_with('!');
        let hash = if locked { format!("!{hash}") } else { hash.to_owned() };
        editor.set_password(name, &hash, today());
        return Ok(true);
    }
    match args.opt_bool("password_lock") {
        Some(true) if !current.starts_with('!') => {
            editor.set_lock(name, &format!("!{current}"));
            Ok(true)
        }
        Some(false) if current.starts_with('!') => {
            let open = &current[1..];
            if open.is_empty() {
                let message = "usermod: unlocking the user's password would result in a passwordless account.\n\
                               You should set a password with usermod -p to unlock this user's password.\n";
                return Err(fail(name, 1, message.to_owned()));
            }
            editor.set_lock(name, open);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Ages and the day of expiry. Whether something changes.
fn ages(args: &Args, editor: &mut Editor) -> Result<bool, Failure> {
    let name = args.text("name");
    let mut changed = false;
    let mut set = |field: Aging, value: Option<i64>| -> Result<(), Failure> {
        let current = editor.aging(name, field);
        if current != value {
            changed = true;
            editor.set_aging(name, field, value).map_err(Failure::new)?;
        }
        Ok(())
    };
    if let Some(expires) = args.float("expires") {
        let day = (expires >= 0.0).then(|| (expires / 86_400.0).floor() as i64);
        set(Aging::Expires, day)?;
    }
    for (arg, field) in AGES {
        if let Some(days) = args.int(arg) {
            set(field, Some(days))?;
        }
    }
    Ok(changed)
}

fn check_move(root: &Path, old: &User, new: &User) -> Result<(), Failure> {
    if below(root, &old.home).is_dir() && below(root, &new.home).symlink_metadata().is_ok() {
        let message = format!("usermod: directory {} exists\n", new.home);
        return Err(fail(&old.name, 12, message));
    }
    Ok(())
}

/// After a change of number, the home's files belong to the new one.
fn hand_over(root: &Path, old: &User, new: &User) -> Result<(), Failure> {
    if (old.uid, old.gid) == (new.uid, new.gid) || new.home == "/" || new.home.is_empty() {
        return Ok(());
    }
    let path = below(root, &new.home);
    let owned = std::os::unix::fs::MetadataExt::uid;
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() && owned(&meta) == old.uid => {
            home::hand_over(&path, (old.uid, old.gid), (new.uid, new.gid)).map_err(|e| {
                let message = format!("usermod: Failed to change ownership of the home directory: {e}\n");
                fail(&new.name, 12, message)
            })
        }
        _ => Ok(()),
    }
}
