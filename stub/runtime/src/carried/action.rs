//! Modules whose part on the controller does the work: an action plugin of Ansible's, which the controller of the run
//! starts, in this process or at the other end of the session. What it does on the host it does over a connection of
//! Ansible's own.

use rustle_formats::{Map, Value};

use super::answer;
use crate::r#become;
use crate::engine::{Call, HIDDEN};
use crate::outcome::{Failure, ModuleResult};

/// Lets the controller run the action plugin of a task.
pub(crate) fn run(call: &Call<'_, '_, '_>) -> ModuleResult {
    let name = &call.frame.task.module;
    let refuse = |why: &str| {
        Failure::new(format!(
            "Task failed: the module '{name}' has a part that runs on the controller: {why}"
        ))
    };
    if call.keywords.background.is_some() {
        return Err(refuse("it cannot be left in the background here"));
    }
    let escalation = escalation(call).map_err(|why| refuse(&why))?;
    let store = &call.play.run.store;
    let controller = store.driver.controller();
    let controller = controller.ok_or_else(|| refuse("there is none"))?;
    let mut told = Map::new();
    let mut put = |key: &str, value: Value| told.insert(key.into(), value);
    put("name", name.as_str().into());
    put("task", (&*call.frame.written_name()).into());
    let elsewhere = call.keywords.delegate_to.as_deref();
    put("host", elsewhere.unwrap_or(store.host).into());
    put("args", super::given::plain(&Value::Map(call.args.clone())));
    put("check", call.keywords.check.into());
    put("diff", call.keywords.diff.into());
    put("no_log", call.no_log.into());
    put("verbosity", i64::from(store.options.verbosity).into());
    let environment = call.keywords.environment.iter();
    let environment = environment.map(|(k, v)| (k.clone(), v.as_str().into()));
    put("environment", Value::Map(environment.collect()));
    put("become", escalation);
    let variables = Value::Map(call.templar.vars().data());
    put("variables", super::given::plain(&variables));
    let folders: Vec<Value> = call
        .frame
        .folders()
        .iter()
        .map(|f| f.as_str().into())
        .collect();
    put("folders", Value::List(folders));
    let mut result = controller.action(&told).map_err(|why| refuse(&why))?;
    let how = result.shift_remove("_ansible_told");
    let hidden = result.shift_remove(HIDDEN);
    let mut outcome = answer::of_map(&mut result, call.keywords.diff);
    // Whatever is true for Python counts.
    let no = |v: &Value| matches!(v, Value::Null | Value::Bool(false) | Value::Int(0));
    if let Some(hidden) = hidden.filter(|v| !no(v) && v.as_str() != Some("")) {
        outcome.fields.insert(HIDDEN.into(), hidden);
    }
    if let Some(how) = how {
        outcome.fields.insert("_ansible_told".into(), how);
    }
    Ok(outcome)
}

/// Whom the plugin's modules become, and how; nothing where that is who the run is already.
fn escalation(call: &Call<'_, '_, '_>) -> Result<Value, String> {
    let Some(escalate) = &call.keywords.escalate else {
        return Ok(Value::Null);
    };
    let same = matches!(r#become::identity(escalate), Ok(None));
    if same && !call.play.run.store.options.become_same {
        return Ok(Value::Null);
    }
    let mut told = Map::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            told.insert(name.into(), value.into());
        }
    };
    put("method", Some(escalate.method.name()));
    put("user", Some(&escalate.user));
    put("flags", escalate.flags.as_deref());
    put("exe", escalate.program.as_deref());
    let password = escalate.password(call.templar)?;
    put("password", password.as_ref().map(|p| p.as_str()));
    Ok(Value::Map(told))
}
