//! The commands, one file each.

mod analyze_compatibility;
mod audit;
mod connect;
mod deploy;
mod diff;
mod exec;
mod explain;
mod extract;
mod facts;
mod inspect;
mod inventory;
mod keygen;
mod pack;
mod parse;
mod plan;
mod playbook;
mod push;
mod refactor;
mod replay;
mod report;
mod resume;
mod run;
mod runs;
mod schema;
mod stub;
mod template;
mod vault;
mod verify;

pub(crate) use playbook::connection;
pub(crate) use playbook::passwords::take_from_environment as take_passwords_from_environment;

use std::process::ExitCode;

use clap::Subcommand;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pack a plan, its files and its secrets into one executable.
    Pack(Box<pack::Pack>),
    /// Send an artifact to machines over ssh and run it there.
    Push(Box<push::Push>),
    /// Run playbooks, as ansible-playbook does.
    Playbook(Box<playbook::PlaybookCommand>),
    /// Print a playbook with its inventory as one JSON document.
    Parse(Box<parse::Parse>),
    /// Add to a parsed playbook what kinds of machines its hosts are.
    Facts(Box<facts::Facts>),
    /// Decide where every task runs, and print the execution plan.
    Plan(Box<plan::PlanCommand>),
    /// Say which hosts can be reached, and hold connections open.
    Connect(Box<connect::Connect>),
    /// Put what an execution plan needs into the caches of its hosts.
    Deploy(Box<deploy::Deploy>),
    /// Run an execution plan on its hosts.
    Exec(Box<exec::Exec>),
    /// Show what keeps a playbook's tasks from running on their targets alone.
    AnalyzeCompatibility(Box<analyze_compatibility::AnalyzeCompatibility>),
    /// Rewrite a playbook so that more of it runs on the targets alone.
    Refactor(Box<refactor::Refactor>),
    /// Run one task, as ansible does.
    Run(Box<run::Run>),
    /// List the runs that were recorded on this machine.
    Runs(runs::Runs),
    /// Go on with a run that was killed.
    Resume(resume::Resume),
    /// Print a recorded run again, as it was printed when it happened.
    Replay(replay::Replay),
    /// Make a report of a recorded run: a page for the browser, JSON, or JUnit's XML.
    Report(report::Report),
    /// Show what was run where and by whom, and check that nothing of it was changed.
    Audit(audit::AuditCommand),
    /// Show what an artifact holds.
    Inspect(inspect::Inspect),
    /// Check every byte of an artifact and who signed it, without running anything.
    Verify(verify::Verify),
    /// Write the files that an artifact carries into a folder.
    Extract(extract::Extract),
    /// Show what changed from one artifact to the next.
    Diff(diff::Diff),
    /// Make a key for signing, or for receiving secrets.
    Keygen(keygen::Keygen),
    /// Print the JSON Schema of a document.
    Schema(schema::Schema),
    /// List, build and add runners for other machines.
    #[command(subcommand)]
    Stub(stub::Stub),
    /// Show an inventory, as ansible-inventory does.
    Inventory(Box<inventory::Inventory>),
    /// Show every place that sets a variable of a host.
    Explain(Box<explain::Explain>),
    /// Render a template with the variables of a host.
    Template(Box<template::Template>),
    /// Encrypt and decrypt files and strings, as ansible-vault does.
    #[command(subcommand)]
    Vault(vault::Vault),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<ExitCode, Failure> {
        let exit = match self {
            Command::Push(c) => return c.run(console).map(ExitCode::from),
            Command::Playbook(c) => return c.run(console).map(ExitCode::from),
            Command::Run(c) => return c.run(console).map(ExitCode::from),
            Command::Connect(c) => return c.run(console).map(ExitCode::from),
            Command::Deploy(c) => return c.run(console).map(ExitCode::from),
            Command::Exec(c) => return c.run(console).map(ExitCode::from),
            Command::Replay(c) => return c.run(console).map(ExitCode::from),
            Command::Resume(c) => return c.run().map(ExitCode::from),
            Command::Runs(c) => c.run(),
            Command::Report(c) => c.run(console),
            Command::Audit(c) => c.run(),
            Command::Pack(c) => c.run(console),
            Command::AnalyzeCompatibility(c) => c.run(console),
            Command::Refactor(c) => c.run(console),
            Command::Parse(c) => c.run(console),
            Command::Facts(c) => c.run(console),
            Command::Plan(c) => c.run(console),
            Command::Inspect(c) => c.run(console),
            Command::Verify(c) => c.run(console),
            Command::Extract(c) => c.run(console),
            Command::Diff(c) => c.run(console),
            Command::Keygen(c) => c.run(console),
            Command::Schema(c) => c.run(),
            Command::Stub(c) => c.run(console),
            Command::Inventory(c) => c.run(console),
            Command::Explain(c) => c.run(console),
            Command::Template(c) => c.run(console),
            Command::Vault(c) => c.run(console),
        };
        exit.map(ExitCode::from)
    }
}

/// The names of all commands: `rustle-NAME` is a name that the program may have.
pub(crate) fn names() -> impl Iterator<Item = String> {
    Command::augment_subcommands(clap::Command::new("rustle"))
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect::<Vec<_>>()
        .into_iter()
}

/// Whether the arguments name a command that ends as Ansible's own do.
pub(crate) fn is_ansible_s(arguments: &[std::ffi::OsString]) -> bool {
    let named = arguments.iter().skip(1).filter_map(|a| a.to_str());
    let mut named = named.filter(|a| !a.starts_with('-'));
    matches!(named.next(), Some("playbook" | "run"))
}

/// The option `--json`.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Output {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A document as indented JSON with a final newline.
fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|mut text| {
            text.push('\n');
            text
        })
        .map_err(|e| Failure::text(Exit::Machine, format!("cannot write JSON: {e}")))
}

/// A document for other commands: without fields that say nothing, with ciphertexts in place of secrets.
fn document<T: serde::Serialize>(
    value: &T,
    ciphertexts: &indexmap::IndexMap<String, String>,
) -> Result<String, Failure> {
    let failed = |e| Failure::text(Exit::Machine, format!("cannot write JSON: {e}"));
    let text = rustle_formats::plan::json::to_text(value).map_err(failed)?;
    if ciphertexts.is_empty() {
        return Ok(text);
    }
    let mut document = serde_json::from_str(&text).map_err(failed)?;
    rustle_planner::documents::show(&mut document, ciphertexts);
    json(&document)
}

/// Bytes for people: `1.5 MB`.
fn bytes(n: u64) -> String {
    match n {
        0..1000 => format!("{n} B"),
        1000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

/// The first Ctrl-C asks the run to stop; the second ends the program.
fn catch_interrupt(flag: &std::sync::Arc<std::sync::atomic::AtomicBool>) {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where a handler cannot be set, Ctrl-C ends the program at once, as ever.
        let _ = signal_hook::flag::register_conditional_shutdown(
            signal,
            99,
            std::sync::Arc::clone(flag),
        );
        let _ = signal_hook::flag::register(signal, std::sync::Arc::clone(flag));
    }
}
