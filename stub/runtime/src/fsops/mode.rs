//! File modes as playbooks write them: octal as text or number, and symbolic (`u=rwX,go-w`).
//!
//! The rules for symbolic modes were taken from a table of what Ansible answers (`fixtures/modules/modes.records.json`);
//! they differ from chmod(1) in places: `X` and copied bits ignore the umask, `a` cannot stand beside other letters.

use rustle_formats::Value;

/// The bits that a mode can set.
pub(crate) const ALL_BITS: u32 = 0o7777;

/// A mode as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// These bits, whatever was there.
    Octal(u32),
    /// Changes to what is there.
    Symbolic(Vec<Clause>),
}

/// One clause, `go-w`, possibly with several operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    users: Vec<User>,
    /// No user was named: the umask takes part.
    masked: bool,
    operations: Vec<(Operator, Vec<Permission>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Owner,
    Group,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permission {
    Read,
    Write,
    Execute,
    ExecuteIfAny,
    Special,
    Sticky,
    Copy(User),
}

const USERS: [User; 3] = [User::Owner, User::Group, User::Other];

impl User {
    fn shift(self) -> u32 {
        match self {
            User::Owner => 6,
            User::Group => 3,
            User::Other => 0,
        }
    }

    /// All bits that `=` clears.
    fn bits(self) -> u32 {
        match self {
            User::Owner => 0o4700,
            User::Group => 0o2070,
            User::Other => 0o1007,
        }
    }

    fn letter(c: char) -> Option<User> {
        match c {
            'u' => Some(User::Owner),
            'g' => Some(User::Group),
            'o' => Some(User::Other),
            _ => None,
        }
    }
}

impl Mode {
    /// Reads a mode from an argument.
    ///
    /// # Errors
    /// What is wrong, as Ansible puts it into `details`.
    pub(crate) fn parse(value: &Value) -> Result<Mode, String> {
        let text = match value {
            Value::Int(i) => return Ok(Mode::Octal((*i & i64::from(ALL_BITS)) as u32)),
            Value::Str(s) | Value::Unsafe(s) => s.as_str(),
            other => return Err(format!("bad symbolic permission for mode: {other}")),
        };
        let digits = text.trim();
        let digits = digits
            .strip_prefix("0o")
            .or_else(|| digits.strip_prefix("0O"))
            .unwrap_or(digits);
        if !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && let Ok(bits) = u32::from_str_radix(digits, 8)
        {
            return Ok(Mode::Octal(bits & ALL_BITS));
        }
        text.split(',')
            .map(|clause| {
                Clause::parse(clause)
                    .ok_or_else(|| format!("bad symbolic permission for mode: {clause}"))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Mode::Symbolic)
    }

    /// The bits that result where `current` is there.
    pub(crate) fn apply(&self, current: u32, is_dir: bool, umask: u32) -> u32 {
        match self {
            Mode::Octal(bits) => *bits,
            Mode::Symbolic(clauses) => {
                let current = current & ALL_BITS;
                clauses
                    .iter()
                    .fold(current, |mode, c| c.apply(mode, is_dir, umask))
            }
        }
    }
}

impl Clause {
    fn parse(text: &str) -> Option<Clause> {
        let end = text.find(['+', '-', '=']).unwrap_or(text.len());
        let (who, mut rest) = text.split_at(end);
        let all = who == "a";
        let users: Vec<User> = if who.is_empty() || all {
            USERS.to_vec()
        } else {
            who.chars().map(User::letter).collect::<Option<_>>()?
        };
        let mut operations = Vec::new();
        while let Some(operator) = rest.chars().next() {
            let operator = match operator {
                '+' => Operator::Add,
                '-' => Operator::Remove,
                '=' => Operator::Set,
                _ => return None,
            };
            let tail = &rest[1..];
            let end = tail.find(['+', '-', '=']).unwrap_or(tail.len());
            let permissions = tail[..end]
                .chars()
                .map(Permission::letter)
                .collect::<Option<_>>()?;
            operations.push((operator, permissions));
            rest = &tail[end..];
        }
        Some(Clause {
            users,
            masked: who.is_empty(),
            operations,
        })
    }

    fn apply(&self, mode: u32, is_dir: bool, umask: u32) -> u32 {
        let mut mode = mode;
        for (operator, permissions) in &self.operations {
            // One user after the other, each seeing what the one before did: `a-g` takes from u, then g, and leaves o.
            for user in &self.users {
                let mask = if self.masked { umask } else { 0 };
                let bits = permissions
                    .iter()
                    .fold(0, |b, p| b | p.bits(*user, mode, is_dir, mask));
                mode = match operator {
                    Operator::Add => mode | bits,
                    Operator::Remove => mode & !bits,
                    Operator::Set => (mode & !user.bits()) | bits,
                };
            }
        }
        mode
    }
}

impl Permission {
    fn letter(c: char) -> Option<Permission> {
        Some(match c {
            'r' => Permission::Read,
            'w' => Permission::Write,
            'x' => Permission::Execute,
            'X' => Permission::ExecuteIfAny,
            's' => Permission::Special,
            't' => Permission::Sticky,
            other => Permission::Copy(User::letter(other)?),
        })
    }

    fn bits(self, user: User, mode: u32, is_dir: bool, mask: u32) -> u32 {
        let shift = user.shift();
        match self {
            Permission::Read => (4 << shift) & !mask,
            Permission::Write => (2 << shift) & !mask,
            Permission::Execute => (1 << shift) & !mask,
            Permission::ExecuteIfAny if is_dir || mode & 0o111 != 0 => 1 << shift,
            Permission::ExecuteIfAny => 0,
            Permission::Special => match user {
                User::Owner => 0o4000,
                User::Group => 0o2000,
                User::Other => 0,
            },
            Permission::Sticky if user == User::Other => 0o1000,
            Permission::Sticky => 0,
            Permission::Copy(from) => ((mode >> from.shift()) & 7) << shift,
        }
    }
}

/// A mode as results show it: `0644`, `02755`.
pub(crate) fn shown(bits: u32) -> String {
    format!("0{:03o}", bits & ALL_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_in_all_spellings() {
        for (value, bits) in [
            (Value::Int(420), 0o644),
            ("0644".into(), 0o644),
            ("644".into(), 0o644),
            ("0o644".into(), 0o644),
            ("02755".into(), 0o2755),
            ("77777".into(), 0o7777),
        ] {
            assert_eq!(Mode::parse(&value), Ok(Mode::Octal(bits)), "{value}");
        }
        assert_eq!(shown(0o2755), "02755");
        assert_eq!(shown(0o44), "0044");
    }

    #[test]
    fn symbolic_modes_as_ansible_has_them() {
        let records = include_str!("../../../../fixtures/modules/modes.records.json");
        let records: Vec<(String, String, bool, String, Option<String>)> =
            serde_json::from_str(records).unwrap();
        let octal = |s: &str| u32::from_str_radix(s, 8).unwrap();
        let mut wrong = Vec::new();
        for (text, current, is_dir, umask, expected) in records {
            let ours = Clause::parse_all(&text)
                .map(|m| format!("{:04o}", m.apply(octal(&current), is_dir, octal(&umask))));
            if ours != expected {
                wrong.push(format!(
                    "{text} on {current} dir={is_dir} umask={umask}: {ours:?}, expected {expected:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    }

    impl Clause {
        fn parse_all(text: &str) -> Option<Mode> {
            text.split(',')
                .map(Clause::parse)
                .collect::<Option<_>>()
                .map(Mode::Symbolic)
        }
    }
}
