//! Names and numbers of users and groups, with the files that hold them read once and again only when they changed.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use crate::accounts::Accounts;

/// What tells one version of a file from another. A change is a rename, so that the inode differs.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

type Held = Option<([Stamp; 2], Rc<Accounts>)>;

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(None) };
}

fn stamp(path: &str) -> Stamp {
    let m = std::fs::metadata(path).ok()?;
    Some((m.dev(), m.ino(), m.mtime(), m.mtime_nsec(), m.size()))
}

/// This machine's users and groups. Where the files cannot be read there are none: numbers still work.
pub(crate) fn accounts() -> Rc<Accounts> {
    let stamps = [stamp("/etc/passwd"), stamp("/etc/group")];
    HELD.with_borrow_mut(|held| {
        if let Some((known, accounts)) = held
            && *known == stamps
        {
            return Rc::clone(accounts);
        }
        let accounts = Rc::new(Accounts::load(Path::new("/")).unwrap_or_default());
        *held = Some((stamps, Rc::clone(&accounts)));
        accounts
    })
}

/// The user's name, or the number as text where nobody has it.
pub(crate) fn user_name(uid: u32) -> String {
    match accounts().user_by_id(uid) {
        Some(user) => user.name.clone(),
        None => uid.to_string(),
    }
}

/// The group's name, or the number as text where no group has it.
pub(crate) fn group_name(gid: u32) -> String {
    match accounts().group_by_id(gid) {
        Some(group) => group.name.clone(),
        None => gid.to_string(),
    }
}

/// The number of a user: digits are always a number, as `file` has it.
pub(crate) fn uid(name: &str) -> Option<u32> {
    name.trim()
        .parse::<u32>()
        .ok()
        .or_else(|| accounts().user(name).map(|u| u.uid))
}

/// The number of a group: digits are always a number.
pub(crate) fn gid(name: &str) -> Option<u32> {
    name.trim()
        .parse::<u32>()
        .ok()
        .or_else(|| accounts().group(name).map(|g| g.gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_numbers() {
        assert_eq!(uid("12345"), Some(12345));
        assert_eq!(gid(" 7 "), Some(7));
        assert_eq!(uid("nobody knows"), None);
        assert_eq!(user_name(4_000_000_001), "4000000001");
    }
}
