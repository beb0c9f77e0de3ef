//! The template files that tasks name: read as they will be packed, each once.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rustle_formats::{Map, Value};
use rustle_template::FileOptions;

use super::defined::View;
use super::scan::{Scan, Spot};
use super::texts::{Looked, place};
use super::{AssetRequest, Placed, TextOf, Wanted};
use crate::args::boolean;
use crate::vars::apply_options;

/// The arguments of `template` that say how a file is read, and whether each is a flag.
const OPTIONS: &[(&str, bool)] = &[
    ("block_end_string", false),
    ("block_start_string", false),
    ("comment_end_string", false),
    ("comment_start_string", false),
    ("lstrip_blocks", true),
    ("trim_blocks", true),
    ("variable_end_string", false),
    ("variable_start_string", false),
];

/// A file as one task reads it: its name, the folders that it is looked for in, and how it is read.
type Key = (String, Vec<String>, String);

/// The template files that were read.
pub(super) struct Files<'a> {
    read: Option<&'a TextOf<'a>>,
    /// By task, in the order of the document: what it names.
    requests: HashMap<usize, Vec<AssetRequest>>,
    known: HashMap<Key, Option<Rc<Looked>>>,
    /// Those whose mistakes were told.
    told: HashSet<Key>,
}

impl<'a> Files<'a> {
    pub(super) fn new(read: Option<&'a TextOf<'a>>, requests: Vec<AssetRequest>) -> Files<'a> {
        let mut by_task: HashMap<usize, Vec<AssetRequest>> = HashMap::new();
        for request in requests.into_iter().filter(|r| r.kind == "templates") {
            by_task.entry(request.index).or_default().push(request);
        }
        Files {
            read,
            requests: by_task,
            known: HashMap::new(),
            told: HashSet::new(),
        }
    }
}

impl<'p> Scan<'_, 'p> {
    /// The files of a task of the module `template`, and those that they include.
    pub(super) fn template_files(
        &mut self,
        index: usize,
        placed: &'p Placed<'p>,
        spot: &Spot<'_, 'p>,
    ) {
        let Some(requests) = self.files.requests.remove(&index) else {
            return;
        };
        let Some(options) = options(&placed.task.args) else {
            return;
        };
        let mut seen: HashSet<String> = HashSet::new();
        let mut todo: Vec<(AssetRequest, bool)> =
            requests.into_iter().map(|r| (r, false)).collect();
        while let Some((request, included)) = todo.pop() {
            let Wanted::File(name) = &request.wanted else {
                continue;
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            let key = (name.clone(), request.folders.clone(), options.0.clone());
            let Some(looked) = self.file(&key, &request, &options.1) else {
                continue;
            };
            let below = request
                .pointer
                .get(placed.pointer.len()..)
                .unwrap_or_default();
            if self.files.told.insert(key) {
                self.tell_faults(name, &looked, below, spot);
            }
            // What includes or extends another one may get its variables from there.
            if !included && looked.analysis.templates.is_empty() {
                let spot = Spot {
                    view: View {
                        file: true,
                        ..spot.view
                    },
                    ..spot.clone()
                };
                self.names(&looked, &spot, &|spot, message, at| {
                    spot.problem(below, format!("{name}: {message}{}", place(at)))
                });
            }
            for included in &looked.analysis.templates {
                let mut more = request.clone();
                more.wanted = Wanted::File(included.to_string());
                todo.push((more, true));
            }
        }
    }

    fn file(
        &mut self,
        key: &Key,
        request: &AssetRequest,
        options: &FileOptions,
    ) -> Option<Rc<Looked>> {
        if let Some(known) = self.files.known.get(key) {
            return known.clone();
        }
        let text = self.files.read.and_then(|read| read(request));
        let looked = text.map(|text| Rc::new(self.texts.look_file(&text, &key.0, options)));
        self.files.known.insert(key.clone(), looked.clone());
        looked
    }

    fn tell_faults(&mut self, name: &str, looked: &Looked, below: &str, spot: &Spot<'_, 'p>) {
        for fault in &looked.faults {
            let message = format!("{name}: {}{}", fault.message, place(fault.at));
            self.out
                .push(spot.problem(below, message).hint(fault.hint.clone()));
        }
    }
}

/// How a task reads its template, with a text that tells two ways apart. `None`: it is known only in the run.
fn options(args: &Map) -> Option<(String, FileOptions)> {
    let mut given = Map::new();
    for (name, flag) in OPTIONS {
        let Some(value) = args.get(*name) else {
            continue;
        };
        let value = match (flag, value) {
            (true, value) => Value::Bool(boolean(value)?),
            (false, Value::Str(text)) => Value::Str(text.clone()),
            _ => return None,
        };
        given.insert((*name).to_owned(), value);
    }
    let mut options = FileOptions::default();
    apply_options(&given, &mut options).ok()?;
    Some((Value::Map(given).to_string(), options))
}
