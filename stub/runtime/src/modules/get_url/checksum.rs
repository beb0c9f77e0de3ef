//! The digest that a file must have: given, or looked up in a list on a server.

use std::io::Read;

use super::url_name;
use crate::args::Args;
use crate::context::Context;
use crate::fsops::digest::Algorithm;
use crate::http::{self, Request};

/// How long a list of digests may be.
const LIST_LIMIT: u64 = 16 << 20;

/// The algorithm and the digest in lower case, where the task names one.
pub(super) fn expected(
    args: &Args,
    request: &Request,
    ctx: &Context<'_>,
) -> Result<Option<(Algorithm, String)>, String> {
    let text = args.text("checksum");
    if text.is_empty() {
        return Ok(None);
    }
    let (name, rest) = text
        .split_once(':')
        .ok_or("The checksum parameter has to be in format <algorithm>:<checksum>")?;
    let algorithm = Algorithm::named(name.trim()).ok_or_else(|| {
        format!("Could not hash file with algorithm '{name}'. Available algorithms: md5, sha1, sha224, sha256, sha384, sha512")
    })?;
    let rest = rest.trim();
    let digest = if ["http://", "https://", "file://"]
        .iter()
        .any(|s| rest.starts_with(s))
    {
        lookup(rest, request, ctx)?
    } else {
        rest.to_owned()
    };
    let digest: String = digest.chars().filter(char::is_ascii_alphanumeric).collect();
    if digest.is_empty() || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err("The checksum format is invalid".to_owned());
    }
    Ok(Some((algorithm, digest.to_ascii_lowercase())))
}

/// Finds the file's line in a list on a server.
fn lookup(address: &str, request: &Request, ctx: &Context<'_>) -> Result<String, String> {
    let name = url_name(&request.url);
    let request = Request {
        url: address.to_owned(),
        ..request.clone()
    };
    let response = http::send(&request, ctx).map_err(|e| e.message)?;
    if !response.ok() {
        return Err(format!(
            "Unable to fetch the checksums from {address}: {}",
            response.complaint()
        ));
    }
    let mut text = String::new();
    response
        .body
        .take(LIST_LIMIT)
        .read_to_string(&mut text)
        .map_err(|e| format!("Unable to read the checksums from {address}: {e}"))?;
    find(&text, &name)
        .ok_or_else(|| format!("Unable to find a checksum for file '{name}' in '{address}'"))
}

/// The digest of a name in a list: `DIGEST  NAME`, `DIGEST *NAME`, `ALGORITHM (NAME) = DIGEST`, or one digest alone.
fn find(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    if let [only] = lines.as_slice()
        && !only.contains(char::is_whitespace)
    {
        return Some((*only).to_owned());
    }
    lines.iter().find_map(|line| {
        if let Some((front, digest)) = line.split_once(") = ") {
            let (_, file) = front.split_once('(')?;
            return (file == name).then(|| digest.to_owned());
        }
        let (digest, file) = line.split_once(char::is_whitespace)?;
        let file = file.trim().trim_start_matches('*');
        let file = file.strip_prefix("./").unwrap_or(file);
        (file == name).then(|| digest.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn lists() {
        assert_eq!(find("aa  a\nbb *./b\n", "b").as_deref(), Some("bb"));
        assert_eq!(find("abc\n", "x").as_deref(), Some("abc"));
        assert_eq!(find("SHA256 (a) = cc\n", "a").as_deref(), Some("cc"));
        assert_eq!(find("aa  a\n", "b"), None);
    }
}
