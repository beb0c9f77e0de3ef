//! `config`: settings of ansible.cfg and the environment.

use rustle_playbook::config::Config;
use rustle_template::{Error, LookupCall, Value};

use crate::arguments::terms;
use crate::failed;

pub(crate) fn run(config: &Config, call: &LookupCall<'_>) -> Result<Vec<Value>, Error> {
    let option = |name: &str| call.option(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(plugin) = option("plugin_type").or_else(|| option("plugin_name")) {
        return Err(failed(format!(
            "the settings of plugins ({plugin}) are not known here"
        )));
    }
    let missing = option("on_missing").unwrap_or_else(|| "error".into());
    let mut out = Vec::new();
    for name in terms(call)? {
        match config.value(&name) {
            Some(value) => out.push(Value::from_formats(&value, false)),
            None if missing == "skip" || missing == "warn" => {}
            None => {
                return Err(failed(format!("No config definition exists for '{name}'.")));
            }
        }
    }
    Ok(out)
}
