//! Arguments checked against a description that is data: what roles say of themselves (`argument_specs`).

use rustle_formats::order;
use rustle_formats::{Map, Value};

use super::coerce::{boolean, coerce, text};
use crate::spec::Kind;

/// How deep descriptions may be in each other.
const MAX_DEPTH: usize = 64;

/// What is wrong with arguments, in Ansible's words; nothing where all is well. Arguments that the description does not
/// have are not looked at.
pub(crate) fn check(spec: &Map, given: &Map) -> Vec<String> {
    let mut errors = Vec::new();
    level(spec, &Map::new(), given, &mut Vec::new(), &mut errors);
    errors
}

/// Checks one level: arguments against options, and what must hold between them.
fn level(
    options: &Map,
    rules: &Map,
    given: &Map,
    path: &mut Vec<String>,
    errors: &mut Vec<String>,
) {
    if path.len() > MAX_DEPTH {
        errors.push("the description is nested too deeply".into());
        return;
    }
    let mut known = Map::new();
    for (name, option) in options {
        let names = std::iter::once(name.as_str()).chain(aliases(option));
        // What is required counts as given even where it is null, and must then be of its type.
        let required = flag(option, "required");
        if let Some(value) = names
            .filter_map(|n| given.get(n))
            .find(|v| required || !v.is_null())
        {
            known.insert(name.clone(), value.clone());
        }
    }
    if !path.is_empty() {
        unknown(options, given, path, errors);
    }
    let nested = options
        .iter()
        .filter(|(_, option)| option.get("options").is_some());
    for (name, _) in nested {
        let Some(Value::List(list)) = known.get(name) else {
            continue;
        };
        for element in list.iter().filter(|e| !matches!(e, Value::Map(_))) {
            errors.push(format!(
                "Value '{}' in the sub parameter field '{name}' must be a list, not '{}'",
                text(element),
                type_of(element)
            ));
        }
    }
    between(rules, "mutually_exclusive", &known, path, errors);
    let mut missing: Vec<&str> = options
        .iter()
        .filter(|(name, option)| flag(option, "required") && !known.contains_key(*name))
        .map(|(name, _)| name.as_str())
        .collect();
    order::sort(&mut missing);
    if !missing.is_empty() {
        errors.push(format!(
            "missing required arguments: {}{}",
            missing.join(", "),
            found_in(path)
        ));
    }
    for (name, option) in options {
        let Some(value) = known.get(name) else {
            continue;
        };
        match typed(name, option, value, path) {
            Ok(value) => {
                known.insert(name.clone(), value);
            }
            Err(message) => {
                errors.push(message);
                known.shift_remove(name);
            }
        }
    }
    for (name, option) in options {
        if let Some(Err(message)) = known.get(name).map(|value| chosen(name, option, value)) {
            errors.push(format!("{message}{}", found_in(path)));
        }
    }
    for rule in [
        "required_together",
        "required_one_of",
        "required_if",
        "required_by",
    ] {
        between(rules, rule, &known, path, errors);
    }
    for (name, option) in options {
        inside(name, option, known.get(name), path, errors);
    }
}

/// Looks into mappings, and into lists of them.
fn inside(
    name: &str,
    option: &Value,
    value: Option<&Value>,
    path: &mut Vec<String>,
    errors: &mut Vec<String>,
) {
    let (Some(Value::Map(options)), Value::Map(rules)) = (option.get("options"), option) else {
        return;
    };
    let maps: Vec<&Map> = match value {
        Some(Value::Map(map)) => vec![map],
        Some(Value::List(list)) => list.iter().filter_map(Value::as_map).collect(),
        _ => return,
    };
    path.push(name.to_owned());
    for map in maps {
        level(options, rules, map, path, errors);
    }
    path.pop();
}

fn unknown(options: &Map, given: &Map, path: &[String], errors: &mut Vec<String>) {
    let known = |name: &str| {
        options.contains_key(name) || options.values().any(|o| aliases(o).any(|a| a == name))
    };
    let mut names: Vec<String> = given
        .keys()
        .filter(|name| !known(name))
        .map(|name| format!("{}.{name}", path.join(".")))
        .collect();
    if names.is_empty() {
        return;
    }
    order::sort(&mut names);
    let mut supported: Vec<&str> = options.keys().map(String::as_str).collect();
    order::sort(&mut supported);
    errors.push(format!(
        "{}. Supported parameters include: {}.",
        names.join(", "),
        supported.join(", ")
    ));
}

fn aliases(option: &Value) -> impl Iterator<Item = &str> {
    let list = option.get("aliases").and_then(Value::as_list);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn flag(option: &Value, name: &str) -> bool {
    option.get(name).and_then(boolean) == Some(true)
}

/// ` found in outer -> inner`, inside of other arguments.
fn found_in(path: &[String]) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" found in {}", path.join(" -> "))
    }
}

/// The value in the type that the option has.
fn typed(name: &str, option: &Value, value: &Value, path: &[String]) -> Result<Value, String> {
    let wanted = option.get("type").and_then(Value::as_str).unwrap_or("str");
    let elements = option.get("elements").and_then(Value::as_str);
    let Some(kind) = kind(wanted) else {
        return Err(format!(
            "value for option '{name}' has the unknown type '{wanted}'"
        ));
    };
    let value = convert(wanted, kind, value)
        .map_err(|why| format!("argument '{name}' is {why}{}", found_in(path)))?;
    let (Some((elements, kind)), Value::List(list)) =
        (elements.and_then(|e| Some((e, self::kind(e)?))), &value)
    else {
        return Ok(value);
    };
    let list = list.iter().map(|element| {
        convert(elements, kind, element).map_err(|why| {
            format!(
                "Elements value for option '{name}'{} is {why}",
                found_in(path)
            )
        })
    });
    list.collect::<Result<Vec<_>, _>>().map(Value::List)
}

/// The value in a type, or why it cannot be.
fn convert(wanted: &str, kind: Kind, value: &Value) -> Result<Value, String> {
    coerce(kind, value).map_err(|_| {
        let class = format!("<class '{}'>", type_of(value));
        let why = match (wanted, value) {
            ("int", Value::Str(text) | Value::Unsafe(text)) => {
                format!("\"'{text}'\" cannot be converted to an int")
            }
            ("int", Value::Float(_)) => format!("\"{}\" cannot be converted to an int", text(value)),
            ("bool", _) => format!(
                "The value '{}' is not a valid boolean. Valid booleans include: 0, 1, '0', '1', 'f', 't', 'n', 'y', 'no', 'yes', 'off', 'on', 'false', 'true'",
                text(value)
            ),
            ("dict", Value::Str(_) | Value::Unsafe(_)) => {
                "dictionary requested, could not parse JSON or key=value".to_owned()
            }
            ("bytes" | "bits", _) => format!("{class} cannot be converted to a Byte value"),
            ("int", Value::Null) => "\"None\" cannot be converted to an int".to_owned(),
            ("int", _) => format!("{class} cannot be converted to an int"),
            _ => format!("{class} cannot be converted to a {wanted}"),
        };
        format!(
            "of type {} and we were unable to convert to {wanted}: {why}",
            type_of(value)
        )
    })
}

/// The name that Python has for a value's type.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::List(_) => "list",
        Value::Map(_) | Value::Pairs(_) => "dict",
        _ => "str",
    }
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "str" => Kind::Str,
        "list" => Kind::List(&Kind::Raw),
        "dict" => Kind::Dict,
        "bool" => Kind::Bool,
        "int" => Kind::Int,
        "float" => Kind::Float,
        "path" => Kind::Path,
        "raw" | "any" => Kind::Raw,
        "json" | "jsonarg" => Kind::Json,
        "bytes" | "bits" => Kind::Bytes,
        _ => return None,
    })
}

fn chosen(name: &str, option: &Value, value: &Value) -> Result<(), String> {
    let Some(Value::List(choices)) = option.get("choices") else {
        return Ok(());
    };
    let choices: Vec<String> = choices.iter().map(text).collect();
    if choices.is_empty() {
        return Ok(());
    }
    let (values, how, got) = match value {
        Value::List(list) => (
            list.iter().collect(),
            "one or more of",
            ". Got no match for",
        ),
        one => (vec![one], "one of", ", got"),
    };
    let wrong: Vec<String> = values
        .into_iter()
        .map(text)
        .filter(|t| !choices.contains(t))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "value of {name} must be {how}: {}{got}: {}",
        choices.join(", "),
        wrong.join(", ")
    ))
}

/// What must hold between arguments.
fn between(rules: &Map, rule: &str, known: &Map, path: &[String], errors: &mut Vec<String>) {
    let Some(rule_value) = rules.get(rule) else {
        return;
    };
    let has = |name: &String| known.contains_key(name);
    let names = |value: &Value| -> Vec<String> {
        match value {
            Value::List(list) => list.iter().map(text).collect(),
            one => vec![text(one)],
        }
    };
    if let (Value::Map(by), "required_by") = (rule_value, rule) {
        for (name, needs) in by {
            let missing: Vec<String> = names(needs).into_iter().filter(|n| !has(n)).collect();
            if known.contains_key(name) && !missing.is_empty() {
                errors.push(format!(
                    "missing parameter(s) required by '{name}': {}{}",
                    missing.join(", "),
                    found_in(path)
                ));
            }
        }
        return;
    }
    let Value::List(groups) = rule_value else {
        return;
    };
    let nested = groups.iter().all(|g| matches!(g, Value::List(_)));
    let groups: Vec<Value> = if nested {
        groups.clone()
    } else {
        vec![rule_value.clone()]
    };
    for group in &groups {
        let all = names(group);
        let present = all.iter().filter(|n| has(n)).count();
        let message = match rule {
            "mutually_exclusive" if present > 1 => {
                format!("parameters are mutually exclusive: {}", all.join("|"))
            }
            "required_together" if present > 0 && present < all.len() => {
                format!("parameters are required together: {}", all.join(", "))
            }
            "required_one_of" if present == 0 => {
                format!("one of the following is required: {}", all.join(", "))
            }
            "required_if" => match required_if(group, known) {
                Some(message) => message,
                None => continue,
            },
            _ => continue,
        };
        errors.push(format!("{message}{}", found_in(path)));
    }
}

fn required_if(group: &Value, known: &Map) -> Option<String> {
    let Value::List(parts) = group else {
        return None;
    };
    let (name, value) = (text(parts.first()?), text(parts.get(1)?));
    let needs: Vec<String> = parts.get(2)?.as_list()?.iter().map(text).collect();
    let any = parts.get(3).and_then(boolean) == Some(true);
    if known.get(&name).map(text) != Some(value.clone()) {
        return None;
    }
    let missing: Vec<&String> = needs.iter().filter(|n| !known.contains_key(*n)).collect();
    let wrong = if any {
        missing.len() == needs.len()
    } else {
        !missing.is_empty()
    };
    if !wrong {
        return None;
    }
    let (word, list) = if any {
        ("any", needs.join(", "))
    } else {
        (
            "all",
            missing
                .iter()
                .map(|n| n.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        )
    };
    Some(format!(
        "{name} is {value} but {word} of the following are missing: {list}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: serde_json::Value) -> Map {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn rules_inside_of_arguments() {
        let spec = map(serde_json::json!({
            "a": {"type": "list", "elements": "dict", "options": {"x": {"type": "int"}, "y": {}, "z": {}},
                  "mutually_exclusive": [["x", "y"]], "required_if": [["x", 1, ["z"]]]}
        }));
        assert_eq!(
            check(
                &spec,
                &map(serde_json::json!({"a": [{"x": "1"}, {"x": 2, "y": 3}, {"q": 1}]}))
            ),
            [
                "x is 1 but all of the following are missing: z found in a",
                "parameters are mutually exclusive: x|y found in a",
                "a.q. Supported parameters include: x, y, z."
            ]
        );
    }
}
