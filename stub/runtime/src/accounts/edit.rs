//! Changing users and groups in the machine's own files.
//!
//! The shadow tools (`useradd`, `groupmod`, …) do no more than this to the files, but are not everywhere (containers,
//! rescue systems, BusyBox with tools of other names and options) and cost a process each. So it is always done here,
//! by their rules: their locks, their way to choose numbers, their messages.

use std::io;
use std::path::{Path, PathBuf};

use rustle_formats::order;

use super::commit::{Change, commit};
use super::policy::{IdKind, Policy, Range};
use super::table::{Lock, Table};
use super::{Accounts, Group, User};

/// The account files, locked, with changes that are written by [`Editor::save`].
pub(crate) struct Editor {
    root: PathBuf,
    passwd: Table,
    group: Table,
    shadow: Option<Table>,
    gshadow: Option<Table>,
    subuid: Option<Table>,
    subgid: Option<Table>,
    _lock: Option<Lock>,
}

/// A user that is to be added.
pub(crate) struct NewUser<'a> {
    pub(crate) name: &'a str,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) gecos: &'a str,
    pub(crate) home: &'a str,
    pub(crate) shell: &'a str,
    /// The password's hash, `!` for none.
    pub(crate) password: &'a str,
    pub(crate) system: bool,
}

/// A field of `/etc/shadow` that holds days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aging {
    /// The day of the last change.
    Changed = 2,
    /// Days before it may be changed again.
    Min = 3,
    /// Days after which it must be changed.
    Max = 4,
    /// Days of warning before that.
    Warn = 5,
    /// Days after that until the account is closed.
    Inactive = 6,
    /// The day on which the account is closed.
    Expires = 7,
}

impl Editor {
    /// Locks and reads the files below `root`. `passwd` and `group` must be there.
    pub(crate) fn open(root: &Path) -> io::Result<Editor> {
        let lock = Lock::take(&root.join("etc"))?;
        Editor::read(root, Some(lock))
    }

    /// Reads the files below `root` to find out what would change; nothing is to be saved.
    pub(crate) fn peek(root: &Path) -> io::Result<Editor> {
        Editor::read(root, None)
    }

    fn read(root: &Path, lock: Option<Lock>) -> io::Result<Editor> {
        let etc = root.join("etc");
        let need = |name: &str| {
            let path = etc.join(name);
            Table::load(path.clone())?.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("{} does not exist", path.display()),
                )
            })
        };
        Ok(Editor {
            root: root.to_owned(),
            passwd: need("passwd")?,
            group: need("group")?,
            shadow: Table::load(etc.join("shadow"))?,
            gshadow: Table::load(etc.join("gshadow"))?,
            subuid: Table::load(etc.join("subuid"))?,
            subgid: Table::load(etc.join("subgid"))?,
            _lock: lock,
        })
    }

    /// The state with all changes so far.
    pub(crate) fn accounts(&self) -> Accounts {
        Accounts::parse(&self.passwd.bytes(), &self.group.bytes())
    }

    /// A path of the machine, below the editor's root.
    pub(crate) fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// Writes what changed, all of it or nothing. What a user must have before it appears comes first.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        let optional = [
            &mut self.gshadow,
            &mut self.shadow,
            &mut self.subuid,
            &mut self.subgid,
        ];
        let tables = optional
            .into_iter()
            .flatten()
            .chain([&mut self.group, &mut self.passwd]);
        let changes: Vec<Change> = tables.filter_map(Table::take_change).collect();
        commit(&self.root.join("etc"), &changes)
    }

    /// A free number by the shadow tools' way: for people one more than the highest in use, for the system one less than
    /// the lowest in use, and where that leaves the range, the first free one in the same direction.
    pub(crate) fn free_id(&self, kind: IdKind, range: Range, system: bool) -> Option<u32> {
        let accounts = self.accounts();
        let used: Vec<u32> = match kind {
            IdKind::Uid => accounts.users().iter().map(|u| u.uid).collect(),
            IdKind::Gid => accounts.groups().iter().map(|g| g.gid).collect(),
        };
        let inside = used
            .iter()
            .filter(|id| (range.min..=range.max).contains(id));
        let next = if system {
            inside.min().map_or(Some(range.max), |id| id.checked_sub(1))
        } else {
            inside.max().map_or(Some(range.min), |id| id.checked_add(1))
        };
        if let Some(id) = next.filter(|id| (range.min..=range.max).contains(id)) {
            return Some(id);
        }
        if system {
            (range.min..=range.max).rev().find(|id| !used.contains(id))
        } else {
            (range.min..=range.max).find(|id| !used.contains(id))
        }
    }

    /// Adds a group.
    pub(crate) fn add_group(&mut self, name: &str, gid: u32) {
        let mark = if self.gshadow.is_some() { "x" } else { "" };
        self.group.push(&format!("{name}:{mark}:{gid}:"));
        if let Some(gshadow) = &mut self.gshadow {
            gshadow.push(&format!("{name}:!::"));
        }
    }

    /// Changes a group's number, and that of the users whose primary group it is.
    pub(crate) fn set_gid(&mut self, group: &Group, gid: u32) {
        if let Some(line) = self.group.find(&group.name) {
            self.group.set(line, 2, &gid.to_string());
        }
        let old = group.gid.to_string();
        for line in 0..self.passwd.len() {
            if self.passwd.field(line, 3) == old {
                self.passwd.set(line, 3, &gid.to_string());
            }
        }
    }

    /// Removes a group.
    pub(crate) fn remove_group(&mut self, name: &str) {
        self.group.remove(name);
        if let Some(gshadow) = &mut self.gshadow {
            gshadow.remove(name);
        }
    }

    /// Makes the user a member of exactly these groups, besides the primary one.
    pub(crate) fn set_memberships(&mut self, user: &str, groups: &[String]) {
        let change = |table: &mut Table| {
            for line in 0..table.len() {
                let name = table.field(line, 0);
                let members = table.field(line, 3);
                let mut list: Vec<&str> = members.split(',').filter(|m| !m.is_empty()).collect();
                let is = list.contains(&user);
                let should = groups.contains(&name);
                if should && !is {
                    list.push(user);
                } else if !should && is {
                    list.retain(|m| *m != user);
                } else {
                    continue;
                }
                let joined = list.join(",");
                table.set(line, 3, &joined);
            }
        };
        change(&mut self.group);
        if let Some(gshadow) = &mut self.gshadow {
            change(gshadow);
        }
    }

    /// Adds a user, with numbers to map in containers where the machine keeps those.
    pub(crate) fn add_user(&mut self, user: &NewUser<'_>, policy: &Policy, today: i64) {
        let password = if self.shadow.is_some() {
            "x"
        } else {
            user.password
        };
        self.passwd.push(&format!(
            "{}:{password}:{}:{}:{}:{}:{}",
            user.name, user.uid, user.gid, user.gecos, user.home, user.shell
        ));
        if let Some(shadow) = &mut self.shadow {
            shadow.push(&format!(
                "{}:{}:{today}:{}:",
                user.name,
                user.password,
                policy.aging(user.system).join(":")
            ));
        }
        if user.system {
            return;
        }
        for (table, kind) in [
            (&mut self.subuid, IdKind::Uid),
            (&mut self.subgid, IdKind::Gid),
        ] {
            if let Some(table) = table {
                let (range, count) = policy.sub_ids(kind);
                if count > 0
                    && table.find(user.name).is_none()
                    && let Some(start) = free_span(table, range, count)
                {
                    table.push(&format!("{}:{start}:{count}", user.name));
                }
            }
        }
    }

    /// Removes a user, also from all groups.
    pub(crate) fn remove_user(&mut self, name: &str) {
        self.passwd.remove(name);
        for table in [&mut self.shadow, &mut self.subuid, &mut self.subgid]
            .into_iter()
            .flatten()
        {
            table.remove(name);
        }
        self.set_memberships(name, &[]);
    }

    /// Changes fields of a user's line to those of `user`.
    pub(crate) fn set_user(&mut self, user: &User) {
        let Some(line) = self.passwd.find(&user.name) else {
            return;
        };
        self.passwd.set(line, 2, &user.uid.to_string());
        self.passwd.set(line, 3, &user.gid.to_string());
        if self.passwd.field(line, 4) != user.gecos {
            self.passwd.set(line, 4, &user.gecos);
        }
        self.passwd.set(line, 5, &user.home);
        self.passwd.set(line, 6, &user.shell);
    }

    /// The hash of a user's password.
    pub(crate) fn password(&self, user: &str) -> String {
        match self.shadow_line(user) {
            Some((table, line)) => table.field(line, 1),
            None => match self.passwd.find(user) {
                Some(line) => self.passwd.field(line, 1),
                None => String::new(),
            },
        }
    }

    /// Sets the hash of a user's password.
    pub(crate) fn set_password(&mut self, user: &str, hash: &str, today: i64) {
        if let Some(shadow) = &mut self.shadow
            && let Some(line) = shadow.find(user)
        {
            shadow.set(line, 1, hash);
            shadow.set(line, Aging::Changed as usize, &today.to_string());
        } else if let Some(line) = self.passwd.find(user) {
            self.passwd.set(line, 1, hash);
        }
    }

    /// Sets the hash without touching the day of the last change: locking and unlocking.
    pub(crate) fn set_lock(&mut self, user: &str, hash: &str) {
        if let Some(shadow) = &mut self.shadow
            && let Some(line) = shadow.find(user)
        {
            shadow.set(line, 1, hash);
        } else if let Some(line) = self.passwd.find(user) {
            self.passwd.set(line, 1, hash);
        }
    }

    /// An aging field; `None` where it is empty or there is no shadow line.
    pub(crate) fn aging(&self, user: &str, field: Aging) -> Option<i64> {
        let (table, line) = self.shadow_line(user)?;
        table.field(line, field as usize).parse().ok()
    }

    /// Sets an aging field; `None` empties it. Without a shadow line there is nowhere to keep it, which is an error.
    pub(crate) fn set_aging(
        &mut self,
        user: &str,
        field: Aging,
        value: Option<i64>,
    ) -> Result<(), String> {
        let missing = || format!("{user} has no line in /etc/shadow, which password aging needs");
        let shadow = self.shadow.as_mut().ok_or_else(missing)?;
        let line = shadow.find(user).ok_or_else(missing)?;
        let text = value.map(|v| v.to_string()).unwrap_or_default();
        shadow.set(line, field as usize, &text);
        Ok(())
    }

    fn shadow_line(&self, user: &str) -> Option<(&Table, usize)> {
        let table = self.shadow.as_ref()?;
        Some((table, table.find(user)?))
    }
}

/// The first free span of subordinate numbers.
fn free_span(table: &Table, range: Range, count: u32) -> Option<u32> {
    let mut spans: Vec<(u64, u64)> = (0..table.len())
        .filter_map(|line| {
            let start: u64 = table.field(line, 1).parse().ok()?;
            let length: u64 = table.field(line, 2).parse().ok()?;
            Some((start, start + length))
        })
        .collect();
    order::sort(&mut spans);
    let mut at = u64::from(range.min);
    for (start, end) in spans {
        if end <= at {
            continue;
        }
        if start >= at + u64::from(count) {
            break;
        }
        at = end;
    }
    (at + u64::from(count) - 1 <= u64::from(range.max)).then_some(u32::try_from(at).ok()?)
}
