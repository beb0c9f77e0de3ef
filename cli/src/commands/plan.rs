//! `rustle plan`: where every task runs, and the plan that says so.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::plan::{StaticFile, Way, carried};
use rustle_planner::decide::{
    Counts, Decision, Deploying, Knowledge, Module, Strategy, Verdict, decide, deploy, explain,
    target_of,
};
use rustle_runtime::check::{
    AssetRequest, CONTROLLER_LOOKUPS, CheckOptions, Problem, Severity, asset_requests, check,
    controller_reason,
};
use rustle_runtime::modules::find;
use rustle_runtime::spec::Reach;
use serde::Serialize;

use crate::asset_files::Search;
use crate::checks;
use crate::console::Console;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_cache::{self, Answer};
use crate::plan_input::PlanInput;
use crate::planning::{Input, Made, SourceOptions};
use crate::this_machine;

/// The names of strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StrategyName {
    /// What runs on the targets is packed; the controller helps with the rest.
    BinaryHybrid,
    /// Everything is packed; what needs the controller is refused.
    BinaryOnly,
    /// Nothing is packed.
    SshOnly,
}

/// Decides for every task whether it runs natively on its target, needs the controller, or is refused; groups hosts of one kind
/// of machine into one artifact; prints the execution plan as JSON (`rustle schema plan`).
#[derive(Debug, clap::Args)]
pub(crate) struct PlanCommand {
    /// A playbook, or what `rustle parse` or `rustle facts` has written; `-`: standard input.
    #[arg(value_name = "PLAYBOOK", default_value = "-")]
    playbook: PathBuf,
    /// Print for every task where it runs, and why, in place of the plan.
    #[arg(long)]
    explain: bool,
    /// With --explain: print JSON.
    #[arg(long, requires = "explain")]
    json: bool,
    /// How tasks get to their hosts.
    #[arg(
        long,
        value_enum,
        default_value = "binary-hybrid",
        value_name = "STRATEGY"
    )]
    strategy: StrategyName,
    /// An artifact is made for hosts with at least this many tasks that run natively.
    #[arg(long, default_value_t = 5, value_name = "N")]
    binary_threshold: usize,
    /// Make artifacts whatever the number of tasks.
    #[arg(long)]
    force_binary: bool,
    /// Accepted: plans are always grouped for the fewest round trips.
    #[arg(long, hide = true)]
    optimize: bool,
    #[command(flatten)]
    options: SourceOptions,
}

impl PlanCommand {
    /// Prints it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let question = format!("plan {self:?}");
        let input = Input::read(&self.playbook)?;
        plan_cache::answer(input, &self.options, &question, console, |made| {
            self.answer(made, console)
        })?
        .give(console)
    }

    fn answer(&self, mut made: Made, console: &Console) -> Result<Answer, Failure> {
        let judged = judge(&mut made);
        for warning in &judged.warnings {
            console.say(warning);
        }
        let mut decisions = judged.decisions;
        let strategy = match self.strategy {
            StrategyName::BinaryHybrid => Strategy::BinaryHybrid,
            StrategyName::BinaryOnly => Strategy::BinaryOnly,
            StrategyName::SshOnly => Strategy::SshOnly,
        };
        if strategy == Strategy::BinaryOnly {
            refuse_controller(&mut decisions);
        }
        let targets = targets(&made);
        let deploying = Deploying {
            strategy,
            threshold: self.binary_threshold,
            force: self.force_binary,
            targets: &targets,
            files: &judged.files,
        };
        let left = deploy(&mut made.plan, &decisions, &deploying);
        if self.explain {
            let mut answer = self.show(made, &decisions, &left)?;
            answer.lasting &= judged.warnings.is_empty();
            return Ok(answer);
        }
        self.sound(&mut made, &decisions)?;
        // Packing declares them anew, where it opens the ciphertexts.
        made.plan.secrets.clear();
        Ok(Answer {
            text: super::document(&made.plan, &made.ciphertexts)?,
            after: Vec::new(),
            exit: Exit::Done,
            lasting: judged.warnings.is_empty(),
        })
    }

    fn show(&self, made: Made, decisions: &[Decision], left: &[String]) -> Result<Answer, Failure> {
        let counts = Counts::of(decisions);
        let done = counts.refused == 0 && made.problems.is_empty();
        let text = if self.json {
            super::json(&Explained {
                tasks: decisions,
                counts,
                deployments: &made.plan.binary_deployments,
            })?
        } else {
            explain(&made.plan, decisions, left, Path::new(&made.name))
        };
        Ok(Answer {
            text,
            after: made.problems.into_iter().map(|w| w.message).collect(),
            exit: if done { Exit::Done } else { Exit::Refused },
            lasting: done,
        })
    }

    /// Fails where a task is refused.
    fn sound(&self, made: &mut Made, decisions: &[Decision]) -> Result<(), Failure> {
        made.sound()?;
        let problems: Vec<Problem> = decisions.iter().filter_map(refusal).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let folder = self.playbook.parent().unwrap_or(Path::new("")).to_owned();
        let input = PlanInput::planned(made.name.clone(), folder, std::mem::take(&mut made.plan));
        Err(Failure {
            diagnostics: checks::diagnostics(
                &input,
                problems.into_iter().map(Into::into).collect(),
            ),
            exit: Exit::Refused,
        })
    }
}

/// What `--explain --json` prints.
#[derive(Serialize)]
struct Explained<'a> {
    tasks: &'a [Decision],
    counts: Counts,
    deployments: &'a [rustle_formats::plan::BinaryDeployment],
}

fn refusal(decision: &Decision) -> Option<Problem> {
    let Verdict::Refused { why, rewrite } = &decision.verdict else {
        return None;
    };
    let mut problem = Problem::new("", why.clone());
    problem.task = Some(decision.task.clone());
    problem.name = Some(decision.name.clone());
    problem.source.clone_from(&decision.source);
    problem.hint.clone_from(rewrite);
    Some(problem)
}

/// Without a controller, what needs one cannot be.
fn refuse_controller(decisions: &mut [Decision]) {
    for decision in decisions {
        if let Verdict::Controller { why } = &decision.verdict {
            decision.verdict = Verdict::Refused {
                why: format!(
                    "it needs the controller, which --strategy binary-only does without: {why}"
                ),
                rewrite: Some("take --strategy binary-hybrid".to_owned()),
            };
        }
    }
}

/// The decisions, and the files that tasks name.
pub(super) struct Judged {
    /// The decisions.
    pub(super) decisions: Vec<Decision>,
    /// What a run would fail of where it reaches it.
    pub(super) warnings: Vec<Diagnostic>,
    files: BTreeMap<String, Vec<StaticFile>>,
}

/// Decides about every task. Problems that belong to a task become its refusal.
pub(super) fn judge(made: &mut Made) -> Judged {
    let folder = made
        .plan
        .base_dir
        .clone()
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    let input = PlanInput::planned(made.name.clone(), folder, std::mem::take(&mut made.plan));
    let search = Search::new(&input, &[]).watched(made.watch.clone());
    let plan = input.plan();
    let requests = asset_requests(plan);
    let mut by_task: HashMap<&str, Vec<&AssetRequest>> = HashMap::new();
    for request in &requests {
        by_task.entry(&request.task).or_default().push(request);
    }
    // Tasks of one role, and its loops, name the same few templates.
    let known: RefCell<HashMap<PathBuf, Option<String>>> = RefCell::default();
    let templates = |task: &str| {
        let requests = by_task.get(task).into_iter().flatten();
        let paths = requests
            .filter(|r| r.kind == "templates")
            .filter_map(|r| search.file(r));
        paths
            .filter_map(|path| {
                let mut known = known.borrow_mut();
                let text = known
                    .entry(path)
                    .or_insert_with_key(|path| search.template_at(path));
                text.clone()
            })
            .collect()
    };
    let ways: HashMap<&str, Way<'_>> = carried(plan).map(|m| (m.name, m.way)).collect();
    let (refused, warnings) = refused(made, &input);
    let warnings = checks::diagnostics(&input, warnings.into_iter().map(Into::into).collect());
    let knowledge = Knowledge {
        module: &|name| match ways.get(name) {
            Some(Way::Action) => {
                Module::Controller("its work is done by an action plugin there".to_owned())
            }
            Some(Way::Python(_)) => Module::Carried("by its Python"),
            Some(Way::File) => Module::Carried("by a program or script of its own"),
            None => module(name),
        },
        controller_lookups: CONTROLLER_LOOKUPS,
        templates: &templates,
        refused,
    };
    let decisions = decide(plan, &made.patterns, &knowledge);
    let mut files: BTreeMap<String, Vec<StaticFile>> = BTreeMap::new();
    for request in &requests {
        let found = search.file(request).and_then(|path| static_file(&path));
        files.entry(request.task.clone()).or_default().extend(found);
    }
    let mut input = input;
    made.plan = input.take_plan();
    Judged {
        decisions,
        warnings,
        files,
    }
}

fn static_file(path: &Path) -> Option<StaticFile> {
    let size = path.metadata().ok()?.len();
    Some(StaticFile {
        src_path: path.to_string_lossy().into_owned(),
        size,
        ..StaticFile::default()
    })
}

/// What is wrong with a task, and what may help.
type Refusal = (String, Option<String>);

/// The tasks that are refused for what the checks of the plan and the planner say of them, by id; and the checks' warnings.
fn refused(made: &Made, input: &PlanInput) -> (HashMap<String, Refusal>, Vec<Problem>) {
    let plan = input.plan();
    let options = CheckOptions {
        attached: true,
        as_reached: true,
        missing: Some(&|name| made.refusals.get(name).cloned()),
        ..CheckOptions::default()
    };
    let mut out = HashMap::new();
    let mut warnings = Vec::new();
    let modules: HashMap<&str, &str> = plan
        .tasks()
        .map(|t| (t.id.as_str(), t.module.as_str()))
        .collect();
    for problem in check(plan, &options) {
        let of_module = problem.pointer.ends_with("/module");
        if problem.severity != Severity::Error && !of_module {
            // What a variable asks of the controller is told with the tasks that use it.
            warnings.extend(problem.task.is_some().then_some(problem));
            continue;
        }
        let Some(task) = problem.task else { continue };
        let known = modules
            .get(task.as_str())
            .is_some_and(|m| controller_reason(m).is_some());
        if !known {
            out.entry(task).or_insert((problem.message, problem.hint));
        }
    }
    // The planner's problems have places. A task's own begin at it and end before the next one.
    for wrong in &made.problems {
        let Some((file, place)) = wrong.file.as_ref().zip(wrong.message.location.as_ref()) else {
            continue;
        };
        let here = plan
            .tasks()
            .filter_map(|t| Some((t.source.as_ref()?, &t.id)));
        let of_file =
            here.filter(|(s, _)| Path::new(&s.file) == file && s.line as usize <= place.line);
        if let Some((_, id)) = of_file.max_by_key(|(s, _)| s.line) {
            let told = (wrong.message.message.clone(), wrong.message.hint.clone());
            out.entry(id.clone()).or_insert(told);
        }
    }
    (out, warnings)
}

/// What the runtime has of a module.
fn module(name: &str) -> Module {
    let short = name.rsplit('.').next().unwrap_or(name);
    if matches!(short, "meta" | "include_tasks" | "include_role" | "include") {
        return Module::Flow;
    }
    // `fetch` is there, and what it reads goes to the controller.
    if let Some(why) = controller_reason(name) {
        return Module::Controller(why.to_owned());
    }
    match find(name) {
        Some(module) => Module::Native {
            local: module.spec().reach == Reach::Local,
        },
        None => Module::Unknown {
            message: format!("unknown module `{name}`"),
            hint: None,
        },
    }
}

/// The targets of the hosts whose machines are known: from facts, variables, or because it is this machine.
fn targets(made: &Made) -> IndexMap<String, String> {
    let hosts = made.plan.hosts.iter();
    hosts
        .filter_map(|(name, host)| {
            let facts = match made.facts.get(name) {
                Some(facts) => facts.clone(),
                None => this_machine::known(name, host)?,
            };
            Some((name.clone(), target_of(&facts)?))
        })
        .collect()
}
