//! `rustle deploy`: puts what a plan needs into its hosts' caches, so that running it later sends next to nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indexmap::IndexMap;
use rustle_controller::fleet::{Roster as _, Way};
use rustle_controller::offer::PushArtifact;
use rustle_controller::push::{PushOptions, push};
use rustle_formats::Map;
use rustle_formats::report::{BinaryDeploymentStatus, DeploymentReport};
use rustle_formats::session::Start;

use super::connection::ConnectionOptions;
use crate::asset_files;
use crate::connected::connection;
use crate::console::{Console, print};
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::on_hosts;
use crate::plan_input::PlanInput;
use crate::plan_roster::PlanRoster;
use crate::playbook_source::opened;
use crate::reach::Reach;
use crate::several_at_once::several_at_once;
use crate::surroundings::Surroundings;
use crate::vault_options::VaultOptions;

/// The version of the report's shape.
const VERSION: u32 = 1;

/// Puts what a plan needs into the caches of its hosts, runs nothing, and prints a report (`rustle schema deployment`). Only what a host
/// lacks is sent: the runner, the plan, and the files that its tasks name.
#[derive(Debug, clap::Args)]
pub(crate) struct Deploy {
    /// The plan, as JSON (`rustle schema plan`); `-`: standard input.
    #[arg(value_name = "PLAN", default_value = "-")]
    plan: PathBuf,
    /// How many hosts at a time.
    #[arg(long, value_name = "N", default_value_t = 10)]
    parallel: usize,
    /// Look a second time whether all of it has arrived.
    #[arg(long)]
    verify: bool,
    /// The kind of connection where the plan names none: `ssh` or `local`. Default: ssh.
    #[arg(short, long, value_name = "KIND")]
    connection: Option<String>,
    #[command(flatten)]
    reaching: ConnectionOptions,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Deploy {
    /// Does it; ends with 4 where a host does not have it.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let started = Instant::now();
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        let vault = self.vault.vault(&surroundings, console, false)?;
        let mut input = PlanInput::read(&self.plan, console)?;
        input.open(|ciphertext| opened(&vault, ciphertext))?;
        let secrets = std::mem::take(&mut input.given);
        let folder = crate::failure::work_folder("deploy")?;
        let plan = input.plan();
        let base = input.base();
        let ahead = asset_files::ahead(plan, &base, self.connection.as_deref());
        let assets = ahead.map_or_else(Vec::new, |ahead| ahead.assets);
        let signing = self.reaching.sign.signing(console)?;
        let artifact = on_hosts::packed(plan, assets, folder.path(), signing.as_ref())?;
        let passwords = self.reaching.passwords(config).get(config, None)?;
        let reach = Reach {
            config,
            given: &self.reaching,
            kind: self.connection.as_deref(),
            password: passwords.connection.as_ref(),
            extra: &Map::new(),
            secrets: &secrets,
            folder: folder.path(),
        };
        let mut roster = PlanRoster::new(plan, reach);
        let ways: Vec<(String, Result<Way, String>)> = plan
            .hosts
            .keys()
            .map(|host| (host.clone(), roster.way(host, None)))
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        super::catch_interrupt(&stop);
        let deployed_binaries = several_at_once(&ways, self.parallel, |(host, way)| {
            let mut status = self.one(way, &artifact, &stop);
            status.host.clone_from(host);
            status
        });
        for status in &deployed_binaries {
            if let Some(why) = &status.error {
                console.say(&Diagnostic::error(format!("{}: {why}", status.host)));
            }
        }
        let whole = deployed_binaries.iter().all(|s| s.error.is_none());
        let had = deployed_binaries
            .iter()
            .filter(|s| s.deployed && s.bytes_sent == 0);
        let size = artifact.runner.len() as u64 + artifact.total;
        let report = DeploymentReport {
            version: VERSION,
            compilation_cache_hits: had.count() as u64,
            deployed_binaries,
            deployment_duration: started.elapsed().as_secs_f64(),
            binary_sizes: IndexMap::from([(artifact.target.clone(), size)]),
        };
        print(&super::json(&report)?)?;
        Ok(if whole { 0 } else { Exit::Refused as u8 })
    }

    fn one(
        &self,
        way: &Result<Way, String>,
        artifact: &PushArtifact,
        stop: &AtomicBool,
    ) -> BinaryDeploymentStatus {
        let mut status = BinaryDeploymentStatus::default();
        let opened = way.as_ref().map_err(Clone::clone).and_then(connection);
        let mut connection = match opened {
            Ok(Some(connection)) => connection,
            // This machine has the program itself.
            Ok(None) => {
                status.deployed = true;
                return status;
            }
            Err(why) => {
                status.error = Some(why);
                return status;
            }
        };
        let options = PushOptions {
            start: Start::default(),
            cancelled: &|| stop.load(Ordering::Relaxed),
            orders: None,
            survival: None,
            place_only: true,
        };
        let mut place = || push(connection.as_mut(), artifact, &options, &mut |_| {});
        match place() {
            Ok(pushed) => {
                status.deployed = true;
                status.bytes_sent = pushed.sent;
            }
            Err(e) => status.error = Some(e.to_string()),
        }
        if self.verify && status.deployed {
            match place() {
                Ok(again) => status.verified = Some(again.sent == 0),
                Err(e) => status.error = Some(e.to_string()),
            }
            if status.verified == Some(false) {
                status.error = Some("a part of it did not stay in the host's cache".to_owned());
            }
        }
        status
    }
}
