//! Background tasks: `async` and `poll`.
//!
//! The task runs in a session of its own, so it outlives the run where nobody waits for it. A file under the user's
//! `.ansible_async` tells how it stands; `async_status` reads it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustle_formats::{Map, Value};

use super::invoke::{self, Call, Ready};
use super::keywords::Background;
use super::runner::Abort;
use super::{child, result};
use crate::jobs::{self, State};

/// The environment variable that names another folder for the states of background tasks, as in Ansible.
pub(crate) const FOLDER: &str = jobs::FOLDER;

/// Starts the task in the background, and waits for it where `poll` says so.
pub(crate) fn run(
    call: &Call<'_, '_, '_>,
    ready: &Ready<'_>,
    background: Background,
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
    if let Err(e) = start(call, ready, &folder, &file, &id, background.limit) {
        return Ok(result::task_failed(&format!(
            "cannot start the task in the background: {e}"
        )));
    }
    if background.poll == 0 {
        return Ok(started(&id, &file));
    }
    let end = Instant::now()
        .checked_add(Duration::from_secs(background.limit))
        .unwrap_or_else(Instant::now);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        run.sleep(Duration::from_secs(background.poll).min(left.max(Duration::from_millis(10))))?;
        match jobs::read(&file) {
            Ok(State::Finished(map)) => {
                // Nobody will ask for it again.
                let _ = std::fs::remove_file(&file);
                return Ok(jobs::finished(&id, &file, map));
            }
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

fn folder(call: &Call<'_, '_, '_>, ready: &Ready<'_>) -> Option<PathBuf> {
    let machine = call.play.run.store.driver.machine();
    if let Some(dir) = ready.environment.get(FOLDER) {
        return Some(PathBuf::from(dir));
    }
    if let Some(identity) = &ready.identity {
        return Some(Path::new(&identity.home).join(".ansible_async"));
    }
    if let Some(dir) = &machine.async_dir {
        return Some(dir.clone());
    }
    let home = machine.env.get("HOME")?;
    Some(Path::new(home).join(".ansible_async"))
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

/// Forks twice: the one between ends at once, so that the task belongs to nobody who would have to wait for it.
fn start(
    call: &Call<'_, '_, '_>,
    ready: &Ready<'_>,
    folder: &Path,
    file: &Path,
    id: &str,
    limit: u64,
) -> std::io::Result<()> {
    // SAFETY: the child forks again and ends; the grandchild runs this crate's code alone and ends with `_exit`.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(std::io::Error::last_os_error()),
        0 => {
            // SAFETY: a fresh child with one thread; plain system calls.
            unsafe {
                libc::setsid();
                child::default_signals();
            }
            detach_streams();
            // The state is written before anybody can ask for it.
            let assumed = ready.identity.as_ref().map_or(Ok(()), |who| who.assume());
            if assumed.is_err()
                || jobs::prepare(folder).is_err()
                || jobs::write_running(file, id).is_err()
            {
                child::exit(1);
            }
            // SAFETY: as above.
            let second = unsafe { libc::fork() };
            if second != 0 {
                child::exit(i32::from(second < 0));
            }
            watch(call, ready, folder, file, limit)
        }
        pid => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            if status != 0 {
                return Err(std::io::Error::other("the process could not be started"));
            }
            Ok(())
        }
    }
}

/// The background process: runs the module in a child with a time limit, and writes the result.
fn watch(call: &Call<'_, '_, '_>, ready: &Ready<'_>, folder: &Path, file: &Path, limit: u64) -> ! {
    let deadline = Instant::now().checked_add(Duration::from_secs(limit));
    let private = Ready {
        identity: None,
        deadline,
        environment: ready.environment.clone(),
        ..*ready
    };
    let end = child::run(None, deadline, &|| false, || {
        invoke::module(call, &private, Some(folder))
    });
    let map = match end {
        Ok(outcome) => result::of_module(outcome),
        Err(child::End::TimedOut) => result::failed(&format!(
            "Job reached maximum time limit of {limit} seconds."
        )),
        Err(child::End::Cancelled) => result::failed("the task was told to stop"),
        Err(child::End::Died(why)) => result::failed(&why),
    };
    let written = jobs::write_finished(file, &map);
    child::exit(i32::from(written.is_err()))
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
