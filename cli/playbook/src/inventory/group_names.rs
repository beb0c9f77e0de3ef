//! Names of groups: letters, digits and `_`, as for variables. Ansible warns of others, or replaces them.

use std::borrow::Cow;

/// What happens to invalid characters (Ansible's `TRANSFORM_INVALID_GROUP_CHARS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transform {
    /// They stay, with a warning.
    #[default]
    Never,
    /// They stay.
    Ignore,
    /// They become `_`, with a warning.
    Always,
    /// They become `_`.
    Silently,
}

impl Transform {
    /// The setting's word.
    pub fn parse(word: &str) -> Transform {
        match word {
            "always" => Transform::Always,
            "silently" => Transform::Silently,
            "ignore" => Transform::Ignore,
            _ => Transform::Never,
        }
    }
}

/// Makes names of groups, and remembers those that were invalid.
#[derive(Debug, Default)]
pub struct GroupNames {
    transform: Transform,
    /// Invalid names, each once.
    pub invalid: Vec<String>,
}

impl GroupNames {
    /// Under a setting.
    pub fn new(transform: Transform) -> GroupNames {
        GroupNames {
            transform,
            invalid: Vec::new(),
        }
    }

    /// The name that a group gets.
    pub fn make<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        self.make_as(name, self.transform)
    }

    /// The name of a group that a plugin made up: invalid characters are always replaced, and nobody is told.
    pub fn make_up<'a>(&mut self, name: &'a str) -> Cow<'a, str> {
        self.make_as(name, Transform::Silently)
    }

    fn make_as<'a>(&mut self, name: &'a str, transform: Transform) -> Cow<'a, str> {
        if is_valid(name) {
            return Cow::Borrowed(name);
        }
        if matches!(transform, Transform::Never | Transform::Always)
            && !self.invalid.iter().any(|n| n == name)
        {
            self.invalid.push(name.to_owned());
        }
        match transform {
            Transform::Never | Transform::Ignore => Cow::Borrowed(name),
            Transform::Always | Transform::Silently => Cow::Owned(replaced(name)),
        }
    }

    /// Whether invalid names are replaced.
    pub fn replaces(&self) -> bool {
        self.transform == Transform::Always
    }
}

fn is_valid(name: &str) -> bool {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn replaced(name: &str) -> String {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    name.char_indices()
        .map(|(at, c)| {
            if word(c) && !(at == 0 && c.is_ascii_digit()) {
                c
            } else {
                '_'
            }
        })
        .collect()
}
