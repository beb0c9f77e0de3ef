//! HTTP and HTTPS requests, for modules that fetch or talk.
//!
//! TLS is built in (the machine needs no OpenSSL) and trusts the machine's own bundle of certificate authorities. A proxy
//! is used only where the environment names one. Redirects, credentials and messages follow what Ansible's modules do.

mod credentials;
mod fetch;
mod trust;

pub use fetch::{Fetch, fetch};
pub use trust::machine_trust;

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ureq::config::AutoHeaderValue;
use ureq::http;

use crate::context::Context;
use crate::process::variable;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 10;

/// Which redirects are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Redirects {
    /// None.
    None,
    /// Those of GET and HEAD.
    #[default]
    Safe,
    /// All, as browsers do.
    All,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Names of headers that are not sent again after a redirect.
    pub(crate) unredirected: Vec<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) agent: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// Credentials go out before the server asks for them.
    pub(crate) eager: bool,
    pub(crate) netrc: bool,
    pub(crate) proxy: bool,
    pub(crate) validate: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) client_cert: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) decompress: bool,
    pub(crate) redirects: Redirects,
}

/// An answer, whatever its status.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Where it came from in the end.
    pub(crate) url: String,
    #[cfg_attr(not(feature = "full"), expect(dead_code))]
    pub(crate) redirected: bool,
    pub(crate) body: Box<dyn Read>,
}

/// Why there is no answer, or none that counts.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) message: String,
    /// The status of an answer that could not be followed.
    pub(crate) status: Option<u16>,
}

impl Error {
    fn new(message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            status: None,
        }
    }
}

impl Response {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// `HTTP Error 404: Not Found`.
    pub(crate) fn complaint(&self) -> String {
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or("Unknown");
        format!("HTTP Error {}: {reason}", self.status)
    }

    /// Whether its body is what was asked for.
    pub(crate) fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Sends a request and follows where it leads.
///
/// # Errors
/// Where no answer comes.
pub(crate) fn send(request: &Request, ctx: &Context<'_>) -> Result<Response, Error> {
    let (url, from_url) = credentials::split_url(&request.url);
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return open_other(&url);
    }
    let mut current = request.clone();
    current.url = url;
    let mut credentials = match (&request.user, from_url) {
        (Some(user), _) => Some((user.clone(), request.password.clone().unwrap_or_default())),
        (None, Some(pair)) => Some(pair),
        (None, None) if request.netrc => credentials::netrc(ctx, &current.url),
        (None, None) => None,
    };
    let mut eager = request.eager || (request.user.is_none() && credentials.is_some());
    let mut redirected = false;
    for _ in 0..=MAX_REDIRECTS {
        let header = credentials
            .as_ref()
            .filter(|_| eager)
            .map(|(u, p)| credentials::basic(u, p));
        let response = one(&current, header.as_deref(), ctx)?;
        let asks = response
            .header("www-authenticate")
            .is_some_and(|v| v.to_ascii_lowercase().contains("basic"));
        if response.status == 401 && credentials.is_some() && !eager && asks {
            eager = true;
            continue;
        }
        let Some(target) = next(&current, &response) else {
            return Ok(Response {
                redirected,
                url: current.url,
                ..response
            });
        };
        if !credentials::same_host(&current.url, &target) {
            credentials = None;
            current
                .headers
                .retain(|(n, _)| !n.eq_ignore_ascii_case("authorization"));
        }
        let keep = matches!(response.status, 307 | 308)
            || matches!(current.method.as_str(), "GET" | "HEAD");
        if !keep {
            current.method = "GET".to_owned();
            current.body = Vec::new();
            current
                .headers
                .retain(|(n, _)| !n.to_ascii_lowercase().starts_with("content-"));
        }
        let dropped = |name: &str| {
            request
                .unredirected
                .iter()
                .any(|u| u.eq_ignore_ascii_case(name))
        };
        current.headers.retain(|(n, _)| !dropped(n));
        current.url = target;
        redirected = true;
    }
    Err(Error {
        message: "HTTP Error 302: The HTTP server returned a redirect error that would lead to an infinite loop.\n\
                  The last 30x error message was:\nFound"
            .to_owned(),
        status: Some(302),
    })
}

/// Where a redirect leads, if it is to be followed.
fn next(request: &Request, response: &Response) -> Option<String> {
    let follow = match request.redirects {
        Redirects::None => false,
        Redirects::Safe => matches!(request.method.as_str(), "GET" | "HEAD"),
        Redirects::All => true,
    };
    if !follow || !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    Some(resolve(&request.url, response.header("location")?))
}

/// A location relative to the address that it came from.
pub(crate) fn resolve(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if let Some(other) = location.strip_prefix("//") {
        return format!("{scheme}://{other}");
    }
    if location.starts_with('/') {
        return format!("{scheme}://{host}{location}");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
    format!("{scheme}://{host}{folder}{location}")
}

/// Addresses that are no HTTP.
fn open_other(url: &str) -> Result<Response, Error> {
    let scheme = url.split("://").next().unwrap_or_default();
    let Some(path) = url.strip_prefix("file://") else {
        return Err(Error::new(format!(
            "Request failed: <urlopen error unknown url type: {scheme}>"
        )));
    };
    let file = std::fs::File::open(path).map_err(|e| {
        Error::new(format!(
            "Request failed: <urlopen error {}: '{path}'>",
            crate::process::errno_text(&e)
        ))
    })?;
    Ok(Response {
        status: 200,
        headers: Vec::new(),
        url: url.to_owned(),
        redirected: false,
        body: Box::new(file),
    })
}

/// One request, one answer.
fn one(
    request: &Request,
    authorization: Option<&str>,
    ctx: &Context<'_>,
) -> Result<Response, Error> {
    let agent = agent(request, ctx)?;
    let method = http::Method::from_bytes(request.method.as_bytes())
        .map_err(|_| Error::new(format!("'{}' is no HTTP method", request.method)))?;
    let bodiless = matches!(
        request.method.as_str(),
        "GET" | "HEAD" | "DELETE" | "OPTIONS"
    );
    let mut builder = http::Request::builder().method(method).uri(&request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if let Some(value) = authorization {
        builder = builder.header("Authorization", value);
    }
    let result = if request.body.is_empty() {
        let built = builder
            .body(())
            .map_err(|e| Error::new(format!("Request failed: {e}")))?;
        agent.run(built)
    } else if bodiless {
        send_forced(&agent, request, authorization)
    } else {
        let built = builder
            .body(request.body.clone())
            .map_err(|e| Error::new(format!("Request failed: {e}")))?;
        agent.run(built)
    };
    let response = result.map_err(|e| describe(&e, &request.url))?;
    let (parts, body) = response.into_parts();
    let text = |v: &http::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    Ok(Response {
        status: parts.status.as_u16(),
        headers: parts
            .headers
            .iter()
            .map(|(n, v)| (n.as_str().to_owned(), text(v)))
            .collect(),
        url: request.url.clone(),
        redirected: false,
        body: Box::new(body.into_reader()),
    })
}

/// A body with a method that usually has none.
fn send_forced(
    agent: &ureq::Agent,
    request: &Request,
    authorization: Option<&str>,
) -> Result<http::Response<ureq::Body>, ureq::Error> {
    let builder = match request.method.as_str() {
        "HEAD" => agent.head(&request.url),
        "DELETE" => agent.delete(&request.url),
        "OPTIONS" => agent.options(&request.url),
        _ => agent.get(&request.url),
    };
    let mut builder = builder.force_send_body();
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if let Some(value) = authorization {
        builder = builder.header("Authorization", value);
    }
    builder.send(&request.body[..])
}

fn agent(request: &Request, ctx: &Context<'_>) -> Result<ureq::Agent, Error> {
    let mut timeout = request.timeout.max(Duration::from_millis(1));
    if let Some(deadline) = ctx.deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        timeout = timeout.min(left.max(Duration::from_millis(1)));
    }
    let given = |name: &str| {
        request
            .headers
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case(name))
    };
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_per_read(Some(timeout))
        .timeout_per_write(Some(timeout))
        .accept(AutoHeaderValue::None)
        .proxy(proxy(request, ctx)?);
    config = match given("user-agent") {
        true => config.user_agent(AutoHeaderValue::None),
        false => config.user_agent(request.agent.as_str()),
    };
    if !request.decompress {
        config = config.accept_encoding(AutoHeaderValue::None);
    }
    if request.url.starts_with("https://") {
        config = config.tls_config(trust::config(request, ctx)?);
    }
    Ok(ureq::Agent::new_with_config(config.build()))
}

/// The proxy that the environment names for the address.
fn proxy(request: &Request, ctx: &Context<'_>) -> Result<Option<ureq::Proxy>, Error> {
    if !request.proxy {
        return Ok(None);
    }
    let scheme = if request.url.starts_with("https:") {
        "https"
    } else {
        "http"
    };
    let get = |name: &str| {
        variable(ctx, name)
            .or_else(|| variable(ctx, &name.to_ascii_uppercase()))
            .map(|v| v.to_string_lossy().into_owned())
            .filter(|v| !v.is_empty())
    };
    // HTTP_PROXY in capitals may come from a request's header where a CGI program started us: only the small one counts.
    let named = match scheme {
        "http" => variable(ctx, "http_proxy")
            .map(|v| v.to_string_lossy().into_owned())
            .filter(|v| !v.is_empty()),
        _ => get("https_proxy"),
    };
    let Some(named) = named.or_else(|| get("all_proxy")) else {
        return Ok(None);
    };
    let host = credentials::host_of(&request.url);
    if get("no_proxy").is_some_and(|list| bypasses(&list, &host)) {
        return Ok(None);
    }
    let named = if named.contains("://") {
        named
    } else {
        format!("http://{named}")
    };
    ureq::Proxy::new(&named).map(Some).map_err(|e| {
        Error::new(format!(
            "Request failed: the proxy {named} cannot be used: {e}"
        ))
    })
}

/// Whether `no_proxy` names the host, or a domain that it lies in.
fn bypasses(list: &str, host: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty())
        .any(|entry| {
            let entry = entry.trim_start_matches('.');
            entry == "*" || host.eq_ignore_ascii_case(entry) || {
                let (host, entry) = (host.to_ascii_lowercase(), entry.to_ascii_lowercase());
                host.strip_suffix(&entry)
                    .is_some_and(|front| front.ends_with('.'))
            }
        })
}

/// An error in the words of Ansible's modules.
fn describe(e: &ureq::Error, url: &str) -> Error {
    let host = credentials::host_of(url);
    Error::new(match e {
        ureq::Error::Timeout(_) => "Connection failure: timed out".to_owned(),
        ureq::Error::HostNotFound => {
            "Request failed: <urlopen error [Errno -2] Name or service not known>".to_owned()
        }
        ureq::Error::Io(e) if e.kind() == io::ErrorKind::TimedOut => {
            "Connection failure: timed out".to_owned()
        }
        ureq::Error::Io(e) if e.raw_os_error().is_some() => {
            format!(
                "Request failed: <urlopen error {}>",
                crate::process::errno_text(e)
            )
        }
        ureq::Error::Io(e) => match io_kind(e) {
            Some(text) => format!("Request failed: <urlopen error {text}>"),
            None => format!("Request failed: <urlopen error {e}>"),
        },
        ureq::Error::Rustls(e) => format!(
            "Failed to validate the SSL certificate for {host}. Make sure your managed systems have a valid CA \
             certificate installed. The exception msg was: {e}."
        ),
        other => format!("Request failed: <urlopen error {other}>"),
    })
}

/// The system's words for an error that lost its number on the way.
fn io_kind(e: &io::Error) -> Option<String> {
    let number = match e.kind() {
        io::ErrorKind::ConnectionRefused => libc::ECONNREFUSED,
        io::ErrorKind::ConnectionReset => libc::ECONNRESET,
        io::ErrorKind::HostUnreachable => libc::EHOSTUNREACH,
        io::ErrorKind::NetworkUnreachable => libc::ENETUNREACH,
        _ => return None,
    };
    Some(crate::process::errno_text(&io::Error::from_raw_os_error(
        number,
    )))
}

#[cfg(test)]
pub(crate) mod server;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let r = |l| resolve("http://h:1/a/b?c=/d", l);
        assert_eq!(r("e"), "http://h:1/a/e");
        assert_eq!(r("/e"), "http://h:1/e");
        assert_eq!(r("//x/e"), "http://x/e");
        assert_eq!(r("https://x/"), "https://x/");
        assert_eq!(resolve("http://h", "e"), "http://h/e");
    }

    #[test]
    fn proxies_are_bypassed_by_domain() {
        assert!(bypasses("localhost, .example.com", "a.example.com"));
        assert!(bypasses("example.com", "Example.com") && bypasses("*", "x"));
        assert!(!bypasses("ample.com", "example.com"));
    }
}
