//! The options that say how a run outlives a lost connection.

use std::time::Duration;

use rustle_controller::survival::Patience;

/// How long both sides wait for each other.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Lost connections")]
pub(crate) struct ReconnectOptions {
    /// Seconds for which a lost connection to a host is sought again; 0: the host counts as unreachable at once. Default: 120.
    #[arg(long, value_name = "SECONDS")]
    reconnect_for: Option<u32>,
    /// Seconds of the first pause between two tries; it doubles. Default: 1.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    reconnect_pause: Option<u32>,
    /// Seconds for which a host may say nothing before the connection counts as lost. Default: 40.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(11..))]
    silent_for: Option<u32>,
    /// Seconds for which a host that has lost its controller goes on, as far as it can alone. Default: 300.
    #[arg(long, value_name = "SECONDS")]
    alone_for: Option<u32>,
}

impl ReconnectOptions {
    /// What was given, and the defaults for the rest.
    pub(crate) fn patience(&self) -> Patience {
        let given = |seconds: Option<u32>, default| {
            seconds.map_or(default, |s| Duration::from_secs(u64::from(s)))
        };
        let defaults = Patience::default();
        let pause = given(self.reconnect_pause, defaults.pause);
        Patience {
            seek: given(self.reconnect_for, defaults.seek),
            silence: given(self.silent_for, defaults.silence),
            alone: given(self.alone_for, defaults.alone),
            pause,
            longest_pause: defaults.longest_pause.max(pause),
        }
    }
}
