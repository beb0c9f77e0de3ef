//! All tasks of a plan with what is around them.

use std::collections::HashSet;

use rustle_formats::Value;
use rustle_formats::plan::{Block, ExecutionPlan, Item, MAIN, PlayPlan, RolePlan, Task};

use super::asks::Asks;
use super::{Decision, Knowledge, Module, Verdict};

/// What the blocks around a task say of where it runs.
#[derive(Debug, Clone, Copy, Default)]
struct Around<'p> {
    delegate_to: Option<&'p Value>,
    connection: Option<&'p Value>,
    run_once: Option<&'p Value>,
    throttle: Option<&'p Value>,
    role: Option<&'p str>,
    handler: bool,
}

/// The play that is walked.
struct InPlay<'p> {
    index: usize,
    pattern: &'p str,
    hosts: Vec<&'p str>,
    /// Whether all its hosts are the machine that plans.
    local: bool,
}

/// A walk through a plan.
pub(super) struct Walk<'p, 'k> {
    plan: &'p ExecutionPlan,
    patterns: &'p [String],
    knowledge: &'k Knowledge<'k>,
    asks: Asks<'k>,
    /// Of the play: tasks that were told, roles and files that were walked.
    told: HashSet<&'p str>,
    roles: HashSet<(&'p str, &'p str)>,
    files: HashSet<&'p str>,
    out: Vec<Decision>,
}

impl<'p, 'k> Walk<'p, 'k> {
    pub(super) fn new(
        plan: &'p ExecutionPlan,
        patterns: &'p [String],
        knowledge: &'k Knowledge<'k>,
    ) -> Walk<'p, 'k> {
        Walk {
            plan,
            patterns,
            knowledge,
            asks: Asks::new(plan, knowledge.controller_lookups),
            told: HashSet::new(),
            roles: HashSet::new(),
            files: HashSet::new(),
            out: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Vec<Decision> {
        for (index, play) in self.plan.plays.iter().enumerate() {
            self.told.clear();
            self.roles.clear();
            self.files.clear();
            self.play(index, play);
        }
        self.out
    }

    fn play(&mut self, index: usize, play: &'p PlayPlan) {
        let plan = self.plan;
        let hosts: Vec<&str> = play.hosts.iter().map(String::as_str).collect();
        let here = |host: &&str| {
            let connection = plan
                .hosts
                .get(*host)
                .and_then(|h| h.vars.get("ansible_connection"));
            is_local(connection) || (is_this(host) && is_local(play.connection.as_ref()))
        };
        let within = InPlay {
            index,
            pattern: self.patterns.get(index).map_or("", String::as_str),
            local: !hosts.is_empty() && hosts.iter().all(here),
            hosts,
        };
        let around = Around {
            connection: play.connection.as_ref(),
            throttle: play.throttle.as_ref(),
            ..Around::default()
        };
        for item in play.batches.iter().flat_map(|b| &b.tasks) {
            self.item(item, &within, around);
        }
        for task in &play.handlers {
            self.task(
                task,
                &within,
                Around {
                    handler: true,
                    ..around
                },
            );
        }
    }

    fn item(&mut self, item: &'p Item, play: &InPlay<'p>, around: Around<'p>) {
        match item {
            Item::Task(task) => self.task(task, play, around),
            Item::Block(block) => self.block(block, play, around),
        }
    }

    fn block(&mut self, block: &'p Block, play: &InPlay<'p>, around: Around<'p>) {
        let inner = Around {
            delegate_to: block.delegate_to.as_ref().or(around.delegate_to),
            connection: block.connection.as_ref().or(around.connection),
            run_once: block.run_once.as_ref().or(around.run_once),
            throttle: block.throttle.as_ref().or(around.throttle),
            ..around
        };
        if let Some(used) = &block.use_role
            && let Some((key, role)) = self.plan.roles.get_key_value(used.role.as_str())
        {
            let from = used.tasks_from.as_deref().unwrap_or(MAIN);
            self.role(key, role, from, play, inner);
        }
        for item in block.block.iter().chain(&block.rescue).chain(&block.always) {
            self.item(item, play, inner);
        }
    }

    fn role(
        &mut self,
        key: &'p str,
        role: &'p RolePlan,
        from: &'p str,
        play: &InPlay<'p>,
        around: Around<'p>,
    ) {
        if !self.roles.insert((key, from)) {
            return;
        }
        for dependency in &role.dependencies {
            self.block(dependency, play, around);
        }
        let inner = Around {
            role: Some(key),
            ..around
        };
        for item in role.tasks.get(from).into_iter().flatten() {
            self.item(item, play, inner);
        }
        for handler in role.handlers.values().flatten() {
            self.task(
                handler,
                play,
                Around {
                    handler: true,
                    ..inner
                },
            );
        }
    }

    fn task(&mut self, task: &'p Task, play: &InPlay<'p>, around: Around<'p>) {
        if !self.told.insert(&task.id) {
            return;
        }
        let module = (self.knowledge.module)(&task.module);
        let verdict = self.verdict(task, &module, play, &around);
        self.out.push(Decision {
            play: play.index,
            task: task.id.clone(),
            name: task.name.clone(),
            module: task.module.clone(),
            pattern: play.pattern.to_owned(),
            role: around.role.map(str::to_owned),
            handler: around.handler,
            local: matches!(module, Module::Flow | Module::Native { local: true }),
            source: task.source.clone(),
            verdict,
        });
        self.included(task, play, around);
    }

    /// What a dynamic include may bring in, as far as it came with the plan.
    fn included(&mut self, task: &'p Task, play: &InPlay<'p>, around: Around<'p>) {
        let plan = self.plan;
        match task.module.rsplit('.').next() {
            Some("include_role") => {
                let name = task
                    .args
                    .get("name")
                    .or(task.args.get("role"))
                    .and_then(Value::as_str);
                let from = task
                    .args
                    .get("tasks_from")
                    .and_then(Value::as_str)
                    .unwrap_or(MAIN);
                let from = from.trim_end_matches(".yml").trim_end_matches(".yaml");
                let fits = |key: &str, role: &RolePlan| {
                    name.is_some_and(|n| n == key || n == role.name || n.contains("{{"))
                };
                for (key, role) in plan.roles.iter().filter(|(k, r)| fits(k, r)) {
                    self.role(key, role, from, play, around);
                }
            }
            Some("include_tasks" | "include") => {
                let below = around
                    .role
                    .and_then(|key| plan.roles.get(key))
                    .map(|r| r.path.as_str());
                for (name, items) in &plan.task_files {
                    let of_role = plan.roles.values().any(|r| inside(name, &r.path));
                    let near = below.map_or(!of_role, |path| inside(name, path));
                    if near && self.files.insert(name) {
                        for item in items {
                            self.item(item, play, around);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn verdict(
        &mut self,
        task: &'p Task,
        module: &Module,
        play: &InPlay<'p>,
        around: &Around<'p>,
    ) -> Verdict {
        if let Some((why, rewrite)) = self.knowledge.refused.get(&task.id) {
            return Verdict::Refused {
                why: why.clone(),
                rewrite: rewrite.clone(),
            };
        }
        if let Module::Unknown { message, hint } = module {
            return Verdict::Refused {
                why: message.clone(),
                rewrite: hint.clone(),
            };
        }
        let why = match module {
            Module::Controller(why) => Some(why.clone()),
            _ => None,
        };
        let why = why
            .or_else(|| delegation(task.delegate_to.as_ref().or(around.delegate_to), play))
            .or_else(|| connection(task.connection.as_ref().or(around.connection), play))
            .or_else(|| together(task, around, play))
            .or_else(|| question(task))
            .or_else(|| self.texts(task));
        match (why, module) {
            (Some(why), _) => Verdict::Controller { why },
            (None, Module::Carried(how)) => Verdict::Carried { how },
            (None, _) => Verdict::Native,
        }
    }

    /// What the task's own texts, and the templates that it names, ask for.
    fn texts(&mut self, task: &Task) -> Option<String> {
        if let Some(lookup) = &task.loop_with
            && self.asks.is_controller(lookup)
        {
            return Some(format!("`with_{lookup}` asks the controller"));
        }
        let values = task
            .args
            .values()
            .chain(task.vars.values())
            .chain(&task.loop_)
            .chain(&task.environment);
        let conditions = [
            &task.when,
            &task.until,
            &task.changed_when,
            &task.failed_when,
        ];
        let mut why = None;
        for value in values {
            why = why.or_else(|| self.asks.why(value));
        }
        for condition in conditions.into_iter().flat_map(|c| &c.0) {
            why = why.or_else(|| self.asks.why_condition(condition));
        }
        if why.is_none() {
            let texts = (self.knowledge.templates)(&task.id);
            why = texts
                .iter()
                .find_map(|text| self.asks.why_text(text))
                .map(|why| format!("in its template, {why}"));
        }
        why
    }
}

/// Whether a path lies below a folder.
fn inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a host's name means this machine.
fn is_this(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

fn is_local(connection: Option<&Value>) -> bool {
    let text = connection.and_then(Value::as_str).unwrap_or_default();
    text.rsplit('.').next() == Some("local")
}

fn delegation(to: Option<&Value>, play: &InPlay<'_>) -> Option<String> {
    let to = to?.as_str().filter(|t| !t.is_empty())?;
    let bare: String = to.split_whitespace().collect();
    if bare == "{{inventory_hostname}}" || play.hosts == [to] {
        return None;
    }
    if is_this(to) {
        return (!play.local).then(|| format!("`delegate_to: {to}`: it runs on the controller"));
    }
    Some(if to.contains("{{") {
        format!("which host `delegate_to: {to}` means is known only in the run")
    } else {
        format!("`delegate_to: {to}`: it runs on another host")
    })
}

fn connection(kind: Option<&Value>, play: &InPlay<'_>) -> Option<String> {
    (is_local(kind) && !play.local)
        .then(|| "`connection: local`: it runs on the controller".to_owned())
}

fn together(task: &Task, around: &Around<'_>, play: &InPlay<'_>) -> Option<String> {
    if play.hosts.len() < 2 {
        return None;
    }
    if task
        .run_once
        .as_ref()
        .or(around.run_once)
        .is_some_and(|v| *v != Value::Bool(false))
    {
        return Some("`run_once`: one host does it for all".to_owned());
    }
    let throttle = task.throttle.as_ref().or(around.throttle);
    throttle
        .is_some_and(|v| *v != Value::Int(0))
        .then(|| "`throttle`: the controller counts who does it".to_owned())
}

fn question(task: &Task) -> Option<String> {
    let pause = task.module.rsplit('.').next() == Some("pause");
    let timed = task.args.contains_key("seconds") || task.args.contains_key("minutes");
    (pause && !timed).then(|| "somebody answers at the controller".to_owned())
}
