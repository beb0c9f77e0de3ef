//! Calls a module: here, in a child process, in the background, or through the controller.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use rustle_formats::{Map, Value};

use super::driver::{Action, Reply, Request};
use super::keywords::Keywords;
use super::play::PlayRun;
use super::runner::Abort;
use super::{Frame, child, jobs, result};
use crate::args::{Args, Moment, first_message};
use crate::r#become::{self, Answers, Escalate, Identity, Job, Started, Talk, Told, Who};
use crate::context::Context;
use crate::modules::{self, Module};
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Place, Spec, Support};
use crate::vars::Templar;

/// Everything about one call of a module.
pub(crate) struct Call<'c, 't, 'r> {
    pub play: &'c PlayRun<'c, 'r>,
    pub frame: &'c Frame<'c>,
    pub templar: &'c Templar<'t, 'r>,
    pub keywords: &'c Keywords,
    /// Templated, not checked yet.
    pub args: Map,
    pub no_log: bool,
}

/// A call whose arguments were checked.
pub(crate) struct Ready<'c> {
    pub module: &'static dyn Module,
    pub args: &'c Args,
    /// Who runs it, if not the engine's own user.
    pub who: Option<Who>,
    pub environment: IndexMap<String, String>,
    pub deadline: Option<Instant>,
}

/// Runs the module and gives the result as Ansible shapes it.
pub(crate) fn invoke(call: &Call<'_, '_, '_>) -> Result<Map, Abort> {
    let name = &call.frame.task.module;
    let Some(module) = call.play.run.store.module(name) else {
        return Ok(result::task_failed(&format!(
            "couldn't resolve module/action '{name}'. This often indicates a misspelling, missing collection, or incorrect module path."
        )));
    };
    #[cfg(feature = "full")]
    if module.spec().name == "synchronize"
        && let Some(map) = super::mirror::ask(call, module)
    {
        return Ok(map);
    }
    if let Some(map) = delegated(call, module) {
        keep_facts(call, module.spec().name, false, &map);
        return Ok(map);
    }
    let spec = module.spec();
    if call.args.contains_key("_raw_params") && !spec.open && spec.arg("_raw_params").is_none() {
        return Ok(result::task_failed(&format!(
            "Action '{}' does not support raw params.",
            spec.full_name()
        )));
    }
    if let (Some(why), Place::Target) = (
        &call.play.run.store.options.unreachable,
        module.spec().place,
    ) {
        return Ok(result::unreachable(why));
    }
    let args = match Args::check(
        module.spec(),
        &with_environment(call, spec),
        Moment::Running,
    ) {
        Ok(args) => args,
        Err(errors) => {
            let message = first_message(module.spec(), &errors);
            return Ok(result::of_module(Err(Failure::new(message))));
        }
    };
    #[cfg(feature = "full")]
    if matches!(module.spec().name, "reboot" | "wait_for_connection") {
        return super::outage::run(call, &args, module.spec().name);
    }
    let mut map = match ready(call, module, &args) {
        Ok(ready) => run(call, &ready)?,
        Err(message) => result::task_failed(&message),
    };
    let name = module.spec().name;
    if matches!(name, "add_host" | "group_by") && !result::is(&map, "failed") {
        take_in(call, &mut map);
    }
    #[cfg(feature = "full")]
    if name == "fetch" {
        super::deliver::deliver(call, &mut map);
    }
    keep_facts(
        call,
        name,
        name == "set_fact" && args.bool("cacheable"),
        &map,
    );
    let secrets = secret_values(module, &args);
    result::hide_arguments(&mut map, &secrets);
    Ok(map)
}

/// The arguments, with the one that Ansible's modules take from the environment where the task does not give it.
fn with_environment<'c>(call: &'c Call<'_, '_, '_>, spec: &Spec) -> Cow<'c, Map> {
    const NAME: &str = "unsafe_writes";
    let mut args = Cow::Borrowed(&call.args);
    if spec.arg(NAME).is_some() && !args.contains_key(NAME) {
        let variable = "ANSIBLE_UNSAFE_WRITES";
        let machine = &call.play.run.store.driver.machine().env;
        let given = call.keywords.environment.get(variable);
        if let Some(value) = given.or_else(|| machine.get(variable)) {
            args.to_mut().insert(NAME.into(), value.as_str().into());
        }
    }
    args
}

/// The result of a task that another host does, where somebody can do it there.
fn delegated(call: &Call<'_, '_, '_>, module: &dyn Module) -> Option<Map> {
    let store = &call.play.run.store;
    let named = call.keywords.delegate_to.as_deref();
    let named = named.filter(|host| *host != store.host);
    // This engine is not on the host's machine where that may go away.
    #[cfg(feature = "full")]
    let named = named.or(store.options.apart.then_some(store.host));
    let host = named?;
    if module.spec().place != Place::Target {
        return None;
    }
    match store
        .driver
        .ask(Request::Action(Box::new(action(call, module, host))))
    {
        Reply::Result(map) => Some(map),
        _ if matches!(host, "localhost" | "127.0.0.1" | "::1") => None,
        Reply::Refused(reason) => Some(result::task_failed(&format!(
            "the task is delegated to '{host}': {reason}"
        ))),
        _ => Some(result::task_failed(&format!(
            "the task is delegated to '{host}', and nobody could do it there"
        ))),
    }
}

/// Lets the controller take in the host or group that a module names.
fn take_in(call: &Call<'_, '_, '_>, map: &mut Map) {
    let mut named = map.clone();
    let store = &call.play.run.store;
    named.insert("host".into(), store.host.into());
    let changed = match store.driver.ask(Request::Inventory { named }) {
        Reply::Go(updates) => {
            store.apply(updates);
            false
        }
        Reply::Pass(updates) => {
            store.apply(updates);
            true
        }
        Reply::Refused(why) => {
            *map = result::failed(&why);
            return;
        }
        _ => false,
    };
    map.insert("changed".into(), changed.into());
}

/// Whom to become elsewhere, and whether it is done in the background, by the keywords' names.
pub(super) fn escalation(call: &Call<'_, '_, '_>) -> Map {
    let mut escalation = Map::new();
    if let Some(escalate) = &call.keywords.escalate {
        escalation.insert("become_user".into(), escalate.user.as_str().into());
        for (name, value) in [
            ("become_method", &Some(escalate.method.name().to_owned())),
            ("become_flags", &escalate.flags),
            ("become_exe", &escalate.program),
        ] {
            if let Some(value) = value {
                escalation.insert(name.into(), value.as_str().into());
            }
        }
    }
    #[cfg(feature = "full")]
    if let Some(background) = call.keywords.background {
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        escalation.insert("async".into(), number(background.limit));
        escalation.insert("poll".into(), number(background.poll));
    }
    escalation
}

/// What another host is asked to do.
pub(super) fn action(call: &Call<'_, '_, '_>, module: &dyn Module, host: &str) -> Action {
    let texts = |map: &IndexMap<String, String>| {
        let pairs = map.iter().map(|(k, v)| (k.clone(), v.as_str().into()));
        pairs.collect()
    };
    Action {
        task: call.frame.task.id.clone(),
        delegate_to: host.to_owned(),
        // One that came with the plan has there the name that it has here.
        module: match modules::find(&call.frame.task.module) {
            Some(own) if std::ptr::eq(own.spec(), module.spec()) => own.spec().full_name(),
            _ => call.frame.task.module.clone(),
        },
        args: call.args.clone(),
        vars: match module.spec().name {
            "template" => call.templar.vars().data(),
            #[cfg(feature = "full")]
            "fetch" => Map::from_iter([(
                super::deliver::FOR.to_owned(),
                call.play.run.store.host.into(),
            )]),
            _ => Map::new(),
        },
        folders: call.frame.folders(),
        environment: texts(&call.keywords.environment),
        escalation: escalation(call),
        check: call.keywords.check,
        diff: call.keywords.diff,
        timeout: call.keywords.timeout.map_or(0, |t| t.as_secs().max(1)),
    }
}

/// Works out who runs the module, with which environment and for how long.
pub(crate) fn ready<'c>(
    call: &Call<'_, '_, '_>,
    module: &'static dyn Module,
    args: &'c Args,
) -> Result<Ready<'c>, String> {
    let run = call.play.run;
    let target = module.spec().place == Place::Target;
    let who = match &call.keywords.escalate {
        Some(escalate) if target => who(call, escalate)?,
        _ => None,
    };
    let identity = who.as_ref().and_then(Who::forked);
    // `setup` tells the environment that it runs in; other modules are told what comes on top of it.
    let mut environment = match module.spec().name {
        // A worker has one of its own.
        "setup" if !matches!(who, Some(Who::Started(_))) => run.store.driver.machine().env.clone(),
        _ => IndexMap::new(),
    };
    if let Some(identity) = identity {
        environment.extend(identity.environment());
    }
    if let (Some(dir), None, true) = (
        &run.store.driver.machine().async_dir,
        &who,
        is_async_status(module.spec().name),
    ) {
        environment.insert(jobs::FOLDER.into(), dir.to_string_lossy().into_owned());
    }
    environment.extend(call.keywords.environment.clone());
    let limit = call.keywords.timeout.or(run.store.options.task_timeout);
    let own = limit.and_then(|l| Instant::now().checked_add(l));
    let deadline = match (own, run.deadline) {
        (Some(own), Some((run, _))) => Some(own.min(run)),
        (own, run) => own.or(run.map(|(at, _)| at)),
    };
    Ok(Ready {
        module,
        args,
        who,
        environment,
        deadline,
    })
}

/// Whom to become and how; none where the engine is that user already.
fn who(call: &Call<'_, '_, '_>, escalate: &Escalate) -> Result<Option<Who>, String> {
    let run = call.play.run;
    let found = r#become::identity(escalate);
    if matches!(found, Ok(None)) && !run.store.options.become_same {
        return Ok(None);
    }
    let driver = run.store.driver;
    let here = driver.controller().is_some() && !run.store.options.attended;
    if r#become::is_root() && escalate.is_plain() {
        let failed = |e| format!("cannot become '{}': {e}", escalate.user);
        let forked = |identity| {
            Who::Forked(Identity {
                keeps_files: here,
                ..identity
            })
        };
        return found.map(|who| who.map(forked)).map_err(failed);
    }
    let password = escalate.password(call.templar)?;
    let machine = driver.machine();
    let remote = !here && machine.env.contains_key("SSH_CONNECTION");
    let started = Started::new(escalate, password, remote, machine, &run.placed)?;
    Ok(Some(Who::Started(started)))
}

/// What a worker is told to do.
pub(crate) fn job(call: &Call<'_, '_, '_>, ready: &Ready<'_>) -> Job {
    let environment = ready.environment.iter();
    Job {
        module: ready.module.spec().full_name(),
        #[cfg(feature = "full")]
        carried: ready.module.carried(),
        no_log: call.no_log,
        args: call.args.clone(),
        environment: environment
            .map(|(k, v)| (k.clone(), v.as_str().into()))
            .collect(),
        folders: call.frame.folders(),
        check: call.keywords.check,
        diff: call.keywords.diff,
        verbosity: call.play.run.store.options.verbosity,
        file: String::new(),
        limit: 0,
    }
}

/// Has a worker do a job.
pub(crate) fn elsewhere(
    call: &Call<'_, '_, '_>,
    started: &Started,
    deadline: Option<Instant>,
    job: &Job,
) -> Result<ModuleResult, child::End> {
    let driver = call.play.run.store.driver;
    let cancelled = || driver.cancelled();
    let answers = Answers {
        assets: driver.assets(),
        variables: call.templar,
    };
    let mut talk = Talk::begin(started, deadline, &cancelled)?;
    match talk.job(job, &answers)? {
        Told::Result(result) => Ok(*result),
        Told::Background(_) => Err(child::End::Died("the worker did something else".into())),
    }
}

fn run(call: &Call<'_, '_, '_>, ready: &Ready<'_>) -> Result<Map, Abort> {
    #[cfg(feature = "full")]
    if call
        .play
        .run
        .store
        .carried
        .is_action(&call.frame.task.module)
    {
        return Ok(result::of_module(crate::carried::action::run(call)));
    }
    let spec = ready.module.spec();
    if call.keywords.check && spec.check == Support::None {
        let outcome = Outcome {
            skipped: true,
            ..Outcome::ok().msg(format!(
                "remote module ({}) does not support check mode",
                spec.name
            ))
        };
        return Ok(result::of_module(Ok(outcome)));
    }
    let background = call.keywords.background;
    if background.is_some() && !runs_in_background(spec) {
        return Ok(result::of_module(Err(Failure::new(format!(
            "This action ({}) does not support async.",
            call.frame.task.module
        )))));
    }
    if let (Some(background), Place::Target) = (background, spec.place)
        && !is_async_status(spec.name)
    {
        return jobs::run(call, ready, background);
    }
    let apart = spec.place == Place::Target
        && (ready.who.is_some()
            || call.keywords.timeout.is_some()
            || call.play.run.store.options.task_timeout.is_some());
    if !apart {
        return Ok(result::of_module(module(call, ready, None)));
    }
    let run = call.play.run;
    let end = match &ready.who {
        Some(Who::Started(started)) => elsewhere(call, started, ready.deadline, &job(call, ready)),
        who => {
            let identity = who.as_ref().and_then(Who::forked);
            let folder = Folder::of(identity, &run.store.driver.machine().work_dir);
            child::run(
                identity,
                ready.deadline,
                &|| run.store.driver.cancelled(),
                &|| module(call, ready, folder.path()),
            )
        }
    };
    Ok(match end {
        Ok(outcome) => result::of_module(outcome),
        Err(child::End::TimedOut) => {
            run.check_stop()?;
            let period = call
                .keywords
                .timeout
                .or(run.store.options.task_timeout)
                .unwrap_or(Duration::ZERO)
                .as_secs();
            let mut map = result::task_failed(&format!("Timed out after {period} second(s)."));
            let mut about = Map::new();
            // What Ansible says where it shows no traceback: there is none here.
            about.insert(
                "frame".into(),
                "Configure `DISPLAY_TRACEBACK` to see a traceback on timeout errors.".into(),
            );
            about.insert(
                "period".into(),
                Value::Int(i64::try_from(period).unwrap_or(i64::MAX)),
            );
            map.insert("timedout".into(), Value::Map(about));
            map
        }
        Err(child::End::Cancelled) => return Err(Abort::Cancelled),
        Err(end) => ended(end),
    })
}

/// Whether Ansible lets a module run in the background: not those that do something on the controller first.
fn runs_in_background(spec: &Spec) -> bool {
    let first_here = [
        "assemble",
        "copy",
        "fetch",
        "raw",
        "script",
        "synchronize",
        "template",
        "unarchive",
    ];
    is_async_status(spec.name) || (spec.place == Place::Target && !first_here.contains(&spec.name))
}

/// The result of a task whose module gave none.
pub(crate) fn ended(end: child::End) -> Map {
    match end {
        child::End::Unreachable(why) => result::unreachable(&format!("Task failed: {why}")),
        end => result::task_failed(&end.sentence()),
    }
}

/// `async_status` looks at background tasks and is never one.
fn is_async_status(name: &str) -> bool {
    name == "async_status"
}

/// Calls the module in this process.
pub(crate) fn module(
    call: &Call<'_, '_, '_>,
    ready: &Ready<'_>,
    folder: Option<&Path>,
) -> ModuleResult {
    let store = &call.play.run.store;
    let machine = store.driver.machine();
    let home = ready
        .environment
        .get("HOME")
        .or_else(|| machine.env.get("HOME"))
        .map(PathBuf::from);
    let cancelled = || store.driver.cancelled();
    let folders = call.frame.folders();
    let ctx = Context {
        check: call.keywords.check,
        diff: call.keywords.diff,
        verbosity: store.options.verbosity,
        environment: &ready.environment,
        assets: store.driver.assets(),
        asset_paths: &folders,
        variables: Some(call.templar),
        deadline: ready.deadline,
        work_dir: folder.unwrap_or(&machine.work_dir),
        lasting: folder.is_none(),
        no_log: call.no_log,
        home: home.as_deref(),
        staging: call.play.staging.as_ref(),
        cancelled: &cancelled,
        warnings: std::cell::RefCell::default(),
    };
    run_module(ready.module, ready.args, &ctx)
}

/// Calls a module; what it warns of becomes part of its result.
pub(crate) fn run_module(module: &dyn Module, args: &Args, ctx: &Context<'_>) -> ModuleResult {
    let mut outcome = module.run(args, ctx);
    let warnings = ctx.warnings.take();
    if !warnings.is_empty() {
        match &mut outcome {
            Ok(outcome) => outcome.warnings.extend(warnings),
            Err(failure) => {
                failure.fields.insert("warnings".into(), warnings.into());
            }
        }
    }
    outcome
}

/// A folder for temporary files that another user can write to; removed in the end.
pub(crate) struct Folder(Option<PathBuf>);

impl Folder {
    /// Makes one beside the engine's own, where the task runs as another user.
    pub(crate) fn of(identity: Option<&Identity>, work_dir: &Path) -> Folder {
        Folder(identity.and_then(|who| r#become::folder_for(who, work_dir).ok()))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed now lies in the run's own folder, which is cleaned at its end.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Keeps the facts and variables that a module returned.
fn keep_facts(call: &Call<'_, '_, '_>, module: &str, cacheable: bool, map: &Map) {
    if result::is(map, "failed") || result::is(map, "skipped") {
        return;
    }
    let Some(Value::Map(facts)) = map.get("ansible_facts") else {
        return;
    };
    let store = &call.play.run.store;
    let elsewhere =
        call.keywords.delegate_facts && call.keywords.delegate_to.as_deref() != Some(store.host);
    if elsewhere && matches!(module, "set_fact" | "include_vars") {
        tell_about(call, facts, true);
        return;
    }
    match module {
        "set_fact" => {
            for (name, value) in facts {
                store.set(name, value.clone());
            }
            if cacheable {
                store.add_facts(facts);
            }
        }
        "include_vars" => store.include(facts),
        // They are about the host that the task was delegated to.
        _ if elsewhere => tell_about(call, facts, false),
        _ => store.add_facts(facts),
    }
}

/// Keeps facts or variables for the host that they are about.
fn tell_about(call: &Call<'_, '_, '_>, new: &Map, set: bool) {
    let store = &call.play.run.store;
    let host = call.keywords.delegate_to.clone().unwrap_or_default();
    if !store.options.attended {
        return;
    }
    let mut news = store.news.borrow_mut();
    let news = &mut *news;
    let by_host = match set {
        true => &mut news.about_vars,
        false => &mut news.about,
    };
    let known = by_host
        .entry(host)
        .or_insert_with(|| Value::Map(Map::new()));
    if let Value::Map(known) = known {
        known.extend(new.clone());
    }
}

/// The texts of arguments that are marked secret.
fn secret_values(module: &dyn Module, args: &Args) -> Vec<String> {
    let mut texts = Vec::new();
    for arg in module.spec().all_args().filter(|a| a.secret) {
        if args.has(arg.name)
            && let Some(value) = args.get(arg.name)
        {
            collect(value, &mut texts);
        }
    }
    texts
}

fn collect(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Str(s) | Value::Unsafe(s) if !s.is_empty() => out.push(s.clone()),
        Value::Int(i) => out.push(i.to_string()),
        Value::List(l) => l.iter().for_each(|v| collect(v, out)),
        Value::Map(m) => m.values().for_each(|v| collect(v, out)),
        _ => {}
    }
}
