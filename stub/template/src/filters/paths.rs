//! Paths.

use std::path::Path;

use super::{Filter, filter, of_text};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, iterate, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("basename", |_, v, args| {
        whole(&v, args, "basename", |path| split(path).1.to_owned())
    }),
    filter("commonpath", commonpath),
    filter("dirname", |_, v, args| {
        whole(&v, args, "dirname", |path| split(path).0.to_owned())
    }),
    filter("expanduser", expanduser),
    filter("expandvars", expandvars),
    filter("fileglob", fileglob),
    filter("normpath", |_, v, args| {
        whole(&v, args, "normpath", normalise)
    }),
    filter("path_join", path_join),
    filter("realpath", realpath),
    filter("relpath", relpath),
    filter("splitext", splitext),
    filter("win_basename", |_, v, args| {
        whole(&v, args, "win_basename", |path| win_split(path).1)
    }),
    filter("win_dirname", |_, v, args| {
        whole(&v, args, "win_dirname", |path| win_split(path).0)
    }),
    of_text("win_splitdrive", win_splitdrive),
];

fn whole(
    value: &Value,
    args: Args,
    name: &str,
    part: impl Fn(&str) -> String,
) -> Result<Value, Error> {
    args.none(name)?;
    Ok(Value::from(part(&path_text(value)?)))
}

fn path_text(value: &Value) -> Result<String, Error> {
    match value {
        Value::Str(text) => Ok(text.as_str().to_owned()),
        other => Err(Error::type_error(format!(
            "expected str, bytes or os.PathLike object, not {}",
            other.type_name()
        ))),
    }
}

/// The directory and the last part.
fn split(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |at| at + 1);
    let (head, tail) = path.split_at(at);
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, tail)
}

/// Python's `os.path.normpath`.
fn normalise(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let root = match path {
        _ if path.starts_with("//") && !path.starts_with("///") => "//",
        _ if path.starts_with('/') => "/",
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if !root.is_empty() => {}
            part => parts.push(part),
        }
    }
    let joined = format!("{root}{}", parts.join("/"));
    if joined.is_empty() {
        ".".to_owned()
    } else {
        joined
    }
}

fn commonpath(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("commonpath")?;
    if !matches!(value, Value::List(_) | Value::Tuple(_)) {
        return Err(Error::type_error(format!(
            "|commonpath expects sequence, got {} instead.",
            value.type_name()
        )));
    }
    let paths: Vec<String> = iterate(&value)?
        .iter()
        .map(path_text)
        .collect::<Result<_, _>>()?;
    let Some(first) = paths.first() else {
        return Err(Error::value("commonpath() arg is an empty sequence"));
    };
    let absolute = first.starts_with('/');
    if paths.iter().any(|path| path.starts_with('/') != absolute) {
        return Err(Error::value("Can't mix absolute and relative paths"));
    }
    let parts = |path: &str| -> Vec<String> {
        path.split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .map(str::to_owned)
            .collect()
    };
    let mut common = parts(first);
    for path in &paths[1..] {
        let other = parts(path);
        let same = common
            .iter()
            .zip(&other)
            .take_while(|(a, b)| a == b)
            .count();
        common.truncate(same);
    }
    Ok(Value::from(format!(
        "{}{}",
        if absolute { "/" } else { "" },
        common.join("/")
    )))
}

/// Python's `os.path.join`: an absolute part begins anew.
fn join_paths(parts: &[String]) -> String {
    let mut path = String::new();
    for (index, part) in parts.iter().enumerate() {
        if part.starts_with('/') || index == 0 {
            path = part.clone();
        } else {
            if !path.is_empty() && !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(part);
        }
    }
    path
}

fn path_join(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("path_join")?;
    match &value {
        Value::Str(_) => Ok(value),
        Value::List(_) | Value::Tuple(_) => {
            let parts: Vec<String> = iterate(&value)?
                .iter()
                .map(path_text)
                .collect::<Result<_, _>>()?;
            if parts.is_empty() {
                return Err(Error::type_error(
                    "join() missing 1 required positional argument: 'a'",
                ));
            }
            Ok(Value::from(join_paths(&parts)))
        }
        other => Err(Error::type_error(format!(
            "|path_join expects string or sequence, got {} instead.",
            other.type_name()
        ))),
    }
}

fn expanduser(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("expanduser")?;
    let path = path_text(&value)?;
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(Value::from(path));
    };
    let (user, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = interp
        .templar
        .engine()
        .host()
        .home(if user.is_empty() { None } else { Some(user) });
    Ok(Value::from(match home {
        Some(home) => format!("{}{tail}", home.trim_end_matches('/')),
        None => path,
    }))
}

fn expandvars(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("expandvars")?;
    let text = path_text(&value)?;
    let host = interp.templar.engine().host();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after
            .strip_prefix('{')
            .and_then(|text| text.split_once('}'))
        {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let length = after
                    .find(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
                    .unwrap_or(after.len());
                (&after[..length], length)
            }
        };
        match host.env(name) {
            Some(value) if !name.is_empty() => out.push_str(&value),
            _ => {
                out.push('$');
                out.push_str(&after[..length]);
            }
        }
        rest = &after[length..];
    }
    out.push_str(rest);
    Ok(Value::from(out))
}

fn absolute(interp: &Interp<'_>, path: &str) -> String {
    if path.starts_with('/') {
        return normalise(path);
    }
    let base = interp
        .templar
        .engine()
        .host()
        .current_dir()
        .unwrap_or_else(|| "/".to_owned());
    normalise(&join_paths(&[base, path.to_owned()]))
}

fn realpath(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("realpath")?;
    let path = absolute(interp, &path_text(&value)?);
    let host = interp.templar.engine().host();
    // What does not exist has no links in it: resolve as much as is there.
    let (mut head, mut tail) = (path.as_str(), Vec::new());
    loop {
        if let Some(real) = host.real_path(Path::new(head)) {
            let mut real = real.to_string_lossy().into_owned();
            for part in tail.iter().rev() {
                real = join_paths(&[real, String::from(*part)]);
            }
            return Ok(Value::from(real));
        }
        let (parent, last) = split(head);
        if parent == head || parent.is_empty() {
            return Ok(Value::from(path));
        }
        tail.push(last);
        head = parent;
    }
}

fn relpath(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [start] = args.bind("relpath", ["start"], 0)?;
    let path = absolute(interp, &path_text(&value)?);
    let start = absolute(interp, &start.text_or(".")?);
    let parts = |path: &str| {
        path.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (from, to) = (parts(&start), parts(&path));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut out = vec!["..".to_owned(); from.len() - common];
    out.extend_from_slice(&to[common..]);
    Ok(Value::from(if out.is_empty() {
        ".".to_owned()
    } else {
        out.join("/")
    }))
}

fn splitext(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("splitext")?;
    let path = path_text(&value)?;
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let name = &path[name_at..];
    let dots = name.len() - name.trim_start_matches('.').len();
    let dot = name[dots..].rfind('.').map(|at| name_at + dots + at);
    let (root, extension) = path.split_at(dot.unwrap_or(path.len()));
    Ok(Value::tuple(vec![Value::str(root), Value::str(extension)]))
}

fn fileglob(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("fileglob")?;
    crate::lookups::query(interp, Args::of(vec![Value::str("fileglob"), value]))
}

fn win_drive(path: &str) -> (&str, &str) {
    let bytes = path.as_bytes();
    if bytes.len() >= 2 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic() {
        return path.split_at(2);
    }
    let is_separator = |c: char| c == '\\' || c == '/';
    if path.starts_with(is_separator)
        && path[1..].starts_with(is_separator)
        && !path[2..].starts_with(is_separator)
    {
        let server = path[2..].find(is_separator).map(|at| at + 2);
        if let Some(server) = server {
            let share = path[server + 1..]
                .find(is_separator)
                .map_or(path.len(), |at| server + 1 + at);
            return path.split_at(share);
        }
    }
    path.split_at(0)
}

fn win_split(path: &str) -> (String, String) {
    let (drive, rest) = win_drive(path);
    let is_separator = |c: char| c == '\\' || c == '/';
    let at = rest.rfind(is_separator).map_or(0, |at| at + 1);
    let (head, tail) = rest.split_at(at);
    let trimmed = head.trim_end_matches(is_separator);
    let head = if trimmed.is_empty() { head } else { trimmed };
    (format!("{drive}{head}"), tail.to_owned())
}

fn win_splitdrive(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("win_splitdrive")?;
    let path = to_text(&value)?;
    let (drive, rest) = win_drive(&path);
    Ok(Value::tuple(vec![Value::str(drive), Value::str(rest)]))
}
