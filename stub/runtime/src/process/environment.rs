//! What a child inherits: the one place that looks at this process's own environment, since a child and the expansion
//! of `~` and `$NAME` in a path must see the same.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::accounts::Accounts;
use crate::context::Context;

/// A variable as a child of the task sees it.
pub fn variable(ctx: &Context<'_>, name: &str) -> Option<OsString> {
    match ctx.environment.get(name) {
        Some(value) => Some(value.into()),
        None => std::env::var_os(name),
    }
}

/// Whether this process has a controlling terminal.
pub(super) fn has_terminal() -> bool {
    static TERMINAL: OnceLock<bool> = OnceLock::new();
    *TERMINAL.get_or_init(|| std::fs::File::open("/dev/tty").is_ok())
}

/// A path argument with `$NAME`, `${NAME}` and a leading `~` or `~user` expanded.
pub fn expand(ctx: &Context<'_>, text: &str) -> PathBuf {
    PathBuf::from(expand_user(ctx, &expand_variables(ctx, text)))
}

/// Replaces `$NAME` and `${NAME}` where the variable exists, and leaves the rest as it is.
pub fn expand_variables(ctx: &Context<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let (name, length) = match tail.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (&inner[..end], end + 2),
                None => ("", 0),
            },
            None => {
                let end = tail
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(tail.len());
                (&tail[..end], end)
            }
        };
        match variable(ctx, name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value.to_string_lossy()),
            None => {
                out.push('$');
                out.push_str(&tail[..length]);
            }
        }
        rest = &tail[length..];
    }
    out.push_str(rest);
    out
}

/// Replaces a leading `~` or `~user` where the home is known.
pub fn expand_user(ctx: &Context<'_>, text: &str) -> String {
    let Some(tail) = text.strip_prefix('~') else {
        return text.to_owned();
    };
    let (user, rest) = tail.split_at(tail.find('/').unwrap_or(tail.len()));
    let home = if user.is_empty() {
        ctx.environment
            .get("HOME")
            .cloned()
            .or_else(|| ctx.home.map(|h| h.to_string_lossy().into_owned()))
    } else {
        Accounts::load(Path::new("/"))
            .ok()
            .and_then(|a| a.user(user).map(|u| u.home.clone()))
    };
    match home {
        Some(home) => {
            let joined = format!("{}{rest}", home.trim_end_matches('/'));
            if joined.is_empty() {
                "/".to_owned()
            } else {
                joined
            }
        }
        None => text.to_owned(),
    }
}
