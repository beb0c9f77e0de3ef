//! The command line that starts a worker as another user.

use super::{Escalate, Method};
use crate::process::quote;

/// What a worker's start is announced with, on its standard output.
pub(super) const SUCCESS: &str = "BECOME-SUCCESS-";

/// The prompt that sudo is told to ask with.
pub(super) fn prompt(key: &str) -> String {
    format!("[sudo via rustle, key={key}] password:")
}

/// The line for a shell. `program` is the worker with its arguments, quoted; `key` tells this start from all others.
pub(super) fn line(escalate: &Escalate, program: &str, key: &str, password: bool) -> String {
    let Escalate { user, method, .. } = escalate;
    let inner = quote(&format!("echo {SUCCESS}{key}; exec {program}"));
    let inner = format!("/bin/sh -c {inner}");
    let exe = escalate.program.as_deref().unwrap_or(method.name());
    let flags = escalate.flags.as_deref();
    let user = quote(user);
    match method {
        Method::Sudo => {
            let mut flags = flags.unwrap_or("-H -S -n").to_owned();
            if password {
                // Not asking would forbid the prompt.
                let words = flags.split_whitespace().filter(|word| *word != "-n");
                let words: Vec<&str> = words.collect();
                flags = format!("{} -p {}", words.join(" "), quote(&prompt(key)));
            }
            let folder = escalate.folder.as_ref();
            let folder = folder.map_or(String::new(), |f| format!("cd {} && ", quote(f)));
            format!("{folder}{exe} {flags} -u {user} {inner}")
        }
        Method::Doas => {
            let ask = if password { "" } else { "-n" };
            let flags = flags.unwrap_or_default();
            format!("{exe} {flags} {ask} -u {user} {inner}")
        }
        Method::Su | Method::Runuser => {
            let (flags, inner) = (flags.unwrap_or_default(), quote(&inner));
            format!("{exe} {flags} {user} -c {inner}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_methods() {
        let mut out = String::new();
        for method in [Method::Sudo, Method::Su, Method::Doas, Method::Runuser] {
            for (flags, password) in [(None, false), (None, true), (Some("-n -i"), true)] {
                let escalate = Escalate {
                    user: "o'neill".into(),
                    method,
                    flags: flags.map(str::to_owned),
                    program: None,
                    folder: None,
                };
                out += &line(&escalate, "'/my stub' --become-worker", "k", password);
                out.push('\n');
            }
        }
        insta::assert_snapshot!(out);
    }
}
