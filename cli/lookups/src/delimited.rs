//! Records of text between delimiters, as Python's `csv` reads its dialect `excel`.

/// The rows of a text.
pub(crate) fn rows(text: &str, delimiter: char, quote: Option<char>) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut any = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if quoted && Some(c) == quote => {
                if chars.peek() == Some(&c) {
                    field.push(c);
                    chars.next();
                } else {
                    quoted = false;
                }
            }
            c if quoted => field.push(c),
            c if Some(c) == quote && field.is_empty() => {
                quoted = true;
                any = true;
            }
            c if c == delimiter => {
                row.push(std::mem::take(&mut field));
                any = true;
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => {
                if any || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                }
                out.push(std::mem::take(&mut row));
                any = false;
            }
            c => field.push(c),
        }
    }
    if any || !field.is_empty() {
        row.push(field);
        out.push(row);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn quotes_and_line_ends() {
        let read = |text: &str| rows(text, ',', Some('"'));
        assert_eq!(read("a,b\r\nc,d"), [["a", "b"], ["c", "d"]]);
        assert_eq!(read("\"a,\"\"b\"\"\",c\n"), [["a,\"b\"", "c"]]);
        assert_eq!(read("\"a\nb\",c"), [["a\nb", "c"]]);
        assert_eq!(read(",\n"), [["", ""]]);
        assert_eq!(read("a\n\nb").len(), 3);
        assert!(read("").is_empty());
    }
}
