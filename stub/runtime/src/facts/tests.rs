use std::path::Path;

use indexmap::IndexMap;
use rustle_formats::{Map, Value};

use super::{Source, gather, wanted};

fn of(root: &Path, subset: &str) -> Map {
    let subset: Vec<String> = subset.split(',').map(str::to_owned).collect();
    let env = IndexMap::from([("HOME".to_owned(), "/root".to_owned())]);
    let source = Source {
        root,
        env: &env,
        fact_path: "/etc/ansible/facts.d",
    };
    gather(&source, &wanted(&subset).unwrap())
}

#[test]
fn an_empty_machine_has_facts_too() {
    let root = tempfile::tempdir().unwrap();
    let facts = of(root.path(), "all");
    assert_eq!(facts["ansible_system"], "Linux".into());
    assert_eq!(facts["ansible_distribution"], "Linux".into());
    assert_eq!(facts["ansible_pkg_mgr"], "unknown".into());
    assert_eq!(facts["ansible_service_mgr"], "service".into());
    assert_eq!(facts["ansible_local"], Value::Map(Map::new()));
}

#[test]
fn distributions_and_local_facts() {
    for (release, extra, name, family, version) in [
        (
            "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
            Some(("debian_version", "12.11")),
            "Debian",
            "Debian",
            "12.11",
        ),
        (
            "ID=rocky\nVERSION_ID=\"9.4\"\nID_LIKE=\"rhel centos fedora\"\n",
            Some(("redhat-release", "Rocky Linux release 9.4 (Blue Onyx)")),
            "Rocky",
            "RedHat",
            "9.4",
        ),
        (
            "ID=alpine\nVERSION_ID=3.20.1\n",
            Some(("alpine-release", "3.20.1")),
            "Alpine",
            "Alpine",
            "3.20.1",
        ),
        (
            "ID=\"opensuse-leap\"\nVERSION_ID=\"15.6\"\n",
            None,
            "openSUSE Leap",
            "Suse",
            "15.6",
        ),
        (
            "ID=strange\nNAME=\"Strange OS\"\nID_LIKE=arch\n",
            None,
            "Strange OS",
            "Archlinux",
            "NA",
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir_all(etc.join("ansible/facts.d")).unwrap();
        std::fs::write(etc.join("os-release"), release).unwrap();
        if let Some((file, text)) = extra {
            std::fs::write(etc.join(file), text).unwrap();
        }
        std::fs::write(etc.join("ansible/facts.d/a.fact"), "[one]\nTwo=3\n").unwrap();
        std::fs::write(etc.join("ansible/facts.d/b.fact"), "{\"x\": [1]}").unwrap();
        let facts = of(root.path(), "min");
        assert_eq!(facts["ansible_distribution"], name.into());
        assert_eq!(facts["ansible_os_family"], family.into());
        assert_eq!(facts["ansible_distribution_version"], version.into());
        assert_eq!(
            facts["ansible_local"].to_string(),
            r#"{"a":{"one":{"two":"3"}},"b":{"x":[1]}}"#
        );
    }
}

#[test]
fn all_facts_of_this_machine_take_little_time() {
    let start = std::time::Instant::now();
    let facts = of(Path::new("/"), "all");
    // Ten milliseconds is the aim; a busy machine under test gets more.
    assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
    assert!(facts.contains_key("ansible_default_ipv4"));
}
