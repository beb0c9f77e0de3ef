//! Which displays follow a run: the one that prints (`stdout_callback`), and those beside it (`callbacks_enabled`), by Ansible's names.
//! All are folds over the events.

mod brief;
mod json;
mod junit;
mod retry;
mod tree;

use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_runtime::report::{Stream, TextOptions, TextReporter};

use self::brief::Brief;
use super::PlaybookCommand;
use super::causes::Lines;
use super::custom_stats::{CustomStats, WithStats};
use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::playbook_source::Parts;
use crate::surroundings::Surroundings;

/// What the displays of this kind that Rustle has are called, for those who asked for another.
const PRINTING: &str = "default, minimal, oneline, json, jsonl, null, junit, tree";

/// Takes events in and gives out what is printed.
pub(crate) trait Screen {
    /// Takes one event.
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str));
}

impl Screen for TextReporter {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        TextReporter::event(self, event, sink);
    }
}

/// Displays that hear of everything one after the other.
struct Together(Vec<Box<dyn Screen>>);

impl Screen for Together {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        for screen in &mut self.0 {
            screen.event(event, sink);
        }
    }
}

impl PlaybookCommand {
    /// What follows the run of a plan.
    pub(super) fn screen(
        &self,
        console: &Console,
        parts: &Parts<'_>,
        plan: &ExecutionPlan,
    ) -> Box<dyn Screen> {
        let surroundings = parts.surroundings;
        let config = &surroundings.config;
        let mut all: Vec<Box<dyn Screen>> = Vec::new();
        if self.ad_hoc.is_none()
            && config.flag("RETRY_FILES_ENABLED")
            && let Some(path) = retry::path(config, parts.path)
        {
            all.push(Box::new(retry::RetryFile::new(path)));
        }
        let name = self.printing(surroundings);
        all.push(self.printer(&name, console, parts, plan));
        if let Some(folder) = self.ad_hoc.as_ref().and_then(|one| one.tree.clone()) {
            all.push(Box::new(tree::Tree::into(folder)));
        }
        let plugins = self.ad_hoc.is_none() || config.flag("DEFAULT_LOAD_CALLBACK_PLUGINS");
        let enabled = config.list("CALLBACKS_ENABLED");
        for other in enabled.iter().filter(|_| plugins) {
            if plain_name(other) == plain_name(&name) {
                continue;
            }
            match beside(other, parts, plan) {
                Some(screen) => all.push(screen),
                None => say_unknown(console, "callbacks_enabled", other, "junit, tree"),
            }
        }
        Box::new(Together(all))
    }

    /// The name of what prints.
    fn printing(&self, surroundings: &Surroundings) -> String {
        let config = &surroundings.config;
        let set = config.text("DEFAULT_STDOUT_CALLBACK").unwrap_or("default");
        let Some(ad_hoc) = &self.ad_hoc else {
            return set.to_owned();
        };
        if ad_hoc.one_line {
            return "oneline".to_owned();
        }
        let wanted = config.flag("DEFAULT_LOAD_CALLBACK_PLUGINS") && set != "default";
        if wanted { set } else { "minimal" }.to_owned()
    }

    fn printer(
        &self,
        name: &str,
        console: &Console,
        parts: &Parts<'_>,
        plan: &ExecutionPlan,
    ) -> Box<dyn Screen> {
        let config = &parts.surroundings.config;
        let mut options = console.text_options(config.flag("ANSIBLE_NOCOLOR"));
        options.colour |= config.flag("ANSIBLE_FORCE_COLOR");
        match plain_name(name) {
            "default" => self.usual(options, parts.surroundings),
            "minimal" => Box::new(self.brief(false, options, parts.surroundings)),
            "oneline" => Box::new(self.brief(true, options, parts.surroundings)),
            kind @ ("json" | "ansible.posix.json" | "jsonl" | "ansible.posix.jsonl") => {
                let directory = &parts.surroundings.config.environment().directory;
                let stats = parts.surroundings.config.flag("SHOW_CUSTOM_STATS");
                let document = json::Document::new(plan, directory, stats);
                Box::new(match kind.ends_with('l') {
                    true => document.by_lines(),
                    false => document,
                })
            }
            "null" | "community.general.null" => Box::new(Together(Vec::new())),
            other => beside(other, parts, plan).unwrap_or_else(|| {
                say_unknown(console, "stdout_callback", name, PRINTING);
                self.usual(options, parts.surroundings)
            }),
        }
    }

    fn brief(&self, one_line: bool, options: TextOptions, surroundings: &Surroundings) -> Brief {
        match &self.ad_hoc {
            Some(task) => Brief::of_task(task.clone(), one_line, options),
            None => {
                let directory = surroundings.config.environment().directory.clone();
                Brief::new(one_line, options, Box::new(Lines::below(directory)))
            }
        }
    }

    /// Ansible's own display.
    fn usual(&self, options: TextOptions, surroundings: &Surroundings) -> Box<dyn Screen> {
        let directory = surroundings.config.environment().directory.clone();
        let display = super::settings::display(&surroundings.config);
        let inner = TextReporter::new(options)
            .showing(display)
            .with_excerpts(Box::new(Lines::below(directory)));
        match surroundings.config.flag("SHOW_CUSTOM_STATS") {
            true => Box::new(WithStats {
                inner,
                stats: CustomStats::default(),
            }),
            false => Box::new(inner),
        }
    }
}

/// A display that prints nothing.
fn beside(name: &str, parts: &Parts<'_>, plan: &ExecutionPlan) -> Option<Box<dyn Screen>> {
    let environment = parts.surroundings.config.environment();
    match plain_name(name) {
        "junit" => Some(Box::new(junit::Junit::new(plan, parts.path, environment))),
        "tree" => Some(Box::new(tree::Tree::usual(environment))),
        _ => None,
    }
}

/// A name without the collection that need not be named.
fn plain_name(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").unwrap_or(name)
}

fn say_unknown(console: &Console, setting: &str, name: &str, known: &str) {
    let text = format!("`{setting}` asks for the display `{name}`, which Rustle does not have");
    let mut warning = Diagnostic::new(Level::Warning, text);
    warning.hint = Some(format!("what it has: {known}"));
    console.say(&warning);
}
