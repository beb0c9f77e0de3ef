//! The `comment` filter: text as a comment of some language.

use super::{Filter, of_text};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, to_text};

pub(super) const TABLE: &[Filter] = &[of_text("comment", comment)];

/// The decoration of a style, and what begins and ends it.
fn style(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match name {
        "plain" => ("# ", "", ""),
        "erlang" => ("% ", "", ""),
        "c" => ("// ", "", ""),
        "cblock" => (" * ", "/*", " */"),
        "xml" => (" - ", "<!--", "-->"),
        _ => return None,
    })
}

fn comment(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let names = [
        "style",
        "decoration",
        "beginning",
        "end",
        "prefix",
        "prefix_count",
        "postfix",
        "postfix_count",
        "newline",
    ];
    let [
        kind,
        decoration,
        beginning,
        end,
        prefix,
        prefix_count,
        postfix,
        postfix_count,
        newline,
    ] = args.bind("comment", names, 0)?;
    let kind = kind.text_or("plain")?;
    let (default_decoration, default_beginning, default_end) =
        style(&kind).ok_or_else(|| Error::value(format!("Invalid style '{kind}'.")))?;
    let decoration = decoration.text_or(default_decoration)?;
    let line_decoration = decoration.trim_end().to_owned();
    let newline = newline.text_or("\n")?;
    let beginning = beginning.text_or(default_beginning)?;
    let end = end.text_or(default_end)?;
    let (prefix, postfix) = (
        prefix.text_or(&line_decoration)?,
        postfix.text_or(&line_decoration)?,
    );
    let count = |value: Option<Value>| -> Result<usize, Error> {
        Ok(usize::try_from(value.int_or(1)?).unwrap_or(0).min(10_000))
    };
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&beginning);
        out.push_str(&newline);
    }
    out.push_str(&format!("{prefix}{newline}").repeat(count(prefix_count)?));
    // Lines without text keep no trailing space.
    let text = format!(
        "{decoration}{}",
        to_text(&value)?.replace(&newline, &format!("{newline}{decoration}"))
    );
    out.push_str(&text.replace(
        &format!("{decoration}{newline}"),
        &format!("{line_decoration}{newline}"),
    ));
    out.push_str(&newline);
    let postfixes = vec![postfix; count(postfix_count)?];
    out.push_str(&postfixes.join(&newline));
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(Value::from(out))
}
