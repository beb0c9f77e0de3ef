//! What a module is given besides its arguments: how the task is run, under the names that modules of Ansible look for.

use std::path::Path;

use rustle_formats::{Map, Value};

use crate::context::Context;

/// Kinds of file systems that know no SELinux contexts of single files, as Ansible's default has them.
const SPECIAL_FILE_SYSTEMS: &[&str] = &["fuse", "nfs", "vboxsf", "ramfs", "9p", "vfat"];

/// The arguments with all else that is given, as plain data. `folder`: for the module's temporary files.
pub(super) fn all(name: &str, args: &Map, folder: &Path, ctx: &Context<'_>) -> Map {
    let mut out: Map = args.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
    let version = ctx
        .variables
        .and_then(|v| v.get("ansible_version").ok().flatten())
        .and_then(|v| v.get("full").cloned());
    let folder = format!("{}/", folder.display());
    let special = SPECIAL_FILE_SYSTEMS.iter().map(|s| Value::from(*s));
    let more: [(&str, Value); 17] = [
        ("check_mode", ctx.check.into()),
        ("no_log", ctx.no_log.into()),
        ("debug", false.into()),
        ("diff", ctx.diff.into()),
        ("verbosity", i64::from(ctx.verbosity).into()),
        ("version", version.map_or(Value::Null, |v| plain(&v))),
        ("module_name", name.into()),
        ("syslog_facility", "LOG_USER".into()),
        ("selinux_special_fs", Value::List(special.collect())),
        ("socket", Value::Null),
        ("shell_executable", "/bin/sh".into()),
        ("keep_remote_files", false.into()),
        ("tmpdir", folder.as_str().into()),
        ("remote_tmp", folder.as_str().into()),
        ("ignore_unknown_opts", false.into()),
        ("target_log_info", Value::Null),
        ("tracebacks_for", Value::List(Vec::new())),
    ];
    for (key, value) in more {
        out.insert(format!("_ansible_{key}"), value);
    }
    out
}

/// A value without the marks that only this program knows.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::Unsafe(text) => Value::Str(text.clone()),
        Value::List(list) => Value::List(list.iter().map(plain).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), plain(v))).collect()),
        Value::Pairs(pairs) => {
            let pairs = pairs.iter();
            Value::Map(
                pairs
                    .map(|(k, v)| (crate::args::text(k), plain(v)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Trial;

    #[test]
    fn modes_are_told_and_marks_are_not() {
        let mut args = Map::new();
        args.insert(
            "a".into(),
            Value::List(vec![Value::Unsafe("{{ x }}".into())]),
        );
        let given = Trial::checking().with(|ctx| all("m", &args, Path::new("/t"), ctx));
        assert_eq!(given["a"], Value::List(vec!["{{ x }}".into()]));
        assert_eq!(given["_ansible_check_mode"], true.into());
        assert_eq!(given["_ansible_module_name"], "m".into());
        assert_eq!(given["_ansible_tmpdir"], "/t/".into());
    }
}
