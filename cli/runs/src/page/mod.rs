//! A run as one page of HTML, which needs nothing else: no network, no other file, no script to be read.
//!
//! It shows the timeline of hosts and tasks, the slowest tasks, what failed, what was changed and how.

pub(crate) mod text;
mod timeline;

use std::collections::HashMap;
use std::fmt::Write as _;

use rustle_formats::Value;
use rustle_formats::event::{Event, Status};
use rustle_formats::report::{ExecutionReport, HostResult, TaskReport};
use rustle_runtime::report::{ReportBuilder, difference};

use self::text::{duration, xml};
use self::timeline::timeline;

/// How many tasks the list of the slowest has.
const SLOWEST: usize = 20;
/// A difference of more characters is cut: the page is for reading.
const LONGEST_DIFF: usize = 20_000;
/// More changes are counted, and not shown.
const MOST_CHANGES: usize = 2_000;
const STYLE: &str = include_str!("style.css");

/// The page of a run. `title` is what was run, `when` says when, as people of the place write it.
pub fn page(title: &str, when: &str, events: &[Event]) -> String {
    let mut builder = ReportBuilder::new();
    for event in events {
        builder.add(event);
    }
    let report = builder.report().clone();
    let mut out = String::new();
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n",
        xml(title)
    );
    summary(&mut out, when, &report);
    out.push_str("</header>\n<main>\n");
    recap(&mut out, &report);
    failures(&mut out, &report);
    out.push_str(&timeline(&report, events));
    slowest(&mut out, &report);
    changes(&mut out, &report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn summary(out: &mut String, when: &str, report: &ExecutionReport) {
    let (class, verdict) = match (report.finished, report.success) {
        (true, true) => ("ok", "succeeded"),
        (true, false) => ("failed", "failed"),
        (false, _) => ("failed", "did not end"),
    };
    let check = if report.check { ", in check mode" } else { "" };
    let _ = writeln!(
        out,
        "<p><b class=\"{class}\">{verdict}</b>{check} &middot; {} &middot; {} &middot; {} hosts &middot; run <code>{}</code></p>",
        duration(report.execution_time_ms),
        xml(when),
        report.stats.len(),
        xml(&report.run_id)
    );
    if let Some(root) = &report.root {
        let _ = writeln!(out, "<p>artifact <code>{}</code></p>", xml(root));
    }
    if let Some(why) = &report.aborted {
        let _ = writeln!(out, "<p class=\"failed\">{}</p>", xml(why));
    }
    for warning in &report.warnings {
        let _ = writeln!(out, "<p class=\"warning\">{}</p>", xml(warning));
    }
}

fn recap(out: &mut String, report: &ExecutionReport) {
    out.push_str("<section><h2>Hosts</h2>\n<table><thead><tr><th>host</th>");
    let names = [
        "ok",
        "changed",
        "unreachable",
        "failed",
        "skipped",
        "rescued",
        "ignored",
    ];
    for name in names {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for (host, s) in &report.stats {
        let _ = write!(out, "<tr><td>{}</td>", xml(host));
        let counts = [
            s.ok,
            s.changed,
            s.unreachable,
            s.failed,
            s.skipped,
            s.rescued,
            s.ignored,
        ];
        for (name, count) in names.iter().zip(counts) {
            let class = if count > 0 { *name } else { "none" };
            let _ = write!(out, "<td class=\"n {class}\">{count}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></section>\n");
}

/// All results, with their tasks.
fn results(report: &ExecutionReport) -> impl Iterator<Item = (&TaskReport, &String, &HostResult)> {
    let tasks = report.results.iter().flat_map(|play| &play.task_results);
    tasks.flat_map(|task| {
        let of_task = move |(host, result)| (task, host, result);
        task.hosts.iter().map(of_task)
    })
}

fn failures(out: &mut String, report: &ExecutionReport) {
    let failed = |r: &HostResult| matches!(r.status, Status::Failed | Status::Unreachable);
    let mut rows = String::new();
    for (task, host, result) in results(report).filter(|(_, _, r)| failed(r)) {
        let ignored = if result.ignored { " (ignored)" } else { "" };
        let _ = writeln!(
            rows,
            "<details class=\"failure\"{}><summary><b>{}</b> on {}{ignored} <span class=\"place\">{}</span><br>{}</summary><pre>{}</pre></details>",
            if result.ignored { "" } else { " open" },
            xml(&task.name),
            xml(host),
            xml(&place(task)),
            xml(&message(&result.result)),
            xml(&pretty(&result.result))
        );
    }
    if !rows.is_empty() {
        let _ = write!(out, "<section><h2>Failures</h2>\n{rows}</section>\n");
    }
}

fn message(result: &Value) -> String {
    let said = ["msg", "censored"].iter().find_map(|key| result.get(key));
    said.map(rustle_runtime::report::python_str)
        .unwrap_or_default()
}

fn pretty(result: &Value) -> String {
    serde_json::to_string_pretty(result).unwrap_or_default()
}

fn place(task: &TaskReport) -> String {
    match &task.source {
        Some(source) => format!("{}:{}", source.file, source.line),
        None => String::new(),
    }
}

fn slowest(out: &mut String, report: &ExecutionReport) {
    let mut by_task: HashMap<(&str, usize), (u64, &str, u64, &TaskReport)> = HashMap::new();
    for (at, task) in report
        .results
        .iter()
        .flat_map(|p| &p.task_results)
        .enumerate()
    {
        for (host, result) in &task.hosts {
            let entry = by_task
                .entry((&task.task_id, at))
                .or_insert((0, host, 0, task));
            entry.2 += result.duration_ms;
            if result.duration_ms >= entry.0 {
                (entry.0, entry.1) = (result.duration_ms, host);
            }
        }
    }
    let mut all: Vec<_> = by_task.into_iter().collect();
    all.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.1.cmp(&b.0.1)));
    out.push_str("<section><h2>Slowest tasks</h2>\n<table><thead><tr><th>task</th><th>module</th><th>longest</th><th>on</th><th>all hosts</th><th>written in</th></tr></thead><tbody>\n");
    for (_, (longest, host, sum, task)) in all.into_iter().take(SLOWEST) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"place\">{}</td></tr>",
            xml(&task.name),
            xml(&task.module),
            duration(longest),
            xml(host),
            duration(sum),
            xml(&place(task))
        );
    }
    out.push_str("</tbody></table></section>\n");
}

fn changes(out: &mut String, report: &ExecutionReport) {
    let changed = results(report).filter(|(_, _, r)| r.status == Status::Changed);
    let (mut rows, mut count) = (String::new(), 0);
    for (task, host, result) in changed {
        count += 1;
        if count > MOST_CHANGES {
            continue;
        }
        let own = result.result.get("diff").into_iter();
        let diffs = own.chain(result.items.iter().filter_map(|i| i.result.get("diff")));
        let diff: String = diffs.map(|diff| difference(diff, false)).collect();
        let head = format!(
            "<b>{}</b> on {} <span class=\"place\">{}</span>",
            xml(&task.name),
            xml(host),
            xml(&place(task))
        );
        let _ = match diff.is_empty() {
            true => writeln!(rows, "<p class=\"change\">{head}</p>"),
            false => writeln!(
                rows,
                "<details class=\"change\"><summary>{head}</summary><pre class=\"diff\">{}</pre></details>",
                coloured(&diff)
            ),
        };
    }
    if count > 0 {
        let _ = write!(out, "<section><h2>Changes ({count})</h2>\n{rows}");
        if count > MOST_CHANGES {
            let _ = writeln!(out, "<p>The first {MOST_CHANGES} are shown.</p>");
        }
        out.push_str("</section>\n");
    }
}

fn coloured(diff: &str) -> String {
    let mut out = String::new();
    for line in diff.lines() {
        if out.len() > LONGEST_DIFF {
            out.push_str("…\n");
            break;
        }
        let class = match line.as_bytes().first() {
            Some(b'+') => "plus",
            Some(b'-') => "minus",
            Some(b'@') => "at",
            _ => "",
        };
        let _ = writeln!(out, "<span class=\"{class}\">{}</span>", xml(line));
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two hosts; a change with a difference, a task that was skipped and one that failed.
    pub(crate) const RUN: &[&str] = &[
        r#"{"event":"run_started","seq":1,"time_ms":1000,"version":3,"run_id":"00ff","plan":null,"root":null,"runner":"0","hosts":["web1"],"check":false,"diff":true}"#,
        r#"{"event":"play_started","seq":2,"time_ms":1001,"play":"p1","name":"one","hosts":["web1"]}"#,
        r#"{"event":"task_started","seq":3,"time_ms":1002,"task":"t1","name":"copy & go","role":null,"module":"copy","handler":false,"source":{"file":"site.yml","line":7,"column":3}}"#,
        r#"{"event":"task_result","seq":4,"time_ms":1300,"task":"t1","host":"web1","status":"changed","ignored":false,"looped":false,"result":{"changed":true,"diff":{"before":"a\n","after":"<b>\n"}},"duration_ms":250,"delegated_to":null}"#,
        r#"{"event":"task_started","seq":5,"time_ms":1301,"task":"t2","name":"not now","role":null,"module":"command","handler":false,"source":null}"#,
        r#"{"event":"task_result","seq":6,"time_ms":1302,"task":"t2","host":"web1","status":"skipped","ignored":false,"looped":false,"result":{"changed":false,"skip_reason":"Conditional result was False"},"duration_ms":0,"delegated_to":null}"#,
        r#"{"event":"task_started","seq":7,"time_ms":1303,"task":"t3","name":"read","role":null,"module":"slurp","handler":false,"source":null}"#,
        r#"{"event":"task_result","seq":8,"time_ms":1400,"task":"t3","host":"web1","status":"failed","ignored":false,"looped":false,"result":{"failed":true,"msg":"no \"such\" <file>"},"duration_ms":90,"delegated_to":null}"#,
        r#"{"event":"run_finished","seq":9,"time_ms":1410,"stats":{"web1":{"ok":1,"changed":1,"unreachable":0,"failed":1,"skipped":1,"rescued":0,"ignored":0}},"exit_code":2,"aborted":null,"duration_ms":410}"#,
    ];

    #[test]
    fn all_that_a_reader_looks_for_is_there() {
        let events: Vec<Event> = RUN
            .iter()
            .map(|line| Event::from_json_line(line).unwrap())
            .collect();
        let page = page("site.yml", "now", &events);
        for part in [
            "<b class=\"failed\">failed</b>",
            "<td class=\"n changed\">1</td>",
            "no &quot;such&quot; &lt;file&gt;",
            "<span class=\"plus\">+&lt;b&gt;</span>",
            "site.yml:7",
            "<svg",
            "250 ms",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        // Nothing is fetched and nothing runs.
        assert!(!page.contains("<script") && !page.contains("http"));
    }

    #[test]
    fn a_run_that_was_killed_says_so() {
        let events: Vec<Event> = RUN[..5]
            .iter()
            .map(|line| Event::from_json_line(line).unwrap())
            .collect();
        assert!(page("x", "now", &events).contains("did not end"));
        assert!(page("x", "now", &[]).contains("did not end"));
    }
}
