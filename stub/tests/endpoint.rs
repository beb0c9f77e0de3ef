//! The controller endpoint: what an artifact posts there, and that a run does not depend on it.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Bench, names, plan, stderr};
use rustle_formats::report::ExecutionReport;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A server that answers the posts of each kind with these status lines, the last one for all that follow; heartbeats are
/// always welcome.
fn server(reports: &'static [&'static str]) -> (String, Receiver<Value>) {
    serve("http", reports, Some)
}

/// The same over TLS, with a certificate that only the authority of fixtures/tls vouches for.
fn tls_server(reports: &'static [&'static str]) -> (String, Receiver<Value>) {
    let certificate = CertificateDer::from_pem_file(tls("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    serve("https", reports, move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).ok()?;
        Some(StreamOwned::new(connection, stream))
    })
}

fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/tls")
        .join(name)
}

fn serve<S: Read + Write>(
    scheme: &str,
    reports: &'static [&'static str],
    accept: impl Fn(TcpStream) -> Option<S> + Send + 'static,
) -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}/reports", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut answered = 0;
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let timeout = Some(Duration::from_secs(20));
            stream.set_read_timeout(timeout).unwrap();
            let Some(mut stream) = accept(stream) else {
                continue;
            };
            let Some(body) = request(&mut stream) else {
                continue;
            };
            let answer = if body["heartbeat"] == json!(true) {
                "204 No Content"
            } else {
                answered += 1;
                reports[(answered - 1).min(reports.len() - 1)]
            };
            // Before the answer: who has it may end, and the test then looks at what has come.
            if sender.send(body).is_err() {
                return;
            }
            let _ = write!(
                stream,
                "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.flush();
        }
    });
    (url, receiver)
}

/// Reads a post; `None` for anything else.
fn request(stream: &mut impl Read) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            assert!(text.starts_with("post /reports "), "{text}");
            assert!(text.contains("content-type: application/json"), "{text}");
            let length = text.split("content-length: ").nth(1)?.lines().next()?;
            let length: usize = length.trim().parse().ok()?;
            if bytes.len() >= head + 4 + length {
                return serde_json::from_slice(&bytes[head + 4..]).ok();
            }
        }
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

/// Runs these tasks with this runtime configuration.
fn run(tasks: &str, config: Value) -> (Bench, Output) {
    run_trusting(tasks, config, None)
}

/// The same, with this bundle of authorities in place of the machine's.
fn run_trusting(tasks: &str, config: Value, bundle: Option<&Path>) -> (Bench, Output) {
    let mut plan = plan(tasks);
    plan.runtime = serde_json::from_value(config).unwrap();
    let bench = Bench::of(plan, Vec::new(), |_| {});
    let mut command = bench.command();
    for proxy in ["http_proxy", "https_proxy", "HTTPS_PROXY", "SSL_CERT_FILE"] {
        command.env_remove(proxy);
    }
    if let Some(bundle) = bundle {
        command.env("SSL_CERT_FILE", bundle);
    }
    let output = command.output().unwrap();
    (bench, output)
}

/// The report that was kept beside the journal.
fn local_copy(bench: &Bench) -> ExecutionReport {
    let folder = bench.path("journal");
    let name = names(&folder)
        .into_iter()
        .find(|n| n.ends_with(".report.json"))
        .expect("no local copy");
    serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
}

const ONE: &str = r#"[{"id": "t", "name": "say", "module": "debug", "args": {"msg": "hello"}}]"#;

#[test]
fn heartbeats_come_at_their_interval_and_the_report_at_the_end() {
    let (url, posts) = server(&["200 OK"]);
    let tasks = r#"[{"id": "t", "name": "wait", "module": "command", "args": {"argv": ["sleep", "2"]}},
                    {"id": "u", "name": "say", "module": "debug", "args": {"msg": "hello"}}]"#;
    let config = json!({"controller_endpoint": url, "report_interval": 1,
        "heartbeat_interval": {"secs": 0, "nanos": 500_000_000}});
    let (bench, output) = run(tasks, config);
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let posts: Vec<Value> = posts.try_iter().collect();
    let (beats, reports): (Vec<Value>, Vec<Value>) = posts
        .into_iter()
        .partition(|p| p["heartbeat"] == json!(true));
    // Two seconds hold the first one and three or four more; a busy machine may lose some.
    assert!((3..=6).contains(&beats.len()), "{beats:?}");
    let last: ExecutionReport = serde_json::from_value(reports.last().unwrap().clone()).unwrap();
    assert!(last.finished && last.success);
    assert_eq!(last, local_copy(&bench));
    assert!(beats.iter().all(|b| b["run_id"] == json!(last.run_id)));
    // At least one interim report, which says that it is none at the end.
    assert!(reports.len() >= 2, "{}", reports.len());
    assert_eq!(reports[0]["finished"], json!(false));
}

#[test]
fn a_busy_server_is_asked_again() {
    let (url, posts) = server(&["500 Oops", "500 Oops", "200 OK"]);
    let (bench, output) = run(ONE, json!({"controller_endpoint": url}));
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let reports: Vec<Value> = posts
        .try_iter()
        .filter(|p| p["heartbeat"] != json!(true))
        .collect();
    assert_eq!(reports.len(), 3);
    assert!(reports.iter().all(|r| *r == reports[0]));
    let last: ExecutionReport = serde_json::from_value(reports[2].clone()).unwrap();
    assert_eq!(last, local_copy(&bench));
}

#[test]
fn a_server_with_a_trusted_certificate_gets_the_report() {
    let (url, posts) = tls_server(&["200 OK"]);
    let config = json!({"controller_endpoint": url});
    let (bench, output) = run_trusting(ONE, config, Some(&tls("ca.pem")));
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let last = posts.try_iter().last().unwrap();
    assert_eq!(
        serde_json::from_value::<ExecutionReport>(last).unwrap(),
        local_copy(&bench)
    );
}

#[test]
fn a_server_that_nobody_vouches_for_gets_nothing() {
    let (url, posts) = tls_server(&["200 OK"]);
    // The server's own certificate is no authority.
    let config = json!({"controller_endpoint": url, "max_retries": 0});
    let (bench, output) = run_trusting(ONE, config, Some(&tls("server.pem")));
    assert_eq!(output.status.code(), Some(0));
    let told = stderr(&output);
    assert!(
        told.starts_with("[WARNING]: ") && told.contains("certificate"),
        "{told}"
    );
    assert_eq!(posts.try_iter().count(), 0);
    assert!(local_copy(&bench).success);
}

#[test]
fn a_dead_server_changes_nothing_but_a_warning() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let start = Instant::now();
    let config =
        json!({"controller_endpoint": format!("http://127.0.0.1:{port}/"), "max_retries": 1});
    let (bench, output) = run(ONE, config);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("[WARNING]: the controller endpoint did not take the report: "),
        "{text}"
    );
    assert!(local_copy(&bench).success);
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_server_that_always_refuses_is_given_up() {
    let (url, posts) = server(&["401 Unauthorized"]);
    let (bench, output) = run(ONE, json!({"controller_endpoint": url}));
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("401"), "{}", stderr(&output));
    let reports = posts.try_iter().filter(|p| p["heartbeat"] != json!(true));
    assert_eq!(reports.count(), 1);
    assert!(local_copy(&bench).success);
}

#[test]
fn what_a_task_hides_is_in_no_post() {
    let (url, posts) = server(&["200 OK"]);
    let tasks = r#"[{"id": "t", "name": "hidden", "module": "command", "no_log": true,
                     "args": {"argv": ["echo", "swordfish-7"]}, "register": "out"},
                    {"id": "u", "name": "failed", "module": "fail", "no_log": true, "args": {"msg": "swordfish-7"}}]"#;
    let (_bench, output) = run(tasks, json!({"controller_endpoint": url}));
    assert_eq!(output.status.code(), Some(2));
    let posts: Vec<Value> = posts.try_iter().collect();
    assert!(posts.len() >= 2);
    assert!(!format!("{posts:?}").contains("swordfish"), "{posts:?}");
}

#[test]
fn an_address_that_is_none_is_said_without_its_password() {
    let (_bench, output) = run(
        ONE,
        json!({"controller_endpoint": "ftp://me:swordfish@host/x"}),
    );
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("ftp://…@host/x is no http"), "{text}");
}
