//! Reads a plan from a file or from standard input, and finds the lines that messages are about.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::plan::json::{self, Place, Reading, Shape};
use rustle_formats::value::SECRET_KEY;
use rustle_planner::declarations;
use rustle_planner::documents::{VAULT_KEY, hide};
use zeroize::Zeroizing;

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level, Location};
use crate::exit::Exit;
use crate::failure::Failure;

/// The most messages about one plan that are shown.
pub(crate) const MAX_SHOWN: usize = 50;

/// A plan with the text that it was read from.
pub(crate) struct PlanInput {
    /// The file as messages name it.
    name: String,
    /// The folder that relative names are meant from.
    pub(crate) folder: PathBuf,
    text: String,
    reading: Reading,
    /// The texts of secrets that the plan names without a source.
    pub(crate) given: IndexMap<String, Zeroizing<String>>,
    /// The ciphertexts of secrets that stand in the document (`rustle plan` writes such).
    pub(crate) ciphertexts: IndexMap<String, String>,
}

impl PlanInput {
    /// Reads a plan; `-` is standard input. What has no effect is said as a warning.
    ///
    /// # Errors
    /// Where it cannot be read or is refused, with every place.
    pub(crate) fn read(path: &Path, console: &Console) -> Result<PlanInput, Failure> {
        let stdin = path == Path::new("-");
        let (name, bytes, folder) = if stdin {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(Failure::io("read", Path::new("standard input")))?;
            ("<stdin>".to_owned(), bytes, PathBuf::from("."))
        } else {
            let bytes = std::fs::read(path).map_err(Failure::io("read", path))?;
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder.to_owned(),
                _ => PathBuf::from("."),
            };
            (path.display().to_string(), bytes, folder)
        };
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Failure::text(
                Exit::Plan,
                format!("{name} is not UTF-8: byte {at} begins no character"),
            )
        })?;
        let (text, ciphertexts) = without_ciphertexts(text);
        let reading = json::read(&text).map_err(|errors| Failure {
            exit: Exit::Plan,
            diagnostics: limited(
                errors
                    .into_iter()
                    .map(|e| {
                        let mut out =
                            Diagnostic::error(e.message).at(Some(location(&name, &text, &e.place)));
                        out.hint = e.hint;
                        out
                    })
                    .collect(),
            ),
        })?;
        let input = PlanInput {
            name,
            folder,
            text,
            reading,
            given: IndexMap::new(),
            ciphertexts,
        };
        input.say_shape(console);
        Ok(input)
    }

    /// A plan that was made from a playbook: what is wrong with it is shown there.
    pub(crate) fn planned(name: String, folder: PathBuf, plan: ExecutionPlan) -> PlanInput {
        PlanInput {
            name,
            folder,
            text: String::new(),
            reading: Reading::from_plan(plan),
            given: IndexMap::new(),
            ciphertexts: IndexMap::new(),
        }
    }

    fn say_shape(&self, console: &Console) {
        let tool = match self.reading.shape {
            Shape::Rustle => return,
            Shape::RustlePlan => "rustle-plan 0.1.0",
            Shape::RustleDeploy => "rustle-deploy",
        };
        console.say(&Diagnostic::new(
            Level::Note,
            format!(
                "{} has no `version` and is read as a plan of {tool}",
                self.name
            ),
        ));
        for warning in &self.reading.warnings {
            let mut out = Diagnostic::new(Level::Warning, &warning.message).at(Some(location(
                &self.name,
                &self.text,
                &warning.place,
            )));
            if warning.count > 1 {
                out = out.note(format!("{} times in this plan", warning.count));
            }
            console.say(&out);
        }
    }

    /// The folder that files are named from.
    pub(crate) fn base(&self) -> std::path::PathBuf {
        let base = self.plan().base_dir.as_ref();
        base.map_or_else(|| self.folder.clone(), Into::into)
    }

    /// The plan.
    pub(crate) fn plan(&self) -> &ExecutionPlan {
        &self.reading.plan
    }

    /// Opens the ciphertexts of the document, and declares them as secrets of the plan.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub(crate) fn open(
        &mut self,
        decrypt: impl Fn(&str) -> Result<Zeroizing<String>, String>,
    ) -> Result<(), Failure> {
        let plan = &mut self.reading.plan;
        let made = declarations(plan, self.ciphertexts.keys());
        plan.secrets.extend(made);
        for (name, text) in std::mem::take(&mut self.ciphertexts) {
            let plain = decrypt(&text).map_err(|e| Failure::text(Exit::Key, e))?;
            self.given.insert(name, plain);
        }
        Ok(())
    }

    /// The plan, taken out.
    pub(crate) fn take_plan(&mut self) -> ExecutionPlan {
        std::mem::take(&mut self.reading.plan)
    }

    /// The places of JSON pointers into the plan; with each, whether the key is to blame rather than the value.
    pub(crate) fn locate(&self, pointers: &[(String, bool)]) -> Vec<Option<Location>> {
        self.reading
            .places(&self.text, pointers)
            .into_iter()
            .map(|place| place.map(|p| location(&self.name, &self.text, &p)))
            .collect()
    }
}

impl PlanInput {
    /// Where the document first refers to a secret.
    pub(crate) fn reference_to(&self, secret: &str) -> Option<Location> {
        let mut from = 0;
        while let Some(found) = self.text[from..].find(SECRET_KEY) {
            let after = from + found + SECRET_KEY.len() + 1;
            let rest = self.text.get(after..)?;
            let value = rest.trim_start().strip_prefix(':')?.trim_start();
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<String>();
            if let Some(Ok(name)) = values.next()
                && name == secret
            {
                let offset = self.text.len() - value.len();
                let before = &self.text[..offset];
                let start = before.rfind('\n').map_or(0, |at| at + 1);
                let place = Place {
                    offset,
                    length: values.byte_offset(),
                    line: before.matches('\n').count() + 1,
                    column: before[start..].chars().count() + 1,
                };
                return Some(location(&self.name, &self.text, &place));
            }
            from = after;
        }
        None
    }
}

/// The document with references to secrets in place of ciphertexts, and these by name. `rustle plan` indents as it is indented
/// here, so that lines stay the same.
fn without_ciphertexts(text: String) -> (String, IndexMap<String, String>) {
    if !text.contains(VAULT_KEY) {
        return (text, IndexMap::new());
    }
    // What is no JSON is told with its place by the reader of plans.
    let Ok(mut document) = serde_json::from_str(&text) else {
        return (text, IndexMap::new());
    };
    let ciphertexts = hide(&mut document);
    match serde_json::to_string_pretty(&document) {
        Ok(hidden) => (hidden, ciphertexts),
        Err(_) => (text, IndexMap::new()),
    }
}

/// A place in a text as messages show it.
fn location(name: &str, text: &str, place: &Place) -> Location {
    let start = text[..place.offset].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let end = (place.offset + place.length).min(start + line.len());
    let length = text
        .get(place.offset..end)
        .map_or(1, |part| part.chars().count());
    Location {
        file: name.to_owned(),
        line: place.line,
        column: place.column,
        length,
        text: Some(line.to_owned()),
    }
}

/// Lines of source files, each file read once. A file that cannot be read has no lines.
#[derive(Default)]
pub(crate) struct SourceLines(HashMap<String, Option<Vec<String>>>);

impl SourceLines {
    /// The line of a file, from 1.
    pub(crate) fn line(&mut self, folder: &Path, file: &str, line: usize) -> Option<String> {
        let lines = self.0.entry(file.to_owned()).or_insert_with(|| {
            let path = Path::new(file);
            let text = std::fs::read_to_string(path)
                .or_else(|_| std::fs::read_to_string(folder.join(path)))
                .ok()?;
            Some(text.lines().map(str::to_owned).collect())
        });
        lines.as_ref()?.get(line.checked_sub(1)?).cloned()
    }
}

/// At most [`MAX_SHOWN`] messages, and how many there are.
pub(crate) fn limited(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let count = diagnostics.len();
    if count > MAX_SHOWN {
        diagnostics.truncate(MAX_SHOWN);
        let level = diagnostics.first().map_or(Level::Error, |d| d.level);
        diagnostics.push(Diagnostic::new(
            level,
            format!("{count} mistakes in all; the first {MAX_SHOWN} are shown"),
        ));
    }
    diagnostics
}
