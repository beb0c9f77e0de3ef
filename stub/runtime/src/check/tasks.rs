//! Modules, arguments, handlers' names, and what nobody could do without a controller.

use std::collections::HashMap;

use rustle_formats::plan::ExecutionPlan;
use rustle_formats::{Value, nearest};

use super::expressions::Expressions;
use super::walk::{Placed, escaped};
use super::{CheckOptions, Problem};
use crate::args::{ArgError, Args, Moment};
use crate::engine::{META_ACTIONS, is_meta, meta_action};
use crate::modules::{self, MODULES};
use crate::spec::Spec;

pub(super) fn check(
    plan: &ExecutionPlan,
    placed: &[Placed<'_>],
    options: &CheckOptions<'_>,
    expressions: &Expressions,
    out: &mut Vec<Problem>,
) {
    let answers = Answers::of(plan);
    for task in placed {
        module(task, out);
        expressions.task(task, out);
        answers.check(task, out);
        if !options.attached {
            offline(task, out);
        }
    }
}

fn module(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let task = placed.frame.task;
    if is_meta(&task.module) {
        let action = meta_action(&task.args);
        if !META_ACTIONS.contains(&action) {
            let mut found = placed.problem("/args", format!("`meta` does not know `{action}`"));
            found.hint = nearest(action, META_ACTIONS).map(|m| format!("did you mean `{m}`?"));
            out.push(found);
        }
        return;
    }
    let Some(module) = modules::find(&task.module) else {
        let names: Vec<&str> = MODULES.iter().map(|m| m.spec().name).collect();
        let (message, below) = if task.module.is_empty() {
            ("the task has no module".to_owned(), "")
        } else {
            (format!("unknown module `{}`", task.module), "/module")
        };
        let mut found = placed.problem(below, message);
        found.hint = nearest(&task.module, &names)
            .map(|m| format!("did you mean `{m}`?"))
            .or_else(|| Some("docs/modules.md lists the modules that there are".into()));
        out.push(found);
        return;
    };
    let spec = module.spec();
    let mut args = crate::engine::with_defaults(&placed.frame, spec);
    args.extend(task.args.clone());
    crate::engine::name_free_form(spec, &mut args);
    for error in Args::check(spec, &args, Moment::Packing)
        .err()
        .unwrap_or_default()
    {
        out.push(argument(placed, spec, error));
    }
}

fn argument(placed: &Placed<'_>, spec: &Spec, error: ArgError) -> Problem {
    let unknown = error.message.starts_with("Unsupported parameters");
    let module = spec.name;
    let mut found = match &error.arg {
        Some(arg) => {
            let message = if unknown {
                format!("unknown argument `{arg}` for module `{module}`")
            } else {
                format!("argument `{arg}` of module `{module}`: {}", error.message)
            };
            let mut found = placed.problem(&format!("/args/{}", escaped(arg)), message);
            found.key = unknown;
            found
        }
        None => placed.problem("", format!("module `{module}`: {}", error.message)),
    };
    found.hint = match error.hint {
        Some(meant) => Some(format!("did you mean `{meant}`?")),
        None if unknown => error
            .message
            .split("Supported parameters include: ")
            .nth(1)
            .map(|list| format!("the arguments are {}", list.trim_end_matches('.'))),
        None => None,
    };
    found
}

/// By play: the names that handlers answer to.
struct Answers<'p>(Vec<HashMap<&'p str, ()>>, Vec<bool>);

impl<'p> Answers<'p> {
    fn of(plan: &'p ExecutionPlan) -> Answers<'p> {
        let mut names = Vec::new();
        let mut open = Vec::new();
        for play in &plan.plays {
            let mut known = HashMap::new();
            for handler in &play.handlers {
                known.insert(handler.name.as_str(), ());
                known.extend(handler.listen.iter().map(|l| (l.as_str(), ())));
            }
            open.push(known.keys().any(|n| n.contains("{{")));
            names.push(known);
        }
        Answers(names, open)
    }

    fn check(&self, placed: &Placed<'_>, out: &mut Vec<Problem>) {
        let known = &self.0[placed.play];
        if self.1[placed.play] {
            return;
        }
        for (i, name) in placed.frame.task.notify.iter().enumerate() {
            let short = name.rsplit_once(" : ").map_or(name.as_str(), |(_, n)| n);
            if name.contains("{{") || known.contains_key(name.as_str()) || known.contains_key(short)
            {
                continue;
            }
            let mut found = placed.problem(
                &format!("/notify/{i}"),
                format!("no handler of the play is called `{name}`"),
            );
            let names: Vec<&str> = known.keys().copied().collect();
            found.hint = nearest(name, &names).map(|m| format!("did you mean `{m}`?"));
            out.push(found);
        }
    }
}

/// What only a controller could do.
fn offline(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let task = placed.frame.task;
    if let Some(Value::Str(host)) = placed.frame.delegate_to()
        && !host.contains("{{")
        && !matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1" | "")
        && !placed.frame.play.hosts.iter().all(|h| h == host)
    {
        let mut found = placed.problem(
            "/delegate_to",
            format!("the task is delegated to `{host}`, and an artifact that runs alone cannot reach other hosts"),
        );
        found.hint =
            Some("push the plan over ssh, or move the task into a play of that host".into());
        out.push(found);
    }
    let short = task.module.rsplit('.').next().unwrap_or_default();
    match short {
        "fetch" => out.push(placed.problem(
            "/module",
            "`fetch` brings files to the controller, and an artifact that runs alone has none",
        )),
        "pause"
            if task.args.contains_key("prompt")
                && !task.args.contains_key("seconds")
                && !task.args.contains_key("minutes") =>
        {
            out.push(placed.problem(
                "/args/prompt",
                "`pause` waits for somebody to answer, and an artifact that runs alone has nobody to ask",
            ));
        }
        _ => {}
    }
}
