//! Writing YAML as PyYAML writes it: its choice of quotes, its folding at a width, its indentation.

use super::flow::{self, Scalar};
use super::resolve::is_ambiguous;
use crate::Error;
use crate::value::{Dict, MAX_DATA_DEPTH, Value, float_repr, iterate, to_text};

/// The options of `to_yaml` and `to_nice_yaml`.
pub(crate) struct Style {
    pub(crate) indent: usize,
    pub(crate) width: usize,
    /// Collections on one line: always, never, or where they hold nothing but scalars.
    pub(crate) flow: Option<bool>,
    pub(crate) sort_keys: bool,
    pub(crate) unicode: bool,
    pub(crate) explicit_start: bool,
    pub(crate) explicit_end: bool,
    /// Quotes for all scalars.
    pub(crate) quote: Option<char>,
    /// Texts of several lines in literal blocks, as results are shown; made readable first, where it says so.
    #[cfg(feature = "full")]
    pub(crate) literal: Option<bool>,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            indent: 2,
            width: 80,
            flow: None,
            sort_keys: true,
            unicode: true,
            explicit_start: false,
            explicit_end: false,
            quote: None,
            #[cfg(feature = "full")]
            literal: None,
        }
    }
}

/// A value as a YAML document.
pub(crate) fn emit(value: &Value, style: &Style) -> Result<String, Error> {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        style,
    };
    if style.explicit_start {
        emitter.out.push_str("---");
        emitter.column = 3;
        emitter.whitespace = false;
        emitter.indention = false;
        let block = matches!(value, Value::Dict(d) if !d.is_empty())
            || matches!(value, Value::List(l) if !l.is_empty());
        if block && !emitter.is_flow(value)? {
            emitter.line_break();
        }
    }
    emitter.node(value, None, Place::Root, 0)?;
    if emitter.column > 0 {
        emitter.line_break();
    }
    if style.explicit_end {
        emitter.out.push_str("...\n");
    }
    Ok(emitter.out)
}

/// A scalar of a block mapping, as it stands behind its key (or as the key, with `key`). `indent` is the mapping's,
/// `column` where the scalar begins, on which its folding depends. What stands behind a key begins with a space.
///
/// # Errors
/// For what is no scalar of YAML.
pub fn yaml_scalar(
    value: &Value,
    indent: usize,
    column: usize,
    key: bool,
) -> Result<String, Error> {
    let style = Style::default();
    let mut emitter = Emitter {
        out: String::new(),
        column,
        whitespace: key,
        indention: key,
        style: &style,
    };
    let place = if key { Place::Key } else { Place::MappingValue };
    emitter.scalar(value, Some(indent), place)?;
    Ok(emitter.out)
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    SequenceItem,
    MappingValue,
    Key,
    Flow,
    FlowKey,
}

pub(super) struct Emitter<'a> {
    pub(super) out: String,
    pub(super) column: usize,
    /// The last thing written was white space.
    pub(super) whitespace: bool,
    /// Nothing but indentation and indicators stands on this line.
    pub(super) indention: bool,
    pub(super) style: &'a Style,
}

impl Emitter<'_> {
    pub(super) fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.whitespace = true;
        self.indention = true;
    }

    /// Goes to a column, on a new line if need be.
    pub(super) fn write_indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.line_break();
        }
        if self.column < indent {
            let missing = indent - self.column;
            self.out.extend(std::iter::repeat_n(' ', missing));
            self.column = indent;
            self.whitespace = true;
        }
    }

    pub(super) fn indicator(
        &mut self,
        text: &str,
        needs_space: bool,
        whitespace: bool,
        indention: bool,
    ) {
        if needs_space && !self.whitespace {
            self.out.push(' ');
            self.column += 1;
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    fn deeper(&self, indent: Option<usize>, flow: bool) -> usize {
        match indent {
            Some(indent) => indent + self.style.indent,
            None if flow => self.style.indent,
            None => 0,
        }
    }

    fn is_flow(&self, value: &Value) -> Result<bool, Error> {
        if let Some(flow) = self.style.flow {
            return Ok(flow);
        }
        let scalar =
            |value: &Value| !matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_));
        Ok(match value {
            Value::Dict(dict) => {
                self.style.quote.is_none() && dict.pairs().iter().all(|(_, value)| scalar(value))
            }
            other => self.style.quote.is_none() && iterate(other)?.iter().all(scalar),
        })
    }

    fn node(
        &mut self,
        value: &Value,
        indent: Option<usize>,
        place: Place,
        depth: usize,
    ) -> Result<(), Error> {
        if depth > MAX_DATA_DEPTH {
            return Err(Error::value("the data is nested too deeply for YAML"));
        }
        let in_flow = matches!(place, Place::Flow | Place::FlowKey | Place::Key);
        match value {
            Value::Undefined(u) => Err(u.error()),
            Value::List(_) | Value::Tuple(_) => {
                let items = iterate(value)?;
                if in_flow || items.is_empty() || self.is_flow(value)? {
                    return self.flow_sequence(&items, indent, depth);
                }
                let indentless = place == Place::MappingValue;
                let inner = if indentless {
                    indent.unwrap_or(0)
                } else {
                    self.deeper(indent, false)
                };
                for item in &items {
                    self.write_indent(inner);
                    self.indicator("-", true, false, true);
                    self.node(item, Some(inner), Place::SequenceItem, depth + 1)?;
                }
                Ok(())
            }
            Value::Dict(dict) => {
                if in_flow || dict.is_empty() || self.is_flow(value)? {
                    return self.flow_mapping(dict, indent, depth);
                }
                self.block_mapping(dict, indent, depth)
            }
            Value::Object(object) => match object.to_data() {
                Some(data) => self.node(&data, indent, place, depth + 1),
                None => Err(Error::type_error(format!(
                    "cannot represent an object of type '{}'",
                    value.type_name()
                ))),
            },
            scalar => self.scalar(scalar, indent, place),
        }
    }

    fn entries(&self, dict: &Dict) -> Vec<(Value, Value)> {
        let pairs = dict.pairs();
        if !self.style.sort_keys {
            return pairs;
        }
        let keyed = pairs
            .iter()
            .map(|(k, v)| (k.clone(), Value::tuple(vec![k.clone(), v.clone()])))
            .collect();
        match crate::filters::sort_keyed(keyed, false) {
            Ok(sorted) => sorted
                .into_iter()
                .filter_map(|pair| match pair {
                    Value::Tuple(pair) => Some((pair[0].clone(), pair[1].clone())),
                    _ => None,
                })
                .collect(),
            Err(_) => pairs,
        }
    }

    fn is_simple_key(&self, key: &Value) -> bool {
        match key {
            Value::Str(text) => {
                !text.is_empty() && text.chars().count() < 128 && !text.contains('\n')
            }
            Value::Tuple(items) => items.is_empty(),
            _ => true,
        }
    }

    fn block_mapping(
        &mut self,
        dict: &Dict,
        indent: Option<usize>,
        depth: usize,
    ) -> Result<(), Error> {
        let inner = self.deeper(indent, false);
        for (key, value) in self.entries(dict) {
            self.write_indent(inner);
            if self.is_simple_key(&key) {
                self.node(&key, Some(inner), Place::Key, depth + 1)?;
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.node(&key, Some(inner), Place::SequenceItem, depth + 1)?;
                self.write_indent(inner);
                self.indicator(":", true, false, true);
            }
            self.node(&value, Some(inner), Place::MappingValue, depth + 1)?;
        }
        Ok(())
    }

    fn flow_sequence(
        &mut self,
        items: &[Value],
        indent: Option<usize>,
        depth: usize,
    ) -> Result<(), Error> {
        let inner = self.deeper(indent, true);
        self.indicator("[", true, true, false);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.style.width {
                self.write_indent(inner);
            }
            self.node(item, Some(inner), Place::Flow, depth + 1)?;
        }
        self.indicator("]", false, false, false);
        Ok(())
    }

    fn flow_mapping(
        &mut self,
        dict: &Dict,
        indent: Option<usize>,
        depth: usize,
    ) -> Result<(), Error> {
        let inner = self.deeper(indent, true);
        self.indicator("{", true, true, false);
        for (index, (key, value)) in self.entries(dict).into_iter().enumerate() {
            if index > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.style.width {
                self.write_indent(inner);
            }
            if self.is_simple_key(&key) {
                self.node(&key, Some(inner), Place::FlowKey, depth + 1)?;
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, false);
                self.node(&key, Some(inner), Place::Flow, depth + 1)?;
                if self.column > self.style.width {
                    self.write_indent(inner);
                }
                self.indicator(":", true, false, false);
            }
            self.node(&value, Some(inner), Place::Flow, depth + 1)?;
        }
        self.indicator("}", false, false, false);
        Ok(())
    }

    fn scalar(&mut self, value: &Value, indent: Option<usize>, place: Place) -> Result<(), Error> {
        let in_flow = matches!(place, Place::Flow | Place::FlowKey);
        let is_key = matches!(place, Place::Key | Place::FlowKey);
        let inner = self.deeper(indent, true);
        let text = match value {
            Value::Str(text) => text.as_str().to_owned(),
            Value::None | Value::Omit => "null".to_owned(),
            Value::Bool(b) => b.to_string(),
            Value::Float(f) => yaml_float(*f),
            other => to_text(other)?,
        };
        #[cfg(feature = "full")]
        if matches!(value, Value::Str(_)) && self.write_result_text(&text, inner, in_flow || is_key)
        {
            return Ok(());
        }
        let scalar = Scalar::analyse(&text, self.style.unicode);
        let is_text = matches!(value, Value::Str(_));
        let plain_allowed = if in_flow {
            scalar.flow_plain
        } else {
            scalar.block_plain
        };
        let plain = plain_allowed
            && !(is_text && is_ambiguous(&text))
            && !(is_key && scalar.multiline)
            && (self.style.quote.is_none() || !is_text);
        if plain {
            flow::write_plain(self, &text, inner, !is_key);
        } else if scalar.single_quoted
            && !(is_key && scalar.multiline)
            && self.style.quote != Some('"')
        {
            flow::write_single_quoted(self, &text, inner, !is_key);
        } else {
            flow::write_double_quoted(self, &text, inner, !is_key);
        }
        Ok(())
    }
}

fn yaml_float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float_repr(value);
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice(json: serde_json::Value) -> String {
        emit(
            &Value::from_json(&json, false),
            &Style {
                indent: 4,
                flow: Some(false),
                ..Style::default()
            },
        )
        .unwrap()
    }

    #[test]
    fn blocks() {
        assert_eq!(
            nice(serde_json::json!({"b": 1, "a": [1, "x", {"c": {"d": []}, "e": {}}, [1, [2]]]})),
            "a:\n- 1\n- x\n-   c:\n        d: []\n    e: {}\n-   - 1\n    -   - 2\nb: 1\n"
        );
        assert_eq!(nice(serde_json::json!("yes")), "'yes'\n");
    }
}
