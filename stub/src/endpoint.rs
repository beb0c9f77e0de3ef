//! The controller endpoint: report and heartbeats, posted over HTTP by a thread of its own.
//!
//! The run never waits for it but at its end, and then for a bounded time; the journal keeps the report whatever happens to
//! the post.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustle_formats::plan::RuntimeConfig;
use serde_json::json;

/// Between heartbeats, where the plan does not say.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Tries after the first, where the plan does not say.
const RETRIES: u32 = 3;
/// The pause before the first retry; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// How long one post may take.
const POST_LIMIT: Duration = Duration::from_secs(10);

enum Message {
    /// An interim report.
    Interim(Vec<u8>),
    /// The report of a run that ended.
    Last(Vec<u8>),
}

/// A connection to the endpoint.
pub(crate) struct Endpoint {
    sender: Sender<Message>,
    thread: JoinHandle<Result<(), String>>,
    interval: Option<Duration>,
    due: Instant,
}

/// What the thread works with.
struct Poster {
    agent: ureq::Agent,
    url: String,
    run_id: String,
    retries: u32,
    heartbeat: Duration,
}

impl Endpoint {
    /// Begins to send heartbeats, where the plan names an endpoint.
    ///
    /// # Errors
    /// An address that is none, or a thread that cannot be started.
    pub(crate) fn begin(config: &RuntimeConfig, run_id: &str) -> Result<Option<Endpoint>, String> {
        let Some(url) = &config.controller_endpoint else {
            return Ok(None);
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!(
                "the controller endpoint {} is no http:// or https:// address",
                without_credentials(url)
            ));
        }
        let mut agent = ureq::Agent::config_builder()
            .timeout_global(Some(POST_LIMIT))
            .http_status_as_error(true)
            .user_agent(concat!("rustle/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https://") {
            let bundle = std::env::var_os("SSL_CERT_FILE").filter(|v| !v.is_empty());
            let trust = rustle_runtime::machine_trust(bundle.as_deref().map(Path::new));
            agent = agent.tls_config(trust.map_err(|e| format!("the controller endpoint: {e}"))?);
        }
        let agent = agent.build().into();
        let poster = Poster {
            agent,
            url: url.clone(),
            run_id: run_id.to_owned(),
            retries: config.max_retries.unwrap_or(RETRIES).min(10),
            heartbeat: config
                .heartbeat_interval
                .map_or(HEARTBEAT, Duration::from)
                .max(Duration::from_millis(100)),
        };
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("endpoint".to_owned())
            .spawn(move || poster.work(&receiver))
            .map_err(|e| e.to_string())?;
        let interval = config.report_interval.map(Duration::from);
        Ok(Some(Endpoint {
            sender,
            thread,
            interval,
            due: Instant::now() + interval.unwrap_or_default(),
        }))
    }

    /// Whether an interim report is due.
    pub(crate) fn wants_report(&self) -> bool {
        self.interval.is_some() && Instant::now() >= self.due
    }

    /// Sends an interim report. It may get lost: the last one holds all of it.
    pub(crate) fn interim(&mut self, report: Vec<u8>) {
        self.due = Instant::now() + self.interval.unwrap_or_default();
        let _ = self.sender.send(Message::Interim(report));
    }

    /// Sends the last report and waits until it has arrived, or all tries have failed.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub(crate) fn end(self, report: Vec<u8>) -> Result<(), String> {
        let gone = || "the thread that posts reports has ended".to_owned();
        self.sender
            .send(Message::Last(report))
            .map_err(|_| gone())?;
        self.thread.join().unwrap_or_else(|_| Err(gone()))
    }
}

/// An address as messages may show it.
fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.find('/').unwrap_or(rest.len());
    match rest[..host].rfind('@') {
        Some(at) => format!("{scheme}://…@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

impl Poster {
    fn work(&self, receiver: &Receiver<Message>) -> Result<(), String> {
        // The first heartbeat says that the run has begun. A lost one is followed by the next.
        let _ = self.post(&self.beat());
        loop {
            match receiver.recv_timeout(self.heartbeat) {
                Ok(Message::Interim(report)) => {
                    let _ = self.post(&report);
                }
                Ok(Message::Last(report)) => return self.post_surely(&report),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.post(&self.beat());
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn beat(&self) -> Vec<u8> {
        json!({"heartbeat": true, "run_id": self.run_id})
            .to_string()
            .into_bytes()
    }

    fn post(&self, body: &[u8]) -> Result<(), ureq::Error> {
        self.agent
            .post(&self.url)
            .header("content-type", "application/json")
            .send(body)
            .map(|_| ())
    }

    fn post_surely(&self, body: &[u8]) -> Result<(), String> {
        let mut pause = PAUSE;
        let mut tries = 0;
        loop {
            let Err(error) = self.post(body) else {
                return Ok(());
            };
            // What the endpoint refuses once it refuses again; but it may be too busy, or ask for patience.
            let hopeless = matches!(error, ureq::Error::StatusCode(code) if (400..500).contains(&code) && code != 408 && code != 429);
            if hopeless || tries >= self.retries {
                return Err(error.to_string());
            }
            tries += 1;
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Answers each request with the next of these status lines, and gives the bodies back.
    fn server(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/report", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut bodies = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                loop {
                    let n = stream.read(&mut chunk).unwrap();
                    request.extend_from_slice(&chunk[..n]);
                    let text = String::from_utf8_lossy(&request).to_lowercase();
                    if let Some(end) = text.find("\r\n\r\n") {
                        let length = text
                            .split("content-length: ")
                            .nth(1)
                            .and_then(|t| t.split("\r\n").next())
                            .and_then(|t| t.parse::<usize>().ok())
                            .unwrap_or(0);
                        if request.len() >= end + 4 + length || n == 0 {
                            bodies.push(String::from_utf8_lossy(&request[end + 4..]).into_owned());
                            break;
                        }
                    }
                }
                let _ = write!(
                    stream,
                    "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
            }
            bodies
        });
        (url, thread)
    }

    fn config(url: String) -> RuntimeConfig {
        RuntimeConfig {
            controller_endpoint: Some(url),
            ..RuntimeConfig::default()
        }
    }

    #[test]
    fn a_report_is_posted_until_it_arrives() {
        let (url, server) = server(&["200 OK", "503 Busy", "200 OK"]);
        let endpoint = Endpoint::begin(&config(url), "r1").unwrap().unwrap();
        assert_eq!(endpoint.end(b"{\"report\": 1}".to_vec()), Ok(()));
        let bodies = server.join().unwrap();
        assert!(bodies[0].contains("heartbeat"), "{bodies:?}");
        assert_eq!(bodies[1], "{\"report\": 1}");
        assert_eq!(bodies[2], bodies[1]);
    }

    #[test]
    fn what_is_refused_is_not_tried_again() {
        let (url, server) = server(&["200 OK", "403 No"]);
        let endpoint = Endpoint::begin(&config(url), "r1").unwrap().unwrap();
        assert!(endpoint.end(b"{}".to_vec()).is_err());
        server.join().unwrap();
    }
}
