//! Modules whose part on the controller does the work: an action plugin of Ansible's, which the controller of the run
//! starts. It is there only where the run is in the controller's own process.

use rustle_formats::{Map, Value};

use super::answer;
use crate::r#become;
use crate::engine::Call;
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
    if let Some(escalate) = &call.keywords.escalate
        && r#become::identity(escalate)
            .map_err(|e| refuse(&e))?
            .is_some()
    {
        return Err(refuse("it cannot become another user here"));
    }
    let store = &call.play.run.store;
    let controller = store.driver.controller();
    let controller = controller.ok_or_else(|| refuse("there is none"))?;
    let mut told = Map::new();
    let mut put = |key: &str, value: Value| told.insert(key.into(), value);
    put("name", name.as_str().into());
    put("task", (&*call.frame.written_name()).into());
    put("host", store.host.into());
    put("args", super::given::plain(&Value::Map(call.args.clone())));
    put("check", call.keywords.check.into());
    put("diff", call.keywords.diff.into());
    put("no_log", call.no_log.into());
    put("verbosity", i64::from(store.options.verbosity).into());
    let environment = call.keywords.environment.iter();
    let environment = environment.map(|(k, v)| (k.clone(), v.as_str().into()));
    put("environment", Value::Map(environment.collect()));
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
    Ok(answer::of_map(&mut result, call.keywords.diff))
}
