use rustle_formats::seal::{KeySource, Overlay, RawKey};
use rustle_formats::value::Value;

use super::*;
use crate::keys::OsRandom;

const ROOT: [u8; 32] = [5; 32];

fn plan(json: &str) -> ExecutionPlan {
    serde_json::from_str(json).unwrap()
}

fn site() -> ExecutionPlan {
    plan(
        r#"{
        "hosts": {
            "web1": {"vars": {"port": 8081, "pw": {"__rustle_secret": "db"}}, "groups": ["web"]},
            "web2": {"vars": {"port": 8082}, "groups": ["web"]},
            "db1": {"vars": {}}
        },
        "groups": {"web": {"vars": {"x": {"__rustle_secret": "shared"}}}},
        "secrets": [
            {"name": "shared", "env": "SHARED"},
            {"name": "db", "file": "db.txt", "hosts": ["web1", "db1"]}
        ],
        "plays": [{"name": "all", "hosts": ["web1", "web2", "db1"], "batches": [{"tasks": [
            {"name": "on db", "module": "copy", "hosts": ["db1"], "args": {"content": {"__rustle_secret": "db"}}}
        ]}]}]
    }"#,
    )
}

fn sources(folder: &Path) -> SecretSources<'_> {
    SecretSources {
        folder,
        env: &|name| (name == "SHARED").then(|| Zeroizing::new(b"shared-secret\n".to_vec())),
    }
}

#[test]
fn no_overlay_holds_what_is_another_hosts() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("db.txt"), "db-secret\r\n").unwrap();
    let mut plan = site();
    assert_eq!(check_secrets(&plan), []);
    let data = HostData::split(&mut plan);
    assert!(data.needs_overlay());
    let base = format!("{plan:?}");
    assert!(!base.contains("8081") && !base.contains("SHARED") && !base.contains("db.txt"));

    let hosts: Vec<&str> = data.hosts().collect();
    let secrets = data.read_secrets(&hosts, &sources(folder.path())).unwrap();
    let file = |name: &str, hosts: &[&str]| HostFile {
        hosts: hosts.iter().map(|h| h.to_string()).collect(),
        file: SealedFile {
            name: name.into(),
            mode: None,
            content: Zeroizing::new(b"made of db-secret".to_vec()),
        },
    };
    let files = [file("for-db1", &["db1"])];
    let key = RawKey::from_bytes(&[1; 32]);
    let options = OverlayOptions {
        locks: vec![Lock::Key(key.clone())],
        ..OverlayOptions::default()
    };
    for (host, names, port, count) in [
        ("web1", vec!["db", "shared"], Some(8081), 0),
        ("web2", vec!["shared"], Some(8082), 0),
        ("db1", vec!["db", "shared"], None, 1),
        ("", vec!["shared"], None, 0),
    ] {
        let content = data.content(host, &secrets, &files).unwrap();
        let bytes = build_overlay(&content, &ROOT, &options, &mut OsRandom).unwrap();
        let overlay = Overlay::parse(&bytes).unwrap();
        let open = overlay.open(&[KeySource::Key(key.clone())]).unwrap();
        assert_eq!(open.secrets().names().collect::<Vec<_>>(), names, "{host}");
        assert_eq!(open.secrets().get_str("shared"), Some("shared-secret\n"));
        assert_eq!(
            open.vars().as_map().get("port").and_then(Value::as_i64),
            port
        );
        assert_eq!(open.files().len(), count);
    }
    assert!(data.content("web9", &secrets, &[]).is_err());
}

#[test]
fn only_the_secrets_of_the_hosts_at_hand_are_read() {
    let mut plan = site();
    let data = HostData::split(&mut plan);
    let folder = Path::new("/nonexistent");
    assert_eq!(
        data.read_secrets(&["web2"], &sources(folder))
            .unwrap()
            .len(),
        1
    );
    let missing = data.read_secrets(&["web1"], &sources(folder)).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the secret \"db\" from /nonexistent/db.txt: No such file or directory (os error 2)"
    );
    let empty = SecretSources {
        folder,
        env: &|_| None,
    };
    assert_eq!(
        data.read_secrets(&["web2"], &empty)
            .unwrap_err()
            .to_string(),
        "the secret \"shared\" comes from the environment variable SHARED, which is not set"
    );
    let endless = SecretSpec {
        name: "z".into(),
        file: Some("/dev/zero".into()),
        ..SecretSpec::default()
    };
    assert!(matches!(
        read_secret(&endless, &empty),
        Err(OverlayBuildError::TooLong(_))
    ));
}

#[test]
fn what_is_secret_needs_a_lock_and_variables_do_not() {
    let mut plan = site();
    let data = HostData::split(&mut plan);
    let mut secrets = SecretMap::new();
    let options = OverlayOptions::default();
    let content = data.content("web2", &secrets, &[]).unwrap();
    let bytes = build_overlay(&content, &ROOT, &options, &mut OsRandom).unwrap();
    assert!(Overlay::parse(&bytes).unwrap().open(&[]).is_ok());
    secrets.insert("shared", Zeroizing::new(b"x".to_vec()));
    let content = data.content("web2", &secrets, &[]).unwrap();
    assert_eq!(
        build_overlay(&content, &ROOT, &options, &mut OsRandom)
            .unwrap_err()
            .to_string(),
        "the plan has the secret \"shared\": give a key, a passphrase or a recipient to seal it for"
    );
}

#[test]
fn references_that_cannot_be_resolved_name_task_and_secret() {
    let plan = plan(
        r#"{
        "extra_vars": {"x": {"__rustle_secret": "only1"}},
        "hosts": {"web1": {}, "web2": {"vars": {"a": {"__rustle_secret": "only1"}}, "groups": ["web"]}},
        "groups": {"web": {"vars": {"b": {"__rustle_secret": "only1"}}, "hosts": ["web1"]},
            "none": {"vars": {"b": {"__rustle_secret": "only1"}}}},
        "secrets": [
            {"name": "only1", "env": "A", "hosts": ["web1"]},
            {"name": "only1", "env": "A", "hosts": ["web1"]},
            {"name": "", "env": "A"},
            {"name": "both", "env": "A", "file": "b"},
            {"name": "neither", "hosts": ["web7"]}
        ],
        "plays": [
            {"name": "one", "hosts": ["web1"], "vars": {"ok": {"__rustle_secret": "only1"}},
             "batches": [{"tasks": [
                {"name": "fine", "module": "debug", "args": {"msg": {"__rustle_secret": "only1"}}},
                {"name": "typo", "module": "debug", "args": {"msg": ["x", {"__rustle_secret": "onyl1"}]},
                 "source": {"file": "site.yml", "line": 12, "column": 7}}
             ]}]},
            {"name": "two", "hosts": ["web"], "vars": {"bad": {"__rustle_secret": "only1"}},
             "batches": [{"hosts": ["web1"], "tasks": [
                {"name": "inner", "vars": {"v": {"__rustle_secret": "gone"}}, "block": [
                    {"name": "also fine", "module": "debug", "args": {"msg": {"__rustle_secret": "only1"}}},
                    {"id": "t9", "module": "debug", "hosts": ["web2"], "environment": {"E": {"__rustle_secret": "only1"}}}
                ]}
             ]}],
             "handlers": [{"module": "service", "args": {"name": {"__rustle_secret": "only1"}}}]}
        ]
    }"#,
    );
    let problems: Vec<String> = check_secrets(&plan).iter().map(|p| p.to_string()).collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn a_plan_without_hosts_has_one_overlay_for_any_host() {
    let mut plan = plan(
        r#"{"secrets": [{"name": "s", "env": "SHARED"}, {"name": "t", "env": "SHARED", "hosts": ["web1"]}],
        "plays": [{"batches": [{"tasks": [{"name": "n", "module": "m", "args": {"a": {"__rustle_secret": "t"}}}]}]}]}"#,
    );
    let problems: Vec<String> = check_secrets(&plan).iter().map(|p| p.to_string()).collect();
    assert_eq!(
        problems,
        [
            "the secret \"t\" is for the host \"web1\", which the plan does not have",
            "the task \"n\": only certain hosts receive the secret \"t\""
        ]
    );
    let data = HostData::split(&mut plan);
    assert!(data.needs_overlay() && data.hosts().next().is_none());
    let secrets = data.read_secrets(&[""], &sources(Path::new("."))).unwrap();
    let content = data.content("", &secrets, &[]).unwrap();
    assert_eq!(content.secrets.names().collect::<Vec<_>>(), ["s"]);
}

#[test]
fn a_circle_of_groups_ends() {
    let plan = plan(
        r#"{"hosts": {"h": {}}, "groups": {"a": {"children": ["b"]}, "b": {"children": ["a"], "hosts": ["h"]}},
        "secrets": [{"name": "s", "env": "S", "hosts": ["h"]}],
        "plays": [{"hosts": ["a"], "vars": {"x": {"__rustle_secret": "s"}}}]}"#,
    );
    assert_eq!(check_secrets(&plan), []);
}
