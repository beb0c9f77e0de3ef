//! Hosts of one kind of machine share one artifact.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use indexmap::{IndexMap, IndexSet};
use rustle_formats::plan::{BinaryDeployment, EmbeddedData, ExecutionPlan, StaticFile};
use rustle_formats::{Map, Value};

use super::{Decision, Verdict};
use crate::documents::ArchitectureFacts;

/// How tasks get to their hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// What runs on the targets is packed; the rest is done with the controller's help.
    #[default]
    BinaryHybrid,
    /// Everything is packed, and what needs the controller is refused.
    BinaryOnly,
    /// Nothing is packed: the controller leads task by task.
    SshOnly,
}

impl Strategy {
    /// The name, as `--strategy` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::BinaryHybrid => "binary-hybrid",
            Strategy::BinaryOnly => "binary-only",
            Strategy::SshOnly => "ssh-only",
        }
    }
}

/// How deployments are made.
pub struct Deploying<'a> {
    /// The strategy.
    pub strategy: Strategy,
    /// An artifact is worth it from so many tasks on.
    pub threshold: usize,
    /// Artifacts are made whatever the threshold.
    pub force: bool,
    /// The hosts' kinds of machines, by name. Hosts that are not here are reached over ssh.
    pub targets: &'a IndexMap<String, String>,
    /// The files that tasks name, by the tasks' ids.
    pub files: &'a BTreeMap<String, Vec<StaticFile>>,
}

/// The target of a machine as `rustle pack --target` takes it, if there can be runners for its kind.
pub fn target_of(facts: &ArchitectureFacts) -> Option<String> {
    let architecture = match facts.ansible_architecture.as_str() {
        "arm64" => "aarch64",
        "amd64" => "x86_64",
        "i386" | "i586" => "i686",
        "armv7l" => "armv7",
        other => other,
    };
    let known = [
        "x86_64", "aarch64", "i686", "armv7", "riscv64", "ppc64le", "s390x",
    ];
    (facts.ansible_system == "Linux" && known.contains(&architecture))
        .then(|| format!("{architecture}-linux"))
}

/// Groups hosts and tasks into deployments, and puts them and the scores that follow from them into the plan. Which hosts get
/// none, and why, is handed back as sentences.
pub fn deploy(
    plan: &mut ExecutionPlan,
    decisions: &[Decision],
    deploying: &Deploying<'_>,
) -> Vec<String> {
    let mut left = Vec::new();
    let mut unknown: IndexSet<&str> = IndexSet::new();
    let mut kinds: IndexMap<&str, IndexSet<&str>> = IndexMap::new();
    if deploying.strategy != Strategy::SshOnly {
        for host in plan.plays.iter().flat_map(|p| &p.hosts) {
            if let Some(target) = deploying.targets.get(host) {
                kinds.entry(target).or_default().insert(host);
            } else {
                unknown.insert(host);
            }
        }
    }
    let mut deployments: Vec<BinaryDeployment> = Vec::new();
    for (target, hosts) in &kinds {
        let mut made = one(plan, decisions, deploying, target, hosts);
        let enough = made.tasks.len() >= deploying.threshold
            || deploying.force
            || deploying.strategy == Strategy::BinaryOnly;
        if enough && !made.tasks.is_empty() {
            made.deployment_id = format!("d{}", deployments.len() + 1);
            deployments.push(made);
        } else {
            left.push(format!(
                "none for {target}: {} tasks run natively there, and --binary-threshold is {}",
                made.tasks.len(),
                deploying.threshold
            ));
        }
    }
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.into_iter().collect();
        left.push(format!(
            "none for {}: what kinds of machines they are is not known (`rustle facts`, `ansible_architecture`)",
            names.join(", ")
        ));
    }
    scores(plan, decisions, &deployments);
    plan.binary_deployments = deployments;
    plan.total_tasks = Some(plan.count_tasks());
    let mut options = Map::new();
    options.insert("strategy".into(), deploying.strategy.name().into());
    options.insert(
        "binary_threshold".into(),
        Value::Int(deploying.threshold as i64),
    );
    options.insert("force_binary".into(), Value::Bool(deploying.force));
    plan.metadata.planning_options = Some(Value::Map(options));
    plan.metadata.rustle_plan_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    left
}

fn one(
    plan: &ExecutionPlan,
    decisions: &[Decision],
    deploying: &Deploying<'_>,
    target: &str,
    hosts: &IndexSet<&str>,
) -> BinaryDeployment {
    let plays: HashSet<usize> = (0..plan.plays.len())
        .filter(|p| {
            plan.plays[*p]
                .hosts
                .iter()
                .any(|h| hosts.contains(h.as_str()))
        })
        .collect();
    let theirs = || decisions.iter().filter(|d| plays.contains(&d.play));
    let native: Vec<&Decision> = theirs().filter(|d| d.verdict.is_alone()).collect();
    let ids: IndexSet<&str> = native.iter().map(|d| d.task.as_str()).collect();
    let modules: BTreeSet<&str> = native.iter().map(|d| d.module.as_str()).collect();
    let mut files: Vec<StaticFile> = Vec::new();
    for file in ids
        .iter()
        .filter_map(|id| deploying.files.get(*id))
        .flatten()
    {
        if !files.contains(file) {
            files.push(file.clone());
        }
    }
    let mut needs = Map::new();
    needs.insert("target".into(), target.into());
    BinaryDeployment {
        deployment_id: String::new(),
        target_hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
        binary_name: format!("rustle-{target}"),
        modules: modules.into_iter().map(str::to_owned).collect(),
        execution_mode: Some(
            if theirs().all(|d| d.verdict.is_alone()) {
                "Standalone"
            } else {
                "Hybrid"
            }
            .to_owned(),
        ),
        estimated_size: Some(files.iter().map(|f| f.size).sum()),
        embedded_data: EmbeddedData {
            static_files: files,
            ..EmbeddedData::default()
        },
        compilation_requirements: Some(Value::Map(needs)),
        tasks: ids.into_iter().map(str::to_owned).collect(),
    }
}

/// How much runs without anybody else, and how many round trips are saved, each as a share of what ssh task by task needs.
fn scores(plan: &mut ExecutionPlan, decisions: &[Decision], deployments: &[BinaryDeployment]) {
    let packed: HashSet<&str> = deployments
        .iter()
        .flat_map(|d| &d.target_hosts)
        .map(String::as_str)
        .collect();
    let (mut all, mut alone, mut trips) = (0u64, 0u64, packed.len() as u64);
    for decision in decisions {
        let native = decision.verdict == Verdict::Native;
        for host in &plan.plays[decision.play].hosts {
            all += 1;
            alone += u64::from(native && decision.local);
            trips += u64::from(!(native && packed.contains(host.as_str())));
        }
    }
    let share = |part: u64| match all {
        0 => 0.0,
        all => (part as f64 / all as f64 * 1e4).round() / 1e4,
    };
    plan.parallelism_score = Some(share(alone));
    plan.network_efficiency_score = Some(share(all.saturating_sub(trips)));
}
