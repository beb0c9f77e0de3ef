//! One stream of events from all hosts: a play and a task are told once, results as they come.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustle_formats::event::{Event, EventKind};
use rustle_formats::redact::Redactor;
use rustle_runtime::report::Tally;

/// The stream.
pub(super) struct Story<'a> {
    emit: &'a dyn Fn(&Event),
    redactor: Redactor,
    seq: Cell<u64>,
    pub started: Instant,
    /// What the recap counts.
    pub tally: Tally,
    /// The host whose announcement of the play or the task is told for all, until it comes.
    herald: Option<usize>,
    /// What came before that.
    held: Vec<EventKind>,
    /// Whether hosts do not wait for each other: then a task is told again where it changes.
    free: bool,
    /// Whether the play has one host, which asks for no turns: what it tells is told as it comes.
    alone: bool,
    /// The task that each host is at.
    tasks: HashMap<usize, EventKind>,
    /// The id of the task that was told last.
    told: Option<String>,
    /// What was included by the task of this step.
    included: Vec<(usize, EventKind)>,
    /// Whether what is told does not count.
    uncounted: bool,
}

fn is_meta(kind: &EventKind) -> bool {
    matches!(kind, EventKind::TaskStarted { module, .. } if module.rsplit('.').next() == Some("meta"))
}

impl<'a> Story<'a> {
    /// A story that begins now.
    pub(super) fn new(emit: &'a dyn Fn(&Event), redactor: Redactor) -> Story<'a> {
        Story {
            emit,
            redactor,
            seq: Cell::new(0),
            started: Instant::now(),
            tally: Tally::default(),
            herald: None,
            held: Vec::new(),
            free: false,
            alone: false,
            tasks: HashMap::new(),
            told: None,
            included: Vec::new(),
            uncounted: false,
        }
    }

    /// Tells something.
    pub(super) fn tell(&mut self, kind: EventKind) {
        let seq = self.seq.get() + 1;
        self.seq.set(seq);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_ms = now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let mut event = Event { seq, time_ms, kind };
        if !self.redactor.is_empty() {
            self.redactor.event(&mut event);
        }
        // What a condition kept `meta` from doing is told and not counted.
        if !self.uncounted {
            self.tally.add(&event);
        }
        (self.emit)(&event);
    }

    /// A play begins, with hosts that wait for each other or do not, or with one.
    pub(super) fn begin_play(&mut self, free: bool, alone: bool) {
        self.free = free;
        self.alone = alone;
        self.told = None;
        self.tasks.clear();
        self.end_step();
    }

    /// A step begins; this host announces it.
    pub(super) fn begin_step(&mut self, herald: usize) {
        self.end_step();
        self.herald = Some(herald);
    }

    /// A step ends: what waited for an announcement that did not come is told without.
    pub(super) fn end_step(&mut self) {
        self.herald = None;
        for kind in std::mem::take(&mut self.held) {
            self.tell(kind);
        }
    }

    /// What a host tells.
    pub(super) fn hear(&mut self, member: usize, kind: EventKind) {
        match kind {
            EventKind::RunStarted { .. }
            | EventKind::RunFinished { .. }
            | EventKind::PlayStarted { .. }
            | EventKind::PlaySkipped { .. }
            | EventKind::NoMoreHosts {}
            | EventKind::Heartbeat {} => {}
            EventKind::TaskStarted { .. } if self.free => {
                self.tasks.insert(member, kind);
            }
            EventKind::TaskStarted { .. } => {
                let heralds = self.alone || self.herald == Some(member) || is_meta(&kind);
                self.tasks.insert(member, kind.clone());
                if heralds {
                    self.herald = None;
                    self.tell(kind);
                    self.end_step();
                }
            }
            EventKind::Included { .. } if !self.free && !self.alone => {
                self.included.push((member, kind))
            }
            kind => {
                if self.free {
                    self.announce(member, &kind);
                }
                if self.herald.is_some() {
                    self.held.push(kind);
                } else {
                    self.uncounted = self.tasks.get(&member).is_some_and(is_meta);
                    self.tell(kind);
                    self.uncounted = false;
                }
            }
        }
    }

    /// Tells the task that a result is of, where the last one told is another.
    fn announce(&mut self, member: usize, kind: &EventKind) {
        let about_task = matches!(
            kind,
            EventKind::TaskResult { .. }
                | EventKind::ItemResult { .. }
                | EventKind::Included { .. }
                | EventKind::Steered { .. }
                | EventKind::Retry { .. }
        );
        let Some(started) = self.tasks.get(&member).filter(|_| about_task) else {
            return;
        };
        if let EventKind::TaskStarted { task, .. } = started
            && self.told.as_deref() != Some(task)
        {
            self.told = Some(task.clone());
            let started = started.clone();
            self.tell(started);
        }
    }

    /// Tells what the task of this step included, in this order of steps and hosts.
    pub(super) fn tell_included(&mut self, order: &dyn Fn(usize, usize) -> u32) {
        self.end_step();
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let mut sorted: Vec<(u32, usize, EventKind)> = Vec::new();
        for (member, kind) in std::mem::take(&mut self.included) {
            let count = counts.entry(member).or_default();
            sorted.push((order(member, *count), member, kind));
            *count += 1;
        }
        sorted.sort_by_key(|(step, member, _)| (*step, *member));
        for (_, _, kind) in sorted {
            self.tell(kind);
        }
    }
}
