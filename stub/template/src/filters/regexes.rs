//! Regular expressions.

use super::{Filter, filter};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::text::{Pattern, escape, expand};
use crate::value::{Value, repr, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("regex_escape", regex_escape),
    filter("regex_findall", regex_findall),
    filter("regex_replace", regex_replace),
    filter("regex_search", regex_search),
];

fn flags(ignorecase: Option<Value>, multiline: Option<Value>) -> Result<String, Error> {
    let mut flags = String::new();
    if ignorecase.truth_or(false)? {
        flags.push('i');
    }
    if multiline.truth_or(false)? {
        flags.push('m');
    }
    Ok(flags)
}

fn regex_replace(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let names = [
        "pattern",
        "replacement",
        "ignorecase",
        "multiline",
        "count",
        "mandatory_count",
    ];
    let [
        pattern,
        replacement,
        ignorecase,
        multiline,
        count,
        mandatory,
    ] = args.bind("regex_replace", names, 0)?;
    let text = to_text(&value)?;
    let written = pattern.text_or("")?;
    let pattern = Pattern::new(&written, &flags(ignorecase, multiline)?)?;
    let replacement = replacement.text_or("")?;
    let limit = match usize::try_from(count.int_or(0)?) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    };
    let mut out = String::with_capacity(text.len());
    let (mut last, mut done) = (0, 0);
    for found in pattern.find_all(&text)? {
        let Some(whole) = found.get(0) else { continue };
        if done == limit {
            break;
        }
        out.push_str(&text[last..whole.start()]);
        expand(&pattern, &replacement, &found, &mut out)?;
        last = whole.end();
        done += 1;
        if out.len() > crate::value::MAX_TEXT {
            return Err(Error::limit("the text is too long"));
        }
    }
    out.push_str(&text[last..]);
    let wanted = usize::try_from(mandatory.int_or(0)?).unwrap_or(0);
    if wanted > 0 && done != wanted {
        // Ansible names the limit in place of what it found.
        return Err(Error::value(format!(
            "'{written}' should match {wanted} times, but matches {} times in {}",
            if limit == usize::MAX { 0 } else { limit },
            repr(&value)?
        )));
    }
    Ok(Value::from(out))
}

fn regex_search(_: &mut Interp<'_>, value: Value, mut args: Args) -> Result<Value, Error> {
    let flags = flags(args.take("ignorecase"), args.take("multiline"))?;
    if let Some((name, _)) = args.keywords.iter().find(|(name, _)| &**name != "regex") {
        return Err(Error::type_error(format!(
            "regex_search() got an unexpected keyword argument '{name}'"
        )));
    }
    if let Some(pattern) = args.take("regex") {
        args.positional.insert(0, pattern);
    }
    if args.positional.is_empty() {
        return Err(Error::type_error(
            "regex_search() missing 1 required positional argument: 'regex'",
        ));
    }
    let pattern = Pattern::new(&to_text(&args.positional.remove(0))?, &flags)?;
    let text = to_text(&value)?;
    let groups = args
        .positional
        .iter()
        .map(|wanted| group_number(&pattern, wanted))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(found) = pattern.search(&text, 0)? else {
        return if groups.is_empty() {
            Ok(Value::None)
        } else {
            Err(Error::type_error(
                "'NoneType' object has no attribute 'group'",
            ))
        };
    };
    let group = |number: usize| {
        found
            .get(number)
            .map_or(Value::None, |text| Value::str(text.as_str()))
    };
    if groups.is_empty() {
        return Ok(group(0));
    }
    Ok(Value::list(groups.into_iter().map(group).collect()))
}

/// `\1` or `\g<name>`.
fn group_number(pattern: &Pattern, wanted: &Value) -> Result<usize, Error> {
    let text = to_text(wanted)?;
    let number = if let Some(name) = text
        .strip_prefix("\\g<")
        .and_then(|text| text.strip_suffix('>'))
    {
        name.parse().ok().or_else(|| pattern.group_index(name))
    } else {
        text.strip_prefix('\\')
            .and_then(|digits| digits.parse().ok())
    };
    match number {
        Some(number) if number <= pattern.groups() => Ok(number),
        Some(_) => Err(Error::value("no such group")),
        None => Err(Error::value("Unknown argument")),
    }
}

fn regex_findall(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [pattern, multiline, ignorecase] =
        args.bind("regex_findall", ["regex", "multiline", "ignorecase"], 1)?;
    let pattern = Pattern::new(&pattern.text_or("")?, &flags(ignorecase, multiline)?)?;
    let text = to_text(&value)?;
    let groups = pattern.groups();
    let mut all = Vec::new();
    for found in pattern.find_all(&text)? {
        let group = |number: usize| Value::str(found.get(number).map_or("", |text| text.as_str()));
        all.push(match groups {
            0 => group(0),
            1 => group(1),
            _ => Value::tuple((1..=groups).map(group).collect()),
        });
    }
    Ok(Value::list(all))
}

fn regex_escape(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [kind] = args.bind("regex_escape", ["re_type"], 0)?;
    let text = to_text(&value)?;
    match kind.text_or("python")?.as_str() {
        "python" => Ok(Value::from(escape(&text))),
        "posix_basic" => {
            let special = |c: char| "[].^$*\\".contains(c);
            let mut out = String::new();
            for c in text.chars() {
                if special(c) {
                    out.push('\\');
                }
                out.push(c);
            }
            Ok(Value::from(out))
        }
        "posix_extended" => Err(Error::value(
            "Regex type (posix_extended) not yet implemented",
        )),
        other => Err(Error::value(format!("Invalid regex type ({other})"))),
    }
}
