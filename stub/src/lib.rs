//! The runner that every artifact begins with: finds its payload, checks it, hands it to the runtime.
//!
//! One such program per target triple is built beforehand; packing puts a plan, its files and its secrets behind it. So
//! everything here must be right for any plan, on machines that have nothing: no libc, no /proc, no /tmp.

mod command;
mod distant;
mod endpoint;
pub mod exit;
mod extract;
mod files;
mod journal;
mod keys;
mod list;
mod lock;
mod look;
mod offline;
mod payload;
mod places;
mod policy;
mod run;
pub mod session;
mod signals;
mod sinks;
mod terminal;
mod whole_file;
mod work;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use command::{Action, Command};
use exit::Failure;
use payload::{Payload, trusted_keys};
use policy::Policy;
use rustle_formats::artifact::flags;

/// The whole program: reads the command line, does what it says, and gives the exit code.
pub fn main() -> u8 {
    let environment_key = keys::from_environment();
    // Before anything secret is read. What the system refuses is no reason not to run.
    let _ = rustle_runtime::hardening::harden();
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let name = Path::new(&program).file_name().map_or_else(
        || "artifact".to_owned(),
        |n| n.to_string_lossy().into_owned(),
    );
    let args: Vec<OsString> = args.collect();
    // The bootstrap line of a session starts a runner this way; it is no option for people.
    if let [option, folder] = args.as_slice()
        && option == "--session"
    {
        return session::main(Path::new(folder));
    }
    if let [option, folder, name] = args.as_slice()
        && option == "--attach"
    {
        return session::attach(Path::new(folder), &name.to_string_lossy());
    }
    // So does a run that becomes another user; it has a payload, and this process needs none.
    if let [option] = args.as_slice()
        && option == rustle_runtime::WORKER
    {
        return run::worker();
    }
    let outcome = Command::parse(args).and_then(|command| {
        act(
            &command,
            &name,
            environment_key.as_ref().map(|k| k.as_str()),
        )
    });
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{name}: {}", failure.message);
            failure.code
        }
    }
}

fn act(command: &Command, name: &str, environment_key: Option<&str>) -> Result<u8, Failure> {
    match command.action {
        Action::Help => return print(&command::help(name)),
        Action::Version => {
            return print(&format!(
                "rustle runner {} for {}\n",
                env!("CARGO_PKG_VERSION"),
                payload::TARGET
            ));
        }
        _ => {}
    }
    let trusted = trusted_keys(command)?;
    let mut payload = Payload::open()?;
    if let Action::Inspect = command.action {
        let document = look::document(&payload.container)?;
        return if command.json {
            print(&format!("{document:#}\n"))
        } else {
            print(&look::text(&document))
        };
    }
    payload.attach_sidecar(command.sidecar.as_deref())?;
    let signer = payload.check_signature(&trusted)?;
    signals::catch();
    match &command.action {
        Action::Verify => {
            payload.check_everything()?;
            let overlay = keys::verify_overlay(&payload.container, command, &trusted)?;
            print(&verdict(&payload, signer.as_deref(), overlay.as_deref()))
        }
        Action::Extract(dir) => {
            let count = extract::all(&payload.container, dir)?;
            print(&format!("{count} assets unpacked into {}\n", dir.display()))
        }
        _ => {
            if command.check_first {
                payload.check_everything()?;
            }
            let runs = !matches!(command.action, Action::ListTags | Action::ListTasks);
            let policy = match runs {
                true => Policy::of_machine()?,
                false => None,
            };
            let trusted = match &policy {
                Some(policy) => {
                    policy.admits(&payload.container)?;
                    policy.narrow(trusted)
                }
                None => trusted,
            };
            let (overlay, overlay_host) =
                keys::open_overlay(&payload.container, command, environment_key, &trusted)?;
            let ready = run::Ready::new(
                payload,
                overlay,
                overlay_host.as_deref(),
                command.host.as_deref(),
                false,
            )?;
            if !runs {
                let options = run::options(command, &ready, "");
                let tags_only = command.action == Action::ListTags;
                return print(&list::text(&ready, &options, tags_only));
            }
            ready.permitted(policy.as_ref(), !command.extra_vars.is_empty())?;
            offline::run(ready, command)
        }
    }
}

/// What `--verify` found: the signer of the artifact, and the host that its overlay is for.
fn verdict(payload: &Payload, signer: Option<&str>, overlay: Option<&str>) -> String {
    let root = look::hex(&payload.container.root());
    let mut out = match signer {
        Some(key) => format!("verified: {root}, signed by {key}\n"),
        None => format!("undamaged: {root} (whether to trust it only --trusted FILE can say)\n"),
    };
    let needed = payload.container.header().has(flags::NEEDS_OVERLAY);
    match overlay {
        Some("") => out.push_str("the overlay is for any host\n"),
        Some(host) => out.push_str(&format!("the overlay is for the host {host}\n")),
        None if needed => out.push_str("it runs only with a host's overlay, and has none\n"),
        None => {}
    }
    out
}

/// Prints to standard output. A reader that has gone away is no failure.
fn print(text: &str) -> Result<u8, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::io("standard output", &e))
        }
        _ => Ok(exit::OK),
    }
}
