use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::http::server;
use crate::trial::Trial;

const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

#[test]
fn fetches_once() {
    let u = server::start();
    let t = Trial::new();
    let dest = t.work.path().join("a");
    let args = json!({"url": format!("{u}/hello.txt"), "dest": dest, "mode": "0600"});
    let check = Trial::checking().run("get_url", args.clone());
    assert!(check.changed && !dest.exists(), "{check:?}");
    let r = t.run("get_url", args.clone());
    assert!(r.changed && !r.failed, "{r:?}");
    assert_eq!(
        r.field("checksum_src"),
        "f572d396fae9206628714fb2ce00f72e94f2258f"
    );
    assert_eq!(
        (
            r.message(),
            r.field("status_code").as_str(),
            r.field("mode").as_str()
        ),
        ("OK (6 bytes)", "200", "0600")
    );
    assert_eq!(r.field("md5sum"), "b1946ac92492d2347c6235b4d2611184");
    let again = t.run("get_url", args.clone());
    assert!(!again.changed && again.field("checksum_dest") == again.field("checksum_src"));
    assert!(!Trial::checking().run("get_url", args).changed);
    std::fs::write(&dest, "other").expect("a file");
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/hello.txt"), "dest": dest, "force": true, "backup": true}),
    );
    assert!(r.changed && r.field("backup_file").contains("/a."), "{r:?}");
    let mode = std::fs::metadata(&dest)
        .expect("there")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn an_old_file_is_asked_about() {
    let u = server::start();
    let t = Trial::new();
    let dest = t.work.path().join("a");
    std::fs::write(&dest, "mine").expect("a file");
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_735_689_600);
    let file = std::fs::File::options()
        .write(true)
        .open(&dest)
        .expect("a file");
    file.set_modified(then).expect("a time");
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/hello.txt"), "dest": dest}),
    );
    assert_eq!(
        (r.changed, r.message()),
        (false, "HTTP Error 304: Not Modified")
    );
}

#[test]
fn names_and_redirects() {
    let u = server::start();
    let t = Trial::new();
    let dir = t.work.path().display().to_string();
    let get = |path: &str| t.run("get_url", json!({"url": format!("{u}{path}"), "dest": dir}));
    assert!(get("/hello.txt").field("dest").ends_with("/hello.txt"));
    assert!(get("/named").field("dest").ends_with("/real.txt"));
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/redirect"), "dest": format!("{dir}/r")}),
    );
    assert!(r.changed && r.field("size") == "6", "{r:?}");
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/loop"), "dest": format!("{dir}/l")}),
    );
    assert!(
        r.failed
            && r.field("response").contains("infinite loop")
            && r.field("status_code") == "302",
        "{r:?}"
    );
    let r = t.run(
        "get_url",
        json!({"url": "file:///etc/hostname", "dest": format!("{dir}/h")}),
    );
    assert!(r.changed && r.field("status_code") == "null", "{r:?}");
}

#[test]
fn checksums() {
    let u = server::start();
    let t = Trial::new();
    let dest = t.work.path().join("c").display().to_string();
    let get = |sum: String| {
        t.run(
            "get_url",
            json!({"url": format!("{u}/hello.txt"), "dest": dest, "checksum": sum}),
        )
    };
    assert!(
        get("md5:00".into())
            .message()
            .contains("did not match 00; it was b1946ac")
    );
    assert!(!std::path::Path::new(&dest).exists());
    assert!(get(format!("sha256:{u}/sums")).changed);
    let r = get(format!("sha256:{SHA256}"));
    assert_eq!((r.changed, r.message()), (false, "file already exists"));
    assert!(get("foo".into()).message().contains("has to be in format"));
    assert!(get("foo:abc".into()).message().contains("algorithm 'foo'"));
    assert_eq!(
        std::fs::read_dir(t.work.path()).expect("a folder").count(),
        1
    );
}

#[test]
fn failures_name_the_cause() {
    let u = server::start();
    let t = Trial::new();
    let dest = t.work.path().join("f").display().to_string();
    let get = |url: String| t.run("get_url", json!({"url": url, "dest": dest, "timeout": 1}));
    let r = get(format!("{u}/nope"));
    assert_eq!(
        (r.message(), r.field("response").as_str()),
        ("Request failed", "HTTP Error 404: Not Found")
    );
    assert_eq!(
        get(format!("{u}/slow")).message(),
        "Connection failure: timed out"
    );
    let refused = get("http://127.0.0.1:1/x".into());
    assert_eq!(
        refused.message(),
        "Request failed: <urlopen error [Errno 111] Connection refused>"
    );
    assert!(
        get("ftpx://a/b".into())
            .message()
            .contains("unknown url type: ftpx")
    );
    assert!(get(format!("{u}/short")).failed);
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/hello.txt"), "dest": "/no/such/f"}),
    );
    assert_eq!(r.message(), "Destination /no/such does not exist");
    assert!(!std::path::Path::new(&dest).exists());
    assert_eq!(
        std::fs::read_dir(t.work.path()).expect("a folder").count(),
        0
    );
}

#[test]
fn credentials_wait_for_the_question() {
    let u = server::start();
    let t = Trial::new();
    let dest = t.work.path().join("g").display().to_string();
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/auth"), "dest": dest, "url_username": "u", "url_password": "p"}),
    );
    assert!(r.changed && r.field("size") == "7", "{r:?}");
    let r = t.run(
        "get_url",
        json!({"url": format!("{u}/auth"), "dest": format!("{dest}2")}),
    );
    assert_eq!(r.field("response"), "HTTP Error 401: Unauthorized");
    let with = u.replace("http://", "http://u:p@");
    assert!(
        t.run(
            "get_url",
            json!({"url": format!("{with}/auth"), "dest": format!("{dest}3")})
        )
        .changed
    );
    let r = t.run("get_url", json!({"url": format!("{u}/echo"), "dest": format!("{dest}4"), "headers": {"X-A": "b"}, "http_agent": "me"}));
    let text = std::fs::read_to_string(r.field("dest")).expect("a file");
    assert!(
        text.contains("x-a: b") && text.contains("user-agent: me"),
        "{text}"
    );
}
