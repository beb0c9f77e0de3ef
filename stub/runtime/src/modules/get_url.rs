//! `get_url`: fetches a file over HTTP, HTTPS or from a `file://` address.

mod checksum;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::fsops::attrs::Wanted;
use crate::fsops::digest::{self, Algorithm, Hasher};
use crate::fsops::write::Staged;
use crate::fsops::{backup, info};
use crate::http::{self, Redirects, Request, Response};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::expand;
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct GetUrl;

/// The arguments of every module that talks HTTP.
pub(super) const URL_ARGS: &[Arg] = &[
    Arg::new("url", Kind::Str, "The address.").required(),
    Arg::new(
        "force",
        Kind::Bool,
        "Whether to fetch though nothing seems to have changed.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "force_basic_auth",
        Kind::Bool,
        "Whether credentials are sent unasked.",
    )
    .default(Default::Bool(false)),
    Arg::new("http_agent", Kind::Str, "How the client calls itself.")
        .default(Default::Str("ansible-httpget")),
    Arg::new(
        "use_proxy",
        Kind::Bool,
        "Whether the environment's proxy is used.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "validate_certs",
        Kind::Bool,
        "Whether certificates are checked.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "client_cert",
        Kind::Path,
        "The client's certificate, with or without its key.",
    ),
    Arg::new("client_key", Kind::Path, "The client's key."),
    Arg::new(
        "ciphers",
        Kind::List(&Kind::Str),
        "TLS ciphers; not supported, the built-in TLS chooses.",
    ),
    Arg::new(
        "decompress",
        Kind::Bool,
        "Whether compressed answers are unpacked.",
    )
    .default(Default::Bool(true)),
    Arg::new("use_gssapi", Kind::Bool, "Kerberos; not supported.").default(Default::Bool(false)),
    Arg::new(
        "use_netrc",
        Kind::Bool,
        "Whether credentials are looked for in ~/.netrc.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "unredirected_headers",
        Kind::List(&Kind::Str),
        "Headers that are not sent after a redirect.",
    )
    .default(Default::EmptyList),
    Arg::new("url_password", Kind::Str, "The password.")
        .aliases(&["password"])
        .secret(),
];

static OWN_ARGS: &[Arg] = &[
    Arg::new("url_username", Kind::Str, "The user's name.").aliases(&["username"]),
    Arg::new("dest", Kind::Path, "Where to: a file, or a folder.").required(),
    Arg::new("backup", Kind::Bool, "Whether the file before is kept.")
        .default(Default::Bool(false)),
    Arg::new(
        "checksum",
        Kind::Str,
        "ALGORITHM:DIGEST, or ALGORITHM:ADDRESS of a list of digests.",
    )
    .default(Default::Str("")),
    Arg::new("timeout", Kind::Int, "Seconds to wait for the server.").default(Default::Int(10)),
    Arg::new("headers", Kind::Dict, "More headers."),
    Arg::new(
        "tmp_dest",
        Kind::Path,
        "Where Ansible keeps the file meanwhile; here it lies beside `dest`.",
    ),
];

static SPEC: Spec = Spec {
    name: "get_url",
    collection: "ansible.builtin",
    summary: "Fetches a file over HTTP.",
    args: &[URL_ARGS, OWN_ARGS, FILE_ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for GetUrl {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        Fetch::new(args, ctx)?.run()
    }
}

/// The request that the shared arguments describe.
pub(super) fn request(args: &Args, ctx: &Context<'_>) -> Result<Request, Failure> {
    if args.bool("use_gssapi") {
        return Err(Failure::new("use_gssapi: Kerberos is not supported"));
    }
    if args.list("ciphers").is_some_and(|l| !l.is_empty()) {
        return Err(Failure::new(
            "ciphers: not supported, the built-in TLS offers only modern ones",
        ));
    }
    let mut headers = Vec::new();
    for (name, value) in args
        .get("headers")
        .and_then(Value::as_map)
        .into_iter()
        .flatten()
    {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        headers.push((name.clone(), value));
    }
    let seconds = args.int("timeout").unwrap_or(10).clamp(1, 1 << 30) as u64;
    Ok(Request {
        url: args.text("url").to_owned(),
        method: "GET".to_owned(),
        headers,
        unredirected: args.list("unredirected_headers").unwrap_or_default(),
        timeout: Duration::from_secs(seconds),
        agent: args.text("http_agent").to_owned(),
        user: args.str("url_username").map(str::to_owned),
        password: args.str("url_password").map(str::to_owned),
        eager: args.bool("force_basic_auth"),
        netrc: args.bool("use_netrc"),
        proxy: args.bool("use_proxy"),
        validate: args.bool("validate_certs"),
        client_cert: args.str("client_cert").map(|p| expand(ctx, p)),
        client_key: args.str("client_key").map(|p| expand(ctx, p)),
        decompress: args.bool("decompress"),
        redirects: Redirects::Safe,
        ..Request::default()
    })
}

struct Fetch<'a> {
    args: &'a Args,
    ctx: &'a Context<'a>,
    request: Request,
    dest: PathBuf,
    wanted: Wanted,
    begun: Instant,
}

/// What came: its digests, and the file that holds it outside check mode.
struct Fetched {
    sha1: String,
    md5: String,
    named: Option<String>,
    size: u64,
    staged: Option<Staged>,
}

impl<'a> Fetch<'a> {
    fn new(args: &'a Args, ctx: &'a Context<'a>) -> Result<Fetch<'a>, Failure> {
        let wanted = Wanted::from_args(args);
        wanted.check()?;
        Ok(Fetch {
            args,
            ctx,
            request: request(args, ctx)?,
            dest: expand(ctx, args.text("dest")),
            wanted,
            begun: Instant::now(),
        })
    }

    fn fail(&self, msg: impl Into<String>) -> Failure {
        Failure::new(msg)
            .with("url", self.args.text("url"))
            .with("dest", self.dest.to_string_lossy().into_owned())
            .with("elapsed", self.begun.elapsed().as_secs() as i64)
    }

    fn run(mut self) -> ModuleResult {
        let expected = checksum::expected(self.args, &self.request, self.ctx).map_err(|m| {
            self.fail(m)
                .with("checksum_src", Value::Null)
                .with("checksum_dest", Value::Null)
        })?;
        let folder = self.dest.is_dir();
        let mut force = self.args.bool("force");
        if !folder && self.dest.exists() && !force {
            if let Some((algorithm, digest)) = &expected {
                let current = digest::of_file(&self.dest, *algorithm).map_err(|e| {
                    self.fail(format!("Could not read {}: {e}", self.dest.display()))
                })?;
                if current == *digest {
                    return self.unchanged("file already exists");
                }
                force = true;
            } else if let Some(date) = modified(&self.dest) {
                self.request
                    .headers
                    .push(("If-Modified-Since".to_owned(), date));
            }
        }
        if force {
            self.request
                .headers
                .push(("Cache-Control".to_owned(), "no-cache".to_owned()));
        }
        let response = http::send(&self.request, self.ctx).map_err(|e| match e.status {
            Some(status) => self
                .fail("Request failed")
                .with("response", e.message)
                .with("status_code", i64::from(status)),
            None => self.fail(e.message),
        })?;
        if response.status == 304 {
            return Ok(self
                .unchanged("HTTP Error 304: Not Modified")?
                .with("status_code", 304i64));
        }
        if !response.ok() {
            return Err(self
                .fail("Request failed")
                .with("response", response.complaint())
                .with("status_code", i64::from(response.status)));
        }
        if folder {
            self.dest = self.dest.join(file_name(&response));
        }
        self.receive(response, expected)
    }

    /// Nothing was fetched; permissions may still differ.
    fn unchanged(&self, msg: &str) -> ModuleResult {
        let changed = self.wanted.apply(&self.dest, true, self.ctx.check, None)?;
        let outcome = Outcome::changed(changed)
            .msg(msg)
            .with("url", self.args.text("url"))
            .with("dest", self.dest.to_string_lossy().into_owned())
            .with("checksum_dest", Value::Null)
            .with("checksum_src", Value::Null)
            .with("elapsed", self.begun.elapsed().as_secs() as i64);
        Ok(info::with_path(outcome, &self.dest))
    }

    fn receive(
        &self,
        mut response: Response,
        expected: Option<(Algorithm, String)>,
    ) -> ModuleResult {
        let parent = crate::fsops::paths::parent(&self.dest);
        if !parent.is_dir() {
            return Err(self.fail(format!("Destination {} does not exist", parent.display())));
        }
        let fetched = self.store(&mut response, expected)?;
        let before = match self.dest.is_file() {
            true => digest::of_file(&self.dest, Algorithm::Sha1).ok(),
            false => None,
        };
        let mut changed = before.as_deref() != Some(fetched.sha1.as_str());
        let mut fields = Map::new();
        if let Some(staged) = &fetched.staged {
            fields.insert(
                "src".into(),
                staged.path().to_string_lossy().into_owned().into(),
            );
        }
        if let (true, Some(staged)) = (changed, fetched.staged) {
            if self.args.bool("backup") && self.dest.is_file() {
                let copy = backup::make(&self.dest, self.ctx)?;
                fields.insert(
                    "backup_file".into(),
                    copy.to_string_lossy().into_owned().into(),
                );
            }
            staged.inherit_and_apply(&self.wanted, None)?;
            staged.place()?;
        }
        changed |= self.wanted.apply(&self.dest, true, self.ctx.check, None)?;
        let mut outcome = Outcome::changed(changed)
            .msg(format!(
                "OK ({} bytes)",
                fetched.named.unwrap_or_else(|| fetched.size.to_string())
            ))
            .with("url", self.args.text("url"))
            .with("dest", self.dest.to_string_lossy().into_owned())
            .with("checksum_src", fetched.sha1)
            .with("checksum_dest", before.map_or(Value::Null, Value::Str))
            .with("elapsed", self.begun.elapsed().as_secs() as i64);
        outcome.fields.extend(fields);
        if !self.ctx.check {
            let status = match response.url.starts_with("file:") {
                true => Value::Null,
                false => i64::from(response.status).into(),
            };
            outcome = outcome
                .with("md5sum", fetched.md5)
                .with("status_code", status);
        }
        Ok(info::with_path(outcome, &self.dest))
    }

    /// The failure for a file that is not the one that was expected.
    fn mismatch(&self, message: String, sha1: String, staged: Option<&Staged>) -> Failure {
        let before = match self.dest.is_file() {
            true => digest::of_file(&self.dest, Algorithm::Sha1).ok(),
            false => None,
        };
        let mut failure = self
            .fail(message)
            .with("checksum_src", sha1)
            .with("checksum_dest", before.map_or(Value::Null, Value::Str));
        if let Some(staged) = staged {
            failure = failure.with("src", staged.path().to_string_lossy().into_owned());
        }
        info::describe(&self.dest, &mut failure.fields);
        failure
    }

    /// Takes the body in: into a file beside the destination, or in check mode only through the digests.
    fn store(
        &self,
        response: &mut Response,
        expected: Option<(Algorithm, String)>,
    ) -> Result<Fetched, Failure> {
        let mut staged = match self.ctx.check {
            true => None,
            false => Some(Staged::beside(
                &self.dest,
                self.args.bool("unsafe_writes"),
                self.ctx,
            )?),
        };
        let (mut sha1, mut md5) = (Hasher::new(Algorithm::Sha1), Hasher::new(Algorithm::Md5));
        let mut wanted = expected
            .as_ref()
            .map(|(algorithm, _)| Hasher::new(*algorithm));
        let mut buffer = vec![0u8; 64 << 10];
        let mut size = 0u64;
        loop {
            if (self.ctx.cancelled)() {
                return Err(self.fail("the run was stopped while fetching"));
            }
            if self.ctx.deadline.is_some_and(|d| Instant::now() >= d) {
                return Err(self.fail("the task's time was up while fetching"));
            }
            let n = response.body.read(&mut buffer).map_err(|e| {
                self.fail(format!("failed to read the answer after {size} bytes: {e}"))
            })?;
            if n == 0 {
                break;
            }
            size += n as u64;
            sha1.update(&buffer[..n]);
            md5.update(&buffer[..n]);
            if let Some(hasher) = &mut wanted {
                hasher.update(&buffer[..n]);
            }
            if let Some(staged) = &mut staged {
                let written = staged.file().write_all(&buffer[..n]);
                written.map_err(|e| staged.cannot_write(&e))?;
            }
        }
        if let (Some(hasher), Some((_, digest))) = (wanted, expected) {
            let found = hasher.finish();
            if found != digest {
                let message = format!(
                    "The checksum for {} did not match {digest}; it was {found}.",
                    self.dest.display()
                );
                return Err(self.mismatch(message, sha1.finish(), staged.as_ref()));
            }
        }
        Ok(Fetched {
            sha1: sha1.finish(),
            md5: md5.finish(),
            named: response.header("content-length").map(str::to_owned),
            size,
            staged,
        })
    }
}

/// The file's time as HTTP writes it.
fn modified(path: &Path) -> Option<String> {
    let time = std::fs::metadata(path).and_then(|m| m.modified()).ok()?;
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let at = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// The name that the server, or else the address, gives a file.
fn file_name(response: &Response) -> String {
    let disposition = response.header("content-disposition").unwrap_or_default();
    let named = disposition
        .split(';')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("filename"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    let named = named
        .and_then(|n| n.rsplit(['/', '\\']).next())
        .filter(|n| !n.is_empty() && *n != "." && *n != "..");
    match named {
        Some(name) => name.to_owned(),
        None => url_name(&response.url),
    }
}

/// The last part of an address's path; `index.html` where it has none.
pub(super) fn url_name(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    match path.split_once('/').and_then(|(_, p)| p.rsplit('/').next()) {
        Some(name) if !name.is_empty() && name != "." && name != ".." => name.to_owned(),
        _ => "index.html".to_owned(),
    }
}

#[cfg(test)]
mod tests;
