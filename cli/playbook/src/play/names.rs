//! Names of variables that a playbook gives: in `vars` and `register`.

use super::keywords::Keywords;
use super::model::text_of;
use crate::problem::Problem;
use crate::yaml::{Node, NodeValue};

const RULE: &str = "Variable names must be strings starting with a letter or underscore character, and contain only letters, numbers and underscores.";

/// What Jinja takes for values.
const CONSTANTS: &[&str] = &["True", "False", "None", "true", "false", "none"];

/// Whether a text is the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
    chars.next().is_some_and(starts)
        && chars.all(|c| starts(c) || c.is_ascii_digit())
        && !CONSTANTS.contains(&text)
}

/// What is wrong with a name.
fn wrong(node: &Node) -> Option<Problem> {
    let message = match (&node.value, node.as_str()) {
        (_, Some(name)) if is_name(name) => return None,
        (_, Some(name)) if name.contains('\'') => format!("Invalid variable name \"{name}\"."),
        (_, Some(name)) => format!("Invalid variable name '{name}'."),
        (value, None) => {
            let kind = match value {
                NodeValue::Null => "NoneType",
                NodeValue::Bool(_) => "bool",
                NodeValue::Int(_) | NodeValue::Big(_) => "int",
                NodeValue::Float(_) => "float",
                NodeValue::List(_) => "list",
                NodeValue::Map(_) => "dict",
                _ => "str",
            };
            format!(
                "Invalid variable name '{}' of type '{kind}'.",
                text_of(node)
            )
        }
    };
    Some(
        Problem::error(message)
            .at(node.at)
            .over(text_of(node).chars().count())
            .note(RULE),
    )
}

/// `register`, and the names in `vars`.
pub(crate) fn check(keywords: &Keywords) -> Result<(), Problem> {
    let register = keywords.get("register").filter(|node| !node.is_null());
    if let Some(problem) = register.and_then(wrong) {
        let message = format!("Invalid 'register' specified: {}", problem.message);
        return Err(Problem { message, ..problem });
    }
    let vars = keywords.get("vars").and_then(Node::as_map);
    match vars.and_then(|vars| vars.iter().find_map(|(key, _)| wrong(key))) {
        Some(problem) => Err(problem.general()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "_", "A_1", "for"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1a", "a-b", "a b", "{{ a }}", "none", "ünicode"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
