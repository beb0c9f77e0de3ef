//! What a push prints while it runs.

use std::io::Write as _;

use rustle_runtime::report::{Stream, TextOptions, TextReporter};

use crate::console::Console;
use crate::progress::Bar;

/// What is printed for one host. For several hosts every line names its own.
pub(super) struct Screen<'a> {
    console: &'a Console,
    reporter: TextReporter,
    prefix: Option<String>,
    /// Whether events go to standard output, so that no text may.
    silent: bool,
    partial: String,
    bar: Option<Bar>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(console: &'a Console, to: &str, several: bool, silent: bool) -> Screen<'a> {
        use std::io::IsTerminal as _;
        let terminal = std::io::stdout().is_terminal();
        Screen {
            console,
            reporter: TextReporter::new(TextOptions {
                verbosity: console.verbose,
                colour: terminal && console.color(),
                terminal: None,
            }),
            prefix: several.then(|| format!("{to} | ")),
            silent,
            partial: String::new(),
            bar: None,
        }
    }

    pub(super) fn event(&mut self, event: &rustle_formats::event::Event) {
        self.bar = None;
        let (prefix, partial, silent) = (&self.prefix, &mut self.partial, self.silent);
        self.reporter
            .event(event, &mut |stream, text| match stream {
                Stream::Out if silent => {}
                Stream::Out => emit(prefix.as_deref(), partial, text),
                Stream::Err => {
                    let _ = std::io::stderr().write_all(text.as_bytes());
                }
            });
    }

    pub(super) fn stderr(&self, bytes: &[u8]) {
        let _ = std::io::stderr().write_all(bytes);
    }

    pub(super) fn sending(&mut self, sent: u64, total: u64) {
        if self.console.interactive() && self.prefix.is_none() {
            let console = self.console;
            self.bar
                .get_or_insert_with(|| Bar::new(console))
                .set("sending", sent, total);
        }
    }

    pub(super) fn end(&mut self) {
        self.bar = None;
        if !self.partial.is_empty() {
            emit(self.prefix.as_deref(), &mut self.partial, "\n");
        }
    }
}

/// Prints whole lines, so that those of several hosts do not mix.
fn emit(prefix: Option<&str>, partial: &mut String, text: &str) {
    let mut out = std::io::stdout().lock();
    let Some(prefix) = prefix else {
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        return;
    };
    partial.push_str(text);
    while let Some(end) = partial.find('\n') {
        let line: String = partial.drain(..=end).collect();
        let _ = write!(out, "{prefix}{line}");
    }
    let _ = out.flush();
}
