//! Against an apt-get and a dpkg-query that keep packages as files.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::trial::Trial;

const APT_GET: &str = r#"#!/bin/sh
D=$(dirname $0)/db
echo "$*" >> $D/../log
sim=; verb=; pkgs=
while [ $# -gt 0 ]; do case $1 in
  -o|-t) shift;; --simulate) sim=1;; -*) ;;
  update|install|remove|purge|upgrade|clean) verb=$1;; *) pkgs="$pkgs $1";; esac; shift; done
[ "$verb" = update ] && exit 0
echo "The following packages will be changed:"
for p in $pkgs; do n=${p%%=*}; v=1.0; case $p in *=*) v=${p#*=};; esac
  case $n in nope) echo "E: Unable to locate package nope" >&2; exit 100;; esac
  case $verb in
    install) [ "$(cat $D/$n 2>/dev/null)" = "$v" ] && continue; echo "Inst $n ($v)"; [ $sim ] || echo $v > $D/$n;;
    *) [ -e $D/$n ] || continue; echo "Remv $n"; [ $sim ] || rm $D/$n;;
  esac
done
echo "1 upgraded, 0 newly installed, 0 to remove and 0 not upgraded."
"#;

const DPKG_QUERY: &str = r#"#!/bin/sh
D=$(dirname $0)/db; rc=0
while [ "$1" != -- ]; do shift; done; shift
for p; do if [ -e $D/$p ]; then printf '%s\tamd64\t%s\tinstalled\t\n' $p $(cat $D/$p); else rc=1; fi; done
exit $rc
"#;

fn machine() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("db")).expect("a folder");
    for (name, text) in [("apt-get", APT_GET), ("dpkg-query", DPKG_QUERY)] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    dir
}

fn trial(dir: &tempfile::TempDir) -> Trial {
    Trial::new().env("PATH", &format!("{}:/usr/bin:/bin", dir.path().display()))
}

#[test]
fn present_latest_absent() {
    let dir = machine();
    let t = trial(&dir);
    let check = Trial {
        check: true,
        ..trial(&dir)
    };
    let both = json!({"name": ["a", "b=2.0"]});
    assert!(check.run("apt", both.clone()).changed);
    assert!(!dir.path().join("db/a").exists());
    let r = t.run("apt", both.clone());
    assert!(r.changed && !r.failed, "{r:?}");
    assert!(
        r.diff
            .is_some_and(|d| d.to_string().contains("The following packages"))
    );
    assert!(!t.run("apt", both).changed);
    assert!(!t.run("apt", json!({"name": "b=2.*"})).changed);
    assert!(t.run("apt", json!({"name": "b=3.0"})).changed);
    assert!(
        !t.run("apt", json!({"name": "a", "state": "latest"}))
            .changed
    );
    assert!(
        t.run(
            "apt",
            json!({"pkg": "a,b", "state": "absent", "purge": true})
        )
        .changed
    );
    assert!(
        !t.run("apt", json!({"pkg": "a,b", "state": "absent"}))
            .changed
    );
}

#[test]
fn messages_and_options() {
    let dir = machine();
    let t = trial(&dir);
    assert_eq!(
        t.run("apt", json!({"name": "nope"})).message(),
        "No package matching 'nope' is available"
    );
    t.run("apt", json!({"name": "a", "install_recommends": false, "default_release": "x", "lock_timeout": 5}));
    let log = std::fs::read_to_string(dir.path().join("log")).expect("a log");
    let last = log.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "-y -o DPkg::Lock::Timeout=5 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
         --no-install-recommends -t x install a"
    );
    let r = t.run("apt", json!({"update_cache": true}));
    assert!(r.changed && r.field("cache_updated") == "true", "{r:?}");
    assert!(
        t.run("apt", json!({"name": "a", "deb": "x"}))
            .message()
            .contains("mutually exclusive")
    );
}

#[test]
fn package_uses_it() {
    let dir = machine();
    let t = trial(&dir);
    let args = json!({"name": "a", "state": "present", "use": "apt"});
    assert!(t.run("package", args.clone()).changed);
    assert!(!t.run("package", args).changed);
    assert!(
        t.run(
            "package",
            json!({"name": "a", "state": "odd", "use": "apt"})
        )
        .failed
    );
}
