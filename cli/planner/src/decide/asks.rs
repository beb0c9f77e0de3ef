//! What texts ask of the controller: lookups that only it can answer, and variables of other hosts. A variable whose value asks
//! for such a thing does so for every text that mentions it.

use std::collections::HashMap;
use std::rc::Rc;

use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};
use rustle_formats::{Map, Value};
use rustle_template::Engine;

/// What one text asks for.
#[derive(Debug, Default)]
struct Asked {
    /// Why it needs the controller, if it does by itself.
    why: Option<String>,
    /// The variables that it mentions.
    mentions: Vec<Rc<str>>,
}

/// The texts of a plan.
pub(super) struct Asks<'a> {
    engine: Engine<'a>,
    lookups: &'a [&'a str],
    known: HashMap<String, Rc<Asked>>,
    /// The variables whose values need the controller, and why.
    variables: HashMap<Rc<str>, String>,
}

impl<'a> Asks<'a> {
    pub(super) fn new(plan: &ExecutionPlan, lookups: &'a [&'a str]) -> Asks<'a> {
        let mut asks = Asks {
            engine: Engine::new(),
            lookups,
            known: HashMap::new(),
            variables: HashMap::new(),
        };
        asks.follow(plan);
        asks
    }

    /// Finds the variables that need the controller, directly or through others.
    fn follow(&mut self, plan: &ExecutionPlan) {
        let mut values: Vec<(&str, Vec<Rc<Asked>>)> = Vec::new();
        for map in maps(plan) {
            for (name, value) in map {
                let mut asked = Vec::new();
                self.asked(value, &mut asked);
                asked.retain(|a| a.why.is_some() || !a.mentions.is_empty());
                if !asked.is_empty() {
                    values.push((name, asked));
                }
            }
        }
        loop {
            let before = self.variables.len();
            for (name, asked) in &values {
                if self.variables.contains_key(*name) {
                    continue;
                }
                if let Some(why) = asked.iter().find_map(|a| self.why_of(a)) {
                    self.variables.insert(Rc::from(*name), why);
                }
            }
            if self.variables.len() == before {
                return;
            }
        }
    }

    fn why_of(&self, asked: &Asked) -> Option<String> {
        let through = |name: &Rc<str>| {
            let why = self.variables.get(name)?;
            // The variable that asks is named, not all that lead to it.
            let told = why.starts_with("the variable ");
            Some(if told {
                why.clone()
            } else {
                format!("the variable `{name}`: {why}")
            })
        };
        asked
            .why
            .clone()
            .or_else(|| asked.mentions.iter().find_map(through))
    }

    /// Why a value needs the controller.
    pub(super) fn why(&mut self, value: &Value) -> Option<String> {
        let mut asked = Vec::new();
        self.asked(value, &mut asked);
        asked.iter().find_map(|a| self.why_of(a))
    }

    /// Why a condition needs the controller: its text is an expression.
    pub(super) fn why_condition(&mut self, value: &Value) -> Option<String> {
        let text = value.as_str()?;
        self.why(&Value::from(format!("{{{{ {text} }}}}").as_str()))
    }

    /// Why the text of a file needs the controller.
    pub(super) fn why_text(&mut self, text: &str) -> Option<String> {
        let asked = self.text(text);
        self.why_of(&asked)
    }

    fn asked(&mut self, value: &Value, out: &mut Vec<Rc<Asked>>) {
        match value {
            Value::Str(text) if text.contains("{{") || text.contains("{%") => {
                out.push(self.text(text));
            }
            Value::List(list) => list.iter().for_each(|v| self.asked(v, out)),
            Value::Map(map) => map.values().for_each(|v| self.asked(v, out)),
            Value::Pairs(pairs) => pairs.iter().for_each(|(_, v)| self.asked(v, out)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) -> Rc<Asked> {
        if let Some(known) = self.known.get(text) {
            return Rc::clone(known);
        }
        let mut out = Asked::default();
        // What is no template is told by the check of the plan.
        if let Ok(analysis) = self.engine.check_syntax(text) {
            let lookup = analysis
                .lookups
                .iter()
                .find(|(name, ..)| self.is_controller(name));
            if let Some((name, ..)) = lookup {
                out.why = Some(format!("the lookup `{name}` asks the controller"));
            } else if analysis.mentioned.iter().any(|n| &**n == "hostvars") && others(text) {
                out.why = Some("it reads the variables of other hosts (`hostvars`)".to_owned());
            }
            out.mentions = analysis.mentioned;
        }
        let out = Rc::new(out);
        self.known.insert(text.to_owned(), Rc::clone(&out));
        out
    }

    /// Whether a lookup is one that only the controller can answer.
    pub(super) fn is_controller(&self, lookup: &str) -> bool {
        let short = lookup.rsplit('.').next().unwrap_or(lookup);
        self.lookups.contains(&short)
    }
}

/// Whether `hostvars` is asked for another host than the one that asks.
fn others(text: &str) -> bool {
    text.split("hostvars").skip(1).any(|rest| {
        let rest = rest.trim_start();
        let inside = rest.strip_prefix('[').map(str::trim_start);
        let own = inside.and_then(|r| r.strip_prefix("inventory_hostname"));
        !own.is_some_and(|r| r.trim_start().starts_with(']'))
    })
}

/// Every mapping of variables that a plan has.
fn maps(plan: &ExecutionPlan) -> Vec<&Map> {
    let mut out = vec![&plan.extra_vars];
    out.extend(plan.hosts.values().map(|h| &h.vars));
    out.extend(plan.groups.values().map(|g| &g.vars));
    for play in &plan.plays {
        out.push(&play.vars);
        out.extend(play.all_vars_files());
        play.batches
            .iter()
            .flat_map(|b| &b.tasks)
            .for_each(|i| of_item(i, &mut out));
        play.handlers.iter().for_each(|t| of_task(t, &mut out));
    }
    for role in plan.roles.values() {
        out.extend(role.defaults.values().chain(role.vars.values()));
        role.dependencies.iter().for_each(|b| of_block(b, &mut out));
        role.tasks
            .values()
            .flatten()
            .for_each(|i| of_item(i, &mut out));
        role.handlers
            .values()
            .flatten()
            .for_each(|t| of_task(t, &mut out));
    }
    plan.task_files
        .values()
        .flatten()
        .for_each(|i| of_item(i, &mut out));
    out
}

fn of_item<'p>(item: &'p Item, out: &mut Vec<&'p Map>) {
    match item {
        Item::Task(task) => of_task(task, out),
        Item::Block(block) => of_block(block, out),
    }
}

fn of_block<'p>(block: &'p Block, out: &mut Vec<&'p Map>) {
    out.push(&block.vars);
    out.extend(block.use_role.as_ref().map(|used| &used.params));
    let parts = [&block.block, &block.rescue, &block.always];
    parts.into_iter().flatten().for_each(|i| of_item(i, out));
}

fn of_task<'p>(task: &'p Task, out: &mut Vec<&'p Map>) {
    out.push(&task.vars);
    if task.module.rsplit('.').next() == Some("set_fact") {
        out.push(&task.args);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostvars_of_the_host_itself_are_its_own() {
        assert!(!others("{{ hostvars[inventory_hostname]['x'] }}"));
        assert!(others("{{ hostvars['db1'].x }}"));
        assert!(others(
            "{{ hostvars[inventory_hostname].a ~ hostvars[item].b }}"
        ));
    }

    #[test]
    fn a_variable_hands_on_what_it_asks_for() {
        let mut plan = ExecutionPlan::default();
        plan.extra_vars
            .insert("a".into(), "{{ lookup('pipe', 'date') }}".into());
        plan.extra_vars.insert("b".into(), "x {{ a }}".into());
        plan.extra_vars
            .insert("c".into(), "{{ lookup('env', 'HOME') }}".into());
        let mut asks = Asks::new(&plan, &["pipe"]);
        let mut why = |text: &str| asks.why(&text.into());
        assert_eq!(
            why("{{ b }}").as_deref(),
            Some("the variable `a`: the lookup `pipe` asks the controller")
        );
        assert_eq!(why("{{ c }}"), None);
        assert_eq!(why("b"), None);
        assert!(asks.why_condition(&"b == 'x'".into()).is_some());
    }
}
