//! From the names that tasks use to files on this machine.
//!
//! A name is looked up as the runner will look it up: in the task's folders, each with `files` or `templates`, then from
//! the root; here, first beside the plan, then under every `--asset-root`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustle_formats::Value;
use rustle_formats::plan::{AssetSpec, ExecutionPlan, asset_name};
use rustle_packer::AssetSource;
use rustle_runtime::modules::find;

use crate::checks::{self, Problem};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_input::PlanInput;
use crate::precheck::{Placed, label, tasks};

/// A file that a task names.
struct Request<'p> {
    placed: &'p Placed<'p>,
    /// The argument.
    argument: &'static str,
    /// The name as the task has it.
    src: String,
    /// `files` or `templates`.
    kind: &'static str,
}

/// All files that go into the artifact, by name.
///
/// # Errors
/// Every file that is missing, with the task that names it and the places where it was looked for.
pub(crate) fn collect(input: &PlanInput, roots: &[PathBuf]) -> Result<Vec<AssetSource>, Failure> {
    let plan = input.plan();
    let mut search = vec![input.folder.clone()];
    search.extend_from_slice(roots);
    let mut found: BTreeMap<Vec<u8>, AssetSource> = BTreeMap::new();
    let mut problems = Vec::new();
    for (i, spec) in plan.assets.iter().enumerate() {
        match declared(spec, &search) {
            Ok(source) => {
                found.insert(source.name.clone(), source);
            }
            Err((message, notes)) => problems.push(Problem {
                pointer: format!("/assets/{i}"),
                key: false,
                source: None,
                message,
                notes,
                hint: None,
            }),
        }
    }
    let tasks = tasks(plan);
    for request in requests(plan, &tasks) {
        if let Err(problem) = resolve(&request, &search, &mut found) {
            problems.push(*problem);
        }
    }
    if problems.is_empty() {
        Ok(found.into_values().collect())
    } else {
        Err(Failure {
            diagnostics: checks::diagnostics(input, problems),
            exit: Exit::Asset,
        })
    }
}

/// An entry of the plan's `assets`.
fn declared(spec: &AssetSpec, search: &[PathBuf]) -> Result<AssetSource, (String, Vec<String>)> {
    let name = asset_name(&spec.name);
    let mut source = match &spec.content {
        Some(content) => AssetSource::bytes(name, content.clone().into_bytes()),
        None => {
            let from = spec.source.as_deref().unwrap_or(&spec.name);
            let tried = places(&[from.to_owned()], search);
            match tried.iter().find(|p| p.exists()) {
                Some(path) => AssetSource::path(name, path),
                None => {
                    return Err((
                        format!("the asset `{}` is missing", spec.name),
                        looked_in(&tried),
                    ));
                }
            }
        }
    };
    source.size = spec.size;
    if let Some(hex) = &spec.sha256 {
        let digest = (0..32)
            .map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()
            .filter(|_| hex.len() == 64)
            .and_then(|d| <[u8; 32]>::try_from(d).ok());
        let wrong = || {
            (
                format!("`{hex}` is no SHA-256 (64 hexadecimal digits)"),
                Vec::new(),
            )
        };
        source.sha256 = Some(digest.ok_or_else(wrong)?);
    }
    Ok(source)
}

/// The files that tasks name in arguments that take files of the controller.
fn requests<'p>(_: &ExecutionPlan, tasks: &'p [Placed<'p>]) -> Vec<Request<'p>> {
    let mut out = Vec::new();
    for placed in tasks {
        let Some(module) = find(&placed.task.module) else {
            continue;
        };
        let spec = module.spec();
        let given = |name: &str| placed.task.args.get(name);
        let on = |name: &str| {
            given(name).is_some_and(|v| match v {
                Value::Bool(b) => *b,
                Value::Str(s) => {
                    matches!(s.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1")
                }
                _ => false,
            })
        };
        if on("remote_src") {
            continue;
        }
        for arg in spec.all_args().filter(|a| a.asset) {
            let value = std::iter::once(arg.name)
                .chain(arg.aliases.iter().copied())
                .find_map(given);
            if let Some(Value::Str(src)) = value {
                out.push(Request {
                    placed,
                    argument: arg.name,
                    src: src.clone(),
                    kind: if spec.name == "template" {
                        "templates"
                    } else {
                        "files"
                    },
                });
            }
        }
    }
    out
}

/// The names of one request: of a template in a literal loop, each item's.
fn names(request: &Request<'_>) -> Vec<String> {
    let src = &request.src;
    if !src.contains("{{") && !src.contains("{%") {
        return vec![src.clone()];
    }
    let Some(Value::List(items)) = &request.placed.task.loop_ else {
        return Vec::new();
    };
    let variable = request
        .placed
        .task
        .loop_control
        .as_ref()
        .and_then(|c| c.loop_var.as_deref())
        .unwrap_or("item");
    let names: Vec<Option<String>> = items.iter().map(|i| fill(src, variable, i)).collect();
    names
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

/// Puts a loop's item into `{{ item }}` and `{{ item.key }}`. `None` where anything else is computed.
fn fill(src: &str, variable: &str, item: &Value) -> Option<String> {
    let mut out = String::new();
    let mut rest = src;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find("}}")? + at;
        let path = rest[at + 2..end].trim();
        let mut value = item;
        let mut parts = path.split('.');
        if parts.next()? != variable {
            return None;
        }
        for key in parts {
            value = value.get(key)?;
        }
        let text = value.as_str()?;
        if text.contains("{{") {
            return None;
        }
        out.push_str(text);
        rest = &rest[end + 2..];
    }
    if rest.contains("{%") {
        return None;
    }
    out.push_str(rest);
    Some(out)
}

/// Every place where files of these names may lie.
fn places(names: &[String], search: &[PathBuf]) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for name in names {
        if let Some(rest) = name.strip_prefix("~/") {
            out.extend(std::env::home_dir().map(|h| h.join(rest)));
        } else if name.starts_with('/') {
            out.push(PathBuf::from(name));
        } else {
            out.extend(search.iter().map(|root| root.join(name)));
        }
    }
    out
}

fn looked_in(tried: &[PathBuf]) -> Vec<String> {
    tried
        .iter()
        .map(|p| format!("looked for {}", p.display()))
        .collect()
}

/// The names under which the runner looks for a file, in its order.
fn candidates(request: &Request<'_>, src: &str) -> Vec<String> {
    let mut out = Vec::new();
    for folder in &request.placed.task.asset_paths {
        out.push(format!("{folder}/{}/{src}", request.kind));
        out.push(format!("{folder}/{src}"));
    }
    if !src.starts_with(['/', '~']) {
        out.push(format!("{}/{src}", request.kind));
    }
    out.push(src.to_owned());
    out
}

fn resolve(
    request: &Request<'_>,
    search: &[PathBuf],
    found: &mut BTreeMap<Vec<u8>, AssetSource>,
) -> Result<(), Box<Problem>> {
    let names = names(request);
    if names.is_empty() {
        return computed(request, search, found);
    }
    for src in names {
        let candidates = candidates(request, &src);
        let packed = |name: &String| {
            let name = asset_name(name).into_bytes();
            let below = [name.as_slice(), b"/"].concat();
            found.contains_key(&name) || found.keys().any(|k| k.starts_with(&below))
        };
        if candidates.iter().any(packed) {
            continue;
        }
        let hit = candidates.iter().find_map(|name| {
            let path = places(std::slice::from_ref(name), search)
                .into_iter()
                .find(|p| p.exists())?;
            Some((asset_name(name), path))
        });
        match hit {
            Some((name, path)) => insert(found, name, &path),
            None => {
                return Err(missing(
                    request,
                    format!(
                        "the file `{src}` of {} is missing",
                        label(request.placed.task)
                    ),
                    looked_in(&places(&candidates, search)),
                    "put it beside the plan, or say where it is with --asset-root",
                ));
            }
        }
    }
    Ok(())
}

/// A name that is computed on the target: what can be packed is the folder in front of the first template.
fn computed(
    request: &Request<'_>,
    search: &[PathBuf],
    found: &mut BTreeMap<Vec<u8>, AssetSource>,
) -> Result<(), Box<Problem>> {
    let src = &request.src;
    let fixed = &src[..src.find('{').unwrap_or(src.len())];
    let folder = fixed.rfind('/').map_or("", |at| &fixed[..at]);
    let note = format!("the name `{src}` is known only on the target");
    if folder.is_empty() {
        return Err(missing(
            request,
            format!(
                "which files {} needs cannot be known",
                label(request.placed.task)
            ),
            vec![note],
            "begin the name with a folder, which is then packed whole, or list the files under `assets`",
        ));
    }
    let candidates = candidates(request, folder);
    let hit = candidates.iter().find_map(|name| {
        let path = places(std::slice::from_ref(name), search)
            .into_iter()
            .find(|p| p.is_dir())?;
        Some((asset_name(name), path))
    });
    match hit {
        Some((name, path)) => {
            insert(found, name, &path);
            Ok(())
        }
        None => {
            let mut notes = vec![note];
            notes.extend(looked_in(&places(&candidates, search)));
            Err(missing(
                request,
                format!(
                    "the folder `{folder}` of {} is missing",
                    label(request.placed.task)
                ),
                notes,
                "put it beside the plan, or say where it is with --asset-root",
            ))
        }
    }
}

fn insert(found: &mut BTreeMap<Vec<u8>, AssetSource>, name: String, path: &Path) {
    let name = name.into_bytes();
    found
        .entry(name.clone())
        .or_insert_with(|| AssetSource::path(name, path));
}

fn missing(request: &Request<'_>, message: String, notes: Vec<String>, hint: &str) -> Box<Problem> {
    Box::new(Problem {
        pointer: format!("{}/args/{}", request.placed.pointer, request.argument),
        key: false,
        source: request.placed.task.source.clone().filter(|s| s.line > 0),
        message,
        notes,
        hint: Some(hint.to_owned()),
    })
}
