//! Conditions of the other shapes as expressions of ours.

use crate::plan::json::{Kind, Node};

/// The expression for rustle-deploy's `{variable, operator, value}`.
///
/// # Errors
/// Why it has none.
pub(super) fn comparison(
    variable: &str,
    operator: &str,
    value: Option<&Node<'_>>,
) -> Result<String, String> {
    let name_like = variable.split('.').all(|part| {
        part.chars()
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    if !name_like {
        return Err(format!("`{variable}` is not the name of a variable"));
    }
    let literal = || match value {
        Some(node) => literal(node),
        None => "none".to_owned(),
    };
    let edge = |slice: fn(usize) -> String| match value.and_then(Node::as_str) {
        Some("") => Ok("true".to_owned()),
        Some(text) => Ok(format!(
            "({variable} | string)[{}] == {}",
            slice(text.chars().count()),
            quoted(text)
        )),
        None => Err(format!(
            "the operator `{operator}` needs a text as its `value`"
        )),
    };
    Ok(match operator {
        "Equals" => format!("{variable} == {}", literal()),
        "NotEquals" => format!("{variable} != {}", literal()),
        "Contains" => format!("{} in {variable}", literal()),
        "GreaterThan" => format!("{variable} > {}", literal()),
        "LessThan" => format!("{variable} < {}", literal()),
        "Exists" => format!("{variable} is defined"),
        "NotExists" => format!("{variable} is not defined"),
        "StartsWith" => edge(|n| format!(":{n}"))?,
        "EndsWith" => edge(|n| format!("-{n}:"))?,
        other => return Err(format!("the operator `{other}` is unknown")),
    })
}

/// A JSON value as a literal of an expression.
fn literal(node: &Node<'_>) -> String {
    match &node.kind {
        Kind::Null => "none".into(),
        Kind::Bool(b) => b.to_string(),
        Kind::Number(n) => (*n).to_owned(),
        Kind::Text(t) => quoted(t),
        Kind::List(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Map(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|m| format!("{}: {}", quoted(&m.key), literal(&m.value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// A text as a literal of an expression.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_has_an_expression() {
        let of = |operator, json: &str| {
            comparison("a.b", operator, Some(&Node::parse(json).unwrap())).unwrap()
        };
        assert_eq!(of("Equals", r#""it's""#), r"a.b == 'it\'s'");
        assert_eq!(of("NotEquals", "null"), "a.b != none");
        assert_eq!(of("Contains", r#"["x", true]"#), "['x', true] in a.b");
        assert_eq!(of("StartsWith", r#""äb""#), "(a.b | string)[:2] == 'äb'");
        assert_eq!(of("EndsWith", r#""b""#), "(a.b | string)[-1:] == 'b'");
        assert_eq!(of("GreaterThan", "3"), "a.b > 3");
        assert!(comparison("a b", "Equals", None).is_err());
        assert!(comparison("a", "Near", None).is_err());
    }
}
