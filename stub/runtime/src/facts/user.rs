//! The user that tasks run as, and the environment.

use rustle_formats::{Map, Value};

use super::Source;
use crate::accounts::Accounts;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let uid = rustix::process::getuid().as_raw();
    let accounts = Accounts::load(source.root).unwrap_or_default();
    let user = accounts.user_by_id(uid);
    let name = user.map_or_else(
        || {
            source
                .env
                .get("USER")
                .cloned()
                .unwrap_or_else(|| uid.to_string())
        },
        |u| u.name.clone(),
    );
    let mut put = |name: &str, value: Value| {
        facts.insert(format!("ansible_{name}"), value);
    };
    put("user_id", name.into());
    put("user_uid", i64::from(uid).into());
    let gid = user.map_or_else(|| rustix::process::getgid().as_raw(), |u| u.gid);
    put("user_gid", i64::from(gid).into());
    put(
        "user_gecos",
        user.map(|u| u.gecos.as_str()).unwrap_or_default().into(),
    );
    let home = user
        .map(|u| u.home.clone())
        .or_else(|| source.env.get("HOME").cloned());
    put("user_dir", home.unwrap_or_default().into());
    put(
        "user_shell",
        user.map(|u| u.shell.as_str()).unwrap_or_default().into(),
    );
    put("real_user_id", i64::from(uid).into());
    put(
        "effective_user_id",
        i64::from(rustix::process::geteuid().as_raw()).into(),
    );
    put(
        "real_group_id",
        i64::from(rustix::process::getgid().as_raw()).into(),
    );
    put(
        "effective_group_id",
        i64::from(rustix::process::getegid().as_raw()).into(),
    );
}

pub(super) fn gather_env(source: &Source<'_>, facts: &mut Map) {
    let env: Map = source
        .env
        .iter()
        .map(|(k, v)| (k.clone(), v.as_str().into()))
        .collect();
    facts.insert("ansible_env".into(), Value::Map(env));
}
