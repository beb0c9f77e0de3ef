//! The machine's rules for new accounts: `/etc/login.defs` and `/etc/default/useradd`, with the defaults that the shadow
//! tools have where a file or a line is missing.

use std::collections::HashMap;
use std::io;
use std::path::Path;

/// The rules.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    defs: HashMap<String, String>,
    useradd: HashMap<String, String>,
    has_defs: bool,
}

/// A range of numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// Whose numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    /// Users' numbers.
    Uid,
    /// Groups' numbers.
    Gid,
}

impl Policy {
    /// Reads both files below `root`.
    pub(crate) fn load(root: &Path) -> io::Result<Policy> {
        let read = |name: &str| match std::fs::read(root.join("etc").join(name)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        };
        let defs = read("login.defs")?;
        let useradd = read("default/useradd")?.unwrap_or_default();
        Ok(Policy {
            has_defs: defs.is_some(),
            defs: pairs(&defs.unwrap_or_default(), char::is_whitespace),
            useradd: pairs(&useradd, |c| c == '='),
        })
    }

    /// Replaces a rule (`-K NAME=VALUE` of the shadow tools).
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.defs.insert(name.to_owned(), value.to_string());
    }

    /// A number, also in octal or hexadecimal.
    fn number(&self, name: &str) -> Option<u32> {
        let text = self.defs.get(name)?;
        if let Some(hex) = text.strip_prefix("0x") {
            return u32::from_str_radix(hex, 16).ok();
        }
        if text.len() > 1 && text.starts_with('0') {
            return u32::from_str_radix(text, 8).ok();
        }
        text.parse().ok()
    }

    fn yes(&self, name: &str, default: bool) -> bool {
        self.defs
            .get(name)
            .map_or(default, |v| v.eq_ignore_ascii_case("yes"))
    }

    /// The numbers that new accounts get.
    pub(crate) fn ids(&self, kind: IdKind, system: bool) -> Range {
        let word = match kind {
            IdKind::Uid => "UID",
            IdKind::Gid => "GID",
        };
        let get = |name: String, default: u32| self.number(&name).unwrap_or(default);
        let min = get(format!("{word}_MIN"), 1000);
        if system {
            Range {
                min: get(format!("SYS_{word}_MIN"), 101),
                max: get(format!("SYS_{word}_MAX"), min.saturating_sub(1)),
            }
        } else {
            Range {
                min,
                max: get(format!("{word}_MAX"), 60_000),
            }
        }
    }

    /// The numbers that a new user may map in containers, and how many at once; none where the machine has no such file.
    pub(crate) fn sub_ids(&self, kind: IdKind) -> (Range, u32) {
        let word = match kind {
            IdKind::Uid => "UID",
            IdKind::Gid => "GID",
        };
        let get = |name: String, default: u32| self.number(&name).unwrap_or(default);
        let range = Range {
            min: get(format!("SUB_{word}_MIN"), 100_000),
            max: get(format!("SUB_{word}_MAX"), 600_100_000),
        };
        (range, get(format!("SUB_{word}_COUNT"), 65_536))
    }

    /// Whether a new user gets a group of the same name. A machine without rules gets such groups too: the shadow tools
    /// would put all its users into one.
    pub(crate) fn user_groups(&self) -> bool {
        self.yes("USERGROUPS_ENAB", !self.has_defs)
    }

    /// The group of new users who get none of their own, a name or a number.
    pub(crate) fn default_group(&self) -> String {
        self.default("GROUP").unwrap_or("100").to_owned()
    }

    /// Where homes are made.
    pub(crate) fn home_base(&self) -> String {
        self.default("HOME").unwrap_or("/home").to_owned()
    }

    /// Where a new home's files come from.
    pub(crate) fn skeleton(&self) -> String {
        self.default("SKEL").unwrap_or("/etc/skel").to_owned()
    }

    /// The shell of new users; empty where there is no rule.
    pub(crate) fn shell(&self) -> Option<&str> {
        self.default("SHELL")
    }

    /// The permissions of a new home.
    pub(crate) fn home_mode(&self) -> u32 {
        match self.number_octal("HOME_MODE") {
            Some(mode) => mode & 0o7777,
            None => 0o777 & !self.number_octal("UMASK").unwrap_or(0o022),
        }
    }

    fn number_octal(&self, name: &str) -> Option<u32> {
        u32::from_str_radix(self.defs.get(name)?, 8).ok()
    }

    /// Whether a new user gets a mail spool, and where those lie.
    pub(crate) fn mail(&self) -> (bool, String) {
        let create = self
            .default("CREATE_MAIL_SPOOL")
            .is_some_and(|v| v.eq_ignore_ascii_case("yes"));
        let dir = self
            .defs
            .get("MAIL_DIR")
            .map_or("/var/mail", String::as_str);
        (create, dir.to_owned())
    }

    /// The aging fields of a new line of `/etc/shadow`, from the third on.
    pub(crate) fn aging(&self, system: bool) -> [String; 5] {
        let text = |name: &str| self.defs.get(name).cloned().unwrap_or_default();
        let inactive = match self.default("INACTIVE") {
            Some(days) if days != "-1" => days.to_owned(),
            _ => String::new(),
        };
        if system {
            return [const { String::new() }; 5];
        }
        [
            text("PASS_MIN_DAYS"),
            text("PASS_MAX_DAYS"),
            text("PASS_WARN_AGE"),
            inactive,
            String::new(),
        ]
    }

    fn default(&self, name: &str) -> Option<&str> {
        self.useradd
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }
}

fn pairs(text: &str, separator: impl Fn(char) -> bool) -> HashMap<String, String> {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(&separator))
        .map(|(k, v)| (k.trim().to_owned(), v.trim().trim_matches('"').to_owned()))
        .collect()
}
