//! A run as JUnit's XML, which build servers read: a suite for each play, a case for each task on each host.

use std::fmt::Write as _;

use rustle_formats::event::Status;
use rustle_formats::report::{ExecutionReport, HostResult, TaskReport};

use crate::page::text::xml;

/// The document.
pub fn junit(report: &ExecutionReport) -> String {
    let mut suites = String::new();
    let (mut tests, mut failures) = (0, 0);
    for play in &report.results {
        let mut cases = String::new();
        let (mut count, mut failed, mut skipped, mut time_ms) = (0, 0, 0, 0);
        for task in &play.task_results {
            for (host, result) in &task.hosts {
                count += 1;
                time_ms += result.duration_ms;
                failed += usize::from(is_failure(result));
                skipped += usize::from(result.status == Status::Skipped);
                case(&mut cases, task, host, result);
            }
        }
        tests += count;
        failures += failed;
        let _ = write!(
            suites,
            "  <testsuite name=\"{}\" tests=\"{count}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{}\">\n{cases}  </testsuite>\n",
            xml(&play.name),
            seconds(time_ms),
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{}\">\n{suites}</testsuites>\n",
        seconds(report.execution_time_ms)
    )
}

fn is_failure(result: &HostResult) -> bool {
    matches!(result.status, Status::Failed | Status::Unreachable) && !result.ignored
}

fn case(out: &mut String, task: &TaskReport, host: &str, result: &HostResult) {
    let place = task.source.as_ref().map_or(String::new(), |source| {
        format!("{}:{}", source.file, source.line)
    });
    let _ = write!(
        out,
        "    <testcase name=\"[{}] {}\" classname=\"{}\" time=\"{}\"",
        xml(host),
        xml(&task.name),
        xml(&place),
        seconds(result.duration_ms)
    );
    let told = |key: &str| {
        let text = result.result.get(key).and_then(|v| v.as_str());
        xml(text.unwrap_or_default())
    };
    let _ = match result.status {
        _ if is_failure(result) => {
            writeln!(out, "><failure message=\"{}\"/></testcase>", told("msg"))
        }
        Status::Skipped => writeln!(
            out,
            "><skipped message=\"{}\"/></testcase>",
            told("skip_reason")
        ),
        _ => writeln!(out, "/>"),
    };
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use rustle_formats::event::Event;
    use rustle_runtime::report::ReportBuilder;

    #[test]
    fn a_failure_and_a_skipped_task() {
        let mut builder = ReportBuilder::new();
        for line in crate::page::tests::RUN {
            builder.add(&Event::from_json_line(line).unwrap());
        }
        let text = super::junit(builder.report());
        assert!(
            text.contains(r#"<testsuites tests="3" failures="1""#),
            "{text}"
        );
        assert!(
            text.contains(r#"message="no &quot;such&quot; &lt;file&gt;""#),
            "{text}"
        );
        assert!(
            text.contains(r#"name="[web1] copy &amp; go" classname="site.yml:7" time="0.250"/>"#),
            "{text}"
        );
    }
}
