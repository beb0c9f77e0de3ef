//! `rustle template`: renders a template as a task of the module `template` would for a host, and prints it.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use indexmap::IndexMap;
use rustle_controller::local::{DiskFiles, LocalRun};
use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::{Map, Value};
use rustle_planner::{Request, plan};
use rustle_playbook::Problem;
use rustle_playbook::play::Reader;
use rustle_runtime::engine::{Machine, Options};

use super::playbook::plugins;
use crate::console::Console;
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source::{self as source, Chosen, Parts, open};
use crate::replace::replace;
use crate::surroundings::{Surroundings, refused};
use crate::vault_options::VaultOptions;

/// Renders a template and prints the result, with the variables of a host: its inventory's, those of group_vars/ and
/// host_vars/ beside the inventory and in the working directory, and --extra-vars. No facts are gathered.
#[derive(Debug, clap::Args)]
pub(crate) struct Template {
    /// The template; `-`: standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The host whose variables are used.
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE")]
    inventory: Vec<String>,
    /// Variables: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    /// Write to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    vault: VaultOptions,
}

/// The name of the task list that the command makes up; it is in the working directory, so that what lies beside a
/// playbook is looked for there.
const MADE_UP: &str = "rustle template";

impl Template {
    /// Renders it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let work = crate::failure::work_folder("template")?;
        let target = work.path().join("rendered");
        let rendered = self.render(&self.source(work.path())?, &target, console)?;
        match &self.output {
            Some(path) => replace(path, &rendered, None)
                .map_err(|e| machine(format!("{}: {e}", path.display())))?,
            None => std::io::stdout()
                .lock()
                .write_all(&rendered)
                .map_err(|e| machine(format!("standard output: {e}")))?,
        }
        Ok(Exit::Done)
    }

    /// The template's path, absolute.
    fn source(&self, work: &std::path::Path) -> Result<PathBuf, Failure> {
        if self.file.as_os_str() != "-" {
            return self
                .file
                .canonicalize()
                .map_err(|e| Failure::text(Exit::Plan, format!("{}: {e}", self.file.display())));
        }
        let mut text = Vec::new();
        std::io::stdin()
            .read_to_end(&mut text)
            .map_err(|e| machine(format!("standard input: {e}")))?;
        let path = work.join("standard input");
        std::fs::write(&path, text).map_err(|e| machine(format!("{}: {e}", path.display())))?;
        Ok(path)
    }

    /// Lets the engine do one task, which renders the template into a file.
    fn render(
        &self,
        template: &std::path::Path,
        target: &std::path::Path,
        console: &Console,
    ) -> Result<Vec<u8>, Failure> {
        let task = serde_json::json!({
            "ansible.builtin.template": {"src": template, "dest": target, "mode": "0600"},
        });
        let play = serde_json::json!([{
            "hosts": self.host, "gather_facts": false, "connection": "local", "tasks": [task],
        }]);
        let surroundings = Surroundings::load(console)?;
        let path = surroundings.config.environment().directory.join(MADE_UP);
        let disk = Disk::new(self.vault.vault(&surroundings, console, false)?)
            .with(&path, play.to_string().into_bytes());
        let sources = &surroundings.sources;
        let refuse = |problems: Vec<Problem>| refused(&problems, sources);
        let one = |problem: Problem| refuse(vec![problem]);
        let extra = source::extra(&surroundings, &disk, &self.extra_vars).map_err(one)?;
        let reading = source::options(&surroundings, &extra);
        let reader = Reader::new(sources, &disk, &reading);
        let playbook = source::read(&reader, &path).map_err(one)?;
        let parts = Parts {
            path: &path,
            playbook: &playbook,
            reader: &reader,
            surroundings: &surroundings,
            disk: &disk,
            extra: &extra,
            open: &|vault| open(&disk, vault),
            vaulted: &|_| false,
        };
        let chosen = Chosen {
            inventory: &self.inventory,
            limit: None,
        };
        let targets = source::targets(&parts, &chosen, console).map_err(refuse)?;
        if !targets.names().contains(&self.host) {
            return Err(Failure::text(
                Exit::Options,
                format!("the inventory has no host `{}`", self.host),
            )
            .hint("name the inventory with -i, and look at it with `rustle inventory --list`"));
        }
        let planned = plan(Request {
            playbook: &playbook,
            path: &path,
            reader: &reader,
            sources,
            inventory: targets.inventory,
            hosts: targets.hosts,
            directory: surroundings.config.environment().directory.clone(),
            decrypt: parts.open,
            vaulted: parts.vaulted,
            gather: false,
            extra_vars: targets.extra,
            runtime: source::runtime(&surroundings.config),
            prompted: IndexMap::new(),
        })
        .map_err(refuse)?;
        let base = planned.plan.base_dir.clone().unwrap_or_default();
        let controller = plugins::controller(&parts, &planned.plan, console)?;
        let environment = surroundings.config.environment();
        let trouble: RefCell<Option<String>> = RefCell::default();
        LocalRun {
            plan: &planned.plan,
            host: self.host.clone(),
            options: Options::default(),
            files: DiskFiles::at(base.into(), environment.home.clone()).opening(disk.opener()),
            controller: Some(&controller),
            secrets: planned.secrets,
            machine: Machine {
                env: environment
                    .variables
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
                cwd: environment.directory.clone(),
                work_dir: target.with_file_name("work"),
                async_dir: None,
                program: std::env::current_exe().ok(),
                image: None,
            },
            others: &|_| Map::new(),
            emit: &|event| note(event, &trouble),
            cancelled: &|| false,
            confirm: &|_| rustle_runtime::engine::Confirm::Yes,
        }
        .run();
        match trouble.into_inner() {
            Some(why) => Err(Failure::text(
                Exit::Refused,
                format!("{}: {why}", self.file.display()),
            )),
            None => {
                std::fs::read(target).map_err(|e| machine(format!("{}: {e}", target.display())))
            }
        }
    }
}

fn machine(message: String) -> Failure {
    Failure::text(Exit::Machine, message)
}

/// Keeps the reason of a failure.
fn note(event: &Event, trouble: &RefCell<Option<String>>) {
    if let EventKind::TaskResult { result, status, .. } = &event.kind
        && matches!(status, Status::Failed | Status::Unreachable)
    {
        let message = result.get("msg").and_then(Value::as_str);
        let message = message.unwrap_or("the template cannot be rendered");
        trouble.replace(Some(message.to_owned()));
    }
}
