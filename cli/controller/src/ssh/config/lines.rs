//! The lines and words of an ssh_config file.

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw<'a> {
    /// As it is written.
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// One option, with its key in small letters.
pub(super) struct Line<'a> {
    pub(super) key: String,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

impl<'a> Line<'a> {
    /// `Key value`, `Key=value`; `None` for an empty line or a comment.
    pub(super) fn read(text: &'a str) -> Result<Option<Line<'a>>, String> {
        let Some(Raw { name, value }) = split(text)? else {
            return Ok(None);
        };
        Ok(Some(Line {
            key: name.to_ascii_lowercase(),
            name,
            value,
        }))
    }
}

fn split(text: &str) -> Result<Option<Raw<'_>>, String> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let end = text
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix('=').unwrap_or(rest).trim();
    if value.is_empty() {
        return Err(format!("`{name}` has no value"));
    }
    Ok(Some(Raw { name, value }))
}

/// The words of a value: divided by blanks, quoted where they hold some; a comment may follow.
pub(super) fn words(value: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut rest = value.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = quoted
                .split_once('"')
                .ok_or_else(|| format!("the quote in `{value}` is not closed"))?;
            out.push(word.to_owned());
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            out.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
        }
    }
    Ok(out)
}

/// The first word.
pub(super) fn one(value: &str) -> Result<String, String> {
    words(value)?
        .into_iter()
        .next()
        .ok_or_else(|| "there is no value".to_owned())
}

/// `yes` or `no`.
pub(super) fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("`{value}` is neither yes nor no")),
    }
}
