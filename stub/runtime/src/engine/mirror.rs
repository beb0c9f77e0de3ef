//! `synchronize`: rsync runs on the controller, or on the host that the task is delegated to. The controller knows how the one is
//! reached from the other, so that it makes the module's arguments and lets it run where it belongs.

use rustle_formats::{Map, Value};

use super::driver::{Reply, Request};
use super::invoke::{Call, action};
use super::result;
use crate::context::Variables as _;
use crate::modules::Module;

/// The variable by which a host knows that the arguments are made, and that it is the one to run rsync.
pub const READY: &str = "_rustle_synchronize_here";

/// The result of a task that the controller has somebody do; none where it is this engine that shall do it.
pub(super) fn ask(call: &Call<'_, '_, '_>, module: &dyn Module) -> Option<Map> {
    if matches!(call.templar.get(READY), Ok(Some(_))) {
        return None;
    }
    if call.keywords.background.is_some() {
        // Which is refused below.
        return None;
    }
    let given = |name: &str| call.args.get(name).is_some_and(|v| *v != Value::Null);
    if !given("src") || !given("dest") {
        let why = "synchronize requires both src and dest parameters are set";
        let mut map = result::failed(why);
        map.insert(
            "_ansible_told".into(),
            format!("Task failed: Action failed: {why}").into(),
        );
        return Some(map);
    }
    let named = call.keywords.delegate_to.as_deref().unwrap_or_default();
    let request = action(call, module, named);
    let store = &call.play.run.store;
    Some(match store.driver.ask(Request::Action(Box::new(request))) {
        Reply::Result(map) => map,
        Reply::Refused(why) => result::failed(&why),
        _ => result::failed("`synchronize` needs the controller, and there is none"),
    })
}
