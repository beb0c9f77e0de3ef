//! The lookup `first_found`: the first of several files that came with the plan.

use rustle_template::{Error, ErrorKind, LookupCall, Value as Rendered};

use super::lookups::{Files, flag};

/// Names to look for, and whether it is fine to find none.
#[derive(Default)]
struct Search {
    names: Vec<String>,
    skip: bool,
}

impl Search {
    /// Adds what one term asks for: a name, a list of terms, or a mapping of `files` and `paths`.
    fn term(&mut self, term: &Rendered) -> Result<(), Error> {
        match term {
            Rendered::Str(name) => self.names.push(name.as_str().to_owned()),
            Rendered::List(list) => {
                for inner in list.to_vec() {
                    self.term(&inner)?;
                }
            }
            Rendered::Dict(dict) => {
                let get = |name: &str| dict.get(&Rendered::str(name));
                self.skip |= get("skip")?.map_or(Ok(false), |v| v.truth())?;
                self.files(get("files")?.as_ref(), get("paths")?.as_ref());
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Plugin,
                    format!(
                        "Invalid term supplied. A string, dict or list is required, not '{}').",
                        other.type_name()
                    ),
                ));
            }
        }
        Ok(())
    }

    fn files(&mut self, files: Option<&Rendered>, paths: Option<&Rendered>) {
        let (files, paths) = (words(files, &[',', ';']), words(paths, &[',', ';', ':']));
        if paths.is_empty() {
            self.names.extend(files);
            return;
        }
        for path in &paths {
            let path = path.trim_end_matches('/');
            self.names
                .extend(files.iter().map(|file| format!("{path}/{file}")));
        }
    }
}

/// Names in a list, or in a text between `marks`.
fn words(value: Option<&Rendered>, marks: &[char]) -> Vec<String> {
    match value {
        Some(Rendered::List(list)) => {
            let list = list.to_vec();
            list.iter()
                .flat_map(|inner| words(Some(inner), marks))
                .collect()
        }
        Some(Rendered::Str(text)) => {
            let parts = text.as_str().split(marks);
            parts
                .map(|p| p.trim().to_owned())
                .filter(|p| !p.is_empty())
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Runs the lookup.
pub(super) fn run(files: &Files<'_>, call: &LookupCall<'_>) -> Result<Vec<Rendered>, Error> {
    let mut search = Search {
        skip: flag(call, "skip", false)?,
        ..Search::default()
    };
    for term in &call.terms {
        search.term(term)?;
    }
    let (own, paths) = (call.option("files"), call.option("paths"));
    if own.is_some() {
        search.files(own, paths);
    } else if paths.is_some() {
        let names = Rendered::list(search.names.drain(..).map(Rendered::from).collect());
        search.files(Some(&names), paths);
    }
    for name in &search.names {
        if files.including.get()
            && let Some(file) = files.task_file(name)
        {
            return Ok(vec![Rendered::from(file)]);
        }
        let kind = files.beside.get().unwrap_or("");
        if let Some(path) = files.find(name, kind)? {
            return Ok(vec![Rendered::from(files.shown(&path))]);
        }
        if let Some(file) = files.task_file(name) {
            return Ok(vec![Rendered::from(file)]);
        }
    }
    if search.skip {
        return Ok(Vec::new());
    }
    Err(Error::new(
        ErrorKind::Plugin,
        "No file was found when using first_found.",
    ))
}
