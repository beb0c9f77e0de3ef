//! The rehearsal of an atomic play: before its first task, all files that its tasks will put into place are read, checked
//! and staged, so that a damaged asset, a template that does not render or a full disk changes nothing.
//!
//! The modules themselves say what they would write, in check mode with a [`Staging`]; so what is staged is what they will
//! ask for. A task whose condition is false when the play begins is passed over. One whose file cannot be known then,
//! because it is made from what an earlier task of the same play registers, ends the play before it begins: what was
//! promised cannot be kept, and a play before this one can find out what it needs.

use std::cell::RefCell;
use std::rc::Rc;

use rustle_formats::plan::{Item, Task};

use super::includes::{self, Content};
use super::invoke::{self, Call};
use super::keywords::{self, Keywords};
use super::level::Level;
use super::play::PlayRun;
use super::role::Role;
use super::runner::Abort;
use super::{Frame, attempt, handlers, loops, task};
use crate::args::{Args, Moment, first_message};
use crate::assets::AssetKind;
use crate::r#become::Who;
use crate::context::{Staging, find_asset};
use crate::modules::{self, Module};
use crate::vars::{TaskVars, Templar};

/// Modules that put files of the plan into place.
const PLACING: &[&str] = &["copy", "template", "assemble"];
/// Modules that use a file of the plan, and the conventional folder in which it is looked for.
const READING: &[(&str, &str)] = &[
    ("script", "files"),
    ("include_vars", "vars"),
    ("uri", "files"),
];

/// Stages what the tasks and handlers of the play will put into place.
///
/// # Errors
/// What makes it impossible, with the task's name; nothing was changed then.
pub(crate) fn rehearse<'r>(play: &PlayRun<'_, 'r>, staging: &Staging) -> Result<(), Abort> {
    staging.rehearse(true);
    let done = frames(play)
        .into_iter()
        .try_for_each(|frame| one_task(play, staging, &frame));
    staging.rehearse(false);
    done
}

/// The tasks and handlers that concern this host and were not deselected.
fn frames<'r>(play: &PlayRun<'_, 'r>) -> Vec<Frame<'r>> {
    let mut walk = Walk {
        play,
        around: Vec::new(),
        out: Vec::new(),
    };
    for batch in &play.play.batches {
        if play.concerns(&batch.hosts) {
            walk.items(&batch.tasks);
        }
    }
    let mut out = walk.out;
    out.extend(handlers::frames(play));
    out.retain(|frame| play.concerns(&frame.task.hosts));
    out
}

/// Collects the tasks that the run's tags select.
struct Walk<'w, 'r> {
    play: &'w PlayRun<'w, 'r>,
    around: Vec<Level<'r>>,
    out: Vec<Frame<'r>>,
}

impl<'r> Walk<'_, 'r> {
    fn items(&mut self, items: &'r [Item]) {
        for item in items {
            self.item(item);
        }
    }

    fn item(&mut self, item: &'r Item) {
        match item {
            Item::Task(task) => {
                let frame = Frame {
                    play: self.play.play,
                    around: self.around.clone(),
                    task,
                    handler: false,
                };
                if self.play.selects(&frame) {
                    self.out.push(frame);
                }
            }
            Item::Block(block) => {
                self.around.push(Level::Block(block));
                if let Some(used) = &block.use_role
                    && let Ok(role) = Role::of_block(self.play.run.store.plan, block, used)
                {
                    self.role(&role);
                }
                self.items(&block.block);
                self.items(&block.rescue);
                self.items(&block.always);
                self.around.pop();
            }
        }
    }

    fn role(&mut self, role: &Rc<Role<'r>>) {
        self.around.push(Level::Role(role.clone()));
        for (entry, dependency) in &role.dependencies {
            self.around.push(Level::Block(entry));
            self.role(dependency);
            self.around.pop();
        }
        self.items(role.tasks);
        self.around.pop();
    }
}

/// Whether a module has to do with files of the plan.
fn concerned(task: &Task) -> Option<&'static dyn Module> {
    let module = modules::find(&task.module)?;
    let name = module.spec().name;
    (PLACING.contains(&name) || READING.iter().any(|(reading, _)| *reading == name))
        .then_some(module)
}

fn one_task<'r>(play: &PlayRun<'_, 'r>, staging: &Staging, frame: &Frame<'r>) -> Result<(), Abort> {
    let module = concerned(frame.task);
    if module.is_none() && !includes::is_include(&frame.task.module) {
        return Ok(());
    }
    play.run.check_stop()?;
    play.run.templates.begin_task(frame);
    let vars = TaskVars::new(task::scope(play, frame));
    let templar = Templar::new(&play.run.templates, &vars);
    let inside = RefCell::new(Vec::new());
    let go = |templar: &Templar<'_, 'r>| match module {
        Some(module) => one_item(play, staging, frame, module, templar),
        None if skipped(frame, templar) => Ok(()),
        None => {
            inside.borrow_mut().extend(included(play, frame, templar)?);
            Ok(())
        }
    };
    let done = match loops::items(frame, &templar) {
        loops::Items::None => go(&templar),
        // No list, whatever the conditions say: the task fails in its turn, and nothing is written.
        loops::Items::Wrong(_) => Ok(()),
        loops::Items::Undefined(message) if !skipped(frame, &templar) => Err(message),
        loops::Items::Undefined(_) => Ok(()),
        loops::Items::List(items) => loops::each(frame, &templar, &items, go),
    };
    done.map_err(|message| {
        let message = if attempt::no_log(frame, &templar) {
            "what went wrong is hidden, since the task has no_log".to_owned()
        } else {
            message
        };
        let place = frame.task.source.as_ref().filter(|s| s.line > 0);
        let place = place.map_or_else(String::new, |s| {
            format!(" ({}:{}:{})", s.file, s.line, s.column)
        });
        Abort::Error(format!(
            "the play '{}' is atomic and was not begun: the task '{}'{place} cannot be staged: {message}",
            play.play.name,
            frame.written_name()
        ))
    })?;
    let inside = inside.into_inner();
    inside
        .iter()
        .try_for_each(|frame| one_task(play, staging, frame))
}

/// The tasks that an including task brings in, as things stand when the play begins.
fn included<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
) -> Result<Vec<Frame<'r>>, String> {
    if frame.around.len() > includes::MAX_DEPTH {
        return Err("files of tasks include each other too deeply".into());
    }
    let found = includes::look(play, frame, templar)?;
    let mut walk = Walk {
        play,
        around: frame.around.clone(),
        out: Vec::new(),
    };
    walk.around.push(found.level);
    match found.content {
        Content::Tasks(items) => walk.items(items),
        Content::Role(role) => walk.role(&role),
    }
    Ok(walk.out)
}

/// Whether a condition of the task is false as things stand.
fn skipped(frame: &Frame<'_>, templar: &Templar<'_, '_>) -> bool {
    frame
        .when()
        .any(|condition| templar.condition(condition) == Ok(false))
}

fn one_item<'r>(
    play: &PlayRun<'_, 'r>,
    staging: &Staging,
    frame: &Frame<'r>,
    module: &'static dyn Module,
    templar: &Templar<'_, 'r>,
) -> Result<(), String> {
    if skipped(frame, templar) {
        return Ok(());
    }
    let options = play.run.store.options;
    let (check, _) = keywords::modes(templar, frame, (options.check, false))?;
    let keywords = Keywords::evaluate(templar, frame, (true, false), &|_| {})?;
    if keywords
        .delegate_to
        .as_ref()
        .is_some_and(|host| *host != play.run.store.host)
    {
        return Ok(());
    }
    let raw = attempt::arguments(frame, templar)?;
    let args = Args::check(module.spec(), &raw, Moment::Running)
        .map_err(|errors| first_message(module.spec(), &errors))?;
    let call = Call {
        play,
        frame,
        templar,
        keywords: &keywords,
        args: raw,
        no_log: false,
    };
    let ready = invoke::ready(&call, module, &args)?;
    if let Some(Who::Started(started)) = &ready.who {
        return Err(format!(
            "it becomes '{}' by {}, which nothing can be staged for: start the run as root",
            started.escalate.user,
            started.escalate.method.name()
        ));
    }
    let name = module.spec().name;
    if let Some((_, kind)) = READING.iter().find(|(reading, _)| *reading == name) {
        return read_named(&call, &args, kind);
    }
    if name != "template" && args.bool("remote_src") {
        return Ok(());
    }
    // A background task may outlive the play, and with it what was staged.
    let writing = !check && keywords.background.is_none();
    staging.prepare(writing, ready.who.as_ref().and_then(Who::owner));
    invoke::module(&call, &ready, None)
        .map(|_| ())
        .map_err(|failure| failure.msg)
}

/// Reads a file of the plan that a task names, if it is there: its content is checked on the way.
fn read_named(call: &Call<'_, '_, '_>, args: &Args, kind: &str) -> Result<(), String> {
    let spec = modules::find(&call.frame.task.module).map(|m| m.spec());
    let names = spec
        .into_iter()
        .flat_map(|s| s.all_args())
        .filter(|a| a.asset);
    let assets = call.play.run.store.driver.assets();
    for arg in names {
        let Some(text) = args.str(arg.name) else {
            continue;
        };
        // Free-form text is a file and its arguments.
        let name = text.split_whitespace().next().unwrap_or_default();
        let found = find_asset(assets, &call.frame.folders(), name, kind);
        // What is not there is for the task to say: it may be a file of the machine.
        if let Ok(entry) = found
            && matches!(entry.kind, AssetKind::File { .. })
        {
            assets
                .read(&entry.path, &mut std::io::sink())
                .map_err(|e| format!("Could not read {name}: {e}"))?;
        }
    }
    Ok(())
}
