//! Whether a password looks like the hash that it must be.

/// What to warn of, if anything: a password in plain text lands in `/etc/shadow`, where it never matches.
pub(super) fn doubt(password: &str) -> Option<&'static str> {
    const DOUBT: &str = "The input password appears not to have been hashed. The 'password' argument must be encrypted \
                         for this module to work properly.";
    if matches!(password, "*" | "!" | "*************") {
        return None;
    }
    let hashed = password.strip_prefix('!').unwrap_or(password);
    if hashed.contains([':', '*', '!']) {
        return Some(DOUBT);
    }
    let fields: Vec<&str> = hashed.split('$').collect();
    let (Some(scheme), Some(digest)) = (fields.get(1), fields.last()) else {
        return Some(DOUBT);
    };
    let letters = digest
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "./=".contains(c));
    let length = match *scheme {
        "1" => digest.len() == 22,
        "5" => digest.len() == 43,
        "6" => digest.len() == 86,
        _ => true,
    };
    (fields.len() < 3 || !letters || !length).then_some(DOUBT)
}

#[cfg(test)]
mod tests {
    use super::doubt;

    #[test]
    fn hashes_and_plain_text() {
        assert!(doubt("secret").is_some() && doubt("$6$abc$def").is_some() && doubt("a:b").is_some());
        assert!(doubt("*").is_none() && doubt("!").is_none());
        assert!(doubt(&format!("$6$rounds=5$salt${}", "a".repeat(86))).is_none());
        assert!(doubt("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7").is_none());
    }
}
