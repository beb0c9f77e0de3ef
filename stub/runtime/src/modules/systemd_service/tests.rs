//! Against a systemctl that keeps its units in files, and writes down what it was asked.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::properties;
use crate::trial::Trial;

const SYSTEMCTL: &str = r#"#!/bin/sh
S=${FAKE_STATE:?}
echo "$*" >> "$S/log"
while :; do case $1 in --*) shift;; *) break;; esac; done
verb=$1; unit=$2
case $verb in
  daemon-reload|daemon-reexec) ;;
  show)
    load=loaded; active=inactive; file=disabled
    [ -e "$S/$unit.unit" ] || load=not-found
    [ -e "$S/$unit.active" ] && active=active
    [ -e "$S/$unit.enabled" ] && file=enabled
    [ -e "$S/$unit.masked" ] && load=masked file=masked
    printf 'Id=%s.service\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\n' "$unit" $load $active $file;;
  is-enabled)
    [ -e "$S/$unit.masked" ] && { echo masked; exit 1; }
    [ -e "$S/$unit.enabled" ] && { echo enabled; exit 0; }
    echo disabled; exit 1;;
  start|restart) [ -e "$S/$unit.broken" ] && { echo "Job for $unit failed." >&2; exit 1; }; touch "$S/$unit.active";;
  stop) rm -f "$S/$unit.active";;
  reload) ;;
  enable) touch "$S/$unit.enabled";;
  disable) rm -f "$S/$unit.enabled";;
  mask) touch "$S/$unit.masked";;
  unmask) rm -f "$S/$unit.masked";;
  *) exit 9;;
esac
"#;

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new(units: &[&str]) -> Machine {
        let dir = tempfile::tempdir().expect("a folder");
        let control = dir.path().join("systemctl");
        std::fs::write(&control, SYSTEMCTL).expect("a file");
        std::fs::set_permissions(&control, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        for unit in units {
            std::fs::write(dir.path().join(unit), "").expect("a file");
        }
        Machine { dir }
    }

    fn trial(&self) -> Trial {
        let dir = self.dir.path().display().to_string();
        Trial::new()
            .env("FAKE_STATE", &dir)
            .env("PATH", &format!("{dir}:/usr/bin:/bin"))
    }

    fn log(&self) -> Vec<String> {
        let path = self.dir.path().join("log");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn started_and_enabled_once() {
    let m = Machine::new(&["a.unit"]);
    let t = m.trial();
    let check = Trial {
        check: true,
        ..m.trial()
    };
    let args = json!({"name": "a", "state": "started", "enabled": true});
    assert!(check.run("systemd", args.clone()).changed);
    assert_eq!(m.log(), ["show a", "is-enabled a -l"]);
    let r = t.run("systemd", args.clone());
    assert!(
        r.changed && r.field("state") == "started" && r.field("enabled") == "true",
        "{r:?}"
    );
    assert_eq!(
        m.log(),
        ["show a", "is-enabled a -l", "enable a", "start a"]
    );
    let r = t.run("systemd_service", args);
    assert!(!r.changed);
    let state = r
        .fields
        .get("status")
        .and_then(|s| s.get("ActiveState").cloned());
    assert_eq!(state, Some("active".into()));
    assert!(
        t.run("systemd", json!({"name": "a", "state": "reloaded"}))
            .changed
    );
    assert!(
        t.run(
            "systemd",
            json!({"name": "a", "state": "stopped", "enabled": false})
        )
        .changed
    );
    assert!(
        !t.run(
            "systemd",
            json!({"name": "a", "state": "stopped", "enabled": false})
        )
        .changed
    );
    m.log();
    assert!(
        t.run(
            "systemd",
            json!({"name": "a", "state": "restarted", "no_block": true, "scope": "user"})
        )
        .changed
    );
    assert_eq!(
        m.log(),
        ["--user --no-block show a", "--user --no-block start a"]
    );
}

#[test]
fn masks() {
    let m = Machine::new(&["a.unit"]);
    let t = m.trial();
    assert!(
        t.run("systemd", json!({"name": "a", "masked": true}))
            .changed
    );
    assert!(
        !t.run("systemd", json!({"name": "a", "masked": true}))
            .changed
    );
    assert!(
        t.run(
            "systemd",
            json!({"name": "a", "masked": false, "force": true})
        )
        .changed
    );
    assert_eq!(m.log().last().map(String::as_str), Some("--force unmask a"));
    assert!(
        t.run("systemd", json!({"name": "nope", "masked": true}))
            .changed
    );
}

#[test]
fn failures_and_reloads() {
    let m = Machine::new(&["bad.unit", "bad.broken"]);
    let t = m.trial();
    let say = |args| t.run("systemd", args).message().to_owned();
    assert_eq!(
        say(json!({"name": "nope", "state": "started"})),
        "Could not find the requested service nope: host"
    );
    assert_eq!(
        say(json!({"name": "bad", "state": "started"})),
        "Unable to start service bad: Job for bad failed.\n"
    );
    assert!(
        say(json!({"name": "x*", "state": "started"})).contains("found '*' in service name: x*")
    );
    assert_eq!(
        say(json!({"state": "started"})),
        "missing parameter(s) required by 'state': name"
    );
    m.log();
    let r = t.run("systemd", json!({"daemon_reload": true}));
    assert!(!r.changed && !r.failed);
    assert_eq!(m.log(), ["daemon-reload"]);
}

#[test]
fn the_service_module_comes_here_when_told_to() {
    let m = Machine::new(&["a.unit"]);
    let r = m.trial().run(
        "service",
        json!({"name": "a", "state": "started", "use": "systemd"}),
    );
    assert!(r.changed && !r.failed, "{r:?}");
    assert_eq!(m.log(), ["show a", "start a"]);
}

#[test]
fn properties_over_several_lines() {
    let map = properties(
        "Id=a.service\nExecStart={ path=/bin/sh ; argv[]=/bin/sh -c x\n y ; z }\nDescription=a=b\n",
    );
    assert_eq!(
        map.get("ExecStart"),
        Some(&"{ path=/bin/sh ; argv[]=/bin/sh -c x\n y ; z }".into())
    );
    assert_eq!(map.get("Description"), Some(&"a=b".into()));
}
