//! Targets by triple and by short name.

use rustle_formats::nearest;
use rustle_packer::catalogue::{short_names, triples_for};

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;

/// The triples that a target's name stands for, the preferred one first.
///
/// # Errors
/// Where it is neither a short name nor looks like a triple that is known.
pub(crate) fn resolve(name: &str) -> Result<Vec<String>, Failure> {
    let shorts: Vec<&str> = short_names().collect();
    if shorts.contains(&name) {
        return Ok(triples_for(name));
    }
    let triples: Vec<String> = shorts.iter().flat_map(|s| triples_for(s)).collect();
    if triples.iter().any(|t| t == name) {
        return Ok(vec![name.to_owned()]);
    }
    let all: Vec<&str> = shorts
        .iter()
        .copied()
        .chain(triples.iter().map(String::as_str))
        .collect();
    let hint = match nearest(name, &all) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "targets are {}, or Rust's triples for them",
            shorts.join(", ")
        ),
    };
    Err(Failure::new(
        Exit::Usage,
        Diagnostic::error(format!("unknown target `{name}`")).hint(hint),
    ))
}
