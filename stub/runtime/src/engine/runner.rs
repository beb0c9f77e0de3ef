//! A run: goes through the plays, counts, and tells what happens.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use indexmap::IndexMap;
use rustle_formats::event::{EVENT_VERSION, Event, EventKind, Stats, Status};
use rustle_formats::plan::{ExecutionPlan, PlayPlan, RolePlan, Task};
use rustle_formats::{Map, Value};

use super::play::{PlayEnd, run_play};
use super::role::Role;
use super::{Driver, Options, result};
use crate::r#become::Placed;
use crate::vars::{Store, Templates};

/// Exit code of a run without failures.
const EXIT_OK: u8 = 0;
/// Exit code of a run that could not go on because of a mistake in the plan or the options.
const EXIT_ERROR: u8 = 1;
/// Exit code of a run with failed tasks, or one that took too long.
const EXIT_FAILED: u8 = 2;
/// Exit code of a run with an unreachable host.
const EXIT_UNREACHABLE: u8 = 4;
/// Exit code of a run that was told to stop.
const EXIT_CANCELLED: u8 = 99;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// What was counted, by host.
    pub stats: IndexMap<String, Stats>,
    /// The exit code: ansible-playbook's.
    pub exit_code: u8,
    /// Why it ended early, if it did.
    pub aborted: Option<String>,
    /// How long it took.
    pub duration: Duration,
    /// What is known of the host in the end.
    pub facts: Map,
}

/// Runs a plan for one host.
pub struct Runner<'r> {
    plan: &'r ExecutionPlan,
    host: String,
    options: Options,
    driver: &'r dyn Driver,
}

/// Why a run ends before its plan does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Abort {
    /// A signal.
    Cancelled,
    /// The time was up.
    TimedOut(u64),
    /// A mistake that ansible-playbook does not go on after.
    Error(String),
}

/// What the parts of the engine share in a run.
pub(crate) struct Run<'r> {
    pub store: Store<'r>,
    pub started: Instant,
    pub deadline: Option<(Instant, u64)>,
    /// The task to begin with, until it was met.
    pub start_at: RefCell<Option<String>>,
    pub stats: RefCell<Stats>,
    pub jobs: Cell<u64>,
    pub templates: Templates<'r>,
    /// A copy of this program that other users can execute, once one was needed.
    pub placed: OnceCell<Placed>,
    validators: &'r HashMap<(*const RolePlan, String), Task>,
    seq: Cell<u64>,
}

impl<'r> Runner<'r> {
    /// A run of `plan` as the inventory host `host` (see [`super::choose_host`]).
    pub fn new(
        plan: &'r ExecutionPlan,
        host: impl Into<String>,
        options: Options,
        driver: &'r dyn Driver,
    ) -> Runner<'r> {
        Runner {
            plan,
            host: host.into(),
            options,
            driver,
        }
    }

    /// Runs it, telling the driver everything. The last event is always `RunFinished`.
    pub fn run(self) -> RunSummary {
        let limit =
            self.options
                .timeout
                .or(self.plan.runtime.execution_timeout.map(Duration::from));
        let started = Instant::now();
        let gather: Vec<Task> = self.plan.plays.iter().map(gather_task).collect();
        let validators = validators(self.plan);
        let run = Run {
            store: Store::new(self.plan, &self.host, &self.options, self.driver),
            started,
            deadline: limit.and_then(|l| Some((started.checked_add(l)?, l.as_secs()))),
            start_at: RefCell::new(self.options.start_at_task.clone()),
            stats: RefCell::default(),
            jobs: Cell::new(0),
            templates: Templates::new(self.plan, self.driver),
            placed: OnceCell::new(),
            validators: &validators,
            seq: Cell::new(0),
        };
        run.emit(EventKind::RunStarted {
            version: EVENT_VERSION,
            run_id: self.options.run_id.clone(),
            plan: self.plan.metadata.name.clone(),
            root: self.options.root.clone(),
            runner: self.options.runner.clone(),
            hosts: vec![self.host.clone()],
            check: self.options.check,
            diff: self.options.diff,
        });
        let ended = run.plays(self.plan, &gather);
        run.finish(ended)
    }
}

impl<'r> Run<'r> {
    /// Runs the plays; the last one that was run says how they ended.
    fn plays(&self, plan: &'r ExecutionPlan, gather: &[Task]) -> Result<PlayEnd, Abort> {
        let mut end = PlayEnd::Done;
        for (index, (play, gather)) in plan.plays.iter().zip(gather).enumerate() {
            end = run_play(self, index, play, gather)?;
            if end == PlayEnd::Failed {
                break;
            }
        }
        if self.store.options.attended {
            self.begin_play(plan.plays.len())?;
        }
        match self.start_at.borrow().as_deref() {
            Some(name) if !plan.plays.is_empty() => {
                Err(Abort::Error(format!("No matching task \"{name}\" found.")))
            }
            _ => Ok(end),
        }
    }

    /// The task that checks what a role was given, where the role says what it takes.
    pub(crate) fn validator(&self, role: &Role<'r>) -> Option<&'r Task> {
        if !role.validate {
            return None;
        }
        let key = (std::ptr::from_ref(role.plan), role.entry.clone());
        self.validators.get(&key)
    }

    fn finish(&self, ended: Result<PlayEnd, Abort>) -> RunSummary {
        let stats = *self.stats.borrow();
        let (exit_code, aborted) = match ended {
            Ok(_) if stats.unreachable > 0 => (EXIT_UNREACHABLE, None),
            // What was rescued is counted, and is no failure of the run.
            Ok(PlayEnd::Failed) => (EXIT_FAILED, None),
            Ok(PlayEnd::Done) => (EXIT_OK, None),
            Err(Abort::Cancelled) => (EXIT_CANCELLED, Some("interrupted".to_owned())),
            Err(Abort::TimedOut(secs)) => (
                EXIT_FAILED,
                Some(format!("the run took longer than its limit of {secs} s")),
            ),
            Err(Abort::Error(message)) => (EXIT_ERROR, Some(message)),
        };
        let mut all = IndexMap::new();
        all.insert(self.store.host.to_owned(), stats);
        let duration = self.started.elapsed();
        self.emit(EventKind::RunFinished {
            stats: all.clone(),
            exit_code,
            aborted: aborted.clone(),
            duration_ms: millis(duration),
        });
        RunSummary {
            stats: all,
            exit_code,
            aborted,
            duration,
            facts: self.store.facts.take(),
        }
    }

    /// Tells something. Nothing leaves the engine but through here, without the secrets that were used so far.
    pub(crate) fn emit(&self, kind: EventKind) {
        let seq = self.seq.get() + 1;
        self.seq.set(seq);
        let time_ms = self
            .store
            .driver
            .now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, millis);
        let mut event = Event { seq, time_ms, kind };
        self.store.redactor.borrow().event(&mut event);
        self.store.driver.emit(event);
    }

    /// Warns.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.emit(EventKind::Warning {
            message: message.into(),
            host: Some(self.store.host.to_owned()),
        });
    }

    /// A result as events may carry it.
    pub(crate) fn told(map: &Map, no_log: bool) -> Value {
        Value::Map(if no_log {
            result::censored(map)
        } else {
            result::told(map)
        })
    }

    /// The same for a loop, of which only some items may be hidden.
    pub(crate) fn told_in_part(map: &Map, no_log: bool, hidden: &[bool]) -> Value {
        let mut told = Run::told(map, no_log);
        if let (true, Value::Map(told), Some(Value::List(all))) =
            (no_log, &mut told, map.get("results"))
            && let Some(Value::List(shown)) = told.get_mut("results")
        {
            for ((shown, whole), hidden) in shown.iter_mut().zip(all).zip(hidden) {
                if !hidden {
                    shown.clone_from(whole);
                }
            }
        }
        told
    }

    /// Counts a result. A failure that a rescue catches counts as rescued alone.
    pub(crate) fn count(&self, map: &Map, ignored: bool, rescued: bool) {
        let status = result::status(map);
        let mut stats = self.stats.borrow_mut();
        if status == Status::Failed && !ignored && rescued {
            stats.rescued += 1;
            return;
        }
        stats.count(status, ignored, result::is(map, "changed"));
    }

    /// Whether the run must end now.
    pub(crate) fn check_stop(&self) -> Result<(), Abort> {
        if self.store.driver.cancelled() {
            return Err(Abort::Cancelled);
        }
        match self.deadline {
            Some((at, secs)) if Instant::now() >= at => Err(Abort::TimedOut(secs)),
            _ => Ok(()),
        }
    }

    /// Waits, unless the run must end.
    pub(crate) fn sleep(&self, span: Duration) -> Result<(), Abort> {
        let Some(end) = Instant::now().checked_add(span) else {
            return Ok(());
        };
        loop {
            self.check_stop()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

/// Whole milliseconds.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The tasks that check what roles are given, by role and entry point.
fn validators(plan: &ExecutionPlan) -> HashMap<(*const RolePlan, String), Task> {
    let mut out = HashMap::new();
    for (key, role) in &plan.roles {
        for (entry, spec) in &role.argument_specs {
            let name = if role.name.is_empty() {
                key
            } else {
                &role.name
            };
            let about = spec.get("short_description").map(crate::args::text);
            let about = about.map_or(String::new(), |about| format!(" - {about}"));
            let mut context = Map::new();
            context.insert("type".into(), "role".into());
            // Without its collection, as Ansible names it here.
            let collection = role.collection.as_deref().unwrap_or_default();
            let short = name.strip_prefix(collection);
            let short = short.and_then(|rest| rest.strip_prefix('.'));
            context.insert("name".into(), short.unwrap_or(name).into());
            context.insert("argument_spec_name".into(), entry.as_str().into());
            context.insert("path".into(), super::role::below(plan, &role.path).into());
            let mut task = Task {
                id: format!("{key}/{entry}/argument_specs"),
                name: format!("Validating arguments against arg spec '{entry}'{about}"),
                module: "ansible.builtin.validate_argument_spec".into(),
                tags: vec!["always".into()],
                ..Task::default()
            };
            let options = spec
                .get("options")
                .cloned()
                .unwrap_or_else(|| Value::Map(Map::new()));
            task.args.insert("argument_spec".into(), options);
            task.args
                .insert("validate_args_context".into(), Value::Map(context));
            out.insert((std::ptr::from_ref(role), entry.clone()), task);
        }
    }
    out
}

/// The task that gathers a play's facts.
fn gather_task(play: &PlayPlan) -> Task {
    let mut task = Task {
        id: format!("{}/gather_facts", play.play_id),
        name: "Gathering Facts".into(),
        module: "ansible.builtin.setup".into(),
        source: play.source.clone(),
        ..Task::default()
    };
    for (name, value) in [
        ("gather_subset", &play.gather_subset),
        ("gather_timeout", &play.gather_timeout),
        ("fact_path", &play.fact_path),
    ] {
        if let Some(value) = value {
            task.args.insert(name.into(), value.clone());
        }
    }
    if play.tags.is_empty() {
        task.tags.push("always".into());
    }
    task
}
