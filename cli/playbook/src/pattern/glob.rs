//! One name with wildcards, as Python's `fnmatch` reads it, or a regular expression after `~`.

use regex::Regex;

use crate::problem::Problem;

/// Compares names.
pub(super) enum Matcher<'a> {
    /// Nothing in it is special.
    Name(&'a str),
    /// Wildcards, or a regular expression.
    Expression(Regex),
}

impl<'a> Matcher<'a> {
    /// Of a pattern without operator and subscript.
    pub(super) fn new(pattern: &'a str) -> Result<Matcher<'a>, Problem> {
        let expression = match pattern.strip_prefix('~') {
            // Python's `match` is anchored where it begins.
            Some(expression) => format!("^(?:{expression})"),
            None if pattern.contains(['*', '?', '[']) => translate(pattern),
            None => return Ok(Matcher::Name(pattern)),
        };
        Regex::new(&expression)
            .map(Matcher::Expression)
            .map_err(|e| {
                Problem::error(format!(
                    "the host pattern `{pattern}` is no regular expression"
                ))
                .note(e.to_string())
            })
    }

    pub(super) fn is_match(&self, name: &str) -> bool {
        match self {
            Matcher::Name(own) => *own == name,
            Matcher::Expression(expression) => expression.is_match(name),
        }
    }

    /// It may fit more than one name.
    pub(super) fn is_expression(&self) -> bool {
        match self {
            // A dot counts as special to Ansible: `web.example.com` may be a group and a host.
            Matcher::Name(name) => name.contains('.'),
            Matcher::Expression(_) => true,
        }
    }
}

fn translate(pattern: &str) -> String {
    let mut out = String::from("(?s)^");
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        at += 1;
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                // A bracket directly behind the first, or behind `!`, is one of the characters.
                let mut end = at;
                if chars.get(end) == Some(&'!') {
                    end += 1;
                }
                if chars.get(end) == Some(&']') {
                    end += 1;
                }
                while end < chars.len() && chars[end] != ']' {
                    end += 1;
                }
                if end >= chars.len() {
                    out.push_str("\\[");
                    continue;
                }
                let class: String = chars[at..end].iter().collect();
                at = end + 1;
                push_class(&class, &mut out);
            }
            c => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('$');
    out
}

fn push_class(class: &str, out: &mut String) {
    let (negated, inner) = match class.strip_prefix('!') {
        Some(inner) => (true, inner),
        None => (false, class),
    };
    out.push_str(if negated { "[^" } else { "[" });
    for c in inner.chars() {
        // All but the dash of a range is itself.
        if matches!(c, '[' | ']' | '\\' | '^' | '&' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_fnmatch_s() {
        let fits = |pattern: &str, name: &str| Matcher::new(pattern).unwrap().is_match(name);
        assert!(fits("web*", "web01.example.com"));
        assert!(fits("w?b", "web") && !fits("w?b", "weeb"));
        assert!(fits("[!a]b", "cb") && !fits("[!a]b", "ab"));
        assert!(fits("[a-c]1", "b1") && fits("[]]", "]"));
        assert!(fits("a[b", "a[b") && !fits("a.c", "abc"));
        assert!(fits("~web\\d", "web1x") && !fits("~eb", "web"));
        assert!(Matcher::new("~(").is_err());
    }
}
