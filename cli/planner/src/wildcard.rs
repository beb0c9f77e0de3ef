//! Names that are known in part: `{{ ansible_os_family }}.yml` fits `Debian.yml`.

/// The name with a `*` in place of each template; `None` where it has none.
pub(crate) fn pattern(name: &str) -> Option<String> {
    if !name.contains("{{") && !name.contains("{%") {
        return None;
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(start) = [rest.find("{{"), rest.find("{%")]
        .into_iter()
        .flatten()
        .min()
    {
        let end = if rest[start..].starts_with("{{") {
            "}}"
        } else {
            "%}"
        };
        out.push_str(&rest[..start]);
        if !out.ends_with('*') {
            out.push('*');
        }
        match rest[start..].find(end) {
            Some(length) => rest = &rest[start + length + 2..],
            None => return Some(out),
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Whether a name fits a pattern; `*` stands for anything, also for nothing and for `/`.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_holes() {
        assert_eq!(pattern("main.yml"), None);
        assert_eq!(pattern("{{ a }}.yml").as_deref(), Some("*.yml"));
        assert_eq!(
            pattern("a-{{ b }}{{ c }}-d.yml").as_deref(),
            Some("a-*-d.yml")
        );
        assert!(fits("*.yml", "Debian.yml") && fits("a-*-d.yml", "a-x-d.yml"));
        assert!(!fits("a*", "b") && !fits("a*c", "ab") && fits("*", ""));
        assert!(fits("a", "a") && !fits("a", "ab"));
    }
}
