//! Background tasks: `async` and `poll`.
//!
//! The task runs in a session of its own, so it outlives the run where nobody waits for it. A file under the user's
//! `.ansible_async` tells how it stands; `async_status` reads it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustle_formats::{Map, Value};

use super::invoke::{self, Call, Ready};
use super::keywords;
use super::runner::Abort;
use super::{child, result};
use crate::r#become::{Answers, Identity, Started, Talk, Told, Who};
use crate::jobs::{self, State};
use crate::outcome::ModuleResult;

/// The environment variable that names another folder for the states of background tasks, as in Ansible.
pub(crate) const FOLDER: &str = jobs::FOLDER;

/// Starts the task in the background, and waits for it where `poll` says so.
pub(crate) fn run(
    call: &Call<'_, '_, '_>,
    ready: &Ready<'_>,
    background: keywords::Background,
) -> Result<Map, Abort> {
    if call.keywords.check {
        return Ok(result::failed(
            "check mode and async cannot be used on same task.",
        ));
    }
    let run = call.play.run;
    let Some(folder) = folder(call, ready) else {
        return Ok(result::task_failed(
            "no home folder for the state of background tasks is known",
        ));
    };
    let number = run.jobs.get() + 1;
    run.jobs.set(number);
    let id = jobs::new_id(number);
    let file = folder.join(&id);
    let wanted = Background {
        file,
        limit: background.limit,
    };
    let begun = match &ready.who {
        Some(Who::Started(started)) => begin_elsewhere(call, ready, started, &wanted),
        who => self::background(who.as_ref().and_then(Who::forked), &wanted, &|folder| {
            invoke::module(call, ready, Some(folder))
        })
        .map(|()| wanted.file)
        .map_err(|e| child::End::Died(jobs::unstarted(&e))),
    };
    let file = match begun {
        Ok(file) => file,
        Err(end) => return Ok(invoke::ended(end)),
    };
    if background.poll == 0 {
        return Ok(started(&id, &file));
    }
    let end = Instant::now()
        .checked_add(Duration::from_secs(background.limit))
        .unwrap_or_else(Instant::now);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        run.sleep(Duration::from_secs(background.poll).min(left.max(Duration::from_millis(10))))?;
        let state = match &ready.who {
            Some(Who::Started(started)) => state_elsewhere(call, ready, started, &file),
            _ => jobs::read(&file).inspect(|state| {
                if matches!(state, State::Finished(_)) {
                    // Nobody will ask for it again.
                    let _ = std::fs::remove_file(&file);
                }
            }),
        };
        match state {
            Ok(State::Finished(map)) => return Ok(jobs::finished(&id, &file, map)),
            Ok(State::Running) => {}
            Err(message) => return Ok(result::task_failed(&message)),
        }
        if Instant::now() >= end {
            let mut map = result::failed(&format!(
                "async task did not complete within the requested time - {}s",
                background.limit
            ));
            map.insert("async_result".into(), Value::Map(started(&id, &file)));
            return Ok(map);
        }
    }
}

/// The folder of the state files. That of a user whom this process does not know is below the home that the worker has.
fn folder(call: &Call<'_, '_, '_>, ready: &Ready<'_>) -> Option<PathBuf> {
    let machine = call.play.run.store.driver.machine();
    if let Some(dir) = ready.environment.get(FOLDER) {
        return Some(PathBuf::from(dir));
    }
    match &ready.who {
        Some(Who::Forked(identity)) => {
            return Some(Path::new(&identity.home).join(".ansible_async"));
        }
        Some(Who::Started(_)) => return Some(PathBuf::new()),
        None => {}
    }
    if let Some(dir) = &machine.async_dir {
        return Some(dir.clone());
    }
    let home = machine.env.get("HOME")?;
    Some(Path::new(home).join(".ansible_async"))
}

/// Has a worker begin the task. A process of ours stays with it for as long as it may ask for files. Gives the state's file.
fn begin_elsewhere(
    call: &Call<'_, '_, '_>,
    ready: &Ready<'_>,
    started: &Started,
    wanted: &Background,
) -> Result<PathBuf, child::End> {
    let mut job = invoke::job(call, ready);
    job.file = wanted.file.to_string_lossy().into_owned();
    job.limit = wanted.limit;
    let failed = |e: std::io::Error| child::End::Died(jobs::unstarted(&e));
    let answers = Answers {
        assets: call.play.run.store.driver.assets(),
        variables: call.templar,
    };
    let text = apart(&|mut told| {
        let talk = Talk::begin(started, None, &|| false).and_then(|mut talk| {
            let begun = talk.job(&job, &answers)?;
            Ok((talk, begun))
        });
        let (kind, text, talk) = match talk {
            Ok((talk, Told::Background(file))) => ("+", file, Some(talk)),
            Ok((_, Told::Result(result))) => {
                ("-", result.err().map_or_else(String::new, |f| f.msg), None)
            }
            Err(child::End::Unreachable(why)) => ("!", why, None),
            Err(end) => ("-", end.sentence(), None),
        };
        // Who has gone on without is told nothing.
        let _ = told.write_all([kind, &text].concat().as_bytes());
        drop(told);
        if let Some(mut talk) = talk {
            // It ends when the task does.
            let _ = talk.listen(&answers);
        }
        0
    })
    .map_err(failed)?;
    match text.split_at_checked(1) {
        Some(("+", file)) => Ok(file.into()),
        Some(("!", why)) => Err(child::End::Unreachable(why.into())),
        Some((_, why)) => Err(child::End::Died(why.into())),
        None => Err(failed(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// How a task of another user stands.
fn state_elsewhere(
    call: &Call<'_, '_, '_>,
    ready: &Ready<'_>,
    started: &Started,
    file: &Path,
) -> Result<State, String> {
    let ask = |mode: &str| {
        let mut args = Map::new();
        let name = |part: Option<&std::ffi::OsStr>| -> Value {
            part.unwrap_or_default().to_string_lossy().as_ref().into()
        };
        args.insert("jid".into(), name(file.file_name()));
        args.insert(
            "_async_dir".into(),
            name(file.parent().map(Path::as_os_str)),
        );
        args.insert("mode".into(), mode.into());
        let mut job = invoke::job(call, ready);
        job.module = "async_status".into();
        #[cfg(feature = "full")]
        let _ = job.carried.take();
        job.args = args;
        let asked = invoke::elsewhere(call, started, None, &job).map_err(child::End::sentence)?;
        Ok::<Map, String>(result::of_module(asked))
    };
    let map = ask("status")?;
    if !result::is(&map, "finished") {
        return Ok(State::Running);
    }
    ask("cleanup")?;
    Ok(State::Finished(map))
}

/// What is registered of a task that was only started.
fn started(id: &str, file: &Path) -> Map {
    let mut map = Map::new();
    map.insert("failed".into(), false.into());
    map.insert("started".into(), true.into());
    map.insert("finished".into(), false.into());
    map.insert("ansible_job_id".into(), id.into());
    map.insert(
        "results_file".into(),
        file.to_string_lossy().as_ref().into(),
    );
    map.insert("changed".into(), true.into());
    map
}

/// A task in the background.
pub(crate) struct Background {
    /// The file that tells how it stands, in the folder of such files.
    pub file: PathBuf,
    /// How many seconds it may take.
    pub limit: u64,
}

/// Does something in a process that belongs to nobody who would have to wait for it. Gives what it tells before it closes its
/// end of the pipe.
fn apart(then: &dyn Fn(File) -> i32) -> std::io::Result<String> {
    let (reader, told) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: the child forks again and ends; the grandchild runs this crate's code alone and ends with `_exit`.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(std::io::Error::last_os_error()),
        0 => {
            // SAFETY: a fresh child with one thread; plain system calls.
            let second = unsafe {
                libc::setsid();
                child::default_signals();
                libc::fork()
            };
            if second != 0 {
                child::exit(i32::from(second < 0));
            }
            detach_streams();
            drop(reader);
            child::exit(then(told.into()))
        }
        pid => {
            drop(told);
            child::reap(pid);
            let mut text = Vec::new();
            File::from(reader).read_to_end(&mut text)?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
    }
}

/// What a background process tells that is under way.
const UNDER_WAY: &str = "+";

/// Begins a task in the background, as `identity` if given. `body` is given the folder that its temporary files may lie in.
pub(crate) fn background(
    identity: Option<&Identity>,
    job: &Background,
    body: &dyn Fn(&Path) -> ModuleResult,
) -> std::io::Result<()> {
    let folder = job.file.parent().unwrap_or(Path::new("/"));
    let id = job.file.file_name().unwrap_or_default().to_string_lossy();
    let said = apart(&|mut told| {
        let assumed = identity.map_or(Ok(()), Identity::assume);
        let ready = assumed.map_err(std::io::Error::other);
        let ready = ready.and_then(|()| jobs::prepare(folder));
        // The state is written before anybody can ask for it.
        let ready = ready.and_then(|()| jobs::write_running(&job.file, &id));
        let wrong = ready.as_ref().err().map(ToString::to_string);
        let _ = told.write_all(wrong.as_deref().unwrap_or(UNDER_WAY).as_bytes());
        drop(told);
        match wrong {
            Some(_) => 1,
            None => watch(job, &|| body(folder)),
        }
    })?;
    match said.as_str() {
        UNDER_WAY => Ok(()),
        "" => Err(std::io::ErrorKind::UnexpectedEof.into()),
        wrong => Err(std::io::Error::other(wrong)),
    }
}

/// The background process: runs the module in a child with a time limit, and writes the result.
fn watch(job: &Background, body: &dyn Fn() -> ModuleResult) -> i32 {
    let deadline = Instant::now().checked_add(Duration::from_secs(job.limit));
    let end = child::run(None, deadline, &|| false, body);
    let map = match end {
        Ok(outcome) => result::of_module(outcome),
        Err(child::End::TimedOut) => result::failed(&format!(
            "Job reached maximum time limit of {} seconds.",
            job.limit
        )),
        Err(end) => result::failed(&end.sentence()),
    };
    i32::from(jobs::write_finished(&job.file, &map).is_err())
}

/// A background task must not keep the run's pipes open, or whoever reads them would wait for it.
fn detach_streams() {
    // SAFETY: plain system calls; the path is a C string literal.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for stream in 0..=2 {
            if null >= 0 {
                libc::dup2(null, stream);
            } else {
                libc::close(stream);
            }
        }
        if null > 2 {
            libc::close(null);
        }
    }
}
