//! Progress bars, for work that takes longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustle_packer::{Phase, Progress};

use crate::console::Console;

/// Shows packing to somebody at a terminal.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    since: Instant,
    shown: bool,
}

impl Bar {
    /// A bar that stays invisible for the first second, and for good where nobody looks.
    pub(crate) fn new(console: &Console) -> Bar {
        Bar {
            bar: console.interactive().then(|| {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
                if let Ok(style) = ProgressStyle::with_template(
                    "{msg:>9} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
                ) {
                    bar.set_style(style);
                }
                bar
            }),
            since: Instant::now(),
            shown: false,
        }
    }
}

impl Bar {
    /// Shows that so many of so many bytes are done.
    pub(crate) fn set(&mut self, message: &'static str, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(message);
            bar.set_length(total);
            bar.set_position(done);
        }
        self.show_when_long();
    }

    fn show_when_long(&mut self) {
        if let Some(bar) = &self.bar
            && !self.shown
            && self.since.elapsed() > Duration::from_secs(1)
        {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            self.shown = true;
        }
    }
}

impl Progress for Bar {
    fn begin(&mut self, phase: Phase, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(match phase {
                Phase::Collect => "listing",
                Phase::Compress => "packing",
                Phase::Finish => "finishing",
            });
            bar.set_length(total);
            bar.set_position(0);
        }
    }

    fn advance(&mut self, done: u64) {
        self.show_when_long();
        if let Some(bar) = &self.bar {
            bar.inc(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
