//! The texts of tasks, in the order in which a run comes to them: the loop, the conditions, the arguments, and what
//! judges the result.

use rustle_formats::Value;
use rustle_formats::plan::{LoopControl, Task};

use super::super::Placed;
use super::super::defined::View;
use super::super::places::always_holds;
use super::super::texts::Reading;
use super::{Path, Scan, Spot, Undefined};
use crate::modules::find;

impl<'p> Scan<'_, 'p> {
    /// A task with everything in it.
    pub(super) fn task(&mut self, index: usize, placed: &'p Placed<'p>) {
        let task = placed.task;
        let mut spot = Spot {
            placed: Some(placed),
            base: &placed.pointer,
            view: View {
                play: placed.play,
                blocks: &placed.blocks,
                task: Some(task),
                in_loop: true,
                file: false,
                shared: placed.home.is_shared(),
            },
            undefined: if self.reached(placed) {
                Undefined::Fails
            } else {
                Undefined::MayFail
            },
            guarded: Vec::new(),
        };
        self.inherit(placed, &mut spot);
        self.task_vars(task, &spot);
        self.items(task, &mut spot);
        self.conditions("when", &task.when, &mut spot);
        self.keywords(task, &spot);
        self.arguments(task, &spot);
        self.template_files(index, placed, &spot);
        for (name, conditions) in [
            ("until", &task.until),
            ("failed_when", &task.failed_when),
            ("changed_when", &task.changed_when),
        ] {
            self.conditions(name, conditions, &mut spot.clone());
        }
        self.harmless(task, spot);
    }

    /// Whether a run comes to a task, and fails where it fails, as far as its conditions allow it.
    fn reached(&self, placed: &Placed<'p>) -> bool {
        let Some(frame) = self.tree.frame(self.plan, placed) else {
            return false;
        };
        let task = placed.task;
        let forgiven = frame
            .ignore_errors()
            .is_some_and(|v| !matches!(v, Value::Bool(false)));
        let tagged = |tags: &[String]| tags.iter().any(|t| t == "never");
        let never = tagged(&frame.play.tags)
            || tagged(&task.tags)
            || frame.blocks().any(|b| tagged(&b.tags));
        let notified = |name: &String| self.notified.contains(name.as_str());
        let called = !placed.handler || notified(&task.name) || task.listen.iter().any(notified);
        !placed.rescued && !forgiven && !never && called
    }

    /// The conditions of the play and of the blocks around, which were looked at where they stand.
    fn inherit(&mut self, placed: &Placed<'p>, spot: &mut Spot<'_, 'p>) {
        let Some(play) = self.plan.plays.get(placed.play) else {
            return;
        };
        for condition in &play.when.0 {
            self.pass(condition, spot);
        }
        for block in placed.blocks.iter() {
            for condition in &self.tree.blocks[*block].block.when.0 {
                self.pass(condition, spot);
            }
        }
    }

    fn task_vars(&mut self, task: &'p Task, spot: &Spot<'_, 'p>) {
        let spot = Spot {
            undefined: Undefined::Harmless,
            ..spot.clone()
        };
        self.vars_at(&task.vars, &spot, "/vars");
    }

    /// The loop. A condition of the task that does not hold forgives a loop that cannot be evaluated; a loop without
    /// items forgives everything else.
    fn items(&mut self, task: &Task, spot: &mut Spot<'_, 'p>) {
        let Some(items) = &task.loop_ else { return };
        let mut before = spot.clone();
        before.view.in_loop = false;
        for condition in &task.when.0 {
            if !always_holds(condition) {
                self.pass(condition, &mut before);
            }
        }
        self.keyword("loop", Some(items), &before);
        if !matches!(items, Value::List(list) if !list.is_empty()) {
            spot.doubt();
        }
    }

    fn keywords(&mut self, task: &Task, spot: &Spot<'_, 'p>) {
        for (name, value) in [
            ("environment", &task.environment),
            ("become", &task.become_),
            ("become_user", &task.become_user),
            ("become_method", &task.become_method),
            ("become_flags", &task.become_flags),
            ("become_exe", &task.become_exe),
            ("check_mode", &task.check_mode),
            ("diff", &task.diff),
            ("delegate_to", &task.delegate_to),
            ("async", &task.async_),
            ("poll", &task.poll),
            ("retries", &task.retries),
            ("delay", &task.delay),
            ("timeout", &task.timeout),
        ] {
            self.keyword(name, value.as_ref(), spot);
        }
    }

    fn arguments(&mut self, task: &Task, spot: &Spot<'_, 'p>) {
        let spec = find(&task.module).map(|m| m.spec());
        let root = Path::Root("/args");
        for (name, value) in &task.args {
            let path = Path::Key(&root, name);
            let declared = spec.and_then(|s| s.arg(name));
            if declared.is_some_and(|a| a.raw) {
                if spec.is_some_and(|s| s.name == "assert") {
                    self.asserted(value, path, spot);
                }
                continue;
            }
            if spec.is_some_and(|s| s.open) && name.contains("{{") {
                self.text(name, Reading::Template, &path, spot);
            }
            match value {
                // What `debug` cannot evaluate it prints as such.
                Value::Str(text) if name == "var" && spec.is_some_and(|s| s.name == "debug") => {
                    let spot = Spot {
                        undefined: Undefined::Harmless,
                        ..spot.clone()
                    };
                    self.text(text, Reading::Condition, &path, &spot);
                }
                value => self.value(value, path, spot),
            }
        }
    }

    /// The conditions of `assert`: each is asked only after those before it held.
    fn asserted(&mut self, value: &Value, path: Path<'_>, spot: &Spot<'_, 'p>) {
        let mut spot = spot.clone();
        match value {
            Value::List(list) => {
                for (i, condition) in list.iter().enumerate() {
                    self.condition(condition, Path::Index(&path, i), &mut spot);
                }
            }
            one => self.condition(one, path, &mut spot),
        }
    }

    /// Keywords in which nobody minds an undefined variable, or which matter only after a failure or a change.
    fn harmless(&mut self, task: &Task, mut spot: Spot<'_, 'p>) {
        spot.undefined = Undefined::Harmless;
        for (name, value) in [
            ("module_defaults", &task.module_defaults),
            ("no_log", &task.no_log),
            ("ignore_errors", &task.ignore_errors),
            ("ignore_unreachable", &task.ignore_unreachable),
            ("any_errors_fatal", &task.any_errors_fatal),
            ("delegate_facts", &task.delegate_facts),
            ("run_once", &task.run_once),
            ("throttle", &task.throttle),
        ] {
            self.keyword(name, value.as_ref(), &spot);
        }
        let root = Path::Root("");
        self.text(
            &task.name,
            Reading::Template,
            &Path::Key(&root, "name"),
            &spot,
        );
        let notify = Path::Key(&root, "notify");
        for (i, name) in task.notify.iter().enumerate() {
            self.text(name, Reading::Template, &Path::Index(&notify, i), &spot);
        }
        if let Some(control) = &task.loop_control {
            self.loop_control(control, &mut spot);
        }
    }

    fn loop_control(&mut self, control: &LoopControl, spot: &mut Spot<'_, 'p>) {
        let root = Path::Root("/loop_control");
        for (name, value) in [
            ("label", &control.label),
            ("pause", &control.pause),
            ("extended", &control.extended),
            ("extended_allitems", &control.extended_allitems),
        ] {
            if let Some(value) = value {
                self.value(value, Path::Key(&root, name), spot);
            }
        }
        self.conditions_at(Path::Key(&root, "break_when"), &control.break_when, spot);
    }
}
