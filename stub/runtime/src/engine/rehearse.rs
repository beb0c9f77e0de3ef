//! The rehearsal of an atomic play: before its first task, all files that its tasks will put into place are read, checked
//! and staged, so that a damaged asset, a template that does not render or a full disk changes nothing.
//!
//! The modules themselves say what they would write, in check mode with a [`Staging`]; so what is staged is what they will
//! ask for. A task whose condition is false when the play begins is passed over. One whose file cannot be known then,
//! because it is made from what an earlier task of the same play registers, ends the play before it begins: what was
//! promised cannot be kept, and a play before this one can find out what it needs.

use rustle_formats::plan::{Block, Item, PlayPlan, Task};

use super::invoke::{self, Call};
use super::keywords::{self, Keywords};
use super::play::PlayRun;
use super::runner::Abort;
use super::{Frame, attempt, loops, tags, task};
use crate::args::{Args, Moment, first_message};
use crate::assets::AssetKind;
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
    let mut out = Vec::new();
    for batch in &play.play.batches {
        if play.concerns(&batch.hosts) {
            for item in &batch.tasks {
                walk(play.play, item, &mut Vec::new(), &mut out);
            }
        }
    }
    let options = play.run.store.options;
    out.retain(|frame| {
        let tags = tags::effective(play.play, &frame.blocks, frame.task);
        tags::selected(&tags, &options.tags, &options.skip_tags)
    });
    let handlers = play.play.handlers.iter();
    out.extend(handlers.map(|handler| Frame::of_handler(play.play, handler)));
    out.retain(|frame| play.concerns(&frame.task.hosts));
    out
}

fn walk<'p>(
    play: &'p PlayPlan,
    item: &'p Item,
    blocks: &mut Vec<&'p Block>,
    out: &mut Vec<Frame<'p>>,
) {
    match item {
        Item::Task(task) => out.push(Frame {
            play,
            blocks: blocks.clone(),
            task,
            handler: false,
        }),
        Item::Block(block) => {
            blocks.push(block);
            let inner = block.block.iter().chain(&block.rescue).chain(&block.always);
            for item in inner {
                walk(play, item, blocks, out);
            }
            blocks.pop();
        }
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
    let Some(module) = concerned(frame.task) else {
        return Ok(());
    };
    play.run.check_stop()?;
    play.run.templates.begin_task(&frame.task.asset_paths);
    let vars = TaskVars::new(task::scope(play, frame));
    let templar = Templar::new(&play.run.templates, &vars);
    let go = |templar: &Templar<'_, 'r>| one_item(play, staging, frame, module, templar);
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
    })
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
    let keywords = Keywords::evaluate(templar, frame, (true, false))?;
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
    let name = module.spec().name;
    if let Some((_, kind)) = READING.iter().find(|(reading, _)| *reading == name) {
        return read_named(&call, &args, kind);
    }
    if name != "template" && args.bool("remote_src") {
        return Ok(());
    }
    // A background task may outlive the play, and with it what was staged.
    let writing = !check && keywords.background.is_none();
    staging.prepare(
        writing,
        ready.identity.as_ref().map(|who| (who.uid, who.gid)),
    );
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
        let found = find_asset(assets, &call.frame.task.asset_paths, name, kind);
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
