//! The syntax of ansible.cfg: sections, `key = value` or `key: value`, comments on lines of their own (`#`, `;`) and
//! after ` ;`, and values that go on in indented lines.

use std::collections::HashMap;

use crate::problem::Problem;
use crate::source::{FileId, Position};

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: String,
    pub(super) at: Position,
}

/// The values by section and key; keys in lower case.
pub(super) type Sections = HashMap<String, HashMap<String, Entry>>;

/// Reads the file's text.
pub(super) fn parse(text: &str, file: FileId) -> Result<Sections, Problem> {
    let mut reader = Reader {
        file,
        line: 0,
        sections: Sections::new(),
        section: None,
        open: None,
    };
    for (number, line) in text.lines().enumerate() {
        reader.line = u32::try_from(number + 1).unwrap_or(u32::MAX);
        reader.line(line)?;
    }
    let mut sections = reader.sections;
    for entry in sections.values_mut().flat_map(HashMap::values_mut) {
        entry.value.truncate(entry.value.trim_end().len());
    }
    Ok(sections)
}

struct Reader {
    file: FileId,
    line: u32,
    sections: Sections,
    section: Option<String>,
    /// The key that indented lines go on with, and how far it is indented itself.
    open: Option<(String, usize)>,
}

impl Reader {
    fn line(&mut self, raw: &str) -> Result<(), Problem> {
        let line = without_comment(raw);
        let indent = line.chars().count() - line.trim_start().chars().count();
        let words = line.trim();
        if words.is_empty() {
            // An empty line inside a value is part of it, if more of the value follows; a comment is not.
            if raw.trim().is_empty()
                && let Some(entry) = self.current()
            {
                entry.value.push('\n');
            }
            return Ok(());
        }
        if self.open.as_ref().is_some_and(|(_, base)| indent > *base)
            && let Some(entry) = self.current()
        {
            entry.value.push('\n');
            entry.value.push_str(words);
            return Ok(());
        }
        self.open = None;
        let at = Position {
            file: self.file,
            line: self.line,
            column: u32::try_from(indent + 1).unwrap_or(u32::MAX),
        };
        let wrong = |message: String, length: usize| Problem::error(message).at(at).over(length);
        let length = words.chars().count();
        if let Some((name, _)) = words.strip_prefix('[').and_then(|w| w.split_once(']')) {
            let before = self.sections.insert(name.to_owned(), HashMap::new());
            if before.is_some() {
                return Err(wrong(format!("the section [{name}] begins twice"), length));
            }
            self.section = Some(name.to_owned());
            return Ok(());
        }
        let Some(section) = &self.section else {
            let message = format!("`{words}` stands before any section");
            return Err(wrong(message, length).hint("begin the file with [defaults]"));
        };
        let Some((key, value)) = words.split_once(['=', ':']) else {
            let message = format!("`{words}` is neither a section nor `key = value`");
            return Err(wrong(message, length));
        };
        let key = key.trim().to_lowercase();
        let entry = Entry {
            value: value.trim().to_owned(),
            at,
        };
        let entries = self.sections.entry(section.clone()).or_default();
        if let Some(before) = entries.insert(key.clone(), entry) {
            let first = before.at.line;
            let message = format!("`{key}` is set twice in [{section}], first in line {first}");
            return Err(wrong(message, key.chars().count()));
        }
        self.open = Some((key, indent));
        Ok(())
    }

    fn current(&mut self) -> Option<&mut Entry> {
        let (key, _) = self.open.as_ref()?;
        self.sections.get_mut(self.section.as_ref()?)?.get_mut(key)
    }
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == ';' && before.is_whitespace() {
            return &line[..at];
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::Sources;

    fn read(text: &str) -> Result<Sections, Problem> {
        parse(text, Sources::default().add("ansible.cfg", text))
    }

    #[test]
    fn values_are_those_of_python_s_configparser() {
        let text = "# c\n; c\n[defaults]\nforks = 10 ; inline\nHost_Key_Checking: no\nkey = k # hash\nuser = a%b\n\tcont ; x\n  # c\n  cont2\n\n  cont3\np=~/x;y\nempty =\n\n[other]\na=b=c\n";
        let sections = read(text).unwrap();
        let get = |k: &str| sections["defaults"][k].value.as_str();
        assert_eq!(get("forks"), "10");
        assert_eq!(get("host_key_checking"), "no");
        assert_eq!(get("key"), "k # hash");
        assert_eq!(get("user"), "a%b\ncont\ncont2\n\ncont3");
        assert_eq!(get("p"), "~/x;y");
        assert_eq!(get("empty"), "");
        assert_eq!(sections["other"]["a"].value, "b=c");
        assert_eq!(sections["defaults"]["forks"].at.line, 4);
    }

    #[test]
    fn what_python_refuses_is_refused() {
        let said = |text| read(text).unwrap_err().message;
        insta::assert_snapshot!(said("forks=1\n"), @"`forks=1` stands before any section");
        insta::assert_snapshot!(said("[defaults]\nforks\n"), @"`forks` is neither a section nor `key = value`");
        insta::assert_snapshot!(said("[a]\nb=1\nB=2\n"), @"`b` is set twice in [a], first in line 2");
        assert!(read("\u{feff}[a]\n").is_err());
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "[\\[\\]a-c=: \t\n;#é]{0,60}") {
            let _ = read(&text);
        }
    }
}
