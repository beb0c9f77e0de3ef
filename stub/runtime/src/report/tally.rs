//! The numbers of the recap and the exit code.

use indexmap::IndexMap;
use rustle_formats::event::{Event, EventKind, Stats, Status};

/// Exit code where a task failed.
const FAILED: u8 = 2;
/// Exit code where a host could not be reached.
const UNREACHABLE: u8 = 4;

/// Counts by host, as the recap shows them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally {
    hosts: IndexMap<String, Stats>,
    /// Whether the task that results come from includes others: those are counted when they are found.
    includes: bool,
}

impl Tally {
    /// Takes one event in.
    pub fn add(&mut self, event: &Event) {
        match &event.kind {
            EventKind::TaskResult {
                host,
                status,
                ignored,
                result,
                ..
            } => {
                let stats = self.hosts.entry(host.clone()).or_default();
                if !(self.includes && *status == Status::Ok) {
                    let changed = result.get("changed").and_then(|c| c.as_bool());
                    stats.count(*status, *ignored, changed == Some(true));
                }
            }
            EventKind::TaskStarted { module, .. } => {
                self.includes = matches!(
                    module.rsplit('.').next(),
                    Some("include_tasks" | "include_role")
                );
            }
            EventKind::Included { host, .. } => {
                self.hosts.entry(host.clone()).or_default().ok += 1;
            }
            EventKind::Rescued { host } => {
                let stats = self.hosts.entry(host.clone()).or_default();
                stats.rescued += 1;
                stats.failed = stats.failed.saturating_sub(1);
            }
            EventKind::RunFinished { stats, .. } if !stats.is_empty() => {
                self.hosts.clone_from(stats);
            }
            _ => {}
        }
    }

    /// The counts by host, in the order in which hosts were first heard of.
    pub fn stats(&self) -> &IndexMap<String, Stats> {
        &self.hosts
    }

    /// 0 where all went well, 2 where a task failed, 4 where a host could not be reached.
    pub fn exit_code(&self) -> u8 {
        if self.hosts.values().any(|s| s.unreachable > 0) {
            UNREACHABLE
        } else if self.hosts.values().any(|s| s.failed > 0) {
            FAILED
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustle_formats::Value;

    fn result(status: Status, ignored: bool, json: &str) -> Event {
        Event {
            seq: 1,
            time_ms: 0,
            kind: EventKind::TaskResult {
                task: "t".into(),
                host: "h".into(),
                status,
                ignored,
                looped: false,
                result: serde_json::from_str::<Value>(json).unwrap(),
                duration_ms: 0,
                delegated_to: None,
            },
        }
    }

    #[test]
    fn ignored_failures_count_as_done() {
        let mut tally = Tally::default();
        tally.add(&result(Status::Failed, true, r#"{"changed": true}"#));
        tally.add(&result(Status::Unreachable, true, "{}"));
        tally.add(&result(Status::Changed, false, "{}"));
        let stats = tally.stats()["h"];
        assert_eq!((stats.ok, stats.changed, stats.ignored), (3, 2, 2));
        assert_eq!(tally.exit_code(), 0);
    }

    #[test]
    fn a_rescue_takes_the_failure_back() {
        let mut tally = Tally::default();
        tally.add(&result(Status::Failed, false, "{}"));
        assert_eq!(tally.exit_code(), 2);
        tally.add(&Event {
            seq: 2,
            time_ms: 0,
            kind: EventKind::Rescued { host: "h".into() },
        });
        assert_eq!(tally.exit_code(), 0);
        assert_eq!(tally.stats()["h"].rescued, 1);
    }
}
