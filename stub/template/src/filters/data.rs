//! JSON and YAML, read and written.

use super::{Filter, filter};
use crate::eval::{Args, Given, Interp};
use crate::text::{JsonStyle, write_json};
use crate::value::{Value, iterate, to_text};
use crate::{Error, yaml};

pub(super) const TABLE: &[Filter] = &[
    filter("from_json", from_json),
    filter("from_yaml", from_yaml),
    filter("from_yaml_all", from_yaml_all),
    filter("to_json", |_, v, args| dump_json(&v, args, false)),
    filter("to_nice_json", |_, v, args| dump_json(&v, args, true)),
    filter("to_nice_yaml", |_, v, args| dump_yaml(&v, args, true)),
    filter("to_yaml", |_, v, args| dump_yaml(&v, args, false)),
    filter("tojson", tojson),
];

fn tojson(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [indent] = args.bind("tojson", ["indent"], 0)?;
    let indent = indent
        .int()?
        .and_then(|indent| usize::try_from(indent).ok());
    let style = JsonStyle {
        indent,
        item_separator: if indent.is_some() { "," } else { ", " }.into(),
        key_separator: ": ".into(),
        sort_keys: true,
        ascii: true,
    };
    let mut out = String::new();
    write_json(&mut out, &value, &style, 0)?;
    let safe = [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\'', "\\u0027"),
    ];
    Ok(Value::markup(
        safe.iter()
            .fold(out, |text, (c, escape)| text.replace(*c, escape)),
    ))
}

fn dump_json(value: &Value, mut args: Args, nice: bool) -> Result<Value, Error> {
    if let Some(first) = (!args.positional.is_empty()).then(|| args.positional.remove(0)) {
        if nice {
            args.keywords.push(("indent".into(), first));
        } else {
            return Err(Error::type_error(
                "to_json() takes 1 positional argument but 2 were given",
            ));
        }
    }
    let indent = match args.take("indent") {
        None if nice => Some(4),
        None | Some(Value::None) => None,
        other => Some(usize::try_from(other.int_or(0)?).unwrap_or(0).min(1000)),
    };
    let separators = args
        .take("separators")
        .map(|pair| iterate(&pair))
        .transpose()?;
    let (item_separator, key_separator) = match separators.as_deref() {
        Some([item, key]) => (to_text(item)?, to_text(key)?),
        Some(_) => return Err(Error::value("separators must be a pair")),
        None => (
            if indent.is_some() { "," } else { ", " }.to_owned(),
            ": ".to_owned(),
        ),
    };
    let style = JsonStyle {
        indent,
        item_separator,
        key_separator,
        sort_keys: args.take("sort_keys").truth_or(nice)?,
        ascii: args.take("ensure_ascii").truth_or(true)?,
    };
    for known in [
        "vault_to_text",
        "preprocess_unsafe",
        "skipkeys",
        "check_circular",
        "allow_nan",
        "default",
        "cls",
    ] {
        args.take(known);
    }
    if let Some((name, _)) = args.keywords.first() {
        return Err(Error::type_error(format!(
            "JSONEncoder.__init__() got an unexpected keyword argument '{name}'"
        )));
    }
    let mut out = String::new();
    write_json(&mut out, value, &style, 0)?;
    Ok(Value::from(out))
}

fn from_json(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [_profile] = args.bind("from_json", ["profile"], 0)?;
    let text = match &value {
        Value::Str(text) => text.as_str().to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => {
            return Err(Error::type_error(format!(
                "the JSON object must be str, bytes or bytearray, not {}",
                other.type_name()
            )));
        }
    };
    match serde_json::from_str(&text) {
        Ok(json) => Ok(Value::from_json(&json, false)),
        Err(_) => match text.trim() {
            "NaN" => Ok(Value::Float(f64::NAN)),
            "Infinity" => Ok(Value::Float(f64::INFINITY)),
            "-Infinity" => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => Err(json_error(&text)),
        },
    }
}

fn json_error(text: &str) -> Error {
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) => {
            let (line, column) = (error.line(), error.column().max(1));
            Error::value(format!("{error} (JSON, line {line} column {column})"))
        }
        Ok(_) => Error::value("invalid JSON"),
    }
}

fn dump_yaml(value: &Value, mut args: Args, nice: bool) -> Result<Value, Error> {
    if let Some(first) = (!args.positional.is_empty()).then(|| args.positional.remove(0)) {
        args.keywords.push((
            if nice { "indent" } else { "default_flow_style" }.into(),
            first,
        ));
    }
    let mut style = match nice {
        true => yaml::Style {
            flow: Some(false),
            indent: 4,
            ..yaml::Style::default()
        },
        false => yaml::Style::default(),
    };
    for (name, option) in &args.keywords {
        let option = Some(option.clone());
        match &**name {
            "indent" => {
                let indent = option.int_or(2)?;
                style.indent = usize::try_from(indent)
                    .ok()
                    .filter(|i| (2..10).contains(i))
                    .unwrap_or(2);
            }
            "width" => {
                style.width = option
                    .int()?
                    .map_or(80, |w| usize::try_from(w).unwrap_or(80))
            }
            "default_flow_style" => {
                style.flow = match &option {
                    Some(Value::None) => None,
                    other => Some(other.truth_or(false)?),
                }
            }
            "sort_keys" => style.sort_keys = option.truth_or(true)?,
            "allow_unicode" => style.unicode = option.truth_or(true)?,
            "explicit_start" => style.explicit_start = option.truth_or(false)?,
            "explicit_end" => style.explicit_end = option.truth_or(false)?,
            "default_style" => style.quote = option.text()?.and_then(|style| style.chars().next()),
            "canonical" | "line_break" | "encoding" | "version" | "tags" | "dump_vault_tags"
            | "vault_to_text" => {}
            other => {
                return Err(Error::type_error(format!(
                    "dump_all() got an unexpected keyword argument '{other}'"
                )));
            }
        }
    }
    yaml::emit(value, &style).map(Value::from)
}

fn from_yaml(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("from_yaml")?;
    match &value {
        Value::None => Ok(Value::None),
        Value::Str(text) => {
            let mut documents = yaml::parse(text)?;
            match documents.len() {
                0 => Ok(Value::None),
                1 => Ok(documents.remove(0)),
                _ => Err(Error::value("expected a single document in the stream")),
            }
        }
        other => Ok(other.clone()),
    }
}

fn from_yaml_all(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("from_yaml_all")?;
    match &value {
        Value::None => Ok(Value::list(Vec::new())),
        Value::Str(text) => yaml::parse(text).map(Value::list),
        other => Ok(other.clone()),
    }
}
