//! A line at the bottom of the terminal while several hosts work: the current task, and how far they are. It is drawn on standard
//! error, only where that is a terminal, and taken away before anything else is printed.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustle_formats::event::{Event, EventKind, Status};

use crate::console::Console;

/// How often the time on it is renewed.
const TICK: Duration = Duration::from_millis(200);

/// Turns the line off.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct LiveOption {
    /// No line of progress on the terminal while several hosts work. Also RUSTLE_PROGRESS=0.
    #[arg(long)]
    pub(crate) no_progress: bool,
}

impl LiveOption {
    /// The line, where somebody wants and can see it.
    pub(crate) fn live(&self, console: &Console) -> Live {
        let off = std::env::var("RUSTLE_PROGRESS")
            .is_ok_and(|set| matches!(set.as_str(), "0" | "no" | "never" | "false"));
        Live {
            wanted: console.interactive() && !off && !self.no_progress,
            bar: None,
            state: State::default(),
        }
    }
}

/// The line.
pub(crate) struct Live {
    wanted: bool,
    bar: Option<ProgressBar>,
    state: State,
}

/// What it tells.
#[derive(Debug, Default)]
struct State {
    hosts: BTreeSet<String>,
    done: BTreeSet<String>,
    failed: BTreeSet<String>,
    task: String,
    /// Whether somebody is asked on the terminal.
    asks: bool,
}

impl Live {
    /// Prints something while the line is away.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes one event in.
    pub(crate) fn event(&mut self, event: &Event) {
        if !self.wanted || !self.state.event(event) {
            return;
        }
        if !self.state.is_shown() {
            self.end();
            return;
        }
        let text = self.state.text();
        self.bar.get_or_insert_with(bar).set_message(text);
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

impl State {
    /// Takes one event in; whether it changes anything.
    fn event(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::PlayStarted { hosts, .. } => {
                self.hosts = hosts.iter().cloned().collect();
                self.hosts.retain(|host| !self.failed.contains(host));
                self.done.clear();
                self.task.clear();
            }
            EventKind::TaskStarted { name, module, .. } => {
                self.task.clone_from(name);
                self.done.clear();
                self.asks = module.rsplit('.').next() == Some("pause");
            }
            EventKind::TaskResult {
                host,
                status,
                ignored,
                ..
            } => {
                let bad = matches!(status, Status::Failed | Status::Unreachable) && !ignored;
                self.done.insert(host.clone());
                if bad {
                    self.failed.insert(host.clone());
                }
            }
            EventKind::Rescued { host } => {
                self.failed.remove(host);
            }
            EventKind::RunFinished { .. } => self.hosts.clear(),
            _ => return false,
        }
        true
    }

    fn is_shown(&self) -> bool {
        self.hosts.len() > 1 && !self.asks
    }

    fn text(&self) -> String {
        let of = |set: &BTreeSet<String>| self.hosts.intersection(set).count();
        let (done, failed) = (of(&self.done), of(&self.failed));
        let out: BTreeSet<String> = self.done.union(&self.failed).cloned().collect();
        let running = self.hosts.len() - of(&out);
        let task = match self.task.as_str() {
            "" => "connecting".to_owned(),
            name => name.replace(['\n', '\r', '\t', '\u{1b}'], " "),
        };
        let mut text = format!("{done}/{} done, {running} running", self.hosts.len());
        if failed > 0 {
            text.push_str(&format!(", {failed} failed"));
        }
        format!("{text}: {task}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_counted() {
        let mut state = State::default();
        let mut add = |kind: serde_json::Value| {
            let mut line = serde_json::json!({"seq": 1, "time_ms": 0});
            line.as_object_mut()
                .unwrap()
                .extend(kind.as_object().unwrap().clone());
            state.event(&Event::from_json_line(&line.to_string()).unwrap());
            (state.is_shown(), state.text())
        };
        let play = serde_json::json!({"event": "play_started", "play": "p", "name": "p", "hosts": ["a", "b", "c"]});
        assert_eq!(add(play), (true, "0/3 done, 3 running: connecting".into()));
        let task = |module: &str| serde_json::json!({"event": "task_started", "task": "t", "name": "copy\n", "role": null, "module": module, "handler": false, "source": null});
        add(task("copy"));
        let result = |host: &str, status: &str| serde_json::json!({"event": "task_result", "task": "t", "host": host, "status": status, "ignored": false, "looped": false, "result": {}, "duration_ms": 1, "delegated_to": null});
        add(result("a", "ok"));
        assert_eq!(
            add(result("b", "failed")),
            (true, "2/3 done, 1 running, 1 failed: copy ".into())
        );
        assert_eq!(
            add(task("command")).1,
            "0/3 done, 2 running, 1 failed: copy "
        );
        // Somebody is asked something.
        assert!(!add(task("ansible.builtin.pause")).0);
    }
}
