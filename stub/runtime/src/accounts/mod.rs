//! Users and groups of this machine, read from its own files.
//!
//! The stub is one static executable, so libc's name service switch, which loads shared libraries, is out of reach:
//! `/etc/passwd` and `/etc/group` are parsed here. Users that only a directory service knows (LDAP, SSSD) are not in
//! these files.
//!
//! Lines that are no accounts (NIS markers such as `+::::::`, comments, junk) are passed over when reading and kept as
//! they are when editing.

pub(crate) mod commit;
pub(crate) mod edit;
pub(crate) mod policy;
mod table;

use std::io;
use std::path::Path;

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The second field: `x` where the password lies in `/etc/shadow`.
    pub password: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The comment: full name and the like.
    pub gecos: String,
    /// The home folder.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// A line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The second field, `x` nearly everywhere.
    pub password: String,
    /// The group's number.
    pub gid: u32,
    /// The names of its members, without those whose primary group it is.
    pub members: Vec<String>,
}

/// All users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl Accounts {
    /// Reads `etc/passwd` and `etc/group` below `root` (`/` for this machine). A file that is not there counts as empty.
    ///
    /// # Errors
    /// Where a file exists and cannot be read.
    pub fn load(root: &Path) -> io::Result<Accounts> {
        let read = |name: &str| match std::fs::read(root.join("etc").join(name)) {
            Ok(bytes) => Ok(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        };
        Ok(Accounts::parse(&read("passwd")?, &read("group")?))
    }

    /// Parses the contents of the two files.
    pub fn parse(passwd: &[u8], group: &[u8]) -> Accounts {
        Accounts {
            users: lines(passwd).filter_map(|l| User::parse(&l)).collect(),
            groups: lines(group).filter_map(|l| Group::parse(&l)).collect(),
        }
    }

    /// All users, in the file's order.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// All groups, in the file's order.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|u| u.name == name)
    }

    /// The first user with this number.
    pub fn user_by_id(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|u| u.uid == uid)
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }

    /// The first group with this number.
    pub fn group_by_id(&self, gid: u32) -> Option<&Group> {
        self.groups.iter().find(|g| g.gid == gid)
    }

    /// The number of a user given as `owner:` gives it: a name, or a number in digits where no user has it as a name.
    pub fn uid_of(&self, name_or_number: &str) -> Option<u32> {
        match self.user(name_or_number) {
            Some(user) => Some(user.uid),
            None => number(name_or_number),
        }
    }

    /// The number of a group given as `group:` gives it: a name, or a number in digits where no group has it as a name.
    pub fn gid_of(&self, name_or_number: &str) -> Option<u32> {
        match self.group(name_or_number) {
            Some(group) => Some(group.gid),
            None => number(name_or_number),
        }
    }

    /// The groups that name the user as a member, without the primary one.
    pub fn memberships<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Group> {
        self.groups
            .iter()
            .filter(move |g| g.members.iter().any(|m| m == user))
    }

    /// The numbers of all groups that a process of the user has, the primary one first: what `initgroups` sets.
    pub fn group_ids(&self, user: &User) -> Vec<u32> {
        let mut ids = vec![user.gid];
        for group in self.memberships(&user.name) {
            if !ids.contains(&group.gid) {
                ids.push(group.gid);
            }
        }
        ids
    }
}

impl User {
    /// Parses a line; `None` where it is no account.
    fn parse(line: &str) -> Option<User> {
        let mut f = line.splitn(7, ':');
        let user = User {
            name: account_name(f.next()?)?,
            password: f.next()?.to_owned(),
            uid: number(f.next()?)?,
            gid: number(f.next()?)?,
            gecos: f.next()?.to_owned(),
            home: f.next()?.to_owned(),
            shell: f.next().unwrap_or_default().to_owned(),
        };
        Some(user)
    }
}

impl Group {
    /// Parses a line; `None` where it is no group.
    fn parse(line: &str) -> Option<Group> {
        let mut f = line.splitn(4, ':');
        let group = Group {
            name: account_name(f.next()?)?,
            password: f.next()?.to_owned(),
            gid: number(f.next()?)?,
            members: f
                .next()
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|m| !m.is_empty())
                .map(str::to_owned)
                .collect(),
        };
        Some(group)
    }
}

/// The lines of a file, as text.
fn lines(bytes: &[u8]) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    bytes.split(|b| *b == b'\n').map(String::from_utf8_lossy)
}

/// A name that can be an account's: NIS markers and comments are none.
fn account_name(field: &str) -> Option<String> {
    if field.is_empty() || field.starts_with(['+', '-', '#']) {
        return None;
    }
    Some(field.to_owned())
}

/// A number in plain digits. `4294967295` means "unchanged" to chown, and is refused.
fn number(field: &str) -> Option<u32> {
    if field.is_empty() || !field.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    field.parse().ok().filter(|n| *n != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n# note\n+::::::\nann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\n\
        old:x:12:12:no shell:/:\nbad:x:nope:1::/:/bin/sh\n77:x:5:5::/:/bin/sh\nmax:x:4294967295:1::/:/bin/sh\nlatin:x:6:6:\xe9:/:\n";
    const GROUP: &[u8] =
        b"root:x:0:\nann:x:1000:\nsudo:x:27:ann, root\nusers:x:100:bob,ann\nshort:x:3\n";

    #[test]
    fn looks_up_by_name_and_number() {
        let a = Accounts::parse(PASSWD, GROUP);
        assert_eq!(a.user("ann").map(|u| u.uid), Some(1000));
        assert_eq!(a.user_by_id(1000).map(|u| u.gecos.as_str()), Some("Ann,,,"));
        assert_eq!(a.user("old").map(|u| u.shell.as_str()), Some(""));
        assert_eq!(a.user("bad"), None);
        assert_eq!(a.user("max"), None);
        assert_eq!(a.user("+"), None);
        assert_eq!(a.users().len(), 5);
        assert_eq!(a.group("short").map(|g| g.gid), Some(3));
        assert_eq!(a.group_by_id(27).map(|g| g.members.len()), Some(2));
    }

    #[test]
    fn a_name_of_digits_wins_over_the_number() {
        let a = Accounts::parse(PASSWD, GROUP);
        assert_eq!(a.uid_of("77"), Some(5));
        assert_eq!(a.uid_of("78"), Some(78));
        assert_eq!(a.uid_of("nobody"), None);
        assert_eq!(a.gid_of("sudo"), Some(27));
        assert_eq!(a.gid_of("-1"), None);
    }

    #[test]
    fn all_groups_of_a_user() {
        let a = Accounts::parse(PASSWD, GROUP);
        let ann = a.user("ann").cloned();
        assert_eq!(ann.map(|u| a.group_ids(&u)), Some(vec![1000, 27, 100]));
    }

    #[test]
    fn missing_files_are_empty() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        assert_eq!(Accounts::load(dir.path())?, Accounts::default());
        std::fs::create_dir(dir.path().join("etc"))?;
        std::fs::write(dir.path().join("etc/passwd"), PASSWD)?;
        assert_eq!(Accounts::load(dir.path())?.users().len(), 5);
        Ok(())
    }
}
