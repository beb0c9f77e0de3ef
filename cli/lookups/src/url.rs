//! `url`: what an address answers.

use std::time::Duration;

use indexmap::IndexMap;
use rustle_playbook::config::Config;
use rustle_runtime::{Fetch, fetch};
use rustle_template::{Error, LookupCall, Value};

use crate::arguments::{flag_of, terms, text_of};
use crate::failed;

pub(crate) fn run(config: &Config, call: &LookupCall<'_>) -> Result<Vec<Value>, Error> {
    let flag = |name: &str, default: bool| match call.option(name) {
        None | Some(Value::None) => Ok(default),
        Some(value) => flag_of(value),
    };
    let text = |name: &str| match call.option(name) {
        None | Some(Value::None) => Ok(None),
        Some(value) => text_of(value).map(Some),
    };
    for name in ["unix_socket", "ciphers"] {
        if call.option(name).is_some_and(|v| !matches!(v, Value::None)) {
            return Err(failed(format!("the option `{name}` is not supported")));
        }
    }
    let headers = match call.option("headers").map(Value::to_formats).transpose()? {
        Some(rustle_formats::Value::Map(map)) => map
            .iter()
            .map(|(name, value)| {
                let value = Value::from_formats(value, false);
                Ok((name.clone(), text_of(&value)?))
            })
            .collect::<Result<_, Error>>()?,
        _ => Vec::new(),
    };
    let timeout = text("timeout")?.unwrap_or_else(|| "10".into());
    let timeout: f64 = timeout
        .parse()
        .ok()
        .filter(|t: &f64| t.is_finite() && *t >= 0.0)
        .ok_or_else(|| failed(format!("`{timeout}` is no number of seconds")))?;
    let environment: IndexMap<String, String> = config
        .environment()
        .variables
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let (user, password) = (text("username")?, text("password")?);
    let agent = text("http_agent")?.unwrap_or_else(|| "ansible-httpget".into());
    let redirects = text("follow_redirects")?.unwrap_or_else(|| "urllib2".into());
    let ca = text("ca_path")?.map(Into::into);
    let mut out = Vec::new();
    for url in terms(call)? {
        let wanted = Fetch {
            url: url.clone(),
            headers: headers.clone(),
            user: user
                .clone()
                .map(|user| (user, password.clone().unwrap_or_default())),
            force_basic_auth: flag("force_basic_auth", false)?,
            validate_certs: flag("validate_certs", true)?,
            use_proxy: flag("use_proxy", true)?,
            timeout: Duration::from_secs_f64(timeout.min(1e6)),
            agent: agent.clone(),
            follow_redirects: redirects.clone(),
            ca: ca.clone(),
        };
        let body = fetch(&wanted, &environment).map_err(|why| {
            if why.starts_with("HTTP Error") {
                return failed(format!("Received HTTP error for {url} : {why}"));
            }
            failed(format!("Failed lookup url for {url} : {why}"))
        })?;
        let body = String::from_utf8_lossy(&body);
        if flag("split_lines", true)? {
            out.extend(body.lines().map(Value::str));
        } else {
            out.push(Value::str(body.as_ref()));
        }
    }
    Ok(out)
}
