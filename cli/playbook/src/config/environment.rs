//! What the process knows: environment variables and the working directory. Handed in, so that the library has none of
//! its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rustle_formats::lexical;

/// The surroundings of a command.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The environment variables whose names and values are text.
    pub variables: HashMap<String, String>,
    /// The working directory; absolute.
    pub directory: PathBuf,
    /// The user's home directory.
    pub home: Option<PathBuf>,
}

impl Environment {
    /// A variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A path as Ansible reads one: `~` and `$NAME` replaced, absolute from the working directory, without `..`.
    pub fn path(&self, text: &str) -> PathBuf {
        self.path_from(text, &self.directory)
    }

    /// The same, absolute from another directory.
    pub fn path_from(&self, text: &str, base: &Path) -> PathBuf {
        let text = self.with_variables(text);
        let path = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => match &self.home {
                Some(home) => home.join(rest.trim_start_matches('/')),
                None => PathBuf::from(&text),
            },
            _ => PathBuf::from(&text),
        };
        lexical(&base.join(path))
    }

    /// `$NAME` and `${NAME}` replaced where there is such a variable.
    fn with_variables(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, length) = match after.strip_prefix('{') {
                Some(inner) => inner
                    .find('}')
                    .map_or(("", 0), |end| (&inner[..end], end + 2)),
                None => {
                    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
                    let end = after.find(|c| !word(c)).unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.get(name) {
                Some(value) if !name.is_empty() => {
                    out.push_str(value);
                    rest = &after[length..];
                }
                _ => {
                    out.push('$');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_ansible_reads_them() {
        let env = Environment {
            variables: [("X", "sub"), ("HOME", "/h")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            directory: "/work/dir".into(),
            home: Some("/h".into()),
        };
        for (text, path) in [
            ("a", "/work/dir/a"),
            ("../a/./b", "/work/a/b"),
            ("~/x", "/h/x"),
            ("~", "/h"),
            ("~joe/x", "/work/dir/~joe/x"),
            ("$X/${X}y/$NO", "/work/dir/sub/suby/$NO"),
            ("/abs/$", "/abs/$"),
            ("${X", "/work/dir/${X"),
        ] {
            assert_eq!(env.path(text), PathBuf::from(path), "{text}");
        }
    }
}
