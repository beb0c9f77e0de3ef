//! Whom a task becomes, and how: its keywords, and the variables that win over them.

use rustle_formats::Value;
use zeroize::Zeroizing;

use crate::args::{boolean, text};
use crate::context::Variables as _;
use crate::engine::{Frame, flag, words};
use crate::vars::Templar;

/// The name under which a driver knows the password that the user gave for the whole run. No variable is named so.
pub const BECOME_PASSWORD: &str = "become password";

/// The user to become.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Escalate {
    pub user: String,
    pub method: Method,
    /// Options of the program; none: those that Ansible uses.
    pub flags: Option<String>,
    /// The program; none: the method's own, found in PATH.
    pub program: Option<String>,
    /// The folder that sudo is started in.
    pub folder: Option<String>,
}

/// The program that changes the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Sudo,
    Su,
    Doas,
    Runuser,
}

impl Method {
    fn of(name: &str) -> Option<Method> {
        let all = [Method::Sudo, Method::Su, Method::Doas, Method::Runuser];
        let short = name.rsplit('.').next().unwrap_or_default();
        all.into_iter().find(|method| method.name() == short)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Sudo => "sudo",
            Method::Su => "su",
            Method::Doas => "doas",
            Method::Runuser => "runuser",
        }
    }
}

impl Escalate {
    /// Whom the task becomes, if anybody. For a task that another host does, that host's variables count.
    ///
    /// # Errors
    /// Ansible's sentence about the first keyword or variable that cannot be evaluated, or about the method.
    pub(crate) fn evaluate(
        templar: &Templar<'_, '_>,
        frame: &Frame<'_>,
        host: Option<&str>,
    ) -> Result<Option<Escalate>, String> {
        let wanted = match variable(templar, host, "ansible_become")? {
            Some(text) => boolean(&Value::Str(text)),
            None => {
                let mut found = None;
                for value in frame.become_() {
                    found = flag(templar, "become", Some(value))?;
                    // What is omitted is as what is around it says.
                    if found.is_some() || value.is_null() {
                        break;
                    }
                }
                found
            }
        };
        if wanted != Some(true) {
            return Ok(None);
        }
        let written = match variable(templar, host, "ansible_become_method")? {
            Some(name) => Some(name),
            None => words(templar, "become_method", frame.become_method())?,
        };
        let method = match &written {
            None => Method::Sudo,
            Some(name) => Method::of(name).ok_or_else(|| {
                format!(
                    "Invalid become method specified, could not find matching plugin: '{name}'. Use `ansible-doc -t become -l` to list available plugins."
                )
            })?,
        };
        let option = |name: &str, keyword: Option<&Value>| match method_variable(
            templar, host, method, name,
        )? {
            Some(value) => Ok(Some(value)),
            None => words(templar, &format!("become_{name}"), keyword),
        };
        Ok(Some(Escalate {
            user: option("user", frame.become_user())?.unwrap_or_else(|| "root".into()),
            flags: option("flags", frame.become_flags())?,
            program: option("exe", frame.become_exe())?,
            folder: match method {
                Method::Sudo => variable(templar, host, "ansible_sudo_chdir")?,
                _ => None,
            },
            method,
        }))
    }

    /// The password: a variable's, else the one that was given for the whole run. It is kept out of events from now on.
    ///
    /// # Errors
    /// Where the variable cannot be evaluated.
    pub(crate) fn password(
        &self,
        templar: &Templar<'_, '_>,
    ) -> Result<Option<Zeroizing<String>>, String> {
        let store = templar.vars().store();
        let found = match method_variable(templar, None, self.method, "pass")? {
            None => variable(templar, None, "ansible_become_password")?,
            found => found,
        };
        Ok(match found {
            Some(found) => {
                let password = Zeroizing::new(found);
                store.hide(&password);
                Some(password)
            }
            None => store.given_password(),
        })
    }

    /// Whether changing the user is all that is asked for, so that root needs no program for it.
    pub(crate) fn is_plain(&self) -> bool {
        // Ansible's own, and those that ask for what is so in any case.
        let usual = |flags: &String| {
            let mut words = flags.split_whitespace();
            words.all(|word| matches!(word, "-H" | "-S" | "-n" | "-E"))
        };
        self.program.is_none() && self.folder.is_none() && self.flags.as_ref().is_none_or(usual)
    }
}

/// The variable of the method, else the one of all methods.
fn method_variable(
    templar: &Templar<'_, '_>,
    host: Option<&str>,
    method: Method,
    name: &str,
) -> Result<Option<String>, String> {
    for family in [method.name(), "become"] {
        let found = variable(templar, host, &format!("ansible_{family}_{name}"))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A variable of this host, or of another one.
fn variable(
    templar: &Templar<'_, '_>,
    host: Option<&str>,
    name: &str,
) -> Result<Option<String>, String> {
    let found = match host {
        None => templar.get(name)?,
        // Of a host that nobody knows there is nothing to say.
        Some(host) => {
            let expression = format!("hostvars['{host}']['{name}'] | default(none)");
            templar.expression(&expression).ok()
        }
    };
    Ok(found.filter(|v| !v.is_null()).map(|v| text(&v)))
}
