//! `uri`: talks to a web service.

mod body;

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::fsops::attrs::Wanted;
use crate::fsops::info;
use crate::fsops::write::Staged;
use crate::http::{self, Redirects, Response, resolve};
use crate::modules::{Module, get_url};
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{expand, lines};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Uri;

/// How long an answer may be.
const LIMIT: u64 = 256 << 20;

static OWN_ARGS: &[Arg] = &[
    Arg::new("url_username", Kind::Str, "The user's name.").aliases(&["user"]),
    Arg::new("method", Kind::Str, "The HTTP method.").default(Default::Str("GET")),
    Arg::new("body", Kind::Raw, "What is sent."),
    Arg::new("body_format", Kind::Str, "How the body is written.")
        .default(Default::Str("raw"))
        .choices(&["form-urlencoded", "json", "raw", "form-multipart"]),
    Arg::new(
        "src",
        Kind::Path,
        "A file that is sent, of the plan's or the target's.",
    )
    .asset(),
    Arg::new(
        "remote_src",
        Kind::Bool,
        "Whether `src` lies on the target.",
    )
    .default(Default::Bool(false)),
    Arg::new("dest", Kind::Path, "Where the answer is kept."),
    Arg::new(
        "return_content",
        Kind::Bool,
        "Whether the answer is returned.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "status_code",
        Kind::List(&Kind::Int),
        "The statuses that mean success.",
    ),
    Arg::new(
        "follow_redirects",
        Kind::Str,
        "Which redirects are followed.",
    )
    .default(Default::Str("safe"))
    .choices(&["all", "no", "none", "safe", "urllib2", "yes"]),
    Arg::new("timeout", Kind::Int, "Seconds to wait for the server.").default(Default::Int(30)),
    Arg::new("headers", Kind::Dict, "More headers.").default(Default::EmptyDict),
    Arg::new(
        "creates",
        Kind::Path,
        "A path; where it exists, nothing is sent.",
    ),
    Arg::new(
        "removes",
        Kind::Path,
        "A path; where it does not exist, nothing is sent.",
    ),
    Arg::new(
        "ca_path",
        Kind::Path,
        "Certificate authorities to trust, instead of the machine's.",
    ),
    Arg::new(
        "unix_socket",
        Kind::Path,
        "A socket to connect to; not supported.",
    ),
];

static SPEC: Spec = Spec {
    name: "uri",
    collection: "ansible.builtin",
    summary: "Talks to a web service.",
    args: &[get_url::URL_ARGS, OWN_ARGS, FILE_ARGS],
    free_form: None,
    open: false,
    rules: &[Rule::MutuallyExclusive(&["body", "src"])],
    check: Support::None,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Uri {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if ctx.check {
            return Ok(Outcome {
                skipped: true,
                msg: Some("This action (uri) does not support check mode.".to_owned()),
                ..Outcome::default()
            });
        }
        if let Some(outcome) = guarded(args, ctx) {
            return Ok(outcome);
        }
        if args.has("unix_socket") {
            return Err(Failure::new(
                "unix_socket: connecting to a socket is not supported",
            ));
        }
        let begun = Instant::now();
        let request = request(args, ctx)?;
        match http::send(&request, ctx) {
            Ok(response) => report(args, ctx, response, begun),
            Err(e) => {
                let status = e.status.map_or(-1, i64::from);
                Err(Failure::new(refusal(args, status, &e.message))
                    .with("status", status)
                    .with("redirected", false)
                    .with("url", args.text("url"))
                    .with("elapsed", begun.elapsed().as_secs() as i64))
            }
        }
    }
}

fn guarded(args: &Args, ctx: &Context<'_>) -> Option<Outcome> {
    let skip = |text: String| {
        Outcome::ok()
            .with("stdout_lines", lines(&text))
            .with("stdout", text)
    };
    if let Some(path) = args.str("creates")
        && expand(ctx, path).exists()
    {
        return Some(skip(format!("skipped, since '{path}' exists")));
    }
    if let Some(path) = args.str("removes")
        && !expand(ctx, path).exists()
    {
        return Some(skip(format!("skipped, since '{path}' does not exist")));
    }
    None
}

fn request(args: &Args, ctx: &Context<'_>) -> Result<http::Request, Failure> {
    let mut request = get_url::request(args, ctx)?;
    request.method = args.text("method").to_ascii_uppercase();
    request.ca = args.str("ca_path").map(|p| expand(ctx, p));
    request.redirects = match args.text("follow_redirects") {
        "all" | "yes" => Redirects::All,
        "none" | "no" => Redirects::None,
        _ => Redirects::Safe,
    };
    let (bytes, kind) = match (args.get("body"), args.str("src")) {
        (Some(value), _) => body::encode(value, args.text("body_format"), ctx)?,
        (None, Some(src)) => (body::file(src, args.bool("remote_src"), ctx)?, None),
        (None, None) => (Vec::new(), None),
    };
    let typed = request
        .headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case("content-type"));
    if !bytes.is_empty() && !typed {
        let kind = kind.unwrap_or_else(|| "application/x-www-form-urlencoded".to_owned());
        request.headers.push(("Content-Type".to_owned(), kind));
    }
    request.body = bytes;
    Ok(request)
}

/// The statuses that mean success.
fn accepted(args: &Args) -> Vec<i64> {
    match args.get("status_code").and_then(Value::as_list) {
        Some(list) => list.iter().filter_map(Value::as_i64).collect(),
        None => vec![200],
    }
}

fn refusal(args: &Args, status: i64, message: &str) -> String {
    let wanted: Vec<String> = accepted(args).iter().map(i64::to_string).collect();
    format!(
        "Status code was {status} and not [{}]: {message}",
        wanted.join(", ")
    )
}

fn report(args: &Args, ctx: &Context<'_>, mut response: Response, begun: Instant) -> ModuleResult {
    let mut bytes = Vec::new();
    let limit = LIMIT + 1;
    let read = response.body.by_ref().take(limit).read_to_end(&mut bytes);
    read.map_err(|e| {
        Failure::new(format!(
            "failed to read the answer of {}: {e}",
            response.url
        ))
    })?;
    if bytes.len() as u64 == limit {
        return Err(Failure::new(format!(
            "the answer of {} is longer than {LIMIT} bytes",
            response.url
        )));
    }
    let mut outcome = Outcome::ok();
    outcome.fields = header_fields(&response);
    let failed_status = response.status >= 300;
    let message = match (failed_status, response.header("content-length")) {
        (true, _) => response.complaint(),
        (false, Some(length)) => format!("OK ({length} bytes)"),
        (false, None) => "OK (unknown bytes)".to_owned(),
    };
    outcome = outcome
        .with("redirected", response.redirected)
        .with("status", i64::from(response.status))
        .with("url", response.url.as_str());
    let text = String::from_utf8_lossy(&bytes);
    let kind = response
        .header("content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if kind
        .split(';')
        .next()
        .is_some_and(|t| t.trim().ends_with("json"))
        && let Ok(value) = serde_json::from_str::<Value>(&text)
    {
        outcome = outcome.with("json", value);
    }
    if failed_status {
        outcome = outcome.with("body", text.as_ref());
    }
    let good = accepted(args).contains(&i64::from(response.status));
    if args.bool("return_content") {
        outcome = outcome.with("content", text.as_ref());
    }
    if let (true, Some(dest)) = (good, args.str("dest")) {
        outcome = keep(args, ctx, &expand(ctx, dest), &response, &bytes, outcome)?;
    }
    outcome = outcome.with("elapsed", begun.elapsed().as_secs() as i64);
    outcome.failed = !good;
    outcome.msg = Some(if good {
        message
    } else {
        refusal(args, i64::from(response.status), &message)
    });
    Ok(outcome)
}

/// The answer's headers as return values: small letters, and underscores for dashes.
fn header_fields(response: &Response) -> Map {
    let mut fields = Map::new();
    let mut cookies = Map::new();
    let mut cookie_text = Vec::new();
    for (name, value) in &response.headers {
        let key = name.to_ascii_lowercase().replace('-', "_");
        if matches!(
            key.as_str(),
            "connection" | "transfer_encoding" | "status" | "url"
        ) {
            continue;
        }
        if key == "set_cookie"
            && let Some((name, value)) = value.split(';').next().and_then(|c| c.split_once('='))
        {
            cookies.insert(name.trim().to_owned(), value.trim().into());
            cookie_text.push(format!("{}={}", name.trim(), value.trim()));
        }
        let value = match key.as_str() {
            "location" => resolve(&response.url, value),
            _ => value.clone(),
        };
        match fields.get_mut(&key) {
            Some(Value::Str(text)) => *text = format!("{text}, {value}"),
            _ => drop(fields.insert(key, value.into())),
        }
    }
    if response.status < 300 {
        fields.insert("cookies".into(), cookies.into());
        fields.insert("cookies_string".into(), cookie_text.join("; ").into());
    }
    fields
}

/// Writes the answer into a file.
fn keep(
    args: &Args,
    ctx: &Context<'_>,
    dest: &Path,
    response: &Response,
    bytes: &[u8],
    outcome: Outcome,
) -> ModuleResult {
    let dest = match dest.is_dir() {
        true => dest.join(get_url::url_name(&response.url)),
        false => dest.to_owned(),
    };
    let wanted = Wanted::from_args(args);
    wanted.check()?;
    let mut staged = Staged::beside(&dest, args.bool("unsafe_writes"), ctx)?;
    staged.write(bytes)?;
    staged.inherit_and_apply(&wanted, None)?;
    staged.place()?;
    wanted.apply(&dest, true, false, None)?;
    let mut outcome = outcome.with("path", dest.to_string_lossy().into_owned());
    outcome.changed = true;
    Ok(info::with_path(outcome, &dest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::http::server;
    use crate::trial::Trial;

    #[test]
    fn contents_and_headers() {
        let u = server::start();
        let t = Trial::new();
        let r = t.run(
            "uri",
            json!({"url": format!("{u}/hello.txt"), "return_content": true}),
        );
        assert_eq!(
            (
                r.message(),
                r.field("content").as_str(),
                r.field("status").as_str()
            ),
            ("OK (6 bytes)", "hello\n", "200")
        );
        assert_eq!(
            (
                r.field("content_type").as_str(),
                r.field("redirected").as_str()
            ),
            ("text/plain", "false")
        );
        let r = t.run("uri", json!({"url": format!("{u}/cookie")}));
        assert_eq!(
            (
                r.field("cookies_string").as_str(),
                r.field("cookies").as_str()
            ),
            ("a=b", "{\"a\":\"b\"}")
        );
        let r = t.run("uri", json!({"url": format!("{u}/redirect")}));
        assert!(r.field("url").ends_with("/hello.txt") && r.field("redirected") == "true");
        let r = t.run(
            "uri",
            json!({"url": format!("{u}/redirect"), "follow_redirects": "none", "status_code": 302}),
        );
        assert!(
            !r.failed && r.field("location").starts_with("http://127.0.0.1"),
            "{r:?}"
        );
        let r = t.run("uri", json!({"url": format!("{u}/boom")}));
        assert_eq!(
            r.message(),
            "Status code was 500 and not [200]: HTTP Error 500: Internal Server Error"
        );
        assert!(r.failed && r.field("x_thing") == "a");
        let r = t.run("uri", json!({"url": "http://127.0.0.1:1/"}));
        assert!(
            r.message()
                .starts_with("Status code was -1 and not [200]: Request failed"),
            "{r:?}"
        );
    }

    #[test]
    fn bodies() {
        let u = server::start();
        let t = Trial::new();
        let send = |more: serde_json::Value| {
            let mut args = json!({"url": format!("{u}/echo"), "method": "POST"});
            for (k, v) in more.as_object().expect("a mapping") {
                args[k] = v.clone();
            }
            let r = t.run("uri", args);
            let echoed = r.fields.get("json").cloned().unwrap_or_default();
            let get = |k: &str| {
                echoed
                    .get(k)
                    .and_then(|v| v.as_str().map(str::to_owned))
                    .unwrap_or_default()
            };
            (get("method"), get("headers"), get("body"))
        };
        let (_, headers, body) =
            send(json!({"body": {"a": 1, "b": [true, null]}, "body_format": "json"}));
        assert_eq!(body, "{\"a\": 1, \"b\": [true, null]}");
        assert!(headers.contains("content-type: application/json"));
        let (_, headers, body) =
            send(json!({"body": {"a": [1, 2], "b": "x y"}, "body_format": "form-urlencoded"}));
        assert_eq!(body, "a=1&a=2&b=x+y");
        assert!(headers.contains("content-type: application/x-www-form-urlencoded"));
        let (method, _, body) = send(json!({"method": "GET", "body": "plain"}));
        assert_eq!((method.as_str(), body.as_str()), ("GET", "plain"));
        let (_, headers, body) = send(json!({"body_format": "form-multipart",
            "body": {"f": "v", "g": {"content": "c", "filename": "x.txt", "mime_type": "text/plain"}}}));
        assert!(
            headers.contains("multipart/form-data; boundary=")
                && body.contains("filename=\"x.txt\""),
            "{body}"
        );
    }

    #[test]
    fn files_and_guards() {
        let u = server::start();
        let t = Trial::new();
        let dest = t.work.path().join("d").display().to_string();
        let r = t.run(
            "uri",
            json!({"url": format!("{u}/hello.txt"), "dest": dest, "mode": "0600"}),
        );
        assert!(
            r.changed && r.field("path") == dest && r.field("mode") == "0600",
            "{r:?}"
        );
        let r = t.run(
            "uri",
            json!({"url": "http://127.0.0.1:1/", "creates": "/etc"}),
        );
        assert_eq!(r.field("stdout"), "skipped, since '/etc' exists");
        assert!(Trial::checking().run("uri", json!({"url": u})).skipped);
    }
}
