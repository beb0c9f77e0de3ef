//! Removing a user.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::fail;
use crate::accounts::User;
use crate::accounts::edit::Editor;
use crate::accounts::policy::Policy;
use crate::args::Args;
use crate::modules::group::files_failure;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::lines;

/// Removes the user, and with `remove` its home and mail.
pub(super) fn remove(args: &Args, root: &Path, user: &User) -> ModuleResult {
    let force = args.bool("force");
    let mut notes = String::new();
    if !force
        && let Some(pid) = busy(root, user)
    {
        let message = format!("userdel: user {} is currently used by process {pid}\n", user.name);
        return Err(fail(&user.name, 8, message));
    }
    let policy = Policy::load(root).map_err(|e| files_failure(&e))?;
    let mut editor = Editor::open(root).map_err(|e| files_failure(&e))?;
    editor.remove_user(&user.name);
    remove_own_group(&mut editor, &policy, user, force, &mut notes);
    if args.bool("remove") {
        remove_files(&editor, &policy, user, force, &mut notes)?;
    }
    editor.save().map_err(|e| files_failure(&e))?;
    let mut outcome = Outcome::changed(true)
        .with("name", user.name.as_str())
        .with("state", "absent")
        .with("force", force)
        .with("remove", args.bool("remove"));
    if !notes.is_empty() {
        outcome = outcome
            .with("stderr_lines", lines(&notes))
            .with("stderr", notes);
    }
    Ok(outcome)
}

/// The first process that runs as the user, on this machine.
fn busy(root: &Path, user: &User) -> Option<String> {
    if root != Path::new("/") || user.uid == 0 {
        return None;
    }
    let entries = std::fs::read_dir("/proc").ok()?;
    entries.flatten().find_map(|entry| {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let process = pid.bytes().all(|b| b.is_ascii_digit());
        (process && entry.metadata().ok()?.uid() == user.uid).then_some(pid)
    })
}

/// The group of the user's own name goes with it, where nobody else needs it.
fn remove_own_group(
    editor: &mut Editor,
    policy: &Policy,
    user: &User,
    force: bool,
    notes: &mut String,
) {
    let accounts = editor.accounts();
    let Some(group) = accounts.group(&user.name).filter(|_| policy.user_groups()) else {
        return;
    };
    let name = &user.name;
    if group.gid != user.gid {
        notes.push_str(&format!(
            "userdel: group {name} not removed because it is not the primary group of user {name}.\n"
        ));
    } else if !group.members.is_empty() {
        notes.push_str(&format!(
            "userdel: group {name} not removed because it has other members.\n"
        ));
    } else if let Some(other) = accounts.users().iter().find(|u| u.gid == group.gid)
        && !force
    {
        notes.push_str(&format!(
            "userdel: group {name} is the primary group of another user and is not removed: {}\n",
            other.name
        ));
    } else {
        editor.remove_group(name);
    }
}

fn remove_files(
    editor: &Editor,
    policy: &Policy,
    user: &User,
    force: bool,
    notes: &mut String,
) -> Result<(), Failure> {
    let name = &user.name;
    let (_, mail_dir) = policy.mail();
    let mail_path = format!("{}/{name}", mail_dir.trim_end_matches('/'));
    let mail = editor.path(&mail_path);
    match mail.symlink_metadata() {
        Err(_) => notes.push_str(&format!("userdel: {name} mail spool ({mail_path}) not found\n")),
        Ok(meta) if meta.uid() != user.uid && !force => {
            notes.push_str(&format!("userdel: {mail_path} not owned by {name}, not removing\n"));
        }
        Ok(_) => std::fs::remove_file(&mail)
            .map_err(|e| fail(name, 12, format!("userdel: error removing {mail_path}: {e}\n")))?,
    }
    let home = editor.path(&user.home);
    match home.symlink_metadata() {
        Err(_) => notes.push_str(&format!(
            "userdel: {name} home directory ({}) not found\n",
            user.home
        )),
        Ok(meta) if !meta.is_dir() || meta.uid() != user.uid && !force => {
            let message = format!("userdel: {} not owned by {name}, not removing\n", user.home);
            return Err(fail(name, 12, message));
        }
        Ok(_) if user.home.trim_matches('/').is_empty() => {
            return Err(fail(name, 12, "userdel: not removing /, it is no home\n".into()));
        }
        Ok(_) => {
            let others = editor.accounts();
            if let Some(other) = others.users().iter().find(|u| {
                u.name != *name && (u.home == user.home || u.home.starts_with(&format!("{}/", user.home)))
            }) && !force
            {
                let message = format!(
                    "userdel: not removing directory {} (would remove home of user {})\n",
                    user.home, other.name
                );
                return Err(fail(name, 12, message));
            }
            std::fs::remove_dir_all(&home).map_err(|e| {
                let message = format!("userdel: error removing directory {}: {e}\n", user.home);
                fail(name, 12, message)
            })?;
        }
    }
    Ok(())
}
