//! Host names in sources: `web[01:10:2].example.com:2222` is five hosts and a port.

/// The most hosts that one pattern may stand for.
const MOST: usize = 1_000_000;

/// The hosts that a pattern stands for, and the port that it names.
///
/// # Errors
/// Where a range is none.
pub(super) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (name, port) = split_port(pattern);
    Ok((expand_name(name)?, port))
}

/// `[a:b:step]` anywhere in the name, several times.
fn expand_name(name: &str) -> Result<Vec<String>, String> {
    let Some((head, range, tail)) = find_range(name) else {
        return Ok(vec![name.to_owned()]);
    };
    let words = sequence(range, name)?;
    let tails = expand_name(tail)?;
    if words.len().saturating_mul(tails.len()) > MOST {
        return Err(format!("`{name}` stands for more than {MOST} hosts"));
    }
    let mut out = Vec::with_capacity(words.len() * tails.len());
    for word in &words {
        out.extend(tails.iter().map(|tail| format!("{head}{word}{tail}")));
    }
    Ok(out)
}

/// What stands before, in and behind the first brackets. Without a closing one all of the rest is in them.
fn find_range(name: &str) -> Option<(&str, &str, &str)> {
    let (head, rest) = name.split_once('[')?;
    let (range, tail) = rest.split_once(']').unwrap_or((rest, ""));
    Some((head, range, tail))
}

fn sequence(range: &str, name: &str) -> Result<Vec<String>, String> {
    let wrong = |why: &str| format!("the range [{range}] of `{name}` {why}");
    let bounds: Vec<&str> = range.split(':').collect();
    let (begin, end, step) = match bounds.as_slice() {
        [begin, end] => (*begin, *end, "1"),
        [begin, end, step] => (*begin, *end, *step),
        _ => return Err(wrong("must be begin:end or begin:end:step")),
    };
    if end.is_empty() {
        return Err(wrong("needs an end"));
    }
    let begin = if begin.is_empty() { "0" } else { begin };
    let step: usize = match step.parse() {
        Ok(step) if step > 0 => step,
        _ => return Err(wrong("needs a step above 0")),
    };
    let width = if begin.len() > 1 && begin.starts_with('0') {
        if begin.len() != end.len() {
            return Err(wrong("needs a begin and an end of the same length"));
        }
        begin.len()
    } else {
        0
    };
    if let (Some(b), Some(e)) = (letter(begin), letter(end)) {
        return Ok((b..=e)
            .step_by(step)
            .map(|at| char::from(LETTERS[at]).to_string())
            .collect());
    }
    let (Ok(b), Ok(e)) = (begin.parse::<u64>(), end.parse::<u64>()) else {
        return Err(wrong("must be of numbers or of letters"));
    };
    if b > e {
        return Ok(Vec::new());
    }
    if (e - b) / step as u64 >= MOST as u64 {
        return Err(wrong(&format!("stands for more than {MOST} hosts")));
    }
    Ok((b..=e)
        .step_by(step)
        .map(|n| format!("{n:0width$}"))
        .collect())
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn letter(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [one] => LETTERS.iter().position(|l| l == one),
        _ => None,
    }
}

/// Takes a port off a name, where the name could be one. Otherwise all of it is the name.
pub(super) fn split_port(pattern: &str) -> (&str, Option<u16>) {
    if let Some(inner) = pattern.strip_prefix('[')
        && let Some((address, rest)) = inner.rsplit_once(']')
        && is_address(address)
    {
        if rest.is_empty() {
            return (address, None);
        }
        if let Some(port) = rest.strip_prefix(':').and_then(port) {
            return (address, Some(port));
        }
    }
    let Some((name, digits)) = pattern.rsplit_once(':') else {
        return (pattern, None);
    };
    // A colon inside of brackets belongs to a range; several make an IPv6 address.
    let plain = !outside_brackets(name).contains(':') && !digits.contains(']');
    match port(digits) {
        Some(port) if plain && is_name(name) => (name, Some(port)),
        _ => (pattern, None),
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn outside_brackets(text: &str) -> String {
    let mut depth = 0;
    text.chars()
        .filter(|c| {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// An IPv6 address, or one with ranges in it.
fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Labels of letters, digits, `_` and `-`, divided by dots; ranges count as letters.
fn is_name(text: &str) -> bool {
    let mut inside = false;
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '[' => inside = true,
            ']' => {
                inside = false;
                plain.push('x');
            }
            c if inside => {
                if !(c == ':' || c.is_ascii_alphanumeric()) {
                    return false;
                }
            }
            c => plain.push(c),
        }
    }
    plain.split('.').all(|label| {
        let word = |c: char| c == '_' || c == '-' || c.is_alphanumeric();
        !label.is_empty()
            && label.chars().all(word)
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(pattern: &str) -> String {
        match expand(pattern) {
            Ok((names, port)) => {
                let port = port.map(|p| format!(" port {p}")).unwrap_or_default();
                format!("{}{port}", names.join(" "))
            }
            Err(e) => e,
        }
    }

    #[test]
    fn ranges_are_expanded() {
        assert_eq!(names("web[01:03]"), "web01 web02 web03");
        assert_eq!(names("n[1:10:3].x:22"), "n1.x n4.x n7.x n10.x port 22");
        assert_eq!(names("x[a:c]y"), "xay xby xcy");
        assert_eq!(names("h[1:2]-[a:b]:2022"), "h1-a h1-b h2-a h2-b port 2022");
        assert_eq!(names("h[:2]"), "h0 h1 h2");
        insta::assert_snapshot!(names("h[1]"), @"the range [1] of `h[1]` must be begin:end or begin:end:step");
        insta::assert_snapshot!(names("[a"), @"the range [a] of `[a` must be begin:end or begin:end:step");
        assert_eq!(names("::1"), "::1");
        assert_eq!(names("[2001:db8::1]:22"), "2001:db8::1 port 22");
        assert_eq!(names("1.2.3.4:55"), "1.2.3.4 port 55");
        insta::assert_snapshot!(names("h[1:]"), @"the range [1:] of `h[1:]` needs an end");
        assert_eq!(names("h[5:1]"), "");
        insta::assert_snapshot!(names("h[01:100]"), @"the range [01:100] of `h[01:100]` needs a begin and an end of the same length");
        insta::assert_snapshot!(names("h[1:99999999]"), @"the range [1:99999999] of `h[1:99999999]` stands for more than 1000000 hosts");
    }

    proptest! {
        #[test]
        fn anything_is_expanded_or_refused(text in "[a-c0-3\\[\\]:.-]{0,24}") {
            let _ = expand(&text);
        }
    }
}
