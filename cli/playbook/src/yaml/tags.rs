//! What tags make of values.

use std::sync::Arc;

use libyaml_safer::ScalarStyle;
use rustle_template::Scalar as Plain;

use super::compose::Composed;
use super::node::{Node, NodeValue, Style, Text, Vault};
use crate::problem::Problem;
use crate::source::Position;

const CORE: &str = "tag:yaml.org,2002:";

/// A scalar that means something only as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    None,
    /// `<<`
    Merge,
    /// `=`
    Default,
}

/// What a collection's tag asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collection {
    Plain,
    Unsafe,
    /// `!!omap` and `!!pairs`: a list of pairs.
    Pairs,
}

pub(super) fn style(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
        _ => Style::Plain,
    }
}

/// A scalar as it was written.
pub(super) struct Scalar<'e> {
    pub(super) tag: Option<&'e str>,
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) at: Position,
}

impl Scalar<'_> {
    pub(super) fn construct(
        self,
        is_unsafe: bool,
        warnings: &mut Vec<Problem>,
    ) -> Result<Composed, Problem> {
        let tag = self.tag.unwrap_or("");
        let (value, special) = match tag.strip_prefix(CORE) {
            Some(core) => self.core(core, is_unsafe)?,
            None => match tag {
                "" | "!" => self.resolved(is_unsafe)?,
                "!unsafe" => self.resolved(true)?,
                "!vault" => self.vault()?,
                "!vault-encrypted" => {
                    warnings.push(
                        Problem::warning("the tag `!vault-encrypted` is deprecated")
                            .at(self.at)
                            .over(tag.len())
                            .hint("write `!vault`"),
                    );
                    self.vault()?
                }
                _ => return Err(unknown(tag, self.at)),
            },
        };
        Ok(Composed::leaf(Node { value, at: self.at }, special))
    }

    fn string(&self, is_unsafe: bool) -> NodeValue {
        NodeValue::Str(Text {
            text: self.text.as_str().into(),
            style: self.style,
            is_unsafe,
        })
    }

    /// What it means without a tag.
    fn resolved(&self, is_unsafe: bool) -> Result<(NodeValue, Special), Problem> {
        if self.style != Style::Plain {
            return Ok((self.string(is_unsafe), Special::None));
        }
        let value = match Plain::resolve(&self.text) {
            Plain::Null => NodeValue::Null,
            Plain::Bool(b) => NodeValue::Bool(b),
            Plain::Int(i) => NodeValue::Int(i),
            Plain::Big(big) => NodeValue::Big(Arc::new(big)),
            Plain::Float(f) => NodeValue::Float(f),
            Plain::Time(text) => NodeValue::Time(text.into()),
            Plain::Text => self.string(is_unsafe),
            Plain::Merge => return Ok((self.string(is_unsafe), Special::Merge)),
            Plain::Default => return Ok((self.string(is_unsafe), Special::Default)),
            Plain::Invalid(why) => {
                return Err(self
                    .problem(format!("`{}` cannot be read: {why}", self.text))
                    .hint("quote it, if it is meant as text"));
            }
        };
        Ok((value, Special::None))
    }

    fn vault(&self) -> Result<(NodeValue, Special), Problem> {
        let is_text = matches!(self.resolved(false)?.0, NodeValue::Str(_));
        if !is_text {
            return Err(self.needs_text("!vault", "what `ansible-vault encrypt_string` wrote"));
        }
        let vault = Vault {
            ciphertext: self.text.clone(),
        };
        Ok((NodeValue::Vault(Arc::new(vault)), Special::None))
    }

    /// The tags of YAML itself.
    fn core(&self, tag: &str, is_unsafe: bool) -> Result<(NodeValue, Special), Problem> {
        let value = match tag {
            "str" => self.string(is_unsafe),
            "null" => NodeValue::Null,
            "merge" => return Ok((self.string(is_unsafe), Special::Merge)),
            "value" => return Ok((self.string(is_unsafe), Special::Default)),
            "bool" => NodeValue::Bool(Plain::boolean(&self.text).ok_or_else(|| {
                self.problem(format!(
                    "`{}` is no boolean, as `!!bool` demands",
                    self.text
                ))
            })?),
            "int" => match Plain::resolve(self.text.trim()) {
                Plain::Int(i) => NodeValue::Int(i),
                Plain::Big(big) => NodeValue::Big(Arc::new(big)),
                _ => {
                    let text = format!("`{}` is no whole number, as `!!int` demands", self.text);
                    return Err(self.problem(text));
                }
            },
            "float" => NodeValue::Float(self.float()?),
            "timestamp" => match Plain::resolve(&self.text) {
                Plain::Time(text) => NodeValue::Time(text.into()),
                _ => {
                    let text = format!("`{}` is no date, as `!!timestamp` demands", self.text);
                    return Err(self.problem(text));
                }
            },
            "binary" => {
                return Err(self
                    .problem(
                        "`!!binary` gives bytes, which are not supported in variables".to_owned(),
                    )
                    .hint("write the value as text, and decode it with the filter `b64decode`"));
            }
            "seq" | "omap" | "pairs" => {
                return Err(
                    self.problem(format!("`!!{tag}` stands before a list, and this is text"))
                );
            }
            "map" | "set" => {
                return Err(self.problem(format!(
                    "`!!{tag}` stands before a mapping, and this is text"
                )));
            }
            _ => return Err(unknown(self.tag.unwrap_or(""), self.at)),
        };
        Ok((value, Special::None))
    }

    fn float(&self) -> Result<f64, Problem> {
        match Plain::resolve(&self.text) {
            Plain::Float(f) => return Ok(f),
            Plain::Int(i) if self.text.contains(':') => return Ok(i as f64),
            _ => {}
        }
        self.text.replace('_', "").trim().parse().map_err(|_| {
            self.problem(format!(
                "`{}` is no number, as `!!float` demands",
                self.text
            ))
        })
    }

    fn problem(&self, message: String) -> Problem {
        Problem::error(message).at(self.at)
    }

    fn needs_text(&self, tag: &str, what: &str) -> Problem {
        self.problem(format!(
            "`{tag}` stands before text, and this is something else"
        ))
        .over(tag.len())
        .hint(format!("after `{tag} |`, indented, comes {what}"))
    }
}

/// What the tag of a collection asks for.
pub(super) fn collection(
    tag: Option<&str>,
    is_list: bool,
    at: Position,
) -> Result<Collection, Problem> {
    let tag = tag.unwrap_or("");
    let found = if is_list { "a list" } else { "a mapping" };
    let misplaced = |wanted: &str| {
        Err(Problem::error(format!(
            "`{}` stands before {wanted}, and this is {found}",
            short(tag)
        ))
        .at(at)
        .over(short(tag).len()))
    };
    match (tag.strip_prefix(CORE), tag, is_list) {
        (_, "" | "!", _) | (Some("seq"), _, true) | (Some("map"), _, false) => {
            Ok(Collection::Plain)
        }
        (_, "!unsafe", _) => Ok(Collection::Unsafe),
        (_, "!vault" | "!vault-encrypted", _) => misplaced("text"),
        (Some("omap" | "pairs"), _, true) => Ok(Collection::Pairs),
        (Some("seq" | "omap" | "pairs"), _, false) => misplaced("a list"),
        (Some("map" | "set"), _, true) => misplaced("a mapping"),
        (Some("str" | "int" | "float" | "bool" | "null" | "timestamp" | "binary"), ..) => {
            misplaced("text")
        }
        (Some("set"), _, false) => Err(Problem::error(
            "`!!set` gives a set, which is not supported",
        )
        .at(at)
        .over(5)
        .hint("write a list, and use the filter `unique` where that matters")),
        _ => Err(unknown(tag, at)),
    }
}

/// The items of `!!omap` and `!!pairs`, mappings of one entry each, as pairs.
pub(super) fn pairs(
    items: Vec<Node>,
    at: Position,
    warnings: &mut Vec<Problem>,
) -> Result<Vec<Node>, Problem> {
    warnings.push(
        Problem::warning("the tags `!!omap` and `!!pairs` are deprecated")
            .at(at)
            .hint("write a mapping: the order of its keys is kept"),
    );
    items
        .into_iter()
        .map(
            |item| match item.as_map().map(|map| map.iter().as_slice()) {
                Some([(key, value)]) => Ok(Node::list(vec![key.clone(), value.clone()], item.at)),
                _ => Err(Problem::error(
                    "an item of `!!omap` or `!!pairs` is a mapping with one entry, and this is not",
                )
                .at(item.at)),
            },
        )
        .collect()
}

/// `<<` and `=` are keys only.
pub(super) fn refuse_special(composed: &Composed) -> Result<(), Problem> {
    let text = match composed.special {
        Special::None => return Ok(()),
        Special::Merge => "<<",
        Special::Default => "=",
    };
    Err(Problem::error(format!(
        "`{text}` has a meaning of its own in YAML and is no value"
    ))
    .at(composed.node.at)
    .over(text.len())
    .hint(format!("quote it: \"{text}\"")))
}

/// A tag as people write it.
fn short(tag: &str) -> String {
    tag.strip_prefix(CORE)
        .map_or_else(|| tag.to_owned(), |core| format!("!!{core}"))
}

fn unknown(tag: &str, at: Position) -> Problem {
    let tag = short(tag);
    let problem = Problem::error(format!("there is no tag `{tag}`"))
        .at(at)
        .over(tag.chars().count());
    if let Some(near) = rustle_formats::nearest(&tag, &["!vault", "!unsafe"]) {
        return problem.hint(format!("did you mean `{near}`?"));
    }
    problem.hint(
        "quote the value, if it is meant to begin with `!`; the tags are `!vault` and `!unsafe`",
    )
}
