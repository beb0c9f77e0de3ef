//! Templating with a task's variables.

use rustle_formats::{Map, Value};

use super::TaskVars;
use crate::context::{RenderRequest, Variables};

/// Why something could not be templated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TemplateError {
    /// The sentence, in Ansible's words.
    pub message: String,
    /// Whether a variable is missing.
    pub undefined: bool,
}

/// What all templating of a run shares.
pub(crate) struct Templates(());

impl Templates {
    pub(crate) fn new() -> Templates {
        Templates(())
    }
}

/// Templates with a task's variables.
pub(crate) struct Templar<'t, 'a, 'r> {
    vars: &'t TaskVars<'a, 'r>,
}

impl<'t, 'a, 'r> Templar<'t, 'a, 'r> {
    pub(crate) fn new(_: &'t Templates, vars: &'t TaskVars<'a, 'r>) -> Self {
        Templar { vars }
    }

    /// The variables.
    pub(crate) fn vars(&self) -> &'t TaskVars<'a, 'r> {
        self.vars
    }

    /// Templates a value all the way down. `None`: it is omitted.
    pub(crate) fn value(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        self.resolve(value, true, 0)
    }

    /// Text in which what cannot be templated is replaced by the reason, as Ansible prints names of tasks.
    pub(crate) fn lenient_text(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        let mut errors = 0;
        while let Some(start) = rest.find("{{") {
            let end = rest[start..]
                .find("}}")
                .map_or(rest.len(), |e| start + e + 2);
            out.push_str(&rest[..start]);
            match self.value(&Value::Str(rest[start..end].to_owned())) {
                Ok(value) => out.push_str(&crate::args::text(&value.unwrap_or_default())),
                Err(e) => {
                    errors += 1;
                    out.push_str(&format!("<< error {errors} - {} >>", e.message));
                }
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        out
    }

    /// Evaluates an expression.
    pub(crate) fn expression(&self, text: &str) -> Result<Value, TemplateError> {
        self.path(text.trim(), 0)
    }

    /// Evaluates one condition.
    pub(crate) fn condition(&self, condition: &Value) -> Result<bool, TemplateError> {
        let text = match condition {
            Value::Bool(b) => return Ok(*b),
            Value::Null => return Ok(true),
            Value::Str(text) => text.trim(),
            other => {
                return Err(error(format!("not a condition: {other}")));
            }
        };
        self.test(text).map_err(|e| TemplateError {
            message: format!("Error while evaluating conditional: {}", e.message),
            ..e
        })
    }

    /// Renders a template file.
    pub(crate) fn render(&self, request: &RenderRequest<'_>) -> Result<String, TemplateError> {
        match self.resolve(&Value::Str(request.text.to_owned()), true, 0)? {
            Some(Value::Str(s)) => Ok(s),
            Some(other) => Ok(other.to_string()),
            None => Ok(String::new()),
        }
    }

    fn test(&self, text: &str) -> Result<bool, TemplateError> {
        if let Some(rest) = text.strip_prefix("not ") {
            return Ok(!self.test(rest)?);
        }
        if let Some(name) = text.strip_suffix(" is defined") {
            return Ok(self.path(name.trim(), 0).is_ok());
        }
        for (op, want) in [("==", true), ("!=", false)] {
            if let Some((a, b)) = text.split_once(op) {
                return Ok((self.path(a.trim(), 0)? == self.path(b.trim(), 0)?) == want);
            }
        }
        match self.path(text, 0)? {
            Value::Bool(b) => Ok(b),
            other => Err(error(format!("not a boolean: {other}"))),
        }
    }

    fn resolve(
        &self,
        value: &Value,
        trusted: bool,
        depth: usize,
    ) -> Result<Option<Value>, TemplateError> {
        if depth > 64 {
            return Err(error("recursive loop detected in template".into()));
        }
        Ok(Some(match value {
            Value::Secret(name) => Value::Str(self.vars.store().secret(name).map_err(error)?),
            Value::Str(text) if trusted => return self.text(text, depth),
            Value::Unsafe(text) => Value::Str(text.clone()),
            Value::List(list) => {
                let mut out = Vec::new();
                for item in list {
                    out.extend(self.resolve(item, trusted, depth + 1)?);
                }
                Value::List(out)
            }
            Value::Map(map) => {
                let mut out = Map::new();
                for (key, item) in map {
                    if let Some(item) = self.resolve(item, trusted, depth + 1)? {
                        out.insert(key.clone(), item);
                    }
                }
                Value::Map(out)
            }
            other => other.clone(),
        }))
    }

    fn text(&self, text: &str, depth: usize) -> Result<Option<Value>, TemplateError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inside, tail)) = after.split_once("}}") else {
                return Err(error("unexpected end of template".into()));
            };
            if inside.trim() == "omit" {
                return Ok(None);
            }
            let value = self.path(inside.trim(), depth + 1)?;
            if before.is_empty() && tail.is_empty() && out.is_empty() {
                return Ok(Some(value));
            }
            out.push_str(before);
            match value {
                Value::Str(s) => out.push_str(&s),
                other => out.push_str(&other.to_string()),
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(Some(Value::Str(out)))
    }

    fn path(&self, text: &str, depth: usize) -> Result<Value, TemplateError> {
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Value::Int(number));
        }
        match text {
            "true" | "True" => return Ok(Value::Bool(true)),
            "false" | "False" => return Ok(Value::Bool(false)),
            _ => {}
        }
        if let Some(quoted) = text
            .strip_prefix(['\'', '"'])
            .and_then(|t| t.strip_suffix(['\'', '"']))
        {
            return Ok(Value::Str(quoted.to_owned()));
        }
        let mut parts = text.split('.');
        let first = parts.next().unwrap_or_default();
        let found = self.vars.with(first, |value, trusted| {
            self.resolve(value, trusted, depth + 1)
        });
        let mut value = match found {
            Some(value) => value?.unwrap_or_default(),
            None => {
                return Err(TemplateError {
                    message: format!("'{first}' is undefined"),
                    undefined: true,
                });
            }
        };
        for part in parts {
            value = value.get(part).cloned().ok_or_else(|| TemplateError {
                message: format!("object of type 'dict' has no attribute '{part}'"),
                undefined: true,
            })?;
        }
        Ok(value)
    }
}

fn error(message: String) -> TemplateError {
    TemplateError {
        message,
        undefined: false,
    }
}

impl Variables for Templar<'_, '_, '_> {
    fn eval(&self, expression: &str) -> Result<Value, String> {
        self.expression(expression).map_err(|e| e.message)
    }

    fn condition(&self, condition: &Value) -> Result<bool, String> {
        Templar::condition(self, condition).map_err(|e| e.message)
    }

    fn render(&self, request: &RenderRequest<'_>) -> Result<String, String> {
        Templar::render(self, request).map_err(|e| e.message)
    }
}
