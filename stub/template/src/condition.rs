//! Conditions: `when`, `until`, `failed_when`, `changed_when`, `that`.

use crate::templar::Templar;
use crate::value::{Value, looks_like_template};
use crate::{Error, ErrorKind};

impl Templar<'_> {
    /// Evaluates a condition by Ansible's rules: a boolean, or text that is an expression with a boolean result.
    pub fn eval_condition(&self, condition: &Value) -> Result<bool, Error> {
        match self.condition_result(condition)? {
            Value::Bool(value) => Ok(value),
            other => Err(broken(&other)),
        }
    }

    /// The same where the result may be anything (`allow_broken_conditionals`): Python's truth of it counts.
    pub fn eval_truth(&self, condition: &Value) -> Result<bool, Error> {
        self.condition_result(condition)?.truth()
    }

    fn condition_result(&self, condition: &Value) -> Result<Value, Error> {
        Ok(match condition {
            Value::None => Value::Bool(true),
            Value::Str(text) if text.is_empty() => Value::Bool(true),
            Value::Str(text) => self
                .condition_value(text)
                .map_err(|error| match error.kind() {
                    ErrorKind::Syntax | ErrorKind::BrokenConditional => error,
                    _ => error.context("Error while evaluating conditional: "),
                })?,
            other => other.clone(),
        })
    }

    /// A condition that is itself a template gives the result of that template; text that comes out of an
    /// expression as a template again (`"'{{ a }}' == 'b'"`) is rendered too, as people still write it.
    fn condition_value(&self, text: &str) -> Result<Value, Error> {
        if looks_like_template(text) && is_one_template(text.trim()) {
            return match self.render(text)? {
                // The template chose an expression; whoever wrote it must be trusted.
                Value::Str(chosen) if chosen.is_trusted() => self.eval_condition_text(&chosen),
                Value::Str(_) => Err(Error::new(ErrorKind::BrokenConditional, UNTRUSTED)),
                other => Ok(other),
            };
        }
        self.eval_condition_text(text)
    }
}

/// Whether a text begins and ends as a template: others are expressions, in which templates are a mistake.
fn is_one_template(text: &str) -> bool {
    [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
        .iter()
        .any(|(start, _)| text.starts_with(start))
        && (text.ends_with("}}") || text.ends_with("%}") || text.ends_with("#}"))
}

/// What is said of a condition that came from data.
pub const UNTRUSTED: &str = "Encountered untrusted template or expression.";

fn broken(value: &Value) -> Error {
    let truth = if value.truth().unwrap_or(false) {
        "True"
    } else {
        "False"
    };
    Error::new(
        ErrorKind::BrokenConditional,
        format!(
            "Conditional result ({truth}) was derived from value of type '{}'. Conditionals must have a boolean result.",
            value.type_name()
        ),
    )
}
