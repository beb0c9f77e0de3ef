//! A variable that is itself a template needs other variables: one that is defined may still not be usable.

use super::defined::{Defined, Meaning, View};
use super::texts::{Reading, Texts};
use rustle_formats::Value;

/// The most variables that are followed from one: a plan that needs more is left to the run.
const MAX_STEPS: usize = 64;

/// Why a variable cannot be used.
pub(super) struct Missing {
    /// The variable that nothing defines.
    pub(super) name: String,
    /// The variable that needs it; none where it is the one that was asked for.
    pub(super) needed_by: Option<String>,
}

/// The variable that is missing for `name` to have a value, if one surely is.
pub(super) fn missing<'p>(
    defined: &Defined<'p>,
    texts: &mut Texts<'_>,
    view: View<'_, 'p>,
    name: &str,
) -> Option<Missing> {
    let mut seen: Vec<String> = Vec::new();
    let mut todo: Vec<(String, Option<String>)> = vec![(name.to_owned(), None)];
    while let Some((name, needed_by)) = todo.pop() {
        match defined.meaning(view, &name) {
            Meaning::Nothing => return Some(Missing { name, needed_by }),
            Meaning::Something => {}
            Meaning::Value(Value::Str(text)) => {
                let Some(looked) = texts.look(text, Reading::Template) else {
                    continue;
                };
                if seen.contains(&name) || seen.len() >= MAX_STEPS {
                    continue;
                }
                for needed in &looked.analysis.required {
                    todo.push((needed.to_string(), Some(name.clone())));
                }
                seen.push(name);
            }
            Meaning::Value(_) => {}
        }
    }
    None
}
