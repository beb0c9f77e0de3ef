//! A pattern's parts: divided by commas, or without commas by colons and spaces that are not in brackets.

/// The parts, without empty ones.
pub fn split(pattern: &str) -> Vec<String> {
    if pattern.contains(',') {
        return words(pattern.split(','));
    }
    // An IPv6 address is full of colons, and one pattern.
    if is_address(pattern.trim()) {
        return vec![pattern.trim().to_owned()];
    }
    let mut parts = vec![String::new()];
    let mut depth = 0usize;
    for c in pattern.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            c if c.is_whitespace() && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    words(parts.iter().map(String::as_str))
}

fn words<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    parts
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect()
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        assert_eq!(split("a:b,c"), ["a:b", "c"]);
        assert_eq!(split("a:&b:!c[1:2]"), ["a", "&b", "!c[1:2]"]);
        assert_eq!(split("a b"), ["a", "b"]);
        assert_eq!(split("::1"), ["::1"]);
        assert_eq!(split(""), [""; 0]);
    }
}
