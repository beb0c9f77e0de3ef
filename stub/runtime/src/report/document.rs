//! The JSON report: a run as one document.

use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::report::{
    ExecutionReport, HostResult, ItemReport, PlayResult, REPORT_VERSION, TaskReport,
};
use rustle_formats::{Map, Value};

use super::tally::Tally;

/// Builds an [`ExecutionReport`] from the events of a run. It can be looked at before the run has ended.
#[derive(Debug, Default)]
pub struct ReportBuilder {
    report: ExecutionReport,
    tally: Tally,
}

/// What a result's place is made of, wherever it goes.
struct Place<'a> {
    task: &'a str,
    host: &'a str,
}

impl ReportBuilder {
    /// A report of nothing.
    pub fn new() -> ReportBuilder {
        ReportBuilder {
            report: ExecutionReport {
                version: REPORT_VERSION,
                ..ExecutionReport::default()
            },
            tally: Tally::default(),
        }
    }

    /// Takes one event in.
    pub fn add(&mut self, event: &Event) {
        self.tally.add(event);
        let report = &mut self.report;
        if report.started_ms == 0 {
            report.started_ms = event.time_ms;
        }
        report.execution_time_ms = event.time_ms.saturating_sub(report.started_ms);
        match &event.kind {
            EventKind::RunStarted {
                run_id,
                plan,
                root,
                runner,
                hosts,
                check,
                ..
            } => {
                report.run_id.clone_from(run_id);
                report.plan.clone_from(plan);
                report.root.clone_from(root);
                report.runner.clone_from(runner);
                report.hosts.clone_from(hosts);
                report.check = *check;
            }
            EventKind::PlayStarted { play, name, hosts } => report.results.push(PlayResult {
                play_id: play.clone(),
                name: name.clone(),
                hosts: hosts.clone(),
                success: true,
                ..PlayResult::default()
            }),
            EventKind::PlaySkipped { name, reason } => report.results.push(PlayResult {
                name: name.clone(),
                success: true,
                skipped: Some(reason.clone()),
                ..PlayResult::default()
            }),
            EventKind::TaskStarted { .. } => self.task(&event.kind),
            EventKind::ItemResult { .. } => self.item(&event.kind),
            EventKind::TaskResult { .. } => self.result(&event.kind),
            EventKind::Retry { task, host, .. } => {
                if let Some(result) = self.host(&Place { task, host }) {
                    result.retries += 1;
                }
            }
            EventKind::Rescued { .. } => {
                if let Some(play) = report.results.last_mut() {
                    play.success = !play
                        .task_results
                        .iter()
                        .flat_map(|t| t.hosts.values())
                        .any(|h| matches!(h.status, Status::Unreachable) && !h.ignored);
                }
            }
            EventKind::Warning { message, .. } => report.warnings.push(message.clone()),
            EventKind::RunFinished {
                exit_code,
                aborted,
                duration_ms,
                ..
            } => {
                report.finished = true;
                report.exit_code = Some(*exit_code);
                report.aborted.clone_from(aborted);
                report.execution_time_ms = *duration_ms;
                report.success = *exit_code == 0;
            }
            EventKind::Notified { .. }
            | EventKind::Steered { .. }
            | EventKind::Included { .. }
            | EventKind::NoMoreHosts {}
            | EventKind::Heartbeat {} => {}
        }
    }

    /// The report so far.
    pub fn report(&mut self) -> &ExecutionReport {
        self.report.stats.clone_from(self.tally.stats());
        &self.report
    }

    fn task(&mut self, kind: &EventKind) {
        let EventKind::TaskStarted {
            task,
            name,
            role,
            module,
            handler,
            source,
        } = kind
        else {
            return;
        };
        if self.report.results.is_empty() {
            self.report.results.push(PlayResult {
                success: true,
                ..PlayResult::default()
            });
        }
        if let Some(play) = self.report.results.last_mut() {
            play.task_results.push(TaskReport {
                task_id: task.clone(),
                name: name.clone(),
                role: role.clone(),
                module: module.clone(),
                handler: *handler,
                source: source.clone(),
                ..TaskReport::default()
            });
        }
    }

    fn item(&mut self, kind: &EventKind) {
        let EventKind::ItemResult {
            task,
            host,
            status,
            ignored,
            label,
            result,
            duration_ms,
            ..
        } = kind
        else {
            return;
        };
        let item = ItemReport {
            label: label.clone(),
            status: *status,
            ignored: *ignored,
            duration_ms: *duration_ms,
            result: public(result, false),
        };
        if let Some(entry) = self.host(&Place { task, host }) {
            entry.items.push(item);
        }
    }

    fn result(&mut self, kind: &EventKind) {
        let EventKind::TaskResult {
            task,
            host,
            status,
            ignored,
            looped,
            result,
            duration_ms,
            delegated_to,
        } = kind
        else {
            return;
        };
        let kept = public(result, *looped);
        if let Some(entry) = self.host(&Place { task, host }) {
            entry.status = *status;
            entry.ignored = *ignored;
            entry.duration_ms = *duration_ms;
            entry.delegated_to.clone_from(delegated_to);
            entry.result = kept;
        }
        if matches!(status, Status::Failed | Status::Unreachable)
            && !ignored
            && let Some(play) = self.report.results.last_mut()
        {
            play.success = false;
        }
    }

    /// The entry of this host under the latest task of this id.
    fn host(&mut self, place: &Place<'_>) -> Option<&mut HostResult> {
        let play = self.report.results.last_mut()?;
        let task = play
            .task_results
            .iter_mut()
            .rev()
            .find(|t| t.task_id == place.task)?;
        Some(
            task.hosts
                .entry(place.host.to_owned())
                .or_insert_with(|| HostResult {
                    status: Status::Skipped,
                    ignored: false,
                    duration_ms: 0,
                    delegated_to: None,
                    retries: 0,
                    items: Vec::new(),
                    result: Value::Null,
                }),
        )
    }
}

/// A result without private notes and, for a loop, without the items that are listed by themselves.
fn public(result: &Value, looped: bool) -> Value {
    let Value::Map(map) = result else {
        return result.clone();
    };
    Value::Map(
        map.iter()
            .filter(|(key, _)| !(key.starts_with("_ansible_") || looped && *key == "results"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Map>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_becomes_a_document() {
        let lines = [
            r#"{"event":"run_started","seq":1,"time_ms":1000,"version":1,"run_id":"r","plan":"p","root":null,"runner":"0","hosts":["h"],"check":false,"diff":false}"#,
            r#"{"event":"play_started","seq":2,"time_ms":1001,"play":"p1","name":"one","hosts":["h"]}"#,
            r#"{"event":"task_started","seq":3,"time_ms":1002,"task":"t","name":"n","role":null,"module":"copy","handler":false,"source":null}"#,
            r#"{"event":"item_result","seq":4,"time_ms":1003,"task":"t","host":"h","status":"changed","ignored":false,"label":1,"result":{"changed":true},"duration_ms":4,"delegated_to":null}"#,
            r#"{"event":"task_result","seq":5,"time_ms":1004,"task":"t","host":"h","status":"changed","ignored":false,"looped":true,"result":{"changed":true,"results":[1]},"duration_ms":5,"delegated_to":null}"#,
        ];
        let mut builder = ReportBuilder::new();
        for line in lines {
            builder.add(&Event::from_json_line(line).unwrap());
        }
        let interim = builder.report();
        assert!(!interim.finished && !interim.success);
        assert_eq!(interim.stats["h"].changed, 1);
        builder.add(&Event::from_json_line(
            r#"{"event":"run_finished","seq":6,"time_ms":1010,"stats":{},"exit_code":0,"aborted":null,"duration_ms":10}"#,
        ).unwrap());
        let report = builder.report().clone();
        assert!(report.success && report.finished);
        let host = &report.results[0].task_results[0].hosts["h"];
        assert_eq!(host.items.len(), 1);
        assert!(host.result.get("results").is_none());
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(
            serde_json::from_str::<ExecutionReport>(&json).unwrap(),
            report
        );
    }
}
