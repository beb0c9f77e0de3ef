//! The lookup `template`: a template file of the plan, rendered.

use rustle_template::{Error, ErrorKind, FileOptions, LookupCall, Value as Rendered};

use super::about::{about_template, is_moment};
use super::lookups::{Files, terms};
use super::templar::apply_options;
use rustle_formats::{Map, Value};

/// The options that say how the file is read.
const SYNTAX: [&str; 7] = [
    "block_end_string",
    "block_start_string",
    "comment_end_string",
    "comment_start_string",
    "trim_blocks",
    "variable_end_string",
    "variable_start_string",
];

/// Runs the lookup.
pub(super) fn run(files: &Files<'_>, call: &LookupCall<'_>) -> Result<Vec<Rendered>, Error> {
    let mut given = Map::new();
    for name in SYNTAX {
        if let Some(value) = call.option(name) {
            given.insert(name.to_owned(), value.to_formats()?);
        }
    }
    let mut options = FileOptions::default();
    apply_options(&given, &mut options).map_err(|e| Error::new(ErrorKind::Plugin, e))?;
    let own = match call.option("template_vars") {
        Some(vars) => match vars.to_formats()? {
            Value::Map(map) => map,
            _ => return Err(Error::type_error("template_vars must be a dictionary")),
        },
        None => Map::new(),
    };
    let mut out = Vec::new();
    for name in terms(call)? {
        let path = files.find(&name, "templates")?.ok_or_else(|| {
            Error::new(
                ErrorKind::Plugin,
                format!("the template file {name} could not be found for the lookup"),
            )
        })?;
        let text = files.text(&path)?;
        let managed = call.templar.get("ansible_managed")?.is_some();
        let about = about_template(files.driver.assets(), &path, &name, managed);
        let mut vars = vec![("template_destpath".to_owned(), Rendered::None)];
        for (key, value) in &about {
            let value = match value.as_str() {
                Some(text) if is_moment(key) => call.templar.render(text)?,
                _ => Rendered::from_formats(value, false),
            };
            vars.push((key.clone(), value));
        }
        let own = own
            .iter()
            .map(|(name, value)| (name.clone(), Rendered::from_formats(value, false)));
        vars.extend(own);
        out.push(call.templar.render_native(&text, &name, &options, vars)?);
    }
    Ok(out)
}
