//! The run over all plays: who takes part, in which batches, and what follows from how they end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indexmap::IndexMap;
use rustle_formats::event::{EVENT_VERSION, EventKind, Stats, Status};
use rustle_formats::plan::PlayPlan;
use rustle_formats::redact::Redactor;
use rustle_formats::session::{Down, RunKey};
use rustle_formats::{Map, Value};
use rustle_runtime::engine::{Outcome, Reply, Request, Since, waits_for_machines};
use zeroize::Zeroizing;

use super::batches::{batches, ordered};
use super::member::{Member, Standing};
use super::permits::Permits;
use super::session::{News, Session};
use super::story::Story;
use super::{Fleet, Roster, Way};
use crate::local::ChildConnection;
use crate::offer::PushArtifact;
use crate::orders::Orders;
use crate::survival::Patience;

/// Why a run ends before its plan does.
pub(super) enum Stop {
    /// The user wanted it.
    Cancelled,
    /// A mistake that ansible-playbook does not go on after.
    Error(String),
}

/// What must not go on in a play: hosts by their places among the members.
#[derive(Default)]
pub(super) struct PlayState {
    /// All of its hosts.
    pub everybody: Vec<usize>,
    /// Those that run now.
    pub batch: Vec<usize>,
    /// Whether the play is over for all (`meta: end_play`).
    pub ended: bool,
    /// Whether it is over for the batch (`meta: end_batch`).
    pub batch_ended: bool,
    /// Whether somebody is asked before every task (`--step`).
    pub asks: bool,
    /// Whether failures end the run (`any_errors_fatal`, `max_fail_percentage`).
    pub broken: bool,
    /// Hosts that another's failure sent into their rescue: they go on in this play, and take no part in what comes after it.
    pub doomed: Vec<usize>,
}

/// Answers the hosts, and knows what they told.
pub(super) struct Coordinator<'a> {
    pub fleet: &'a Fleet<'a>,
    pub roster: &'a mut dyn Roster,
    pub story: Story<'a>,
    pub members: Vec<Member>,
    names: HashMap<String, usize>,
    news: Receiver<(usize, News)>,
    pub tell: Sender<(usize, News)>,
    /// Index of the play that runs.
    pub play: usize,
    pub state: PlayState,
    /// Hosts that have failed and take no part any more.
    pub failed: BTreeSet<usize>,
    /// Hosts that could not be reached.
    pub unreachable: BTreeSet<usize>,
    /// Hosts that the inventory does not have any more.
    pub dropped: BTreeSet<usize>,
    /// Whether the inventory is not that of the plan any more.
    pub renewed: bool,
    /// A mistake that a host told of.
    mistake: Option<String>,
    /// What hosts may ask for.
    pub permits: Permits<'a>,
    /// What a controller that was killed had heard, as long as this one is not there yet.
    pub(super) past: Option<std::vec::IntoIter<(usize, Option<News>)>>,
    /// The sessions of that time.
    pub(super) asleep: BTreeMap<usize, Session>,
    /// Whether the hosts' engines are on this machine (`reboot`, `wait_for_connection`).
    pub(super) apart: bool,
    /// How many sessions that may outlive their connection have begun.
    sessions: u64,
    /// Passwords of connections that hosts need for tasks which they do for others, by the names under which they ask.
    pub(super) passwords: HashMap<String, Zeroizing<String>>,
}

impl<'a> Coordinator<'a> {
    pub(super) fn new(fleet: &'a Fleet<'a>, roster: &'a mut dyn Roster) -> Coordinator<'a> {
        let (tell, news) = channel();
        let redactor = Redactor::new(fleet.secrets.values().map(|text| text.as_bytes()));
        Coordinator {
            fleet,
            roster,
            story: Story::new(fleet.emit, redactor),
            members: Vec::new(),
            names: HashMap::new(),
            news,
            tell,
            play: 0,
            state: PlayState::default(),
            failed: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            dropped: BTreeSet::new(),
            renewed: false,
            mistake: None,
            permits: Permits::new(fleet.plan, fleet.files.root()),
            apart: fleet.start.apart || waits_for_machines(fleet.plan),
            sessions: 0,
            passwords: HashMap::new(),
            past: fleet.diary.as_ref().and_then(|diary| diary.take_past()),
            asleep: BTreeMap::new(),
        }
    }

    /// Runs the plan; gives the exit code.
    pub(super) fn run(mut self) -> u8 {
        let hosts: Vec<String> = self.fleet.plan.hosts.keys().cloned().collect();
        self.story.tell(EventKind::RunStarted {
            version: EVENT_VERSION,
            run_id: self.fleet.run_id.clone(),
            plan: self.fleet.plan.metadata.name.clone(),
            root: Some(hex::encode(self.fleet.artifact.offer.root)),
            runner: env!("CARGO_PKG_VERSION").to_owned(),
            hosts,
            check: self.fleet.start.check,
            diff: self.fleet.start.diff,
        });
        let ended = self.plays();
        self.dismiss();
        for member in &self.members {
            self.roster.keep_facts(&member.name, &member.facts);
        }
        self.conclude(ended)
    }

    /// The places of hosts among the members.
    pub(super) fn places(&mut self, names: &[String]) -> Vec<usize> {
        names.iter().map(|name| self.place(name)).collect()
    }

    /// The place of a host among the members; it becomes one.
    pub(super) fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.names.get(name) {
            return *place;
        }
        let mut member = Member::new(name);
        let facts = self.roster.facts(name);
        if !facts.is_empty() {
            member.receive(rustle_runtime::engine::Update::Facts(facts));
        }
        self.members.push(member);
        self.names.insert(name.to_owned(), self.members.len() - 1);
        self.members.len() - 1
    }

    /// A host that is a member already.
    pub(super) fn known(&self, name: &str) -> Option<&Member> {
        self.names.get(name).map(|place| &self.members[*place])
    }

    /// Whether a host has failed or cannot be reached.
    pub(super) fn is_out(&self, member: usize) -> bool {
        self.failed.contains(&member) || self.unreachable.contains(&member)
    }

    fn names_of(&self, members: &[usize]) -> Vec<String> {
        members
            .iter()
            .map(|m| self.members[*m].name.clone())
            .collect()
    }

    fn plays(&mut self) -> Result<(), Stop> {
        let plan = self.fleet.plan;
        for (index, play) in plan.plays.iter().enumerate() {
            self.play = index;
            let hosts = self.roster.hosts(index).map_err(Stop::Error)?;
            let hosts = ordered(play, hosts).map_err(Stop::Error)?;
            if hosts.is_empty() {
                self.story.tell(EventKind::PlaySkipped {
                    name: play.name.clone(),
                    reason: "no hosts matched".into(),
                });
                continue;
            }
            let batches = batches(play.serial.as_ref(), &hosts).map_err(Stop::Error)?;
            let everybody = self.places(&hosts);
            let doomed = self.state.doomed.drain(..);
            self.failed.extend(doomed.filter(|m| everybody.contains(m)));
            self.state = PlayState {
                everybody,
                asks: self.fleet.confirm.is_some(),
                ..PlayState::default()
            };
            for batch in batches {
                if self.batch(play, &batch)? {
                    return Ok(());
                }
                if self.state.ended {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Runs a batch; whether the run is over.
    fn batch(&mut self, play: &PlayPlan, hosts: &[String]) -> Result<bool, Stop> {
        let batch = self.places(hosts);
        let out_before = batch.iter().filter(|m| self.is_out(**m)).count();
        let free = matches!(play.strategy.as_deref(), Some(s) if super::free::is_free(s));
        self.state.batch.clone_from(&batch);
        self.state.batch_ended = false;
        self.story.begin_play(free, self.state.everybody.len() == 1);
        let active: Vec<usize> = batch.iter().copied().filter(|m| !self.is_out(*m)).collect();
        self.open(play, &active, hosts)?;
        if free {
            self.run_free(play, &active)?;
        } else {
            self.run_linear(&active)?;
        }
        self.story.end_step();
        let out = batch.iter().filter(|m| self.is_out(**m)).count();
        Ok(self.state.broken || out - out_before == batch.len())
    }

    /// Begins the play on the hosts of a batch.
    fn open(&mut self, play: &PlayPlan, active: &[usize], hosts: &[String]) -> Result<(), Stop> {
        for member in active {
            self.begin_session(*member, play)?;
        }
        let everybody = self.names_of(&self.state.everybody);
        let batch = self.names_of(&self.state.batch.clone());
        let out: Vec<usize> = self
            .state
            .everybody
            .iter()
            .copied()
            .filter(|m| self.is_out(*m))
            .collect();
        let gone = self.names_of(&out);
        self.bring(active)?;
        let mut name = play.name.clone();
        for member in active.iter().copied() {
            self.members[member].answer(|updates| Reply::Play {
                hosts: everybody.clone(),
                batch: batch.clone(),
                gone: gone.clone(),
                updates,
            });
            if name.contains("{{") {
                // The first host knows what the name means.
                name = self.told_name(member)?;
            }
        }
        self.story.tell(EventKind::PlayStarted {
            play: play.play_id.clone(),
            name,
            hosts: hosts.to_vec(),
        });
        Ok(())
    }

    /// Lets hosts pass the plays that were not for them.
    fn bring(&mut self, active: &[usize]) -> Result<(), Stop> {
        loop {
            self.meet(active)?;
            let late = |m: &usize| self.members[*m].at_play().is_some_and(|at| at < self.play);
            let late: Vec<usize> = active.iter().copied().filter(late).collect();
            if late.is_empty() {
                return Ok(());
            }
            for member in late {
                self.members[member].answer(Reply::Pass);
            }
        }
    }

    /// The play's name as a host tells it.
    fn told_name(&mut self, member: usize) -> Result<String, Stop> {
        loop {
            let (from, news) = self.next()?;
            if let (true, News::Event(event)) = (from == member, &news)
                && let EventKind::PlayStarted { name, .. } = &event.kind
            {
                return Ok(name.clone());
            }
            self.take(from, news)?;
            if self.members[member].standing == Standing::Ended {
                return Ok(self.fleet.plan.plays[self.play].name.clone());
            }
        }
    }

    /// Starts a host's session, if it has none yet.
    pub(super) fn begin_session(&mut self, member: usize, play: &PlayPlan) -> Result<(), Stop> {
        if self.members[member].standing != Standing::Idle {
            return Ok(());
        }
        let name = self.members[member].name.clone();
        if self.apart {
            // Its machine may go away: each of its tasks is sent there by itself.
            return self.start(member, Way::Child, None);
        }
        match self.roster.way(&name, Some(play)) {
            Ok(way) => self.start(member, way, None),
            Err(why) => self.start(member, Way::Child, Some(why)),
        }
    }

    /// Starts a session. With a reason it only stands in for a host that cannot be reached.
    fn start(&mut self, member: usize, way: Way, unreachable: Option<String>) -> Result<(), Stop> {
        let artifact = Arc::clone(&self.fleet.artifact);
        self.start_with(member, way, unreachable, artifact)
    }

    /// Starts a session with another artifact than the plan's.
    pub(super) fn start_with(
        &mut self,
        member: usize,
        way: Way,
        unreachable: Option<String>,
        artifact: Arc<PushArtifact>,
    ) -> Result<(), Stop> {
        let failed = |e: std::io::Error| Stop::Error(format!("cannot start a session: {e}"));
        let orders = Arc::new(Orders::new().map_err(failed)?);
        let mut start = self.fleet.start.clone();
        start.host = Some(self.members[member].name.clone());
        start.attended = true;
        start.apart = self.apart && self.members[member].errand.is_none();
        let stands_in = unreachable.is_some();
        start.unreachable = unreachable;
        start.forks = u32::try_from(self.fleet.forks).unwrap_or(0);
        let key = match way {
            Way::Child => None,
            // What is sent to a machine that may go away is not looked for again.
            _ if self.apart => None,
            _ => self.next_key(),
        };
        let session = Session {
            member,
            way,
            child: self.child(),
            artifact,
            start,
            orders: Arc::clone(&orders),
            cancelled: Arc::clone(&self.fleet.cancelled),
            key,
            tell: self.tell.clone(),
            diary: self.fleet.diary.clone(),
            resumed: None,
        };
        let host = &mut self.members[member];
        host.orders = Some(orders);
        if self.past.is_some() {
            // It began long ago.
            self.asleep.insert(member, session);
        } else {
            host.thread = Some(session.begin().map_err(failed)?);
        }
        // Its engine knows the plan's inventory.
        if self.is_unlike_the_plan(&self.members[member].name) {
            let update = self.inventory_for(member).map_err(Stop::Error)?;
            self.members[member].receive(update);
        }
        let host = &mut self.members[member];
        host.stands_in = stands_in;
        host.standing = Standing::Working;
        Ok(())
    }

    /// The key of a new session, where it is to outlive its connection.
    fn next_key(&mut self) -> Option<(RunKey, Patience)> {
        let patience = self.fleet.patience;
        let run = self.fleet.key.as_ref()?;
        let key = run.of_session(self.sessions);
        self.sessions += 1;
        (!patience.seek.is_zero()).then_some((key, patience))
    }

    /// The runner on this machine.
    pub(super) fn child(&self) -> ChildConnection {
        ChildConnection {
            program: self.fleet.program.clone(),
            cache: self.fleet.cache.clone(),
        }
    }

    /// Goes on until all of these wait or have ended.
    pub(super) fn meet(&mut self, members: &[usize]) -> Result<(), Stop> {
        while members
            .iter()
            .any(|m| self.members[*m].standing == Standing::Working)
        {
            self.pump()?;
        }
        Ok(())
    }

    /// Takes one piece of news.
    pub(super) fn pump(&mut self) -> Result<(), Stop> {
        let (member, news) = self.next()?;
        self.take(member, news)
    }

    fn next(&mut self) -> Result<(usize, News), Stop> {
        if let Some(news) = self.next_past()? {
            return Ok(news);
        }
        loop {
            if self.fleet.cancelled.load(Ordering::Relaxed) {
                return Err(Stop::Cancelled);
            }
            match self.news.recv_timeout(Duration::from_millis(100)) {
                Ok(news) => return Ok(news),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::Cancelled),
            }
        }
    }

    fn take(&mut self, member: usize, news: News) -> Result<(), Stop> {
        if self.members[member].errand.is_some() {
            self.on_errand(member, news);
            return Ok(());
        }
        match news {
            News::Event(event) => {
                if let EventKind::RunFinished {
                    aborted: Some(why), ..
                } = &event.kind
                {
                    self.mistake.get_or_insert_with(|| why.clone());
                }
                if let EventKind::TaskStarted { task, .. } = &event.kind {
                    self.members[member].task.clone_from(task);
                }
                let mut kind = event.kind;
                self.name_delegate(&mut kind);
                self.story.hear(member, kind);
            }
            News::Ask(id, request) => self.asked(member, id, *request)?,
            News::Ended => {
                self.members[member].standing = Standing::Ended;
                if let Some(why) = self.mistake.take() {
                    return Err(Stop::Error(why));
                }
            }
            News::Starting => {}
            News::Away(why) => self.away(member, &why),
            News::Lost(why) => self.lost(member, why)?,
            News::Refused(why) => {
                let name = &self.members[member].name;
                return Err(Stop::Error(format!("{name}: {why}")));
            }
        }
        Ok(())
    }

    /// The connection to a host is lost and sought again; the others go on meanwhile.
    pub(super) fn away(&mut self, member: usize, why: &str) {
        let host = self.members[member].name.clone();
        let seconds = self.fleet.patience.seek.as_secs();
        self.story.tell(EventKind::Warning {
            message: format!(
                "{host}: {why}; trying again for {seconds} seconds, while the host goes on as far as it can"
            ),
            host: Some(host),
        });
    }

    /// A host could not be reached, or not any more.
    fn lost(&mut self, member: usize, why: String) -> Result<(), Stop> {
        let host = &mut self.members[member];
        host.asked = None;
        host.orders = None;
        if host.stands_in {
            return Err(Stop::Error(why));
        }
        if host.task.is_empty() {
            // Nothing was done there yet: its tasks say so, one after the other, as the playbook wants it.
            return self.start(member, Way::Child, Some(why));
        }
        host.standing = Standing::Ended;
        let mut result = Map::new();
        result.insert("changed".into(), false.into());
        result.insert("msg".into(), why.into());
        result.insert("unreachable".into(), true.into());
        let kind = EventKind::TaskResult {
            task: host.task.clone(),
            host: host.name.clone(),
            status: Status::Unreachable,
            ignored: false,
            looped: false,
            result: Value::Map(result),
            duration_ms: 0,
            delegated_to: None,
        };
        self.story.hear(member, kind);
        self.put_out(member, Outcome::Unreachable);
        Ok(())
    }

    /// A host's question.
    fn asked(&mut self, member: usize, id: u64, request: Request) -> Result<(), Stop> {
        let since = match &request {
            Request::Play { since, .. }
            | Request::Turn { since, .. }
            | Request::Done { since, .. } => Some(since.clone()),
            _ => None,
        };
        if let Some(since) = since {
            self.learn(member, &since)?;
        }
        match request {
            Request::Play { index, .. } => {
                let host = &mut self.members[member];
                host.asked = Some((id, request));
                host.standing = Standing::Waiting;
                // A play that is over, or not for this host.
                let index = index as usize;
                let concerned = index == self.play && self.state.batch.contains(&member);
                if index < self.play || (index == self.play && !concerned) {
                    host.answer(Reply::Pass);
                }
            }
            Request::Turn { .. } | Request::Done { .. } | Request::Includes { .. } => {
                let host = &mut self.members[member];
                host.asked = Some((id, request));
                host.standing = Standing::Waiting;
            }
            other => self.answer_question(member, id, other),
        }
        Ok(())
    }

    fn learn(&mut self, member: usize, since: &Since) -> Result<(), Stop> {
        self.members[member].learn(since);
        for (host, update) in Member::about(since) {
            let place = self.place(host);
            self.members[place].receive(update);
        }
        self.change_inventory(since)
    }

    /// Lets the sessions end.
    fn dismiss(&mut self) {
        for host in &mut self.members {
            if let Some(orders) = &host.orders {
                orders.send(Down::Cancel { now: true });
            }
            host.answer(|_| Reply::Refused("the run is over".to_owned()));
        }
        for host in &mut self.members {
            host.orders = None;
            if let Some(thread) = host.thread.take() {
                let _ = thread.join();
            }
        }
    }

    fn conclude(mut self, ended: Result<(), Stop>) -> u8 {
        let mut stats: IndexMap<String, Stats> = self.story.tally.stats().clone();
        stats.retain(|_, stats| *stats != Stats::default());
        let counted = if !self.unreachable.is_empty() {
            4
        } else if !self.failed.is_empty() {
            2
        } else {
            0
        };
        let (exit_code, aborted) = match ended {
            Ok(()) => (counted, None),
            Err(Stop::Cancelled) => (99, Some("User interrupted execution".to_owned())),
            Err(Stop::Error(message)) => (1, Some(message)),
        };
        let span = self.story.started.elapsed();
        self.story.tell(EventKind::RunFinished {
            stats,
            exit_code,
            aborted,
            duration_ms: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
        });
        exit_code
    }
}
