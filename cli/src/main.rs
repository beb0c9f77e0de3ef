//! `rustle`: arguments in, one call into a library, an exit code out.
//!
//! Nothing here decides anything about plans or artifacts. Each command is one file under `commands`; errors of the
//! libraries become messages and exit codes in `failure`.

mod ask_hosts;
mod asset_files;
mod carried;
mod checks;
mod commands;
mod connected;
mod console;
mod controller_vars;
mod diagnostic;
mod disk;
mod exit;
mod expiry;
mod fact_cache;
mod failure;
mod live;
mod on_hosts;
mod plan_cache;
mod plan_input;
mod plan_reach;
mod plan_roster;
mod planning;
mod playbook_source;
mod progress;
mod reach;
mod reconnect;
mod recording;
mod replace;
mod seal;
mod several_at_once;
mod ssh_way;
mod stubs;
mod surroundings;
mod targets;
mod terminal;
mod this_machine;
mod unfinished;
mod vault_options;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use commands::Command;
use console::Console;
use exit::Exit;

/// Reading and planning is a matter of many small pieces of memory, which glibc's allocator takes a fifth of the time for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Packs a plan of Ansible tasks, with all that it needs, into one static executable.
#[derive(Debug, Parser)]
#[command(
    name = "rustle",
    version,
    propagate_version = true,
    after_help = exit::TABLE,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    console: Console,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    if let Some(socket) = std::env::var_os(rustle_controller::program::ASKPASS_SOCKET) {
        return password_for_ssh(socket.as_ref());
    }
    let arguments = arguments(std::env::args_os().collect());
    // A run that becomes another user starts this program so; it is no command for people.
    if let [_, option] = arguments.as_slice()
        && option == rustle_runtime::WORKER
    {
        return this_machine::worker();
    }
    // SAFETY: no thread was started yet.
    unsafe { commands::take_passwords_from_environment() };
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(e) => {
            let exit = match e.use_stderr() {
                true if commands::is_ansible_s(&arguments) => Exit::AnsibleUsage,
                true => Exit::Usage,
                false => Exit::Done,
            };
            // Where nobody reads the help there is nobody to tell.
            let _ = e.print();
            return exit.into();
        }
    };
    match cli.command.run(&cli.console) {
        Ok(exit) => exit,
        Err(failure) => {
            for diagnostic in &failure.diagnostics {
                cli.console.say(diagnostic);
            }
            failure.exit.into()
        }
    }
}

/// Run by `ssh` in place of a person who types the password: it goes from the run to `ssh` through this process.
fn password_for_ssh(socket: &std::path::Path) -> ExitCode {
    match rustle_controller::program::answer(socket) {
        Ok(text) => {
            println!("{}", text.as_str());
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// `rustle-pack ARGS` is `rustle pack ARGS`: the same program under another name.
fn arguments(mut args: Vec<OsString>) -> Vec<OsString> {
    let command = args
        .first()
        .and_then(|first| Path::new(first).file_name())
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix("rustle-"))
        .filter(|name| commands::names().any(|c| c == *name))
        .map(OsString::from);
    if let Some(command) = command {
        args.insert(1, command);
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_program_s_name_may_be_a_command() {
        let of = |words: &[&str]| -> Vec<String> {
            arguments(words.iter().map(OsString::from).collect())
                .into_iter()
                .map(|w| w.into_string().unwrap())
                .collect()
        };
        assert_eq!(
            of(&["/usr/bin/rustle-pack", "x"]),
            ["/usr/bin/rustle-pack", "pack", "x"]
        );
        assert_eq!(of(&["rustle", "pack"]), ["rustle", "pack"]);
        assert_eq!(of(&["rustle-0.1", "pack"]), ["rustle-0.1", "pack"]);
    }
}
