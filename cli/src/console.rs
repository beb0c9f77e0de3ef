//! Where a command's words go: data to standard output, everything for people to standard error.

use std::io::{self, IsTerminal, Write};

use rustle_runtime::report::TextOptions;

use crate::diagnostic::{Diagnostic, Level};
use crate::failure::Failure;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The options of every command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Console {
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; -vv: even more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colours: auto, always or never.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    color: Color,
}

impl Console {
    /// Whether messages get colours.
    pub(crate) fn color(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// How the words of a run are to look on standard output; `plain`: the configuration wants no colours.
    pub(crate) fn text_options(&self, plain: bool) -> TextOptions {
        let terminal = io::stdout().is_terminal();
        TextOptions {
            verbosity: self.verbose,
            colour: terminal && self.color() && !plain,
            terminal: rustix::termios::tcgetwinsize(io::stdout())
                .ok()
                .filter(|_| terminal)
                .map(|size| usize::from(size.ws_col)),
        }
    }

    /// Whether progress bars make sense.
    pub(crate) fn interactive(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Prints a message for people. Warnings and notes are left out with `-q`.
    pub(crate) fn say(&self, diagnostic: &Diagnostic) {
        if self.quiet && diagnostic.level != Level::Error {
            return;
        }
        // Where standard error is closed there is nobody to tell.
        let _ = io::stderr().write_all(diagnostic.render(self.color()).as_bytes());
    }

    /// Prints a line for people that is no diagnostic.
    pub(crate) fn info(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Prints a line for people who asked for more.
    pub(crate) fn detail(&self, line: &str) {
        if self.verbose > 0 {
            self.info(line);
        }
    }
}

/// Writes data to standard output. A reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// The same for data that need not be text.
pub(crate) fn print_bytes(data: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::text(
            crate::exit::Exit::Machine,
            format!("cannot write to standard output: {e}"),
        )),
        _ => Ok(()),
    }
}
