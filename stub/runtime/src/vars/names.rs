//! What may be the name of a variable.

/// Python's rule for names, without its words.
pub(crate) fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !matches!(name, "True" | "False" | "None" | "true" | "false" | "none")
        && !PYTHON_WORDS.contains(&name)
}

const PYTHON_WORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

#[cfg(test)]
mod tests {
    use super::is_variable_name;

    #[test]
    fn names() {
        for good in ["a", "_b", "c1"] {
            assert!(is_variable_name(good), "{good}");
        }
        for bad in ["", "1a", "a-b", "a b", "class", "é"] {
            assert!(!is_variable_name(bad), "{bad}");
        }
    }
}
