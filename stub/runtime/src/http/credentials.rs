//! Who asks: names and passwords from an address, from `~/.netrc`, and as a header.

use base64::Engine;

use crate::context::Context;
use crate::process::{expand_user, variable};

/// An address without its `user:password@`, and those.
pub(super) fn split_url(url: &str) -> (String, Option<(String, String)>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((info, host)) = rest[..end].rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let (user, password) = info.split_once(':').unwrap_or((info, ""));
    let plain = format!("{scheme}://{host}{}", &rest[end..]);
    (plain, Some((decode(user), decode(password))))
}

/// `%41` becomes `A`.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes
            .get(i + 1..i + 3)
            .filter(|_| bytes[i] == b'%')
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The host of an address, without its port.
pub(super) fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default().to_owned(),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    }
}

/// Whether credentials for one address may go to another.
pub(super) fn same_host(a: &str, b: &str) -> bool {
    let downgrade = a.starts_with("https:") && !b.starts_with("https:");
    !downgrade && host_of(a).eq_ignore_ascii_case(&host_of(b))
}

/// The header for name and password.
pub(super) fn basic(user: &str, password: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {encoded}")
}

/// What `$NETRC` or `~/.netrc` says about the host.
pub(super) fn netrc(ctx: &Context<'_>, url: &str) -> Option<(String, String)> {
    let path = match variable(ctx, "NETRC") {
        Some(path) => path.to_string_lossy().into_owned(),
        None => expand_user(ctx, "~/.netrc"),
    };
    find(&std::fs::read_to_string(path).ok()?, &host_of(url))
}

fn find(text: &str, host: &str) -> Option<(String, String)> {
    let mut words = text
        .lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace);
    let mut applies = false;
    let (mut login, mut password) = (None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" => {
                if applies && login.is_some() {
                    break;
                }
                applies = word == "default" || words.next() == Some(host);
            }
            "login" => login = words.next().filter(|_| applies).or(login),
            "password" => password = words.next().filter(|_| applies).or(password),
            "account" => drop(words.next()),
            _ => {}
        }
    }
    Some((login?.to_owned(), password.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let (url, pair) = split_url("http://a%40b:p:q@h:1/x@y");
        assert_eq!(
            (url.as_str(), pair),
            ("http://h:1/x@y", Some(("a@b".into(), "p:q".into())))
        );
        assert_eq!(split_url("http://h/@"), ("http://h/@".into(), None));
        assert_eq!(host_of("https://[::1]:8/x"), "::1");
        assert!(same_host("http://h/a", "https://H:2/b") && !same_host("https://h/", "http://h/"));
    }

    #[test]
    fn netrc_files() {
        let text = "machine a login x password y\n# c\nmachine b\n login u\n password p\ndefault login d password e\n";
        assert_eq!(find(text, "b"), Some(("u".into(), "p".into())));
        assert_eq!(find(text, "z"), Some(("d".into(), "e".into())));
        assert_eq!(find("machine a login x password y", "z"), None);
    }
}
