//! Plans that were made before: the answer to a command whose question, surroundings and files are the same.
//!
//! What is asked goes into the key: the program, the command, the settings, the environment, the extra variables. What was looked at
//! while the answer was made is kept with it, names that were not there among it, and looked at again: one `stat` for each. The
//! inventory is read each time, because programs and many folders may be part of it; a digest of it must be the same. Nothing is
//! kept that warned, failed, holds a secret or a module of the repository, or asked for the time or for chance.

mod shelf;
mod watch;

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{Input, Made, SourceOptions, make, planned, with_reader};
use crate::playbook_source::{self as source, Parts, Targets};
use crate::surroundings::refused;

use shelf::Shelf;
pub(crate) use watch::{Stamp, Watch};

/// What a command prints.
pub(crate) struct Answer {
    /// Its data.
    pub(crate) text: String,
    /// What it says to people after that. Such answers are not kept.
    pub(crate) after: Vec<Diagnostic>,
    /// How it ends.
    pub(crate) exit: Exit,
    /// Whether it may be given again, as far as the one who made it knows.
    pub(crate) lasting: bool,
}

impl Answer {
    /// Prints it.
    pub(crate) fn give(self, console: &Console) -> Result<Exit, Failure> {
        crate::console::print(&self.text)?;
        for said in &self.after {
            console.say(said);
        }
        Ok(self.exit)
    }
}

/// What is kept of an answer.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The patterns of the plays, by which the inventory's hosts are picked.
    patterns: Vec<Vec<String>>,
    /// The digest of the inventory.
    inventory: [u8; 32],
    /// What was looked at.
    seen: Vec<(PathBuf, Stamp)>,
    text: String,
}

/// Answers a command: with what was made before where nothing changed, else with what `then` makes of the plan.
///
/// # Errors
/// Those of reading and planning, and of `then`.
pub(crate) fn answer(
    input: Input,
    options: &SourceOptions,
    question: &str,
    console: &Console,
    then: impl FnOnce(Made) -> Result<Answer, Failure>,
) -> Result<Answer, Failure> {
    let path = match &input {
        Input::Playbook(path, None) if options.may_cache() => path.clone(),
        _ => return then(make(input, options, console)?),
    };
    let watch = Watch::default();
    // The playbook itself may be found by another name.
    watch.note(&path);
    with_reader(
        &path,
        None,
        options,
        Some(watch.clone()),
        console,
        |parts| {
            let slot = Slot::of(parts, question);
            let sources = &parts.surroundings.sources;
            let mut known = None;
            if let Some(kept) = slot.as_ref().and_then(Slot::find) {
                let targets = source::targets_of(parts, &kept.patterns, &options.chosen(), console)
                    .map_err(|p| refused(&p, sources))?;
                if digest(&targets) == kept.inventory {
                    return Ok(Answer {
                        text: kept.text,
                        after: Vec::new(),
                        exit: Exit::Done,
                        lasting: true,
                    });
                }
                known = Some(targets);
            }
            let playbook = source::read(parts.reader, &path).map_err(|p| refused(&[p], sources))?;
            parts.surroundings.say(console, &playbook.warnings);
            let parts = Parts {
                playbook: &playbook,
                ..*parts
            };
            let targets = match known {
                // The patterns are those of before: no file changed.
                Some(targets) => targets,
                None => source::targets(&parts, &options.chosen(), console)
                    .map_err(|p| refused(&p, sources))?,
            };
            let inventory = digest(&targets);
            let made = planned(&parts, options, targets, console)?;
            let lasting = made.lasting;
            let answer = then(made)?;
            if lasting && answer.lasting && !rustle_template::machine_was_asked() {
                let seen = watch.seen();
                if let (Some(slot), Some(seen)) = (slot, seen) {
                    slot.keep(&Kept {
                        patterns: parts.patterns(),
                        inventory,
                        seen,
                        text: answer.text.clone(),
                    });
                }
            }
            Ok(answer)
        },
    )
}

/// The place of one question's answer.
struct Slot {
    shelf: Shelf,
    key: String,
}

impl Slot {
    fn of(parts: &Parts<'_>, question: &str) -> Option<Slot> {
        let environment = parts.surroundings.config.environment();
        let set = |name: &str| environment.get(name).filter(|v| !v.is_empty());
        let cache = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| Path::new(home).join(".cache")))
            .filter(|path| path.is_absolute())?;
        let shelf = Shelf::open(cache.join("rustle/plans"))?;
        let key = key(parts, question)?;
        Some(Slot { shelf, key })
    }

    /// What is kept, where all that was looked at is as it was.
    fn find(&self) -> Option<Kept> {
        let kept: Kept = postcard::from_bytes(&self.shelf.get(&self.key)?).ok()?;
        let same = |(path, stamp): &(PathBuf, Stamp)| Stamp::of(path) == *stamp;
        kept.seen.iter().all(same).then_some(kept)
    }

    fn keep(&self, kept: &Kept) {
        if let Ok(body) = postcard::to_stdvec(kept) {
            self.shelf.put(&self.key, &body);
        }
    }
}

/// The digest of all that an answer depends on beside files and the inventory. `None`: this program cannot tell itself from others.
fn key(parts: &Parts<'_>, question: &str) -> Option<String> {
    let config = &parts.surroundings.config;
    let environment = config.environment();
    let mut variables: Vec<_> = environment.variables.iter().collect();
    variables.sort_unstable();
    let machine = rustix::system::uname();
    let mut digest = Digest::default();
    for part in [
        &shelf::program()? as &dyn fmt::Debug,
        &question,
        &environment.directory,
        &variables,
        &config.file(),
        &config.given(),
        &source::collections(parts.surroundings),
        &crate::disk::installation(environment.get("PATH")),
        &parts.extra,
        &machine,
    ] {
        // Writing into a digest does not fail.
        let _ = writeln!(digest, "{part:?}");
    }
    Some(digest.0.finalize().to_hex().to_string())
}

/// The digest of an inventory with its hosts picked.
fn digest(targets: &Targets) -> [u8; 32] {
    let mut digest = Digest::default();
    let _ = write!(
        digest,
        "{:?} {:?} {:?}",
        targets.inventory, targets.hosts, targets.extra
    );
    *digest.0.finalize().as_bytes()
}

#[derive(Default)]
struct Digest(blake3::Hasher);

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}
