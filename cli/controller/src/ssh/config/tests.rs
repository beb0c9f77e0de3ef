use super::*;
use std::fs;

fn settings(text: &str, host: &str) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    fs::write(&file, text).unwrap();
    load(&[file], query(host, dir.path())).unwrap()
}

fn query<'a>(host: &'a str, home: &'a Path) -> Query<'a> {
    Query {
        host,
        user: None,
        port: None,
        local_user: "me",
        home: Some(home),
    }
}

#[test]
fn the_first_value_wins_and_identities_add_up() {
    let text = "# mine\nIdentityFile /keys/%r@%h\nHost web* !web9\n  HostName %h.example.org\n  User=deploy\n\tPort 2222\n  \
                IdentityFile \"/keys/with blank\"\nHost *\n  User other\n  Port 22\n  Compression yes\n";
    let web = settings(text, "web1");
    assert_eq!(web.host_name.as_deref(), Some("web1.example.org"));
    assert_eq!(
        (web.user.as_deref(), web.port),
        (Some("deploy"), Some(2222))
    );
    assert_eq!(
        web.identity_files,
        [PathBuf::from("/keys/me@web1"), "/keys/with blank".into()]
    );
    assert_eq!(web.compress, Some(true));
    assert!(web.beyond.is_empty());
    let nine = settings(text, "web9");
    assert_eq!(
        (nine.host_name, nine.user.as_deref()),
        (None, Some("other"))
    );
}

#[test]
fn matches_are_understood_or_left_to_ssh() {
    let text = "Match originalhost db user root\n Port 1\nMatch localuser me,you\n User root\nMatch originalhost db user root\n \
                Port 2\nMatch host db exec \"test -e /x\"\n Port 3\n";
    let db = settings(text, "db");
    assert_eq!((db.user.as_deref(), db.port), (Some("root"), Some(2)));
    assert_eq!(db.beyond.len(), 1);
    assert!(
        db.beyond[0].starts_with("Match host db exec"),
        "{:?}",
        db.beyond
    );
    assert!(db.beyond[0].ends_with("config:7)"), "{:?}", db.beyond);
    assert!(settings(text, "web").beyond.is_empty());
}

#[test]
fn what_libssh2_cannot_do_is_named() {
    let text = "Host a\n ProxyJump gate\nHost b\n ProxyCommand none\n ControlMaster no\n SendEnv LANG LC_*\n HashKnownHosts yes\n\
                Host c\n ControlPath ~/.ssh/%C\n";
    assert!(settings(text, "a").beyond[0].starts_with("ProxyJump ("));
    assert!(settings(text, "b").beyond.is_empty());
    assert!(settings(text, "c").beyond[0].starts_with("ControlPath ("));
    assert!(settings(text, "d").beyond.is_empty());
}

#[test]
fn includes_are_read_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let ssh = dir.path().join(".ssh");
    fs::create_dir_all(ssh.join("conf.d")).unwrap();
    fs::write(ssh.join("conf.d/1"), "Host web\n Port 7\n").unwrap();
    fs::write(ssh.join("conf.d/2"), "User included\n").unwrap();
    fs::write(
        ssh.join("config"),
        "Include conf.d/*\nHost web\n Port 8\n User late\n",
    )
    .unwrap();
    let found = load(&[ssh.join("config")], query("web", dir.path())).unwrap();
    assert_eq!(
        (found.port, found.user.as_deref()),
        (Some(7), Some("included"))
    );
    fs::write(ssh.join("conf.d/2"), "Include ~/.ssh/conf.d/2\n").unwrap();
    let e = load(&[ssh.join("config")], query("web", dir.path())).unwrap_err();
    assert!(e.contains("without end"), "{e}");
}

#[test]
fn mistakes_are_named_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    for (text, expected) in [
        ("Host *\nPort x\n", ":2: `x` is not a port"),
        ("User\n", ":1: `User` has no value"),
        ("Host \"a\n", ":1: the quote"),
        ("Match moon full\n", ":1: `Match moon` is not known"),
    ] {
        fs::write(&file, text).unwrap();
        let e = load(std::slice::from_ref(&file), query("web", dir.path())).unwrap_err();
        assert!(e.contains(expected), "{e}");
    }
}
