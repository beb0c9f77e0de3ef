//! One request for a caller outside of modules: the controller's lookup `url`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;

use super::{Redirects, Request, send};
use crate::assets::NoAssets;
use crate::context::Context;

/// The largest answer that is taken.
const MAX_BODY: u64 = 256 << 20;

/// What is asked for, with the meaning of the options of Ansible's lookup `url`.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The address.
    pub url: String,
    /// Headers to send.
    pub headers: Vec<(String, String)>,
    /// A name and a password.
    pub user: Option<(String, String)>,
    /// Whether they are sent before the server asks.
    pub force_basic_auth: bool,
    /// Whether the server's certificate is checked.
    pub validate_certs: bool,
    /// Whether a proxy of the environment is used.
    pub use_proxy: bool,
    /// How long each step may take.
    pub timeout: Duration,
    /// The name that is told to the server.
    pub agent: String,
    /// `none`, `safe`, `urllib2` or `all`.
    pub follow_redirects: String,
    /// A file of certificate authorities.
    pub ca: Option<PathBuf>,
}

/// The body of an answer.
///
/// # Errors
/// A sentence: no answer, an answer that is an error (`HTTP Error 404: Not Found`), or one that is too large.
pub fn fetch(wanted: &Fetch, environment: &IndexMap<String, String>) -> Result<Vec<u8>, String> {
    let request = Request {
        url: wanted.url.clone(),
        method: "GET".to_owned(),
        headers: wanted.headers.clone(),
        timeout: wanted.timeout,
        agent: wanted.agent.clone(),
        user: wanted.user.as_ref().map(|(user, _)| user.clone()),
        password: wanted.user.as_ref().map(|(_, password)| password.clone()),
        eager: wanted.force_basic_auth,
        netrc: true,
        proxy: wanted.use_proxy,
        validate: wanted.validate_certs,
        ca: wanted.ca.clone(),
        decompress: true,
        redirects: match wanted.follow_redirects.as_str() {
            "none" | "no" | "false" | "False" => Redirects::None,
            "all" | "yes" | "true" | "True" => Redirects::All,
            _ => Redirects::Safe,
        },
        ..Request::default()
    };
    let home = environment.get("HOME").map(PathBuf::from);
    let ctx = Context {
        check: false,
        diff: false,
        verbosity: 0,
        environment,
        assets: &NoAssets,
        asset_paths: &[],
        variables: None,
        deadline: None,
        work_dir: Path::new("/nonexistent"),
        lasting: false,
        no_log: false,
        home: home.as_deref(),
        staging: None,
        cancelled: &|| false,
        warnings: std::cell::RefCell::default(),
    };
    let response = send(&request, &ctx).map_err(|e| e.message)?;
    if !response.ok() {
        return Err(response.complaint());
    }
    let mut body = Vec::new();
    let mut limited = std::io::Read::take(response.body, MAX_BODY + 1);
    std::io::Read::read_to_end(&mut limited, &mut body).map_err(|e| e.to_string())?;
    if body.len() as u64 > MAX_BODY {
        return Err(format!("the answer has more than {MAX_BODY} bytes"));
    }
    Ok(body)
}
