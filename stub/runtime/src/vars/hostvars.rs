//! `hostvars`: the variables of this host and of others.
//!
//! What another host's variables are can only be asked for, and templates hold nothing that could ask. So the first
//! look at another host fails and leaves its name; the templating side asks and renders again.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rustle_template::{Args, Error, Interp, Object, Value as Rendered};

#[derive(Default)]
struct Known {
    vars: RefCell<HashMap<String, Option<Rendered>>>,
    wanted: RefCell<Option<String>>,
}

/// What is known of other hosts.
#[derive(Clone, Default)]
pub(super) struct Others(Rc<Known>);

impl Others {
    /// The host that was looked at and is not known.
    pub(super) fn wanted(&self) -> Option<String> {
        self.0.wanted.borrow_mut().take()
    }

    /// Keeps a host's variables; `None`: there is no such host.
    pub(super) fn learn(&self, host: String, vars: Option<Rendered>) {
        self.0.vars.borrow_mut().insert(host, vars);
    }

    /// Forgets everything: other hosts go on, too.
    pub(super) fn forget(&self) {
        self.0.vars.borrow_mut().clear();
    }

    /// The value of `hostvars`.
    pub(super) fn object(&self, own: &str, own_vars: Rendered, hosts: Vec<String>) -> Rendered {
        Rendered::object(HostVars {
            own: own.to_owned(),
            own_vars,
            hosts,
            others: self.clone(),
        })
    }
}

/// The value of `hostvars`: a mapping of hosts.
#[derive(Clone)]
struct HostVars {
    own: String,
    own_vars: Rendered,
    hosts: Vec<String>,
    others: Others,
}

impl HostVars {
    fn of(&self, host: &str) -> Result<Option<Rendered>, Error> {
        if host == self.own {
            return Ok(Some(self.own_vars.clone()));
        }
        if let Some(known) = self.others.0.vars.borrow().get(host) {
            return Ok(known.clone());
        }
        *self.others.0.wanted.borrow_mut() = Some(host.to_owned());
        Err(Error::value(format!(
            "the variables of '{host}' are not known yet"
        )))
    }
}

impl Object for HostVars {
    fn type_name(&self) -> &str {
        "HostVars"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_item(&self, _: &mut Interp<'_>, key: &Rendered) -> Result<Option<Rendered>, Error> {
        key.as_str().map_or(Ok(None), |host| self.of(host))
    }

    fn get_attr(&self, _: &mut Interp<'_>, name: &str) -> Result<Option<Rendered>, Error> {
        let method = match name {
            "keys" => Method::Keys,
            "values" => Method::Values,
            "items" => Method::Items,
            "get" => Method::Get,
            host => return self.of(host),
        };
        Ok(Some(Rendered::object(Bound {
            of: self.clone(),
            method,
        })))
    }

    fn iterate(&self) -> Option<Result<Vec<Rendered>, Error>> {
        Some(Ok(self
            .hosts
            .iter()
            .map(|h| Rendered::str(h.as_str()))
            .collect()))
    }

    fn len(&self) -> Option<usize> {
        Some(self.hosts.len())
    }

    fn contains(&self, item: &Rendered) -> Option<bool> {
        Some(item.as_str().is_some_and(|h| {
            h == self.own || h == "localhost" || self.hosts.iter().any(|k| k == h)
        }))
    }

    fn text(&self) -> String {
        format!("<variables of {} hosts>", self.hosts.len())
    }
}

/// What a mapping of Python can do.
#[derive(Clone, Copy)]
enum Method {
    Keys,
    Values,
    Items,
    Get,
}

/// `hostvars.items` before it is called.
struct Bound {
    of: HostVars,
    method: Method,
}

impl Object for Bound {
    fn type_name(&self) -> &str {
        "method"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_callable(&self) -> bool {
        true
    }

    fn call(&self, _: &mut Interp<'_>, args: Args) -> Result<Rendered, Error> {
        let of = &self.of;
        if let Method::Get = self.method {
            let [name, default] = args.bind("get", ["key", "default"], 1)?;
            let found = match name.as_ref().and_then(Rendered::as_str) {
                Some(host) if host == of.own || of.hosts.iter().any(|h| h == host) => {
                    of.of(host)?
                }
                _ => None,
            };
            return Ok(found.or(default).unwrap_or(Rendered::None));
        }
        let mut out = Vec::new();
        for host in &of.hosts {
            let name = Rendered::str(host.as_str());
            out.push(match self.method {
                Method::Keys => name,
                Method::Values => of.of(host)?.unwrap_or(Rendered::None),
                _ => Rendered::tuple(vec![name, of.of(host)?.unwrap_or(Rendered::None)]),
            });
        }
        Ok(Rendered::list(out))
    }
}
