//! Command lines as text: splitting by the shell's quoting rules, and quoting for a shell.

/// Splits a command line into words, by the rules of quotes and backslashes that a POSIX shell has. Nothing is
/// expanded.
///
/// # Errors
/// Where a quotation or an escape is not finished.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("No escaped character".into()),
            },
            '\'' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(inner) => into.push(inner),
                        None => return Err("No closing quotation".into()),
                    }
                }
            }
            '"' => {
                let into = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(escaped @ ('"' | '\\')) => into.push(escaped),
                            Some(other) => {
                                into.push('\\');
                                into.push(other);
                            }
                            None => return Err("No closing quotation".into()),
                        },
                        Some(inner) => into.push(inner),
                        None => return Err("No closing quotation".into()),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Quotes a word so that a shell takes it as it is.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\"'\"'"))
    }
}

/// Quotes words and joins them by spaces.
pub fn join<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|w| quote(w.as_ref())).collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        let check = |text: &str, words: &[&str]| {
            assert_eq!(
                split(text),
                Ok(words.iter().map(|w| (*w).to_owned()).collect())
            );
        };
        check("a  b\tc\n", &["a", "b", "c"]);
        check(r#"'x y' "q'w" a\ b """#, &["x y", "q'w", "a b", ""]);
        check(r#""a\"b\\c\d""#, &[r#"a"b\c\d"#]);
        check("a'b c'd # e", &["ab cd", "#", "e"]);
        check("a=\"b c\"", &["a=b c"]);
        assert_eq!(split("'open"), Err("No closing quotation".into()));
        assert_eq!(split("open\\"), Err("No escaped character".into()));
    }

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(join(["a", "b c", "", "it's"]), r#"a 'b c' '' 'it'"'"'s'"#);
    }

    proptest::proptest! {
        #[test]
        fn what_is_joined_splits_again(words in proptest::collection::vec(".*", 0..6)) {
            proptest::prop_assert_eq!(split(&join(&words)), Ok(words));
        }
    }
}
