//! Ansible-flavoured Jinja2: templates, expressions and conditions with the semantics of ansible-core 2.19.
//!
//! It is our own engine because the details decide whether a playbook does the same as before: what is undefined
//! and when that is an error, Python's arithmetic and `str()`, `%` formatting, lists that templates change in place,
//! native result types, and errors that name line and column.
//!
//! An [`Engine`] holds what all renderings share (plug-ins and parsed templates); a [`Templar`] joins it with
//! the variables of one moment.

#[cfg(feature = "full")]
mod collections;
mod condition;
mod engine;
mod error;
mod eval;
mod filters;
pub mod fuzz;
mod globals;
mod header;
mod host;
mod lookups;
mod methods;
pub mod names;
mod plugins;
mod predicates;
mod syntax;
mod templar;
mod text;
mod value;
mod yaml;

pub use condition::UNTRUSTED;
pub use engine::{Engine, FileOptions, Loader, Scope};
pub use error::{Error, ErrorKind};
pub use eval::{Args, Interp};
pub use host::{Host, machine_was_asked};
pub use lookups::{LookupCall, Lookups};
pub use plugins::Plugins;
pub use syntax::{Analysis, Syntax};
pub use templar::Templar;
pub use value::{BigInt, Dict, Key, List, Object, Range, Str, StrKey, Undefined, Value};
#[cfg(feature = "full")]
pub use yaml::yaml_result;
pub use yaml::{Scalar, yaml_scalar};

/// Characters drawn one after the other as Python's `random.Random(seed).choice` draws them.
///
/// # Errors
/// Where the seed is of a kind that Python does not take.
pub fn seeded_text(seed: &Value, alphabet: &[char], length: usize) -> Result<String, Error> {
    let mut twister = text::Twister::from_value(seed)?;
    let mut draw = || twister.below(alphabet.len() as u64) as usize;
    Ok((0..length).filter_map(|_| alphabet.get(draw())).collect())
}

/// Reads a YAML document as Ansible reads its files of variables. An empty one is `None`, of several the first counts.
///
/// # Errors
/// Where the text is no YAML.
pub fn parse_yaml(text: &str) -> Result<Value, Error> {
    Ok(yaml::parse(text)?.into_iter().next().unwrap_or(Value::None))
}
