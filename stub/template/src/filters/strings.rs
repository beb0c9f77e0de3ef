//! Filters on text: case, width, escaping.

use super::{Filter, filter, of_text};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::methods::{pad_text, recase, replace as replace_text};
use crate::text::percent_format;
use crate::value::{Value, char_len, iterate, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("capitalize", |_, v, args| recased(&v, args, "capitalize")),
    filter("center", center),
    filter("e", escape),
    filter("escape", escape),
    filter("forceescape", force_escape),
    filter("format", format),
    of_text("indent", indent),
    filter("join", join),
    filter("lower", |_, v, args| recased(&v, args, "lower")),
    filter("quote", quote),
    filter("replace", replace),
    filter("safe", safe),
    of_text("split", split),
    filter("striptags", striptags),
    filter("title", title),
    filter("trim", trim),
    filter("truncate", truncate),
    filter("upper", |_, v, args| recased(&v, args, "upper")),
    filter("wordcount", wordcount),
    of_text("wordwrap", wordwrap),
    filter("xmlattr", xmlattr),
];

fn recased(value: &Value, args: Args, how: &str) -> Result<Value, Error> {
    args.none(how)?;
    Ok(Value::from(recase(&to_text(value)?, how)))
}

/// Every word begins with a capital; words end at white space, hyphens and opening brackets.
fn title(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("title")?;
    let mut out = String::new();
    let mut at_start = true;
    for c in to_text(&value)?.chars() {
        if at_start {
            out.extend(c.to_uppercase())
        } else {
            out.extend(c.to_lowercase())
        }
        at_start = c.is_whitespace() || "-({[<".contains(c);
    }
    Ok(Value::from(out))
}

fn center(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [width] = args.bind("center", ["width"], 0)?;
    pad_text(
        &to_text(&value)?,
        "center",
        Args::of(vec![Value::Int(width.int_or(80)?)]),
    )
}

/// Text with HTML's special characters replaced.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    out
}

fn escape(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("escape")?;
    match &value {
        Value::Str(text) if text.is_safe() => Ok(value),
        other => Ok(Value::markup(html(&to_text(other)?))),
    }
}

fn force_escape(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("forceescape")?;
    Ok(Value::markup(html(&to_text(&value)?)))
}

fn safe(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("safe")?;
    to_text(&value).map(Value::markup)
}

fn format(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    if !args.positional.is_empty() && !args.keywords.is_empty() {
        return Err(Error::type_error(
            "can't handle positional and keyword arguments at the same time",
        ));
    }
    let values = if args.keywords.is_empty() {
        Value::tuple(args.positional)
    } else {
        Value::dict(args.keywords)
    };
    percent_format(&to_text(&value)?, &values).map(Value::from)
}

fn indent(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"], 0)?;
    let indent = match width {
        Some(Value::Str(text)) => text.as_str().to_owned(),
        other => " ".repeat(usize::try_from(other.int_or(4)?).unwrap_or(0).min(10_000)),
    };
    let (first, blank) = (first.truth_or(false)?, blank.truth_or(false)?);
    let text = to_text(&value)?;
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let wanted = if index == 0 {
            first
        } else {
            blank || !line.is_empty()
        };
        if wanted {
            out.push_str(&indent);
        }
        out.push_str(line);
        if out.len() > crate::value::MAX_TEXT {
            return Err(Error::limit("the text is too long"));
        }
    }
    Ok(Value::from(out))
}

fn join(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [separator, attribute] = args.bind("join", ["d", "attribute"], 0)?;
    let separator = separator.text_or("")?;
    let attribute = attribute
        .filter(|a| !matches!(a, Value::None))
        .map(|a| super::attribute::Attribute::new(&a))
        .transpose()?;
    let mut out = String::new();
    for (index, item) in iterate(&value)?.into_iter().enumerate() {
        let item = match &attribute {
            Some(attribute) => attribute.get(interp, &item)?,
            None => item,
        };
        if index > 0 {
            out.push_str(&separator);
        }
        crate::value::write_text(&mut out, &item)?;
        if out.len() > crate::value::MAX_TEXT {
            return Err(Error::limit("the text is too long"));
        }
    }
    Ok(Value::from(out))
}

/// Text as one word of a shell command.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn quote(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("quote")?;
    let text = if matches!(value, Value::None) {
        String::new()
    } else {
        to_text(&value)?
    };
    Ok(Value::from(shell_word(&text)))
}

fn replace(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [old, new, count] = args.bind("replace", ["old", "new", "count"], 2)?;
    let limit = usize::try_from(count.int_or(-1)?).unwrap_or(usize::MAX);
    replace_text(
        &to_text(&value)?,
        &old.text_or("None")?,
        &new.text_or("None")?,
        limit,
    )
    .map(Value::from)
}

fn split(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    match crate::methods::call(interp, &Value::from(to_text(&value)?), "split", args) {
        Some(result) => result,
        None => Ok(Value::None),
    }
}

fn striptags(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("striptags")?;
    let text = to_text(&value)?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let (end, skip) = if rest[open..].starts_with("<!--") {
            ("-->", 3)
        } else {
            (">", 1)
        };
        match rest[open..].find(end) {
            Some(close) => rest = &rest[open + close + skip..],
            None => {
                out.push_str(&rest[open..]);
                rest = "";
            }
        }
    }
    out.push_str(rest);
    let words: Vec<&str> = out.split_whitespace().collect();
    let text = words.join(" ");
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    Ok(Value::from(
        entities
            .iter()
            .fold(text, |text, (entity, plain)| text.replace(entity, plain)),
    ))
}

fn trim(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [chars] = args.bind("trim", ["chars"], 0)?;
    let args = Args::of(vec![chars.or_none()]);
    match crate::methods::call(interp, &Value::from(to_text(&value)?), "strip", args) {
        Some(result) => result,
        None => Ok(Value::None),
    }
}

fn truncate(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [length, kill_words, end, leeway] =
        args.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let end = end.text_or("...")?;
    let length = usize::try_from(length.int_or(255)?).unwrap_or(0);
    let leeway = usize::try_from(leeway.int_or(5)?).unwrap_or(0);
    let Some(room) = length.checked_sub(char_len(&end)) else {
        return Err(Error::value(format!(
            "expected length >= {}, got {length}",
            char_len(&end)
        )));
    };
    let size = match &value {
        Value::Str(text) => char_len(text),
        Value::List(list) => list.len(),
        Value::Dict(dict) => dict.len(),
        Value::Tuple(items) => items.len(),
        other => {
            return Err(Error::type_error(format!(
                "object of type '{}' has no len()",
                other.type_name()
            )));
        }
    };
    if size <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let text = to_text(&value)?;
    let cut: String = text.chars().take(room).collect();
    let kept = if kill_words.truth_or(false)? {
        &cut
    } else {
        cut.rsplit_once(' ').map_or(cut.as_str(), |(kept, _)| kept)
    };
    Ok(Value::from(format!("{kept}{end}")))
}

fn wordcount(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("wordcount")?;
    let text = to_text(&value)?;
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    Ok(Value::count(
        text.split(|c| !is_word(c))
            .filter(|word| !word.is_empty())
            .count(),
    ))
}

fn wordwrap(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let names = [
        "width",
        "break_long_words",
        "wrapstring",
        "break_on_hyphens",
    ];
    let [width, break_long, wrap, hyphens] = args.bind("wordwrap", names, 0)?;
    let width = usize::try_from(width.int_or(79)?).unwrap_or(0);
    if width == 0 {
        return Err(Error::value("invalid width 0 (must be > 0)"));
    }
    let (break_long, hyphens) = (break_long.truth_or(true)?, hyphens.truth_or(true)?);
    let wrap = wrap.text_or("\n")?;
    let text = to_text(&value)?;
    let paragraphs: Vec<String> = text
        .lines()
        .map(|line| wrap_line(line, width, break_long, hyphens).join(&wrap))
        .collect();
    Ok(Value::from(paragraphs.join(&wrap)))
}

/// The pieces between which a line may break.
fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let chars: Vec<char> = line.chars().collect();
    let mut current = String::new();
    for (index, c) in chars.iter().enumerate() {
        let space_changes = current
            .chars()
            .last()
            .is_some_and(|last| last.is_whitespace() != c.is_whitespace());
        if space_changes {
            chunks.push(std::mem::take(&mut current));
        }
        current.push(*c);
        let letter = |at: Option<usize>| {
            at.and_then(|at| chars.get(at))
                .is_some_and(|c| c.is_alphabetic())
        };
        if hyphens && *c == '-' && letter(index.checked_sub(1)) && letter(Some(index + 1)) {
            chunks.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        chunks.push(current);
    }
    chunks
}

fn wrap_line(line: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut pending = chunks(line, hyphens)
        .into_iter()
        .collect::<std::collections::VecDeque<_>>();
    while let Some(chunk) = pending.pop_front() {
        let room = width - char_len(&current).min(width);
        let length = char_len(&chunk);
        if length <= room {
            // White space at the beginning of a continuation line falls away.
            if !(current.is_empty() && !lines.is_empty() && chunk.trim().is_empty()) {
                current.push_str(&chunk);
            }
            continue;
        }
        if chunk.trim().is_empty() {
            lines.push(std::mem::take(&mut current));
            continue;
        }
        if length > width && break_long {
            let room = room.max(usize::from(current.is_empty()));
            current.extend(chunk.chars().take(room));
            pending.push_front(chunk.chars().skip(room).collect());
        } else if current.is_empty() {
            current = chunk;
        } else {
            pending.push_front(chunk);
        }
        lines.push(std::mem::take(&mut current));
    }
    if !current.is_empty() {
        lines.push(current);
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn xmlattr(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [space] = args.bind("xmlattr", ["autospace"], 0)?;
    let Value::Dict(dict) = &value else {
        return Err(Error::type_error(format!(
            "'{}' object has no attribute 'items'",
            value.type_name()
        )));
    };
    let mut parts = Vec::new();
    for (key, item) in dict.pairs() {
        if matches!(item, Value::None | Value::Undefined(_)) {
            continue;
        }
        let key = to_text(&key)?;
        if key.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(Error::value(format!(
                "Invalid character in attribute name: {}",
                crate::value::str_repr(&key)
            )));
        }
        parts.push(format!("{}=\"{}\"", html(&key), html(&to_text(&item)?)));
    }
    let mut text = parts.join(" ");
    if !text.is_empty() && space.truth_or(true)? {
        text.insert(0, ' ');
    }
    Ok(Value::from(text))
}
