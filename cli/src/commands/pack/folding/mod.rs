//! What only the controller can evaluate, evaluated when packing: lookups such as `pipe`, `password` and `env`, and the
//! repository's Python plugins, where they depend on nothing that only a run knows. The result goes into the plan as a
//! variable, sealed where it is a secret; what depends on the run is refused with its place.
//!
//! `calls` finds the parts of texts, `scope` tells which variables are the same in every run, `values` evaluates.

mod calls;
mod scope;
mod values;

use std::path::PathBuf;

use indexmap::IndexMap;
use rustle_formats::plan::{AssetSpec, ExecutionPlan, Source, asset_candidates};
use rustle_formats::value::{SECRET_KEY, UNSAFE_KEY};
use rustle_planner::declarations;
use rustle_runtime::check::Problem;
use rustle_template::Engine;
use serde_json::Value as Json;

use calls::{Kind, Knows, Part, parts, templates};
use scope::Scope;
pub(super) use values::Evaluating;

/// Keys whose texts are expressions.
const CONDITIONS: &[&str] = &[
    "when",
    "changed_when",
    "failed_when",
    "until",
    "that",
    "break_when",
];
/// Keys of a plan that hold no templates.
const PLAIN: &[&str] = &[
    "source",
    "metadata",
    "secrets",
    "assets",
    "binary_deployments",
];
/// What variables with results are called.
const PREFIX: &str = "rustle_packed_";

/// One thing to evaluate.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The variable that stands in its place.
    name: String,
    /// The expression.
    expression: String,
    /// What it is, for people.
    what: String,
    secret: bool,
    /// The variables that it mentions.
    mentions: Vec<String>,
    /// The folder of the role that it stands in.
    role: Option<String>,
    place: Place,
}

/// Where something stands.
#[derive(Debug, Clone, Default)]
struct Place {
    pointer: String,
    task: Option<(String, String)>,
    source: Option<Source>,
    no_log: bool,
}

/// Replaces what only the controller can evaluate by its value.
///
/// # Errors
/// What depends on the run, or cannot be evaluated, with its place.
pub(super) fn fold(
    plan: ExecutionPlan,
    evaluating: &mut Evaluating<'_>,
) -> Result<ExecutionPlan, Box<(ExecutionPlan, Vec<Problem>)>> {
    let knows = |kind: &str, name: &str| evaluating.knows(kind, name);
    // Most plans have nothing of the kind.
    let Some(Found {
        mut document,
        wanted,
        templates,
    }) = found(&plan, &knows)
    else {
        return Ok(plan);
    };
    let engine = Engine::new();
    let scope = Scope::of(&plan);
    let mut problems = Vec::new();
    for one in &wanted {
        let resolved = scope.resolve(&one.mentions, &engine);
        let result = match resolved {
            Err((name, why)) => Err(Box::new(Problem {
                hint: Some(format!(
                    "set `{name}` when packing (-e {name}=VALUE), or let a task on the target find out and register it"
                )),
                ..one.problem(format!(
                    "{} depends on `{name}`, which is not known when packing: {why}",
                    one.what
                ))
            })),
            Ok(vars) => evaluating.evaluate(&plan, one, vars),
        };
        problems.extend(result.err().map(|problem| *problem));
    }
    if !problems.is_empty() {
        return Err(Box::new((plan, problems)));
    }
    evaluating.store(&mut document);
    let base = PathBuf::from(plan.base_dir.clone().unwrap_or_default());
    let mut assets = plan.assets.clone();
    for (role, name) in &templates {
        let folders: Vec<String> = role.iter().cloned().collect();
        let candidates = asset_candidates(&folders, "templates", name);
        // One that is not there is missed where it is looked up.
        if let Some(found) = candidates.iter().find(|name| base.join(name).is_file()) {
            assets.push(AssetSpec {
                name: found.clone(),
                ..AssetSpec::default()
            });
        }
    }
    match serde_json::from_value::<ExecutionPlan>(document) {
        Ok(mut folded) => {
            folded.assets = assets;
            folded.secrets = declarations(&folded, evaluating.secrets.keys());
            Ok(folded)
        }
        Err(e) => {
            let problem = Problem::new("", format!("the plan cannot be put together again: {e}"));
            Err(Box::new((plan, vec![problem])))
        }
    }
}

/// The plan with variables in place of what must be evaluated, and that.
fn found(plan: &ExecutionPlan, knows: &Knows<'_>) -> Option<Found> {
    let mut document = serde_json::to_value(plan).ok()?;
    let roles: IndexMap<&str, &str> = plan
        .roles
        .iter()
        .map(|(key, role)| (key.as_str(), role.path.as_str()))
        .collect();
    let mut finder = Finder {
        engine: Engine::new(),
        knows,
        roles,
        wanted: Vec::new(),
        templates: Vec::new(),
    };
    let mut place = Place::default();
    finder.value(&mut document, Kind::Template, &mut place);
    let Finder {
        wanted, templates, ..
    } = finder;
    let nothing = wanted.is_empty() && templates.is_empty();
    (!nothing).then_some(Found {
        document,
        wanted,
        templates,
    })
}

/// A plan with what is to be evaluated, and the files that its `template` lookups name: by role folder and name.
struct Found {
    document: Json,
    wanted: Vec<Wanted>,
    templates: Vec<(Option<String>, String)>,
}

struct Finder<'f> {
    engine: Engine<'f>,
    knows: &'f Knows<'f>,
    /// The folders of roles by key.
    roles: IndexMap<&'f str, &'f str>,
    wanted: Vec<Wanted>,
    templates: Vec<(Option<String>, String)>,
}

impl Finder<'_> {
    fn value(&mut self, value: &mut Json, kind: Kind, place: &mut Place) {
        match value {
            Json::String(text) => self.text(text, kind, place),
            Json::Array(list) => {
                for (i, inner) in list.iter_mut().enumerate() {
                    self.below(&i.to_string(), inner, kind, place);
                }
            }
            Json::Object(object) => {
                if object.len() == 1
                    && (object.contains_key(UNSAFE_KEY) || object.contains_key(SECRET_KEY))
                {
                    return;
                }
                let outer = place.clone();
                if let (Some(id), Some(_)) = (text_of(object.get("id")), object.get("module")) {
                    let name = text_of(object.get("name")).unwrap_or_default();
                    place.task = Some((id, name));
                    place.source = object
                        .get("source")
                        .and_then(|s| serde_json::from_value(s.clone()).ok());
                }
                place.no_log |= object.get("no_log") == Some(&Json::Bool(true));
                for (key, inner) in object.iter_mut() {
                    if PLAIN.contains(&key.as_str()) {
                        continue;
                    }
                    let kind = match CONDITIONS.contains(&key.as_str()) {
                        true => Kind::Condition,
                        false => Kind::Template,
                    };
                    self.below(
                        &key.replace('~', "~0").replace('/', "~1"),
                        inner,
                        kind,
                        place,
                    );
                }
                *place = outer;
            }
            _ => {}
        }
    }

    fn below(&mut self, key: &str, value: &mut Json, kind: Kind, place: &mut Place) {
        let length = place.pointer.len();
        place.pointer.push('/');
        place.pointer.push_str(key);
        self.value(value, kind, place);
        place.pointer.truncate(length);
    }

    fn text(&mut self, text: &mut String, kind: Kind, place: &Place) {
        // A condition in braces is a template all the same.
        let kind = match text.contains("{{") || text.contains("{%") {
            true => Kind::Template,
            false => kind,
        };
        let worth = kind == Kind::Condition || text.contains("{{") || text.contains("{%");
        if !worth {
            return;
        }
        for name in templates(text, kind) {
            let named = (self.role(place), name);
            if !self.templates.contains(&named) {
                self.templates.push(named);
            }
        }
        for part in parts(text, kind, &self.engine, self.knows)
            .into_iter()
            .rev()
        {
            let name = self.name(&text[part.start..part.end], &part, place);
            text.replace_range(part.start..part.end, &name);
        }
    }

    /// The folder of the role that a place is in.
    fn role(&self, place: &Place) -> Option<String> {
        let below = place.pointer.strip_prefix("/roles/")?;
        let key = below
            .split('/')
            .next()?
            .replace("~1", "/")
            .replace("~0", "~");
        self.roles.get(key.as_str()).map(|path| (*path).to_owned())
    }

    /// The name of the variable that takes an expression's place. The same expression of the same role is one.
    fn name(&mut self, expression: &str, part: &Part, place: &Place) -> String {
        let role = self.role(place);
        let known = self
            .wanted
            .iter_mut()
            .find(|w| w.expression == expression && w.role == role);
        if let Some(known) = known {
            known.secret |= place.no_log;
            return known.name.clone();
        }
        let name = format!("{PREFIX}{}", self.wanted.len() + 1);
        let analysis = self.engine.check_expr(expression);
        let mentions = analysis.map(|a| a.mentioned).unwrap_or_default();
        self.wanted.push(Wanted {
            name: name.clone(),
            expression: expression.to_owned(),
            what: part.what.clone(),
            secret: part.secret || place.no_log,
            mentions: mentions.iter().map(|m| m.to_string()).collect(),
            role,
            place: place.clone(),
        });
        name
    }
}

impl Wanted {
    fn problem(&self, message: String) -> Problem {
        let mut problem = Problem::new(self.place.pointer.clone(), message);
        problem.source.clone_from(&self.place.source);
        if let Some((task, name)) = &self.place.task {
            problem.task = Some(task.clone());
            problem.name = Some(name.clone());
        } else {
            let place = format!("it stands in {}", self.place.pointer);
            problem.notes.push(place);
        }
        problem
    }
}

fn text_of(value: Option<&Json>) -> Option<String> {
    value.and_then(Json::as_str).map(str::to_owned)
}
