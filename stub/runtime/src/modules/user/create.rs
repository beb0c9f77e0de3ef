//! Adding a user.

use std::path::Path;

use super::{check_fields, doubtful_shell, fail, find_group, group_names, home, home_mode, skeleton, today, wanted_groups};
use crate::accounts::Accounts;
use crate::accounts::edit::{Aging, Editor, NewUser};
use crate::accounts::policy::{IdKind, Policy};
use crate::args::Args;
use crate::modules::group::{files_failure, id_arg, valid_name};
use crate::outcome::Failure;

/// Adds the user that the arguments describe. What the tools would warn of goes into `notes`.
pub(super) fn create(args: &Args, root: &Path, notes: &mut String) -> Result<(), Failure> {
    let name = args.text("name");
    check_fields(args)?;
    if !valid_name(name) {
        let message = format!("useradd: invalid user name '{name}': use --badname to ignore\n");
        return Err(fail(name, 3, message));
    }
    if args.has("seuser") {
        return Err(fail(name, 1, "useradd: -Z requires SELinux enabled kernel\n".into()));
    }
    let mut policy = Policy::load(root).map_err(|e| files_failure(&e))?;
    for (arg, rule) in [("uid_min", "UID_MIN"), ("uid_max", "UID_MAX")] {
        if let Some(id) = id_arg(args, arg)? {
            policy.set(rule, id);
        }
    }
    // A HOME_MODE of the machine's wins over the umask, as with useradd.
    home_mode(args, &policy)?;
    if let Some(umask) = args.str("umask") {
        policy.set("UMASK", umask);
    }
    let mode = policy.home_mode();
    let mut editor = Editor::open(root).map_err(|e| files_failure(&e))?;
    let accounts = editor.accounts();
    let groups = group_names(&accounts, &wanted_groups(args).unwrap_or_default())?;
    let uid = choose_uid(args, &accounts, &editor, &policy, notes)?;
    let gid = choose_group(args, &accounts, &mut editor, &policy, uid)?;
    let home_path = match args.str("home") {
        Some(home) => home.to_owned(),
        None => format!("{}/{name}", policy.home_base().trim_end_matches('/')),
    };
    let shell = choose_shell(args, &policy, root, notes);
    let password = match (args.str("password"), args.bool("password_lock")) {
        (Some(hash), true) => format!("!{hash}"),
        (Some(hash), false) => hash.to_owned(),
        (None, _) => "!".to_owned(),
    };
    let user = NewUser {
        name,
        uid,
        gid,
        gecos: args.text("comment"),
        home: &home_path,
        shell: &shell,
        password: &password,
        system: args.bool("system"),
    };
    editor.add_user(&user, &policy, today());
    editor.set_memberships(name, &groups);
    aging(args, &mut editor)?;
    editor.save().map_err(|e| files_failure(&e))?;
    if args.bool("create_home") {
        make_home(args, root, &policy, &user, mode, notes)?;
    }
    make_mail(&policy, &accounts, &editor, &user)
}

/// The password's ages of a new user.
fn aging(args: &Args, editor: &mut Editor) -> Result<(), Failure> {
    let name = args.text("name");
    if let Some(expires) = args.float("expires") {
        let day = (expires >= 0.0).then(|| (expires / 86_400.0).floor() as i64);
        editor
            .set_aging(name, Aging::Expires, day)
            .map_err(Failure::new)?;
    }
    for (arg, field) in super::change::AGES {
        if let Some(days) = args.int(arg) {
            editor
                .set_aging(name, field, Some(days))
                .map_err(Failure::new)?;
        }
    }
    Ok(())
}

fn choose_uid(
    args: &Args,
    accounts: &Accounts,
    editor: &Editor,
    policy: &Policy,
    notes: &mut String,
) -> Result<u32, Failure> {
    let name = args.text("name");
    let system = args.bool("system");
    let range = policy.ids(IdKind::Uid, system);
    let Some(uid) = id_arg(args, "uid")? else {
        return editor
            .free_id(IdKind::Uid, range, system)
            .ok_or_else(|| fail(name, 4, "useradd: can't get unique UID (no more available UIDs)\n".into()));
    };
    if accounts.user_by_id(uid).is_some() && !args.bool("non_unique") {
        return Err(fail(name, 4, format!("useradd: UID {uid} is not unique\n")));
    }
    if system && uid > range.max {
        notes.push_str(&format!(
            "useradd warning: {name}'s uid {uid} is greater than SYS_UID_MAX {}\n",
            range.max
        ));
    } else if !system && !(range.min..=range.max).contains(&uid) {
        notes.push_str(&format!(
            "useradd warning: {name}'s uid {uid} outside of the UID_MIN {} and UID_MAX {} range.\n",
            range.min, range.max
        ));
    }
    Ok(uid)
}

/// The primary group: the one that is named, or a new one of the user's name, or the machine's default group.
fn choose_group(
    args: &Args,
    accounts: &Accounts,
    editor: &mut Editor,
    policy: &Policy,
    uid: u32,
) -> Result<u32, Failure> {
    if let Some(group) = args.str("group") {
        return find_group(accounts, group).map(|g| g.gid);
    }
    let name = args.text("name");
    if !policy.user_groups() || accounts.group(name).is_some() {
        let default = policy.default_group();
        return accounts.gid_of(&default).ok_or_else(|| {
            fail(name, 6, format!("useradd: group '{default}' does not exist\n"))
        });
    }
    let system = args.bool("system");
    let range = policy.ids(IdKind::Gid, system);
    // The group gets the user's number where that is free, so that both agree.
    let gid = if accounts.group_by_id(uid).is_none() && (!system || range.min <= uid) && uid != 0 {
        Some(uid)
    } else {
        editor.free_id(IdKind::Gid, range, system)
    };
    let gid = gid.ok_or_else(|| fail(name, 4, "useradd: can't create group\n".into()))?;
    editor.add_group(name, gid);
    Ok(gid)
}

fn choose_shell(args: &Args, policy: &Policy, root: &Path, notes: &mut String) -> String {
    if let Some(shell) = args.str("shell") {
        if doubtful_shell(shell, root) {
            notes.push_str(&format!(
                "useradd: Warning: missing or non-executable shell '{shell}'\n"
            ));
        }
        return shell.to_owned();
    }
    match policy.shell() {
        Some(shell) => shell.to_owned(),
        None if !doubtful_shell("/bin/bash", root) => "/bin/bash".to_owned(),
        None => "/bin/sh".to_owned(),
    }
}

fn make_home(
    args: &Args,
    root: &Path,
    policy: &Policy,
    user: &NewUser<'_>,
    mode: u32,
    notes: &mut String,
) -> Result<(), Failure> {
    let path = root.join(user.home.trim_start_matches('/'));
    if path.symlink_metadata().is_ok() {
        notes.push_str(&format!(
            "useradd: warning: the home directory {} already exists.\n\
             useradd: Not copying any file from skel directory into it.\n",
            user.home
        ));
        return Ok(());
    }
    let skeleton = skeleton(args, policy, root);
    home::create(&home::Home {
        path: &path,
        skeleton: &skeleton,
        mode,
        uid: user.uid,
        gid: user.gid,
    })
    .map_err(|e| {
        let message = format!("useradd: cannot create directory {}: {e}\n", user.home);
        fail(user.name, 12, message)
    })
}

fn make_mail(
    policy: &Policy,
    accounts: &Accounts,
    editor: &Editor,
    user: &NewUser<'_>,
) -> Result<(), Failure> {
    use std::os::unix::fs::{OpenOptionsExt, fchown};
    let (wanted, dir) = policy.mail();
    let dir = editor.path(&dir);
    let path = dir.join(user.name);
    if !wanted || user.system || !dir.is_dir() || path.exists() {
        return Ok(());
    }
    let gid = accounts.gid_of("mail").unwrap_or(user.gid);
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o660)
        .open(&path)
        .and_then(|f| fchown(&f, Some(user.uid), Some(gid)))
        .map_err(|e| Failure::new(format!("cannot create {}: {e}", path.display())))
}
