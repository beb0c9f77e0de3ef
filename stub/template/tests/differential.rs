//! What we make of templates and expressions, against what ansible-core made of them (`scripts/record-template`).

use indexmap::IndexMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustle_template::{Engine, Error, ErrorKind, FileOptions, Host, Loader, Value};
use serde_json::Value as Json;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/template")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).unwrap()
}

fn json(name: &str) -> Json {
    serde_json::from_str(&read(name)).unwrap()
}

fn variables() -> IndexMap<String, Value> {
    let json = json("variables.json");
    json.as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| (k.clone(), Value::from_json(v, true)))
        .collect()
}

struct Machine;

impl Host for Machine {
    fn env(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".into())
    }
    fn home(&self, _: Option<&str>) -> Option<String> {
        Some("/root".into())
    }
    fn now(&self) -> jiff::Zoned {
        jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC)
    }
}

struct Files;

impl Loader for Files {
    fn load(&self, name: &str, _: Option<&str>) -> Result<Option<String>, Error> {
        Ok(std::fs::read_to_string(fixtures().join("files").join(name)).ok())
    }
}

fn engine() -> Engine<'static> {
    Engine::new()
        .with_host(Rc::new(Machine))
        .with_loader(Rc::new(Files))
}

/// The class of error that ansible-core raises for ours.
fn class(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Undefined { .. } => "AnsibleUndefinedVariable",
        ErrorKind::Syntax => "AnsibleTemplateSyntaxError",
        ErrorKind::UnknownLookup(_) => "AnsibleTemplatePluginNotFoundError",
        ErrorKind::Plugin | ErrorKind::Mandatory => "AnsibleTemplatePluginRuntimeError",
        ErrorKind::UnknownFilter(_) | ErrorKind::UnknownTest(_) => "AnsibleTemplateSyntaxError",
        ErrorKind::BrokenConditional => "AnsibleBrokenConditionalError",
        ErrorKind::Omitted => "AnsibleValueOmittedError",
        _ => "AnsibleTemplateError",
    }
}

fn compute(
    engine: &Engine<'_>,
    variables: &IndexMap<String, Value>,
    case: &str,
) -> Result<String, Error> {
    if let Some(condition) = case.strip_prefix("? ") {
        return engine
            .eval_condition(variables, &Value::trusted(condition))
            .map(|b| format!("{:?}", Value::Bool(b)));
    }
    match case.strip_prefix("= ") {
        Some(expression) => engine.eval_expr(variables, expression),
        None => engine.render_str(variables, case),
    }
    .map(|value| format!("{value:?}"))
}

/// The cases that we know to differ, by their text; each with its reason on the line above.
fn known() -> Vec<String> {
    read("known-differences.txt")
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn expressions_agree_with_ansible() {
    let recorded = json("recorded.json");
    let (engine, variables, known) = (engine(), variables(), known());
    let (mut wrong, mut words, mut total) = (Vec::new(), 0, 0);
    for record in recorded["cases"].as_array().unwrap() {
        let case = record["case"].as_str().unwrap();
        let ours = compute(&engine, &variables, case);
        total += 1;
        let agrees = match (&ours, record["value"].as_str(), record["error"].as_str()) {
            (Ok(ours), Some(theirs), _) => ours == theirs,
            (Err(ours), _, Some(theirs)) => {
                words += usize::from(
                    record["message"]
                        .as_str()
                        .is_some_and(|text| text.contains(ours.message())),
                );
                class(ours) == theirs
            }
            _ => false,
        };
        let is_known = known
            .iter()
            .any(|known| *known == case.replace('\n', "\\n"));
        if agrees == is_known {
            let theirs = record["value"]
                .as_str()
                .or(record["message"].as_str())
                .unwrap_or("");
            wrong.push(format!(
                "{case}\n    ours:   {ours:?}\n    theirs: {theirs} {}",
                record["error"]
            ));
        }
    }
    eprintln!(
        "{total} cases, {} known to differ, {words} error messages word for word",
        known.len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {total} differ (or do not differ any more):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn files_agree_with_ansible() {
    let recorded = json("recorded.json");
    let (engine, variables, known) = (engine(), variables(), known());
    let mut wrong = Vec::new();
    for record in recorded["files"].as_array().unwrap() {
        let name = record["file"].as_str().unwrap();
        let source = read(&format!("files/{name}"));
        let ours = engine.render_file(&variables, &source, name, &FileOptions::default());
        let agrees = match (&ours, record["text"].as_str()) {
            (Ok(ours), Some(theirs)) => ours == theirs,
            (Err(_), None) => true,
            _ => false,
        };
        if agrees == known.iter().any(|known| known == name) {
            wrong.push(format!(
                "{name}\n    ours:   {ours:?}\n    theirs: {:?}",
                record["text"].as_str()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
