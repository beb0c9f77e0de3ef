//! `delegate_to`: where it is written, and how tasks get along without.
//!
//! A delegated task at the beginning or the end of its play becomes a play of its own for the host that it is delegated to; where
//! the play runs on that host anyway, the keyword goes. Everything else is left, with the reason.

use std::path::Path;

use super::lines::{Lines, indent};
use super::movable::obstacle;
use super::{Note, Refactored};
use crate::play::{Entry, Play, RoleUse, Task};
use crate::source::{Position, Sources};
use crate::yaml::Node;

/// A task that is delegated.
#[derive(Debug, Clone)]
pub struct Delegation<'p> {
    /// The task.
    pub task: &'p Task,
    /// To whom, as it is written.
    pub to: String,
    /// Whether it stands in a list of tasks of the play itself.
    pub direct: bool,
}

impl Delegation<'_> {
    /// Whether the controller is meant.
    pub fn is_local(&self) -> bool {
        matches!(self.to.as_str(), "localhost" | "127.0.0.1" | "::1")
    }

    /// Whether whom it means is known only in the run.
    pub fn is_template(&self) -> bool {
        self.to.contains("{{")
    }

    /// The task's name, or its module.
    pub fn title(&self) -> String {
        self.task
            .name()
            .unwrap_or_else(|| self.task.action.name.clone())
    }

    fn note(&self, what: impl Into<String>) -> Note {
        Note {
            at: self.task.at,
            task: self.title(),
            what: what.into(),
        }
    }
}

/// All delegated tasks of a play, in order.
pub fn delegations(play: &Play) -> Vec<Delegation<'_>> {
    let mut out = Vec::new();
    for section in [
        &play.pre_tasks,
        &play.tasks,
        &play.post_tasks,
        &play.handlers,
    ] {
        collect(section, true, None, &mut out);
    }
    for role in &play.roles {
        of_role(role, &mut out);
    }
    out
}

fn of_role<'p>(role: &'p RoleUse, out: &mut Vec<Delegation<'p>>) {
    let to = role.keywords.get("delegate_to").and_then(Node::as_str);
    for dependency in &role.dependencies {
        of_role(dependency, out);
    }
    collect(&role.tasks, false, to, out);
    collect(&role.handlers, false, to, out);
}

fn collect<'p>(
    entries: &'p [Entry],
    direct: bool,
    around: Option<&str>,
    out: &mut Vec<Delegation<'p>>,
) {
    for entry in entries {
        match entry {
            Entry::Task(task) => {
                let own = task.keywords.get("delegate_to").and_then(Node::as_str);
                let local = task.action.is_local.then_some("localhost");
                if let Some(to) = own.or(local).or(around).filter(|to| !to.is_empty()) {
                    out.push(Delegation {
                        task,
                        to: to.to_owned(),
                        direct: direct && (own.is_some() || local.is_some()),
                    });
                }
            }
            Entry::Block(block) => {
                let to = block
                    .keywords
                    .get("delegate_to")
                    .and_then(Node::as_str)
                    .or(around);
                for part in [&block.block, &block.rescue, &block.always] {
                    collect(part, false, to, out);
                }
            }
            Entry::ImportTasks(import) => {
                let to = import
                    .task
                    .keywords
                    .get("delegate_to")
                    .and_then(Node::as_str)
                    .or(around);
                collect(&import.entries, false, to, out);
            }
            Entry::ImportRole(import) => of_role(&import.role, out),
        }
    }
}

/// Rewrites the delegated tasks of a file's plays as far as they mean the same afterwards.
pub fn fix_delegates(text: &str, file: &Path, plays: &[Play], sources: &Sources) -> Refactored {
    let mut fix = Fix {
        lines: Lines::of(text),
        text,
        done: Vec::new(),
        left: Vec::new(),
    };
    for play in plays.iter().filter(|p| p.file == file) {
        let here = |at: Position| sources.path(at.file) == file;
        let found: Vec<_> = delegations(play)
            .into_iter()
            .filter(|d| here(d.task.at))
            .collect();
        fix.play(play, &found);
    }
    Refactored {
        text: fix.lines.finish(),
        done: fix.done,
        left: fix.left,
    }
}

struct Fix<'t> {
    lines: Lines<'t>,
    text: &'t str,
    done: Vec<Note>,
    left: Vec<Note>,
}

/// Where a group of tasks goes.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Before,
    After,
}

impl Fix<'_> {
    fn play(&mut self, play: &Play, found: &[Delegation<'_>]) {
        let (needless, found): (Vec<_>, Vec<_>) = found.iter().partition(|d| is_needless(d, play));
        for delegation in needless {
            self.drop_keyword(delegation);
        }
        let leading = self.leading(play, &found);
        let trailing = self.trailing(play, &found, leading.len());
        self.move_out(play, &leading, Side::Before);
        self.move_out(play, &trailing, Side::After);
        let moved = |d: &Delegation<'_>| {
            leading
                .iter()
                .chain(&trailing)
                .any(|m| m.task.at == d.task.at)
        };
        for delegation in found.into_iter().filter(|d| !moved(d)) {
            let why = match self.why_not(play, delegation) {
                Some(why) => why,
                None => "it stands between tasks of the hosts: split the play there".to_owned(),
            };
            self.left.push(delegation.note(why));
        }
    }

    /// The play runs there anyway.
    fn drop_keyword(&mut self, delegation: &Delegation<'_>) {
        match self.key_line(delegation.task, "delegate_to") {
            Some(line) => {
                self.lines.take_key(line);
                let what = format!(
                    "`delegate_to: {}` goes: the play runs there anyway",
                    delegation.to
                );
                self.done.push(delegation.note(what));
            }
            None => {
                let what =
                    "`delegate_to` says nothing here, and does not stand on a line of its own";
                self.left.push(delegation.note(what));
            }
        }
    }

    /// The line of a keyword that stands on one line of its own.
    fn key_line(&self, task: &Task, name: &str) -> Option<usize> {
        let written = task.keywords.iter().find(|w| w.keyword.name == name)?;
        let at = written.key.at;
        let line = (at.line as usize).checked_sub(1)?;
        let before = self
            .lines
            .line(line)
            .get(..(at.column as usize).checked_sub(1)?)?;
        let alone = before.trim().is_empty() && written.value.at.line == at.line;
        // The value goes on where the next line is further in.
        let more = indent(self.lines.line(line + 1)) > before.len()
            && !self.lines.line(line + 1).trim().is_empty();
        (alone && !more).then_some(line)
    }

    fn leading<'d>(&self, play: &Play, found: &[&'d Delegation<'d>]) -> Vec<&'d Delegation<'d>> {
        let section = match (play.pre_tasks.is_empty(), play.roles.is_empty()) {
            (false, _) => &play.pre_tasks,
            (true, true) => &play.tasks,
            (true, false) => return Vec::new(),
        };
        self.run_of(play, section.iter(), found)
    }

    fn trailing<'d>(
        &self,
        play: &Play,
        found: &[&'d Delegation<'d>],
        leading: usize,
    ) -> Vec<&'d Delegation<'d>> {
        // Handlers run behind the last task.
        if !play.handlers.is_empty() || !play.roles.is_empty() {
            return Vec::new();
        }
        let section = if play.post_tasks.is_empty() {
            &play.tasks
        } else {
            &play.post_tasks
        };
        let room = section.len().saturating_sub(leading);
        let mut out = self.run_of(play, section.iter().rev().take(room), found);
        out.reverse();
        out
    }

    /// The delegated tasks at the beginning of a list that can be moved, all to one host.
    fn run_of<'d, 'e>(
        &self,
        play: &Play,
        entries: impl Iterator<Item = &'e Entry>,
        found: &[&'d Delegation<'d>],
    ) -> Vec<&'d Delegation<'d>> {
        let mut out: Vec<&'d Delegation<'d>> = Vec::new();
        for entry in entries {
            let Entry::Task(task) = entry else { break };
            let Some(delegation) = found.iter().find(|d| d.task.at == task.at) else {
                break;
            };
            let same = out.first().is_none_or(|first| first.to == delegation.to);
            if !same || self.why_not(play, delegation).is_some() {
                break;
            }
            out.push(delegation);
        }
        out
    }

    fn why_not(&self, play: &Play, delegation: &Delegation<'_>) -> Option<String> {
        if !delegation.direct {
            return Some("it stands in a block, a role or an imported file".to_owned());
        }
        if delegation.is_template() {
            return Some("whom it means is known only in the run".to_owned());
        }
        let at = delegation.task.at;
        let Some(item) = self.lines.item(at.line as usize, at.column as usize) else {
            return Some("it does not begin a line".to_owned());
        };
        if !delegation.task.action.is_local
            && self.key_line(delegation.task, "delegate_to").is_none()
        {
            return Some("its `delegate_to` does not stand on a line of its own".to_owned());
        }
        let rest: String = self
            .text
            .split_inclusive('\n')
            .enumerate()
            .filter(|(n, _)| !item.contains(n))
            .map(|(_, line)| line)
            .collect();
        obstacle(play, delegation, &rest)
    }

    /// Makes a play of tasks.
    fn move_out(&mut self, play: &Play, tasks: &[&Delegation<'_>], side: Side) {
        let Some(first) = tasks.first() else { return };
        let Some(whole) = self
            .lines
            .item(play.at.line as usize, play.at.column as usize)
        else {
            self.left.extend(
                tasks
                    .iter()
                    .map(|d| d.note("its play does not begin a line")),
            );
            return;
        };
        let dash = indent(self.lines.line((play.at.line as usize).saturating_sub(1)));
        let margin = " ".repeat(dash);
        let title = match side {
            Side::Before => format!("{}: first, on {}", play.title, first.to),
            Side::After => format!("{}: last, on {}", play.title, first.to),
        };
        let title = serde_json::Value::from(title);
        let mut made = format!(
            "{margin}- name: {title}\n{margin}  hosts: {}\n{margin}  gather_facts: false\n{margin}  tasks:\n",
            first.to
        );
        for delegation in tasks {
            let at = delegation.task.at;
            let Some(item) = self.lines.item(at.line as usize, at.column as usize) else {
                continue;
            };
            let dropped: Vec<usize> = ["delegate_to", "run_once"]
                .iter()
                .filter_map(|name| self.key_line(delegation.task, name))
                .collect();
            for line in item.clone() {
                if !dropped.contains(&line) {
                    made.push_str(self.lines.line(line));
                } else if let Some(comment) = self.lines.without_key(line) {
                    made.push_str(&comment);
                }
            }
            if !made.ends_with('\n') {
                made.push('\n');
            }
            // One blank line goes with the task.
            let blank = match side {
                Side::Before => item.end..item.end + 1,
                Side::After => item.start.saturating_sub(1)..item.start,
            };
            self.lines.take(item);
            if blank.end <= self.lines.len() && self.lines.line(blank.start).trim().is_empty() {
                self.lines.take(blank);
            }
            let once = delegation.task.keywords.get("run_once").is_some();
            let note = if once || play.hosts == ["localhost"] {
                ""
            } else {
                ", once in place of once for each host"
            };
            let place = if side == Side::Before {
                "before"
            } else {
                "behind"
            };
            self.done.push(delegation.note(format!(
                "goes into a play for {} {place} its own{note}",
                delegation.to
            )));
        }
        self.drop_empty_section(play, tasks);
        match side {
            Side::Before => {
                made.push('\n');
                self.lines.put_before(whole.start, made);
            }
            Side::After => {
                let at = whole.end.min(self.lines.len());
                self.lines.put_before(at, format!("\n{made}"));
            }
        }
    }

    /// A list that all tasks have left goes, with its key.
    fn drop_empty_section(&mut self, play: &Play, moved: &[&Delegation<'_>]) {
        for (name, section) in [
            ("pre_tasks:", &play.pre_tasks),
            ("tasks:", &play.tasks),
            ("post_tasks:", &play.post_tasks),
        ] {
            let is_moved =
                |e: &Entry| matches!(e, Entry::Task(t) if moved.iter().any(|m| m.task.at == t.at));
            if section.is_empty() || !section.iter().all(is_moved) {
                continue;
            }
            let Entry::Task(first) = &section[0] else {
                continue;
            };
            let mut line = (first.at.line as usize).saturating_sub(1);
            while line > 0 {
                line -= 1;
                if self.lines.line(line).trim() == name {
                    self.lines.take(line..line + 1);
                    break;
                }
            }
        }
    }
}

/// Whether the play runs on the host that the task is delegated to.
fn is_needless(delegation: &Delegation<'_>, play: &Play) -> bool {
    let bare: String = delegation.to.split_whitespace().collect();
    let own = delegation.task.keywords.get("delegate_to").is_some();
    own && delegation.direct
        && (bare == "{{inventory_hostname}}" || play.hosts == [delegation.to.as_str()])
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::play::{Options, Reader};
    use crate::{Files, Kind};

    struct One(String);

    impl Files for One {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Ok(self.0.clone().into_bytes())
        }
        fn kind(&self, path: &Path) -> Option<Kind> {
            (path == Path::new("site.yml")).then_some(Kind::File)
        }
        fn names(&self, _: &Path) -> Vec<String> {
            Vec::new()
        }
    }

    fn told(text: &str) -> String {
        let sources = Sources::default();
        let options = Options::default();
        let files = One(text.to_owned());
        let read = |files: &One| {
            let reader = Reader::new(&sources, files, &options);
            reader.playbook(&PathBuf::from("site.yml")).unwrap()
        };
        let made = fix_delegates(text, Path::new("site.yml"), &read(&files).plays, &sources);
        let line = |n: &Note| format!("{}: {}: {}\n", n.at.line, n.task, n.what);
        let count = |book: &crate::play::Playbook| {
            book.plays
                .iter()
                .map(|p| p.pre_tasks.len() + p.tasks.len() + p.post_tasks.len())
                .sum::<usize>()
        };
        assert_eq!(
            count(&read(&files)),
            count(&read(&One(made.text.clone()))),
            "{}",
            made.text
        );
        let notes: String = made
            .done
            .iter()
            .map(line)
            .chain(["--\n".to_owned()])
            .chain(made.left.iter().map(line))
            .collect();
        format!("{}--\n{notes}", made.text)
    }

    #[test]
    fn tasks_at_the_edges_become_plays() {
        insta::assert_snapshot!(told(
            "# Site.\n- name: web\n  hosts: web\n  tasks:\n    # Ask first.\n    - name: API\n      uri:\n        url: http://api  # the address\n      delegate_to: localhost  # from here\n      run_once: true\n\n    - name: Work\n      ping:\n\n    - name: Report\n      command: report\n      delegate_to: db1\n\n# Other.\n- hosts: localhost\n  tasks:\n    - ping:\n      delegate_to: localhost\n"
        ), @r#"
        - name: "web: first, on localhost"
          hosts: localhost
          gather_facts: false
          tasks:
            # Ask first.
            - name: API
              uri:
                url: http://api  # the address
              # from here

        # Site.
        - name: web
          hosts: web
          tasks:
            - name: Work
              ping:

        - name: "web: last, on db1"
          hosts: db1
          gather_facts: false
          tasks:
            - name: Report
              command: report

        # Other.
        - hosts: localhost
          tasks:
            - ping:
        --
        6: API: goes into a play for localhost before its own
        15: Report: goes into a play for db1 behind its own, once in place of once for each host
        22: ping: `delegate_to: localhost` goes: the play runs there anyway
        --
        "#);
    }

    #[test]
    fn what_would_mean_something_else_is_left() {
        insta::assert_snapshot!(told(
            "- hosts: web\n  tasks:\n    - command: echo {{ x }}\n      delegate_to: localhost\n    - ping:\n    - command: a\n      delegate_to: localhost\n    - ping: {}\n      delegate_to: '{{ other }}'\n    - block:\n        - ping:\n      delegate_to: localhost\n    - {ping: , delegate_to: localhost}\n- hosts: web\n  become: true\n  tasks:\n    - command: a\n      delegate_to: localhost\n      register: r\n    - debug: var=r\n"
        ), @r#"
        - hosts: web
          tasks:
            - command: echo {{ x }}
              delegate_to: localhost
            - ping:
            - command: a
              delegate_to: localhost
            - ping: {}
              delegate_to: '{{ other }}'
            - block:
                - ping:
              delegate_to: localhost
            - {ping: , delegate_to: localhost}
        - hosts: web
          become: true
          tasks:
            - command: a
              delegate_to: localhost
              register: r
            - debug: var=r
        --
        --
        3: command: it uses the variable `x` of its hosts
        6: command: it stands between tasks of the hosts: split the play there
        8: ping: whom it means is known only in the run
        11: ping: it stands in a block, a role or an imported file
        13: ping: its `delegate_to` does not stand on a line of its own
        17: command: `become` of its play applies to it
        "#);
    }
}
