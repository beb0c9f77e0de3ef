//! Ini inventories: `[group]` with hosts, `[group:children]`, `[group:vars]`.

use std::collections::HashMap;

use super::group_names::GroupNames;
use super::literal;
use super::model::{GroupId, Inventory, UNGROUPED};
use super::ranges;
use crate::problem::Problem;
use crate::source::{FileId, Position};
use crate::words;
use crate::yaml::{Node, NodeValue};

/// What the lines of a section are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    Children,
    Vars,
}

/// Reads an ini inventory. What stands before an error has been added when it is returned, as by Ansible.
///
/// # Errors
/// The first line that is wrong.
pub(super) fn read(
    text: &str,
    file: FileId,
    inventory: &mut Inventory,
    names: &mut GroupNames,
) -> Result<(), Problem> {
    let mut reader = Reader {
        inventory,
        names,
        file,
        line: 0,
        pending: HashMap::new(),
        order: Vec::new(),
        declared: HashMap::new(),
    };
    reader.lines(text)
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    names: &'a mut GroupNames,
    file: FileId,
    line: u32,
    /// Groups that were named as children or given variables, and not declared yet: by whom, where.
    pending: HashMap<String, Pending>,
    order: Vec<String>,
    /// Groups of this file.
    declared: HashMap<String, GroupId>,
}

struct Pending {
    kind: Kind,
    at: Position,
    parents: Vec<String>,
}

impl Reader<'_> {
    fn lines(&mut self, text: &str) -> Result<(), Problem> {
        self.declared.insert("all".to_owned(), super::model::ALL);
        self.declared.insert("ungrouped".to_owned(), UNGROUPED);
        let mut group = "ungrouped".to_owned();
        let mut kind = Kind::Hosts;
        for (number, raw) in text.lines().enumerate() {
            self.line = u32::try_from(number + 1).unwrap_or(u32::MAX);
            let line = raw.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some((name, word)) = section(line) {
                let name = self.names.make(name).into_owned();
                kind = self.begin(&name, word, line)?;
                group = name;
                continue;
            }
            // A range may begin with a bracket: `[01:03].example.com` is a host, `[a b]` is nothing.
            if line.starts_with('[') && line.ends_with(']') {
                return Err(self
                    .wrong(format!("`{line}` is no section"), line)
                    .hint("a section is [name], [name:children] or [name:vars], without spaces"));
            }
            match kind {
                Kind::Hosts => self.host(&group, line)?,
                Kind::Children => self.child(&group, line)?,
                Kind::Vars => self.variable(&group, line)?,
            }
        }
        self.all_declared()
    }

    fn begin(&mut self, name: &str, word: Option<&str>, line: &str) -> Result<Kind, Problem> {
        let kind = match word {
            None | Some("hosts") => Kind::Hosts,
            Some("children") => Kind::Children,
            Some("vars") => Kind::Vars,
            Some(other) => {
                return Err(self
                    .wrong(
                        format!("the section {line} has the unknown type `{other}`"),
                        line,
                    )
                    .hint("hosts, children and vars are known"));
            }
        };
        if self.declared.contains_key(name) {
            return Ok(kind);
        }
        if kind == Kind::Vars {
            let at = self.at(line);
            self.wait(name, Kind::Vars, at);
            return Ok(kind);
        }
        let group = self.inventory.add_group(name);
        self.declared.insert(name.to_owned(), group);
        if let Some(pending) = self.pending.remove(name) {
            for parent in pending.parents {
                if let Some(parent) = self.declared.get(&parent).copied() {
                    self.adopt(parent, group, pending.at)?;
                }
            }
        }
        Ok(kind)
    }

    fn wait(&mut self, name: &str, kind: Kind, at: Position) -> &mut Pending {
        if !self.pending.contains_key(name) {
            self.order.push(name.to_owned());
        }
        self.pending.entry(name.to_owned()).or_insert(Pending {
            kind,
            at,
            parents: Vec::new(),
        })
    }

    fn adopt(&mut self, parent: GroupId, child: GroupId, at: Position) -> Result<(), Problem> {
        self.inventory
            .add_child(parent, child)
            .map_err(|e| Problem::error(e).at(at))
    }

    fn host(&mut self, group: &str, line: &str) -> Result<(), Problem> {
        let words = words::split_with_comments(line)
            .map_err(|e| self.wrong(format!("`{line}` cannot be split: {e}"), line))?;
        let Some((pattern, variables)) = words.split_first() else {
            return Ok(());
        };
        let (hosts, port) = host_pattern(pattern).map_err(|e| self.wrong(e, line))?;
        let mut values: Vec<(&str, Node)> = Vec::with_capacity(variables.len() + 1);
        for word in variables {
            let Some((name, value)) = word.split_once('=') else {
                return Err(self
                    .wrong(
                        format!("`{word}` is no variable of a host: key=value is"),
                        line,
                    )
                    .hint("quote values with spaces: key=\"a b\""));
            };
            values.push((name, literal::value(value, self.at_word(line, word))));
        }
        let group = self.declared[group];
        for name in hosts {
            let host = self.inventory.add_host(&name);
            self.inventory.add_member(host, group);
            if let Some(port) = port {
                let at = self.at(line);
                let value = NodeValue::Int(i64::from(port));
                self.inventory
                    .set_host_var(host, "ansible_port", Node { value, at });
            }
            for (name, value) in &values {
                self.inventory.set_host_var(host, name, value.clone());
            }
        }
        Ok(())
    }

    fn child(&mut self, group: &str, line: &str) -> Result<(), Problem> {
        let name = without_comment(line);
        if name.is_empty() || name.contains([':', ']']) || name.contains(char::is_whitespace) {
            return Err(self.wrong(format!("`{line}` is no name of a group"), line));
        }
        // Not made valid: Ansible compares what is written here with the names that groups got.
        let at = self.at(line);
        if let Some(child) = self.declared.get(name).copied() {
            let parent = self.declared[group];
            return self.adopt(parent, child, at);
        }
        let pending = self.wait(name, Kind::Children, at);
        pending.kind = Kind::Children;
        pending.parents.push(group.to_owned());
        Ok(())
    }

    fn variable(&mut self, group: &str, line: &str) -> Result<(), Problem> {
        let Some((name, value)) = line.split_once('=') else {
            return Err(self.wrong(format!("`{line}` is not key=value"), line));
        };
        let value = literal::value(value.trim(), self.at(line));
        // The variables of a group that is declared further down are set now; without a declaration, the end refuses it.
        let id = match self.declared.get(group) {
            Some(id) => *id,
            None => self.inventory.add_group(group),
        };
        self.inventory
            .set_group_var(id, name.trim(), value)
            .map_err(|e| self.wrong(e, line))
    }

    fn all_declared(&self) -> Result<(), Problem> {
        let left = self
            .order
            .iter()
            .find_map(|n| Some((n, self.pending.get(n)?)));
        let Some((name, pending)) = left else {
            return Ok(());
        };
        let message = match (pending.kind, pending.parents.first()) {
            (Kind::Children, Some(parent)) => {
                format!(
                    "the section [{parent}:children] names the group `{name}`, which is nowhere declared"
                )
            }
            _ => format!("the section [{name}:vars] is of a group that is nowhere declared"),
        };
        Err(Problem::error(message)
            .at(pending.at)
            .hint(format!("add [{name}]")))
    }

    fn at(&self, line: &str) -> Position {
        self.at_word(line, line)
    }

    fn at_word(&self, line: &str, word: &str) -> Position {
        let before = line.find(word).map_or(0, |at| line[..at].chars().count());
        Position {
            file: self.file,
            line: self.line,
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
        }
    }

    fn wrong(&self, message: String, line: &str) -> Problem {
        Problem::error(message)
            .at(self.at(line))
            .over(line.chars().count())
    }
}

/// `[name]` or `[name:word]`, and maybe a comment.
fn section(line: &str) -> Option<(&str, Option<&str>)> {
    let (inner, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    if !(rest.is_empty() || rest.starts_with('#')) {
        return None;
    }
    let (name, word) = match inner.split_once(':') {
        Some((name, word)) => (name, Some(word)),
        None => (inner, None),
    };
    let is_word = |w: &str| !w.is_empty() && w.chars().all(|c| c == '_' || c.is_alphanumeric());
    let fits = !name.is_empty() && !name.contains(char::is_whitespace) && word.is_none_or(is_word);
    fits.then_some((name, word))
}

fn without_comment(line: &str) -> &str {
    match line.split_once(char::is_whitespace) {
        Some((name, rest)) if rest.trim_start().starts_with('#') => name,
        _ => line,
    }
}

/// The hosts of a pattern in a file.
pub(super) fn host_pattern(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    if pattern == "---" {
        return Err("`---` is no host: this seems to be YAML".to_owned());
    }
    if pattern.ends_with(':') {
        return Err(format!(
            "the host `{pattern}` ends in a colon, and no port follows"
        ));
    }
    ranges::expand(pattern)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::Sources;

    fn read_text(text: &str) -> Result<Inventory, String> {
        let mut inventory = Inventory::default();
        let file = Sources::default().add("hosts", text);
        match read(text, file, &mut inventory, &mut GroupNames::default()) {
            Ok(()) => Ok(inventory),
            Err(p) => Err(format!("{}: {}", p.at.map_or(0, |a| a.line), p.message)),
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |text: &str| read_text(text).unwrap_err();
        insta::assert_snapshot!(said("[a:foo]\n"), @"1: the section [a:foo] has the unknown type `foo`");
        insta::assert_snapshot!(said("h\n[a b]\n"), @"2: `[a b]` is no section");
        insta::assert_snapshot!(said("[a]\nh x\n"), @"2: `x` is no variable of a host: key=value is");
        insta::assert_snapshot!(said("[a:vars]\nx\n"), @"2: `x` is not key=value");
        insta::assert_snapshot!(said("\n[n:vars]\nx=1\n"), @"2: the section [n:vars] is of a group that is nowhere declared");
        insta::assert_snapshot!(said("[a:children]\nb\n"), @"2: the section [a:children] names the group `b`, which is nowhere declared");
        insta::assert_snapshot!(said("[a:children]\na\n"), @"2: the group `a` cannot be its own child");
        insta::assert_snapshot!(said("h:\n"), @"1: the host `h:` ends in a colon, and no port follows");
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "[\\[\\]a-c:=' \n#0-2.\"-]{0,80}") {
            let _ = read_text(&text);
        }
    }
}
