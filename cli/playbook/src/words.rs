//! Words as a shell splits them, in the way of Python's `shlex`: what inventories and editors' command lines are made of.

/// Splits at white space; quotes and backslashes join.
///
/// # Errors
/// Where a quote is not closed, or nothing follows a backslash.
pub fn split(text: &str) -> Result<Vec<String>, &'static str> {
    read(text, false)
}

/// The same, and `#` begins a comment.
///
/// # Errors
/// As [`split`].
pub fn split_with_comments(text: &str) -> Result<Vec<String>, &'static str> {
    read(text, true)
}

fn read(text: &str, comments: bool) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            // Inside a word too: shlex takes it as a comment wherever it is not quoted.
            '#' if comments => {
                words.extend(word.take());
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("No closing quotation"),
                    }
                }
            }
            '"' => quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err("No escaped character"),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The rest of a text in double quotes, where a backslash escapes itself and the quote alone.
fn quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\\')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err("No escaped character"),
            },
            Some(c) => word.push(c),
            None => return Err("No closing quotation"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_shlex() {
        assert_eq!(
            split_with_comments(r#"a b="c d" 'x y'z \# "q\"\n" e#f g"#).unwrap(),
            ["a", "b=c d", "x yz", "#", "q\"\\n", "e"]
        );
        assert_eq!(split("a#b '' \"\"").unwrap(), ["a#b", "", ""]);
        assert_eq!(split("a 'b"), Err("No closing quotation"));
        assert_eq!(split("a \\"), Err("No escaped character"));
    }
}
