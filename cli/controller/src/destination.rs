//! `[user@]host[:port]`, as people write it for ssh.

use std::fmt;
use std::str::FromStr;

/// A machine to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The user, if given.
    pub user: Option<String>,
    /// The name or address.
    pub host: String,
    /// The port, if given.
    pub port: Option<u16>,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| {
            Err(format!(
                "`{text}` is not a destination: {why}; write [user@]host[:port]"
            ))
        };
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        if user == Some("") {
            return refuse("the user is empty");
        }
        let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
            match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) if port.starts_with(':') => (host, Some(&port[1..])),
                _ => return refuse("the bracket is not closed"),
            }
        } else if rest.matches(':').count() == 1 {
            match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        } else {
            (rest, None)
        };
        if host.is_empty() {
            return refuse("the host is empty");
        }
        if host.starts_with('-') {
            return refuse("a host does not begin with a dash");
        }
        let port = match port {
            None => None,
            Some(port) => match port.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                _ => return refuse(&format!("`{port}` is not a port")),
            },
        };
        Ok(Destination {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, _) => f.write_str(&self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for (text, user, host, port) in [
            ("web1", None, "web1", None),
            ("root@web1:2222", Some("root"), "web1", Some(2222)),
            ("[::1]:22", None, "::1", Some(22)),
            ("fe80::1", None, "fe80::1", None),
            ("ssh://a@b", Some("a"), "b", None),
        ] {
            let d: Destination = text.parse().unwrap();
            assert_eq!(
                (d.user.as_deref(), d.host.as_str(), d.port),
                (user, host, port)
            );
        }
        for text in ["", "@host", "host:0", "host:x", "[::1", "-oProxyCommand=x"] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }
}
