//! Numbers and quoted strings as Python writes them: how far each goes, and what a quoted one means.

pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// The length of digits with single underscores between them.
pub(super) fn digits_length(text: &str, allowed: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while length < bytes.len() {
        if allowed(bytes[length]) {
            length += 1;
        } else if length > 0
            && bytes[length] == b'_'
            && bytes.get(length + 1).is_some_and(|b| allowed(*b))
        {
            length += 2;
        } else {
            break;
        }
    }
    length
}

pub(super) fn int_length(text: &str) -> usize {
    let prefixed = |digit: fn(u8) -> bool| {
        let rest = &text[2..];
        let skipped = usize::from(rest.starts_with('_'));
        let length = digits_length(&rest[skipped..], digit);
        (length > 0).then_some(2 + skipped + length)
    };
    let special = match text.get(..2) {
        Some("0x" | "0X") => prefixed(|b| b.is_ascii_hexdigit()),
        Some("0o" | "0O") => prefixed(|b| (b'0'..=b'7').contains(&b)),
        Some("0b" | "0B") => prefixed(|b| b == b'0' || b == b'1'),
        _ => None,
    };
    special.unwrap_or_else(|| match text.starts_with('0') {
        true => digits_length(text, |b| b == b'0'),
        false => digits_length(text, |b| b.is_ascii_digit()),
    })
}

pub(super) fn float_length(text: &str) -> Option<usize> {
    let digits = |text: &str| digits_length(text, |b| b.is_ascii_digit());
    let whole = digits(text);
    let mut length = whole;
    let bytes = text.as_bytes();
    if bytes.get(length) == Some(&b'.') {
        let fraction = digits(&text[length + 1..]);
        if fraction > 0 {
            length += 1 + fraction;
        }
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(text.get(length + 1 + sign..)?);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    (length > whole).then_some(length)
}

/// Python's escapes in string literals.
pub(super) fn unescape(raw: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = chars.next() else { break };
        match escape {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(escape),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            'x' => out.push(code_point(&mut chars, 2)?),
            'u' => out.push(code_point(&mut chars, 4)?),
            'U' => out.push(code_point(&mut chars, 8)?),
            '0'..='7' => {
                let mut code = escape.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = chars.clone().next().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    chars.next();
                }
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    Ok(out)
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Result<char, &'static str> {
    let mut code = 0;
    for _ in 0..digits {
        let digit = chars
            .next()
            .and_then(|c| c.to_digit(16))
            .ok_or("truncated escape in a string")?;
        code = code << 4 | digit;
    }
    char::from_u32(code).ok_or("a string names a character that does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape(r"a\n\x41\u00e9\101\q").unwrap(), "a\nAéA\\q");
        assert!(unescape(r"\x4").is_err());
    }
}
