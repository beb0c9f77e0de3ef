//! `--list-tasks` and `--list-tags`, as ansible-playbook prints them.

use rustle_runtime::engine::{self, Options};

use rustle_formats::order;

use crate::run::Ready;

/// The tasks that a run with these options would go through, or with `tags_only` their tags.
pub(crate) fn text(ready: &Ready, options: &Options, tags_only: bool) -> String {
    let listed = engine::list_tasks(&ready.plan, options);
    let name = ready.plan.metadata.name.as_deref().unwrap_or("plan");
    let mut out = format!("\nplaybook: {name}\n");
    for (index, play) in ready.plan.plays.iter().enumerate() {
        let hosts = if play.hosts.is_empty() {
            "all".to_owned()
        } else {
            play.hosts.join(",")
        };
        let mut own: Vec<&str> = play.tags.iter().map(String::as_str).collect();
        order::sort(&mut own);
        out.push_str(&format!(
            "\n  play #{} ({hosts}): {}\tTAGS: [{}]\n",
            index + 1,
            play.name,
            own.join(",")
        ));
        let tasks = listed.iter().filter(|t| t.play == index);
        if tags_only {
            let mut all: Vec<&str> = tasks
                .flat_map(|t| t.tags.iter().map(String::as_str))
                .collect();
            order::sort(&mut all);
            all.dedup();
            out.push_str(&format!("      TASK TAGS: [{}]\n", all.join(", ")));
        } else {
            out.push_str("    tasks:\n");
            for task in tasks {
                out.push_str(&format!(
                    "      {}\tTAGS: [{}]\n",
                    task.name,
                    task.tags.join(", ")
                ));
            }
        }
    }
    out
}
