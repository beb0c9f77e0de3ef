//! `rustle refactor`: a patch of playbooks, shown first and applied on request.

use std::path::{Path, PathBuf};

use rustle_formats::{Map, Value};
use rustle_playbook::play::{Playbook, Reader};
use rustle_playbook::refactor::{Note, Refactored, fix_delegates};
use rustle_runtime::report::difference;

use crate::console::{Console, print};
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{SourceOptions, with_playbook};
use crate::playbook_source::{Parts, options};

/// Shows a patch after which more of a playbook runs on the targets alone; comments and layout stay. Nothing is written without
/// --apply.
#[derive(Debug, clap::Args)]
pub(crate) struct Refactor {
    /// The playbook.
    #[arg(value_name = "PLAYBOOK")]
    playbook: PathBuf,
    /// Delegated tasks at the edges of plays become plays of their own; where `delegate_to` says nothing, it goes.
    #[arg(long, required = true)]
    fix_delegates: bool,
    /// Write the files, each as a whole.
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    options: SourceOptions,
}

impl Refactor {
    /// Shows or writes it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        with_playbook(&self.playbook, None, &self.options, console, |parts| {
            let mut made: Vec<(PathBuf, String, Refactored)> = Vec::new();
            for play in &parts.playbook.plays {
                if made.iter().any(|(file, ..)| *file == play.file) {
                    continue;
                }
                let text =
                    std::fs::read_to_string(&play.file).map_err(Failure::io("read", &play.file))?;
                let sources = &parts.surroundings.sources;
                let rewritten = fix_delegates(&text, &play.file, &parts.playbook.plays, sources);
                if rewritten.text != text {
                    check(parts, &self.playbook, &play.file, &rewritten)?;
                }
                made.push((play.file.clone(), text, rewritten));
            }
            let mut patch = String::new();
            for (file, old, new) in &made {
                patch.push_str(&patch_of(file, old, &new.text));
                say(parts, console, new);
            }
            print(&patch)?;
            if patch.is_empty() {
                console.info("nothing to rewrite");
            } else if self.apply {
                for (file, _, new) in made.iter().filter(|(_, old, new)| *old != new.text) {
                    crate::replace::replace(file, new.text.as_bytes(), None)
                        .map_err(Failure::io("write", file))?;
                    console.info(&format!("{} is rewritten", file.display()));
                }
            } else {
                console.info("nothing was written; --apply writes it");
            }
            Ok(Exit::Done)
        })
    }
}

fn say(parts: &Parts<'_>, console: &Console, made: &Refactored) {
    let line = |note: &Note, left: &str| {
        let source = parts.surroundings.sources.source(note.at);
        console.info(&format!(
            "{}:{}:{}: `{}` {left}{}",
            source.file, source.line, source.column, note.task, note.what
        ));
    };
    made.done.iter().for_each(|note| line(note, ""));
    made.left
        .iter()
        .for_each(|note| line(note, "stays as it is: "));
}

/// The rewritten playbook must read, and have as many tasks as before.
fn check(parts: &Parts<'_>, path: &Path, file: &Path, made: &Refactored) -> Result<(), Failure> {
    let disk = Disk::new(parts.disk.vault.clone()).with(file, made.text.clone().into_bytes());
    let reading = options(parts.surroundings, parts.extra);
    let sources = rustle_playbook::Sources::default();
    let again = Reader::new(&sources, &disk, &reading).playbook(path);
    let tasks = |book: &Playbook| -> usize {
        let plays = book.plays.iter();
        plays
            .map(|p| p.pre_tasks.len() + p.tasks.len() + p.post_tasks.len())
            .sum()
    };
    let broken = match again {
        Ok(book) if tasks(&book) == tasks(parts.playbook) => return Ok(()),
        Ok(_) => "it would have another number of tasks".to_owned(),
        Err(problem) => problem.message,
    };
    Err(Failure::text(
        Exit::Machine,
        format!("{} cannot be rewritten: {broken}", file.display()),
    ))
}

/// A unified difference, as `patch -p1` takes it.
fn patch_of(file: &Path, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let mut sides = Map::new();
    sides.insert("before".to_owned(), old.into());
    sides.insert("after".to_owned(), new.into());
    let shown = difference(&Value::Map(sides), false);
    let body = shown.split_inclusive('\n').skip(2);
    let name = file
        .strip_prefix("./")
        .unwrap_or(file)
        .display()
        .to_string();
    let name = name.trim_start_matches('/');
    format!("--- a/{name}\n+++ b/{name}\n{}", body.collect::<String>())
}
