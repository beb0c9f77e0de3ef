//! Every text of the plan that is a template or an expression: whether it can be read, and whether what it needs exists.

mod levels;
mod tasks;

use std::collections::HashSet;
use std::rc::Rc;

use rustle_formats::Value;
use rustle_formats::plan::{Conditions, ExecutionPlan};

use super::defined::{Defined, View};
use super::files::Files;
use super::places::{Tree, always_holds};
use super::texts::{Looked, Reading, Texts, place};
use super::variables::missing;
use super::{CheckOptions, Placed, Problem, Severity, assets, did_you_mean, escaped};

/// A way into a value, from the inside out.
#[derive(Clone, Copy)]
pub(super) enum Path<'v> {
    Root(&'v str),
    Key(&'v Path<'v>, &'v str),
    Index(&'v Path<'v>, usize),
}

impl Path<'_> {
    /// The way as the end of a JSON pointer.
    pub(super) fn pointer(&self) -> String {
        match self {
            Path::Root(text) => (*text).to_owned(),
            Path::Key(above, key) => format!("{}/{}", above.pointer(), escaped(key)),
            Path::Index(above, index) => format!("{}/{index}", above.pointer()),
        }
    }
}

/// Where texts stand, and what is known about the moment when they are looked at.
#[derive(Clone)]
pub(super) struct Spot<'v, 'p> {
    pub(super) placed: Option<&'v Placed<'p>>,
    /// The pointer of what the texts belong to.
    pub(super) base: &'v str,
    pub(super) view: View<'v, 'p>,
    /// What becomes of variables that nothing defines.
    pub(super) undefined: Undefined,
    /// Names that a condition around has asked for.
    pub(super) guarded: Vec<Rc<str>>,
}

/// What becomes of variables that nothing defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undefined {
    /// The run fails there.
    Fails,
    /// The run fails there if it comes there.
    MayFail,
    /// Nobody minds.
    Harmless,
}

impl Spot<'_, '_> {
    pub(super) fn problem(&self, below: &str, message: String) -> Problem {
        match self.placed {
            Some(placed) => Problem::of(placed, below, message),
            None => Problem::new(format!("{}{below}", self.base), message),
        }
    }

    /// The same, where it is no longer sure that the run comes there.
    fn doubt(&mut self) {
        if self.undefined == Undefined::Fails {
            self.undefined = Undefined::MayFail;
        }
    }
}

/// The look at all texts of a plan.
pub(super) struct Scan<'a, 'p> {
    plan: &'p ExecutionPlan,
    tree: &'p Tree<'p>,
    pub(super) texts: Texts<'a>,
    pub(super) defined: Defined<'p>,
    pub(super) files: Files<'a>,
    pub(super) out: Vec<Problem>,
    /// Mistakes in variables, which matter where somebody uses the variable.
    unused: Vec<(&'p str, Problem)>,
    /// Variables that cannot be used, by play, with what they miss: said once.
    told: HashSet<(usize, String, String)>,
    /// The names that tasks notify.
    notified: HashSet<&'p str>,
}

impl<'a, 'p> Scan<'a, 'p> {
    pub(super) fn new(
        plan: &'p ExecutionPlan,
        tree: &'p Tree<'p>,
        defined: Defined<'p>,
        options: &CheckOptions<'a>,
    ) -> Scan<'a, 'p> {
        let read = options.template_text;
        let requests = match read {
            Some(_) => assets::requests(plan, tree, &defined),
            None => Vec::new(),
        };
        let by_tasks = tree.tasks.iter().flat_map(|p| &p.task.notify);
        let by_blocks = tree.blocks.iter().flat_map(|p| &p.block.notify);
        Scan {
            plan,
            tree,
            texts: Texts::new(options.plugin),
            defined,
            files: Files::new(read, requests),
            out: Vec::new(),
            unused: Vec::new(),
            told: HashSet::new(),
            notified: by_tasks.chain(by_blocks).map(String::as_str).collect(),
        }
    }

    /// Looks at everything.
    pub(super) fn run(mut self, out: &mut Vec<Problem>) {
        self.inventory();
        for (p, play) in self.plan.plays.iter().enumerate() {
            self.play(p, play);
        }
        for index in 0..self.tree.blocks.len() {
            self.block(index);
        }
        for (index, placed) in self.tree.tasks.iter().enumerate() {
            self.task(index, placed);
        }
        out.append(&mut self.out);
        for (name, mut problem) in self.unused {
            if !self.texts.mentioned.contains(name) {
                problem.severity = Severity::Warning;
                problem
                    .notes
                    .push(format!("no task uses the variable `{name}`"));
            }
            out.push(problem);
        }
    }

    /// A keyword or an argument: every text in it may be a template.
    fn keyword(&mut self, name: &str, value: Option<&Value>, spot: &Spot<'_, 'p>) {
        if let Some(value) = value {
            let root = Path::Root("");
            self.value(value, Path::Key(&root, name), spot);
        }
    }

    /// Every text in a value.
    fn value(&mut self, value: &Value, path: Path<'_>, spot: &Spot<'_, 'p>) {
        match value {
            Value::Str(text) => self.text(text, Reading::Template, &path, spot),
            Value::List(list) => {
                for (i, item) in list.iter().enumerate() {
                    self.value(item, Path::Index(&path, i), spot);
                }
            }
            Value::Map(map) => {
                for (key, item) in map {
                    self.value(item, Path::Key(&path, key), spot);
                }
            }
            // The document writes them as a list of pairs under a key of its own.
            Value::Pairs(pairs) => {
                let list = Path::Key(&path, rustle_formats::value::PAIRS_KEY);
                for (i, (_, item)) in pairs.iter().enumerate() {
                    self.value(item, Path::Index(&Path::Index(&list, i), 1), spot);
                }
            }
            _ => {}
        }
    }

    /// Conditions of one keyword, in the order in which they are asked: from the second on, they may not be.
    fn conditions(&mut self, name: &str, conditions: &Conditions, spot: &mut Spot<'_, 'p>) {
        let root = Path::Root("");
        self.conditions_at(Path::Key(&root, name), conditions, spot);
    }

    /// Conditions that stand at a place.
    fn conditions_at(&mut self, list: Path<'_>, conditions: &Conditions, spot: &mut Spot<'_, 'p>) {
        for (i, condition) in conditions.0.iter().enumerate() {
            // Documents write one condition, or a list of them; which of them cannot be told any more.
            let path = if conditions.0.len() == 1 {
                list
            } else {
                Path::Index(&list, i)
            };
            self.condition(condition, path, spot);
        }
    }

    /// A condition; what follows it is no longer sure to be reached, and knows what it asked for.
    fn condition(&mut self, condition: &Value, path: Path<'_>, spot: &mut Spot<'_, 'p>) {
        if let Value::Str(text) = condition {
            self.text(text, Reading::Condition, &path, spot);
        }
        self.pass(condition, spot);
    }

    /// Takes a condition for fulfilled.
    fn pass(&mut self, condition: &Value, spot: &mut Spot<'_, 'p>) {
        if always_holds(condition) {
            return;
        }
        spot.doubt();
        let Value::Str(text) = condition else { return };
        if let Some(looked) = self.texts.look(text, Reading::Condition) {
            let analysis = &looked.analysis;
            let asked = analysis.mentioned.iter();
            spot.guarded
                .extend(asked.filter(|n| !analysis.required.contains(n)).cloned());
        }
    }

    /// One text.
    fn text(&mut self, text: &str, reading: Reading, path: &Path<'_>, spot: &Spot<'_, 'p>) {
        let Some(looked) = self.texts.look(text, reading) else {
            return;
        };
        for fault in &looked.faults {
            let message = format!("{}{}", fault.message, place(fault.at));
            let problem = spot.problem(&path.pointer(), message);
            self.out.push(problem.hint(fault.hint.clone()));
        }
        self.names(&looked, spot, &|spot, message, at| {
            spot.problem(&path.pointer(), format!("{message}{}", place(at)))
        });
    }

    /// The names that a text cannot do without.
    pub(super) fn names(
        &mut self,
        looked: &Looked,
        spot: &Spot<'_, 'p>,
        problem: &NameProblem<'_, 'p>,
    ) {
        if spot.undefined == Undefined::Harmless || self.defined.open {
            return;
        }
        for name in &looked.analysis.required {
            if spot.guarded.contains(name) {
                continue;
            }
            let Some(missing) = missing(&self.defined, &mut self.texts, spot.view, name) else {
                continue;
            };
            let at = looked.analysis.place_of(name).unwrap_or_default();
            let meant = self.defined.nearest(spot.view, &missing.name);
            let sure = spot.undefined == Undefined::Fails;
            let what = match &missing.needed_by {
                None => format!("`{}` is undefined", missing.name),
                Some(by) => {
                    let once = (spot.view.play, by.clone(), missing.name.clone());
                    if !self.told.insert(once) {
                        continue;
                    }
                    format!("`{}`, which `{by}` needs, is undefined", missing.name)
                }
            };
            let mut found = problem(spot, what, at);
            found.hint = did_you_mean(meant.as_deref()).or_else(|| {
                Some(
                    "no variable, registered result, fact or loop of the plan has this name".into(),
                )
            });
            if !sure {
                found = found
                    .warning()
                    .note("a run may skip it, or forgive the failure");
            }
            self.out.push(found);
        }
    }
}

/// Makes a problem of a spot, a message, and a line and column.
pub(super) type NameProblem<'a, 'p> = dyn Fn(&Spot<'_, 'p>, String, (u32, u32)) -> Problem + 'a;
