//! `add_host`: names a host that the rest of the run knows. The controller takes it in.

use rustle_formats::{Map, Value};

use crate::args::{Args, text};
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct AddHost;

static SPEC: Spec = Spec {
    name: "add_host",
    collection: "ansible.builtin",
    summary: "Adds a host, and its groups, to the inventory of the run.",
    args: &[&[
        Arg::new("name", Kind::Raw, "The host, with a port behind a colon if it has one.")
            .aliases(&["hostname", "host"]),
        Arg::new("groups", Kind::Raw, "The groups that it belongs to: a list, or text with commas.")
            .aliases(&["groupname", "group"]),
    ]],
    free_form: None,
    open: true,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Engine,
};

/// The names of arguments that are no variables of the host.
const OWN: &[&str] = &["name", "hostname", "groupname", "groups"];

impl Module for AddHost {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, _: &Context<'_>) -> ModuleResult {
        let name = args.get("name").map(text).filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Err(Failure::new(
                "name, host or hostname needs to be provided",
            ));
        };
        let (name, port) = with_port(&name);
        let groups = groups(args.get("groups"))?;
        let mut vars: Map = args
            .values()
            .iter()
            .filter(|(key, _)| !OWN.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(port) = port {
            vars.insert("ansible_ssh_port".into(), port.into());
        }
        let mut host = Map::new();
        host.insert("host_name".into(), name.into());
        host.insert("groups".into(), Value::from(groups));
        host.insert("host_vars".into(), Value::Map(vars));
        Ok(Outcome::ok().with("add_host", Value::Map(host)))
    }
}

/// `name:port`; an address of IPv6 with a port stands in brackets.
fn with_port(text: &str) -> (&str, Option<i64>) {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None if text.matches(':').count() == 1 => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
        None => (text, None),
    };
    match port.map(str::parse::<u16>) {
        Some(Ok(port)) => (name, Some(i64::from(port))),
        Some(Err(_)) => (text, None),
        None => (name, None),
    }
}

/// The groups: a list, or text with commas.
fn groups(given: Option<&Value>) -> Result<Vec<String>, Failure> {
    let written = match given {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(list)) => list.iter().map(text).collect(),
        Some(Value::Str(names) | Value::Unsafe(names)) => {
            names.split(',').map(str::to_owned).collect()
        }
        Some(_) => return Err(Failure::new("Groups must be specified as a list.")),
    };
    let mut out: Vec<String> = Vec::new();
    for name in written {
        let name = name.trim();
        if !name.is_empty() && !out.iter().any(|known| known == name) {
            out.push(name.to_owned());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_carry_a_port() {
        assert_eq!(with_port("a"), ("a", None));
        assert_eq!(with_port("a:22"), ("a", Some(22)));
        assert_eq!(with_port("[::1]:22"), ("::1", Some(22)));
        assert_eq!(with_port("::1"), ("::1", None));
        assert_eq!(with_port("a:b"), ("a:b", None));
    }

    #[test]
    fn groups_are_a_list_or_text() {
        assert_eq!(groups(Some(&"a, b,a".into())).unwrap(), ["a", "b"]);
        assert_eq!(groups(None).unwrap(), [""; 0]);
        assert!(groups(Some(&Value::Map(Map::new()))).is_err());
    }
}
