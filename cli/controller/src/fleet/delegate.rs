//! Tasks that another host does: each is a plan of one task, in a session of its own on that host.

use std::sync::Arc;

use rustle_formats::event::EventKind;
use rustle_formats::plan::{
    ExecutionPlan, HostPlan, Item, PLAN_VERSION, PlayPlan, Task, TaskBatch,
};
use rustle_formats::{Map, Value};
use rustle_runtime::engine::{Action, OF_CONTROLLER, Reply, Request};

use super::Way;
use super::member::{Member, Standing};
use super::play::{Coordinator, Stop};
use super::session::News;

impl Coordinator<'_> {
    /// Lets another host do a task, and its asker know when it is done.
    pub(super) fn delegate(&mut self, member: usize, id: u64, action: Action) {
        let host = action.delegate_to.clone();
        // What a play says of its connections counts for its own hosts.
        let own = host == self.members[member].name;
        let play = self.fleet.plan.plays.get(self.play).filter(|_| own);
        let way = self.roster.way(&host, play);
        if matches!(way, Ok(Way::Child)) && self.restarts(&action.task) {
            return self.reply(member, id, failed(OF_CONTROLLER));
        }
        self.send_on_errand(member, id, action, way);
    }

    /// Has a host that is reached in this way do a task for another.
    pub(super) fn send_on_errand(
        &mut self,
        member: usize,
        id: u64,
        action: Action,
        way: Result<Way, String>,
    ) {
        let host = action.delegate_to.clone();
        let artifact = (self.fleet.pack)(plan_of(action, self.fleet.plan));
        let (way, artifact) = match (way, artifact) {
            (Ok(way), Ok(artifact)) => (way, artifact),
            (Err(why), _) => return self.reply(member, id, unreachable(&why)),
            (_, Err(why)) => return self.reply(member, id, failed(&why)),
        };
        let mut helper = Member::new(&host);
        helper.errand = Some((member, id));
        self.members.push(helper);
        let helper = self.members.len() - 1;
        if let Err(Stop::Error(why)) = self.start_with(helper, way, None, Arc::new(artifact)) {
            self.reply(member, id, failed(&why));
        }
    }

    /// Tells where another host is, beside its name, where the inventory calls it otherwise.
    pub(super) fn name_delegate(&mut self, kind: &mut EventKind) {
        let (EventKind::TaskResult {
            host, delegated_to, ..
        }
        | EventKind::ItemResult {
            host, delegated_to, ..
        }) = kind
        else {
            return;
        };
        let Some(other) = delegated_to.as_mut().filter(|other| *other != host) else {
            return;
        };
        let vars = self.roster.vars(other).unwrap_or_default();
        let address = vars.get("ansible_host").and_then(Value::as_str);
        if let Some(address) = address.filter(|a| a != other && !a.contains("{{")) {
            *other = format!("{other}({address})");
        }
    }

    /// Whether a task of the plan restarts a machine.
    fn restarts(&self, task: &str) -> bool {
        let mut tasks = self.fleet.plan.tasks();
        tasks.any(|t| t.id == task && t.module.rsplit('.').next() == Some("reboot"))
    }

    fn reply(&mut self, member: usize, id: u64, result: Map) {
        self.members[member].say(id, &Reply::Result(result));
    }

    /// What comes from a host that does a task for another.
    pub(super) fn on_errand(&mut self, helper: usize, news: News) {
        match news {
            News::Event(event) => {
                if let EventKind::TaskResult {
                    result: Value::Map(map),
                    ..
                } = event.kind
                {
                    self.members[helper].result = Some(map);
                }
            }
            News::Ask(id, request) => match *request {
                Request::Play { index: 0, .. } => {
                    let host = vec![self.members[helper].name.clone()];
                    let reply = Reply::Play {
                        hosts: host.clone(),
                        batch: host,
                        gone: Vec::new(),
                        updates: Vec::new(),
                    };
                    self.members[helper].say(id, &reply);
                }
                Request::Play { .. } => self.members[helper].say(id, &Reply::Pass(Vec::new())),
                Request::Turn { .. } | Request::Done { .. } => {
                    self.members[helper].say(id, &Reply::Go(Vec::new()));
                }
                other => self.answer_question(helper, id, other),
            },
            News::Starting => {}
            News::Away(why) => self.away(helper, &why),
            News::Ended => self.come_back(helper, "the host did not say how the task ended"),
            News::Lost(why) | News::Refused(why) => self.come_back(helper, &why),
        }
    }

    /// The task is done, or will never be.
    fn come_back(&mut self, helper: usize, why: &str) {
        let host = &mut self.members[helper];
        host.standing = Standing::Ended;
        host.orders = None;
        let result = host.result.take();
        if let Some((member, id)) = host.errand {
            self.reply(member, id, result.unwrap_or_else(|| unreachable(why)));
        }
    }
}

fn failed(why: &str) -> Map {
    let mut map = Map::new();
    map.insert("changed".into(), false.into());
    map.insert("failed".into(), true.into());
    map.insert("msg".into(), why.into());
    map
}

fn unreachable(why: &str) -> Map {
    let mut map = Map::new();
    map.insert("changed".into(), false.into());
    map.insert("msg".into(), why.into());
    map.insert("unreachable".into(), true.into());
    map
}

/// The plan of one task, with nothing in it that would be taken for a template.
fn plan_of(action: Action, of: &ExecutionPlan) -> ExecutionPlan {
    let (check, diff) = (action.check, action.diff);
    let mut task = Task {
        id: action.task.clone(),
        name: action.module.clone(),
        module: action.module,
        asset_paths: action.folders,
        ..Task::default()
    };
    task.args = data(action.args);
    task.vars = data(action.vars);
    if !action.environment.is_empty() {
        task.environment = Some(Value::Map(data(action.environment)));
    }
    if !action.escalation.is_empty() {
        let text = |name: &str| action.escalation.get(name).cloned();
        task.async_ = text("async");
        task.poll = text("poll");
        task.become_ = text("become_user").map(|_| true.into());
        task.become_user = text("become_user");
        task.become_method = text("become_method");
        task.become_flags = text("become_flags");
        task.become_exe = text("become_exe");
    }
    if action.timeout > 0 {
        task.timeout = Some(Value::Int(
            i64::try_from(action.timeout).unwrap_or(i64::MAX),
        ));
    }
    let mut plan = ExecutionPlan {
        version: PLAN_VERSION,
        // The modules that came with the plan are there, too.
        assets: of.assets.clone(),
        ..ExecutionPlan::default()
    };
    plan.hosts
        .insert(action.delegate_to.clone(), HostPlan::default());
    plan.plays.push(PlayPlan {
        play_id: "delegated".into(),
        name: "delegated".into(),
        hosts: vec![action.delegate_to],
        gather_facts: Some(false),
        check_mode: Some(check.into()),
        diff: Some(diff.into()),
        batches: vec![TaskBatch {
            batch_id: "delegated".into(),
            tasks: vec![Item::Task(Box::new(task))],
            ..TaskBatch::default()
        }],
        ..PlayPlan::default()
    });
    plan
}

/// Values whose text is never a template.
fn data(map: Map) -> Map {
    map.into_iter().map(|(k, v)| (k, plain(v))).collect()
}

fn plain(value: Value) -> Value {
    match value {
        Value::Str(text) => Value::Unsafe(text),
        Value::List(list) => Value::List(list.into_iter().map(plain).collect()),
        Value::Map(map) => Value::Map(data(map)),
        Value::Pairs(pairs) => {
            Value::Pairs(pairs.into_iter().map(|(k, v)| (k, plain(v))).collect())
        }
        other => other,
    }
}
