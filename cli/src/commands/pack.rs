//! `rustle pack`: a plan or a playbook, its files and its secrets become one executable.
//!
//! Everything that can be known to be wrong is said before the output is touched, all of it at once: mistakes in the
//! plan, missing files, keys, runners.

mod flavour;
mod folding;
mod playbook;
mod vaulted;

use std::cell::RefCell;
use std::ffi::OsString;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustle_formats::plan::ExecutionPlan;
use rustle_formats::sign::SecretKey;
use rustle_packer::keys::{Existing, OsRandom, write_file};
use rustle_packer::overlay::{HostData, HostFile, OverlayOptions, build_overlay};
use rustle_packer::{
    AssetSource, Flavour, Method, PackReport, PackRequest, Placement, Recorded, pack,
};
use rustle_runtime::check::{CheckOptions, Problem, Severity, check};
use rustle_runtime::flavour::Needs;
use zeroize::Zeroizing;

use playbook::PackInput;

use super::{Output, bytes};
use crate::asset_files::{self, Search};
use crate::carried::Refusals;
use crate::checks;
use crate::console::{Console, print};
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::expiry::Bounds;
use crate::failure::Failure;
use crate::plan_input::PlanInput;
use crate::progress::Bar;
use crate::seal::{self, SealOptions};
use crate::stubs::{self, Runner, StubDir};

/// Packs a plan, or a playbook with its inventory.
#[derive(Debug, clap::Args)]
pub(crate) struct Pack {
    /// The plan (JSON; - reads standard input), or a playbook (YAML).
    plan: PathBuf,
    /// The file to write. With several targets: FILE-TRIPLE for each.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The machine that it is for: a triple or a short name (x86_64-linux). Default: this machine's kind.
    #[arg(short, long, value_name = "TARGET")]
    target: Vec<String>,
    /// Look for files of the plan here too, after the plan's own folder. May be given several times.
    #[arg(long, value_name = "DIR")]
    asset_root: Vec<PathBuf>,
    /// Pack the variables and secrets of this host in. Default: of the only host; with several, each host's go to a file
    /// in FILE.overlays.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    #[command(flatten)]
    playbook: playbook::PlaybookOptions,
    /// A variable that will be given when the artifact is started. May be given several times.
    #[arg(long, value_name = "NAME")]
    run_var: Vec<String>,
    /// Stage and check all files of a play before the first is put into place.
    #[arg(long)]
    atomic: bool,
    /// The artifact refuses to run without a host's overlay, even where the plan has no secrets and no variables of
    /// hosts, which make it refuse by themselves.
    #[arg(long)]
    require_overlay: bool,
    /// Sign with this key (`rustle keygen`).
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    payload: Payload,
    #[command(flatten)]
    seal: SealOptions,
    /// The runner's file, in place of one from the catalogue or from inside this program.
    #[arg(long, value_name = "FILE", conflicts_with = "stub_dir")]
    stub: Option<PathBuf>,
    #[command(flatten)]
    stub_dir: StubDir,
    #[command(flatten)]
    flavour: flavour::FlavourOption,
    /// Check the plan and its files, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: Output,
}

/// How the payload is made.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Payload")]
struct Payload {
    /// Put the payload into a section of the executable, which survives strip, instead of behind it.
    #[arg(long)]
    inject: bool,
    /// How to compress: zstd, xz, gzip, lz4 or none.
    #[arg(long, value_name = "METHOD", default_value = "zstd", value_parser = method)]
    compress: Method,
    /// How hard to compress. Default: by the method, harder between 50 and 200 MB.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    level: Option<i32>,
    /// How many threads work; 0: as many as there are cores. The bytes are the same with any number.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Leave the contents of files in a second file, FILE.rustle-data, which the artifact checks and reads.
    #[arg(long)]
    stream: bool,
    /// Take over what did not change from this earlier artifact.
    #[arg(long, value_name = "OLD")]
    base: Option<PathBuf>,
    /// The folder that remembers digests and frames. Default: rustle in the user's cache folder.
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Remember nothing.
    #[arg(long)]
    no_cache: bool,
    /// Record modification times.
    #[arg(long)]
    record_times: bool,
    /// Record numeric owners.
    #[arg(long)]
    record_owners: bool,
}

fn method(name: &str) -> Result<Method, String> {
    Ok(match name {
        "zstd" => Method::Zstd,
        "xz" => Method::Xz,
        "gzip" => Method::Gzip,
        "lz4" => Method::Lz4,
        "none" => Method::None,
        _ => return Err("methods are zstd, xz, gzip, lz4 and none".to_owned()),
    })
}

impl Payload {
    /// The folder of the cache, if there is to be one.
    fn cache(&self) -> Option<PathBuf> {
        if self.no_cache {
            return None;
        }
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        self.cache.clone().or_else(|| {
            set("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| set("HOME").map(|h| Path::new(&h).join(".cache")))
                .map(|cache| cache.join("rustle/pack"))
        })
    }
}

/// What is packed, whatever the target.
struct Input {
    plan: Arc<ExecutionPlan>,
    assets: Vec<AssetSource>,
    hosts: HostData,
    /// Files that are sealed into overlays.
    sealed: Vec<HostFile>,
    /// The hosts that it is for, where they were chosen.
    chosen: Option<Vec<String>>,
    folder: PathBuf,
}

impl Pack {
    /// Packs it for every target.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut failures = Vec::new();
        // Unpacking the runner takes as long as reading and checking a thousand tasks: it is begun as if the smaller did.
        let (mut input, of, assets, runners) = std::thread::scope(|scope| {
            let runners = scope.spawn(|| self.runners(self.flavour.at_least()));
            let PackInput {
                plan: input,
                of,
                bundle,
                refusals,
            } = self.input(console)?;
            let (assets, needs) = self.examine(&input, bundle, &refusals, console, &mut failures);
            let runners = runners.join().unwrap_or_else(|p| resume_unwind(p));
            let name = flavour::name(needs, input.plan(), &assets);
            let runners = self.sufficient(runners, name);
            Ok::<_, Failure>((input, of, assets, runners))
        })?;
        let runners = runners.map_err(|f| failures.push(f)).unwrap_or_default();
        let signer = match &self.sign {
            Some(file) => seal::signing_key(file, console)
                .map_err(|f| failures.push(f))
                .ok(),
            None => None,
        };
        if let Some(failure) = joined(failures) {
            return Err(failure);
        }
        let folder = input.folder.clone();
        let mut assets = assets;
        let given = std::mem::take(&mut input.given);
        let (chosen, sealed) = match of {
            Some(of) => (Some(of.hosts), vaulted::take(&mut assets, &of.vault)?),
            None => (None, Vec::new()),
        };
        let mut plan = input.take_plan();
        self.bounds.apply(&mut plan.runtime);
        let mut hosts = HostData::split(&mut plan);
        for (name, text) in given {
            hosts.give(&name, Zeroizing::new(text.as_bytes().to_vec()));
        }
        for play in plan.plays.iter_mut().filter(|_| self.atomic) {
            play.atomic = Some(true);
        }
        let input = Input {
            plan: Arc::new(plan),
            assets,
            hosts,
            sealed,
            chosen,
            folder,
        };
        let overlays = self.overlays(&input, signer, console)?;
        if self.dry_run {
            console.info(&format!(
                "{}: {} tasks, {} files and folders; nothing was written",
                self.plan.display(),
                input.plan.count_tasks(),
                input.assets.len()
            ));
            return Ok(Exit::Done);
        }
        let mut reports = Vec::new();
        let several = runners.len() > 1;
        for runner in runners {
            let output = self.output_for(&runner.triple, several);
            reports.push(self.pack_one(&input, runner, output, &overlays, console)?);
        }
        if self.report.json {
            print(&super::json(&reports)?)?;
        }
        Ok(Exit::Done)
    }

    /// Checks the plan and finds its files. What the plan's words ask of the runner is looked for meanwhile.
    fn examine(
        &self,
        input: &PlanInput,
        bundle: Option<AssetSource>,
        refusals: &Refusals,
        console: &Console,
        failures: &mut Vec<Failure>,
    ) -> (Vec<AssetSource>, Needs) {
        std::thread::scope(|scope| {
            let words = scope.spawn(|| flavour::of_plan(input.plan()));
            let search = Search::new(input, &self.asset_root);
            let templates = RefCell::new(Needs::default());
            failures.extend(
                self.check(input, &search, &templates, refusals, console)
                    .err(),
            );
            failures.extend(seal::check(input).err());
            let mut assets = asset_files::collect(input, &search)
                .map_err(|f| failures.push(f))
                .unwrap_or_default();
            assets.extend(bundle);
            let words = words.join().unwrap_or_else(|p| resume_unwind(p));
            (assets, words.and(templates.into_inner()))
        })
    }

    /// Asks the runtime what is wrong with the plan. The templates that it reads are looked through for `needs`.
    fn check(
        &self,
        input: &PlanInput,
        search: &Search,
        needs: &RefCell<Needs>,
        refusals: &Refusals,
        console: &Console,
    ) -> Result<(), Failure> {
        let options = CheckOptions {
            known_variables: self.run_var.clone(),
            attached: false,
            as_reached: false,
            template_text: Some(&|request| {
                let text = search.template_text(request)?;
                needs.borrow_mut().look(text.as_bytes());
                Some(text)
            }),
            missing: Some(&|name| refusals.get(name).cloned()),
            plugin: None,
        };
        let (errors, warnings): (Vec<Problem>, Vec<Problem>) = check(input.plan(), &options)
            .into_iter()
            .partition(|p| p.severity == Severity::Error);
        let shown = |problems: Vec<Problem>| {
            checks::diagnostics(input, problems.into_iter().map(Into::into).collect())
        };
        for warning in shown(warnings) {
            console.say(&warning);
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(Failure {
            diagnostics: shown(errors),
            exit: Exit::Plan,
        })
    }

    /// Runners that have what the plan names: `name` is what only the full flavour knows.
    fn sufficient(
        &self,
        runners: Result<Vec<Runner>, Failure>,
        name: Option<&str>,
    ) -> Result<Vec<Runner>, Failure> {
        match (runners, name) {
            (Ok(found), Some(name)) if found.iter().any(|r| r.flavour == Flavour::Core) => {
                self.flavour.exchange(name, self.stub.as_deref())?;
                self.runners(Flavour::Full)
            }
            (runners, _) => runners,
        }
    }

    fn runners(&self, needed: Flavour) -> Result<Vec<Runner>, Failure> {
        let targets: Vec<Option<&str>> = if self.target.is_empty() {
            vec![None]
        } else {
            self.target.iter().map(|t| Some(t.as_str())).collect()
        };
        let mut failures = Vec::new();
        let mut runners: Vec<Runner> = Vec::new();
        for target in targets {
            let found = match &self.stub {
                Some(file) => stubs::from_file(file, target),
                None => stubs::find(target, needed, &self.stub_dir),
            };
            match found {
                Ok(runner) if runners.iter().all(|r| r.triple != runner.triple) => {
                    runners.push(runner);
                }
                Ok(_) => {}
                Err(failure) => failures.push(failure),
            }
        }
        joined(failures).map_or(Ok(runners), Err)
    }

    fn output_for(&self, triple: &str, several: bool) -> PathBuf {
        if several {
            with_suffix(&self.output, &format!("-{triple}"))
        } else {
            self.output.clone()
        }
    }

    /// The hosts whose overlays are made, each with the folder's file that takes it; no file: into the artifact.
    fn overlays(
        &self,
        input: &Input,
        signer: Option<SecretKey>,
        console: &Console,
    ) -> Result<Overlays, Failure> {
        let names: Vec<String> = match &input.chosen {
            Some(chosen) => chosen.clone(),
            None => input.hosts.hosts().map(str::to_owned).collect(),
        };
        if let Some(host) = &self.host
            && !names.contains(host)
        {
            let hint = if names.is_empty() {
                "the plan names no hosts".to_owned()
            } else {
                format!("the hosts of the plan are {}", names.join(", "))
            };
            return Err(
                Failure::text(Exit::Usage, format!("the plan has no host `{host}`")).hint(hint),
            );
        }
        let options = self.seal.overlay_options(console, signer)?;
        let inside = match (&self.host, names.as_slice()) {
            (Some(host), _) => Some(host.clone()),
            (None, []) => Some(String::new()),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        };
        if !input.hosts.needs_overlay() && self.host.is_none() && input.chosen.is_none() {
            return Ok(Overlays {
                inside: None,
                beside: Vec::new(),
                options,
            });
        }
        let overlays = Overlays {
            beside: if inside.is_none() { names } else { Vec::new() },
            inside,
            options,
        };
        // Secrets are read once before anything is written: one that is missing is said now.
        for host in overlays.inside.iter().chain(&overlays.beside) {
            make_overlay(input, host, &[0; 32], &overlays.options)?;
        }
        Ok(overlays)
    }

    fn pack_one(
        &self,
        input: &Input,
        runner: Runner,
        output: PathBuf,
        overlays: &Overlays,
        console: &Console,
    ) -> Result<PackReport, Failure> {
        let mut refused = None;
        let payload = &self.payload;
        let mut request = PackRequest::new(
            Arc::clone(&input.plan),
            runner.bytes,
            runner.triple.clone(),
            &output,
        );
        request.assets.clone_from(&input.assets);
        request.method = payload.compress;
        request.level = payload.level;
        request.threads = payload.threads;
        if payload.inject {
            request.placement = Placement::ElfSection;
        }
        request.stream = payload.stream;
        request.signer = overlays.options.signer.as_ref();
        // Without its overlay such a base would fail in the middle of the first play that meets a secret.
        request.needs_overlay = self.require_overlay
            || input.hosts.needs_overlay()
            || !overlays.beside.is_empty()
            || !input.sealed.is_empty();
        request.base.clone_from(&payload.base);
        request.cache = payload.cache();
        request.cache_frames = true;
        request.recorded = Recorded {
            times: payload.record_times,
            owners: payload.record_owners,
        };
        if let Some(host) = &overlays.inside {
            let refused = &mut refused;
            request.overlay = Some(Box::new(move |root| {
                make_overlay(input, host, root, &overlays.options).map_err(|failure| {
                    *refused = Some(failure);
                    rustle_packer::PackError::Request("the overlay cannot be made".to_owned())
                })
            }));
        }
        let packed = pack(request, &mut Bar::new(console));
        if let Some(failure) = refused {
            return Err(failure);
        }
        let report = packed?;
        self.write_beside(input, &report, overlays, console)?;
        say_report(&report, &runner.triple, console);
        Ok(report)
    }

    fn write_beside(
        &self,
        input: &Input,
        report: &PackReport,
        overlays: &Overlays,
        console: &Console,
    ) -> Result<(), Failure> {
        if overlays.beside.is_empty() {
            return Ok(());
        }
        let root = asset_files::digest(&report.root)
            .ok_or_else(|| Failure::text(Exit::Machine, "the root is no digest"))?;
        let folder = with_suffix(&report.output, ".overlays");
        std::fs::create_dir_all(&folder).map_err(Failure::io("make the folder", &folder))?;
        for host in &overlays.beside {
            let overlay = make_overlay(input, host, &root, &overlays.options)?;
            let file = folder.join(format!("{}.overlay", host.replace('/', "_")));
            write_file(&file, &overlay, 0o600, Existing::Replace)?;
        }
        console.info(&format!(
            "{}: {} overlays, one for each host",
            folder.display(),
            overlays.beside.len()
        ));
        Ok(())
    }
}

/// Which overlays are made, and how.
struct Overlays {
    /// The host whose overlay goes into the artifact; empty: any host.
    inside: Option<String>,
    /// The hosts whose overlays go to files of their own.
    beside: Vec<String>,
    options: OverlayOptions,
}

fn make_overlay(
    input: &Input,
    host: &str,
    root: &[u8; 32],
    options: &OverlayOptions,
) -> Result<Vec<u8>, Failure> {
    let secrets = input
        .hosts
        .read_secrets(&[host], &seal::sources(&input.folder))?;
    let content = input.hosts.content(host, &secrets, &input.sealed)?;
    Ok(build_overlay(&content, root, options, &mut OsRandom)?)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn say_report(report: &PackReport, triple: &str, console: &Console) {
    console.info(&format!(
        "packed {} ({}, {triple}): {} files, {}",
        report.output.display(),
        bytes(report.size),
        report.files,
        bytes(report.total_bytes)
    ));
    if let Some(sidecar) = &report.sidecar {
        console.info(&format!(
            "sidecar {} ({}): it must lie beside the artifact",
            sidecar.display(),
            bytes(report.sidecar_size)
        ));
    }
    console.detail(&format!(
        "root {}; {} of {} frames taken over; {:?} {}",
        report.root, report.reused_frames, report.data_frames, report.method, report.level
    ));
    if report.sidecar.is_none() && report.size > 200_000_000 {
        console.say(
            &Diagnostic::new(
                Level::Warning,
                format!("the artifact has {}", bytes(report.size)),
            )
            .hint("--stream leaves the contents of files in a second file"),
        );
    }
}

/// All messages of several failures, with the gravest exit code: the one that comes first in the table.
fn joined(failures: Vec<Failure>) -> Option<Failure> {
    failures.into_iter().reduce(|mut all, next| {
        all.exit = all.exit.min(next.exit);
        all.diagnostics.extend(next.diagnostics);
        all
    })
}
