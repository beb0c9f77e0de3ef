//! The timeline: a row for each host, a bar for each task, drawn as SVG.

use std::fmt::Write as _;

use indexmap::IndexMap;
use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::report::ExecutionReport;

use super::text::{duration, xml};

/// The width of the time's axis, in the drawing's units.
const WIDTH: f64 = 1000.0;
/// The height of a host's row.
const ROW: usize = 22;
/// Where the bars begin: the names of hosts stand before.
const LEFT: usize = 140;
/// With more bars, the ones that are too narrow to be seen are left out.
const MANY: usize = 20_000;

/// What one task took on one host.
struct Bar<'e> {
    name: &'e str,
    begin_ms: u64,
    duration_ms: u64,
    status: Status,
    ignored: bool,
}

/// The section with the drawing; empty where no task ended. Hosts' clocks may differ from the controller's: what would lie outside of
/// the run is moved to its edge.
pub(super) fn timeline(report: &ExecutionReport, events: &[Event]) -> String {
    let start = report.started_ms;
    let mut names: IndexMap<&str, &str> = IndexMap::new();
    let mut rows: IndexMap<&str, Vec<Bar<'_>>> = IndexMap::new();
    for event in events {
        match &event.kind {
            EventKind::TaskStarted { task, name, .. } => {
                names.insert(task, name);
            }
            EventKind::TaskResult {
                task,
                host,
                status,
                ignored,
                duration_ms,
                ..
            } => {
                let end = event.time_ms.saturating_sub(start);
                rows.entry(host).or_default().push(Bar {
                    name: names.get(task.as_str()).copied().unwrap_or(task),
                    begin_ms: end.saturating_sub(*duration_ms),
                    duration_ms: *duration_ms,
                    status: *status,
                    ignored: *ignored,
                });
            }
            _ => {}
        }
    }
    let ends = rows.values().flatten().map(|b| b.begin_ms + b.duration_ms);
    let Some(total) = ends.max() else {
        return String::new();
    };
    draw(&rows, total.max(report.execution_time_ms).max(1))
}

fn draw(rows: &IndexMap<&str, Vec<Bar<'_>>>, total: u64) -> String {
    let count: usize = rows.values().map(Vec::len).sum();
    let narrowest = if count > MANY { WIDTH / 2000.0 } else { 0.0 };
    let height = rows.len() * ROW + 24;
    let mut left_out = 0;
    let mut out = format!(
        "<section><h2>Timeline</h2>\n<div class=\"wide\"><svg viewBox=\"0 0 {} {height}\" role=\"img\" aria-label=\"tasks by host and time\">\n",
        LEFT + WIDTH as usize + 40
    );
    let scale = WIDTH / total as f64;
    for part in 0..=4u64 {
        let at = LEFT as f64 + WIDTH * part as f64 / 4.0;
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{}\"/><text class=\"axis\" x=\"{at:.1}\" y=\"{}\">{}</text>",
            height - 20,
            height - 6,
            duration(total * part / 4)
        );
    }
    for (at, (host, bars)) in rows.iter().enumerate() {
        let y = at * ROW;
        let _ = writeln!(
            out,
            "<text class=\"host\" x=\"{}\" y=\"{}\">{}</text>",
            LEFT - 8,
            y + ROW - 7,
            xml(host)
        );
        for bar in bars {
            let width = bar.duration_ms as f64 * scale;
            if width < narrowest {
                left_out += 1;
                continue;
            }
            let _ = writeln!(
                out,
                "<rect class=\"{}\" x=\"{:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\"><title>{} &#8211; {}</title></rect>",
                class(bar),
                LEFT as f64 + bar.begin_ms as f64 * scale,
                y + 3,
                width.max(1.0),
                ROW - 6,
                xml(bar.name),
                duration(bar.duration_ms)
            );
        }
    }
    out.push_str("</svg></div>\n");
    if left_out > 0 {
        let _ = writeln!(out, "<p>{left_out} tasks were too short to be drawn.</p>");
    }
    out.push_str("</section>\n");
    out
}

fn class(bar: &Bar<'_>) -> &'static str {
    match bar.status {
        _ if bar.ignored => "ignored",
        Status::Ok => "ok",
        Status::Changed => "changed",
        Status::Skipped => "skipped",
        Status::Failed => "failed",
        Status::Unreachable => "unreachable",
    }
}
