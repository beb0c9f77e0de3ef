//! Texts outside of tasks: variables of the inventory, and what plays and blocks hand down to their tasks.

use rustle_formats::Map;
use rustle_formats::plan::{Block, Conditions, PlayPlan, VarsChoice};

use super::super::defined::View;
use super::super::escaped;
use super::{Path, Scan, Spot, Undefined};

impl<'p> Scan<'_, 'p> {
    /// What the inventory and the command line define.
    pub(super) fn inventory(&mut self) {
        let plan = self.plan;
        self.vars(&plan.extra_vars, "/extra_vars", &[]);
        for (name, host) in &plan.hosts {
            self.vars(&host.vars, &format!("/hosts/{}/vars", escaped(name)), &[]);
        }
        for (name, group) in &plan.groups {
            self.vars(&group.vars, &format!("/groups/{}/vars", escaped(name)), &[]);
        }
    }

    /// Variables: mistakes in them count where somebody uses them.
    fn vars(&mut self, vars: &'p Map, base: &str, blocks: &[usize]) {
        let view = View {
            play: usize::MAX,
            blocks,
            task: None,
            in_loop: false,
            file: false,
            shared: true,
        };
        let spot = Spot {
            placed: None,
            base,
            view,
            undefined: Undefined::Harmless,
            guarded: Vec::new(),
        };
        self.vars_at(vars, &spot, "");
    }

    /// Variables below a place; see [`Scan::vars`].
    pub(super) fn vars_at(&mut self, vars: &'p Map, spot: &Spot<'_, 'p>, below: &str) {
        let root = Path::Root(below);
        for (name, value) in vars {
            let before = self.out.len();
            self.value(value, Path::Key(&root, name), spot);
            for problem in self.out.drain(before..) {
                self.unused.push((name, problem));
            }
        }
    }

    /// A play's variables and keywords.
    pub(super) fn play(&mut self, index: usize, play: &'p PlayPlan) {
        let base = format!("/plays/{index}");
        self.vars(&play.vars, &format!("{base}/vars"), &[]);
        for (i, vars) in play.vars_files.iter().enumerate() {
            self.vars(vars, &format!("{base}/vars_files/{i}"), &[]);
        }
        let choices = play.vars_choices.iter().map(VarsChoice::of);
        for (i, choice) in choices.enumerate() {
            for (name, vars) in choice.iter().flat_map(|choice| choice.files) {
                let below = format!("{base}/vars_choices/{i}/files/{}", escaped(name));
                if let Some(vars) = vars.as_map() {
                    self.vars(vars, &below, &[]);
                }
            }
        }
        let view = View {
            play: index,
            blocks: &[],
            task: None,
            in_loop: true,
            file: false,
            shared: false,
        };
        let runs = play.batches.iter().any(|b| !b.tasks.is_empty());
        let sure = runs && !never(&play.tags) && play.ignore_errors.is_none();
        let mut spot = Spot {
            placed: None,
            base: &base,
            view,
            undefined: fails(sure),
            guarded: Vec::new(),
        };
        self.conditions("when", &play.when, &mut spot);
        for (name, value) in [
            ("environment", &play.environment),
            ("become", &play.become_),
            ("become_user", &play.become_user),
            ("become_method", &play.become_method),
            ("become_flags", &play.become_flags),
            ("check_mode", &play.check_mode),
            ("diff", &play.diff),
            ("timeout", &play.timeout),
        ] {
            self.keyword(name, value.as_ref(), &spot);
        }
        spot.undefined = Undefined::Harmless;
        for (name, value) in [
            ("module_defaults", &play.module_defaults),
            ("no_log", &play.no_log),
            ("ignore_errors", &play.ignore_errors),
            ("ignore_unreachable", &play.ignore_unreachable),
            ("any_errors_fatal", &play.any_errors_fatal),
            ("max_fail_percentage", &play.max_fail_percentage),
            ("remote_user", &play.remote_user),
            ("connection", &play.connection),
            ("throttle", &play.throttle),
            ("serial", &play.serial),
        ] {
            self.keyword(name, value.as_ref(), &spot);
        }
    }

    /// A block's variables and keywords.
    pub(super) fn block(&mut self, index: usize) {
        let placed = &self.tree.blocks[index];
        let block: &'p Block = placed.block;
        let inside: Vec<usize> = placed.around.iter().copied().chain([index]).collect();
        self.vars(&block.vars, &format!("{}/vars", placed.pointer), &inside);
        let view = View {
            play: placed.play,
            blocks: &inside,
            task: None,
            in_loop: true,
            file: false,
            shared: placed.home.is_shared(),
        };
        let Some(play) = self.plan.plays.get(placed.play) else {
            return;
        };
        let around = || placed.around.iter().map(|b| self.tree.blocks[*b].block);
        let blocks = || around().chain([block]);
        let sure = !placed.rescued
            && !block.block.is_empty()
            && block.rescue.is_empty()
            && play.ignore_errors.is_none()
            && !never(&play.tags)
            && blocks().all(|b| b.ignore_errors.is_none() && !never(&b.tags));
        let mut spot = Spot {
            placed: None,
            base: &placed.pointer,
            view,
            undefined: fails(sure),
            guarded: Vec::new(),
        };
        let inherited: Vec<&Conditions> = [&play.when]
            .into_iter()
            .chain(around().map(|b| &b.when))
            .collect();
        for condition in inherited.into_iter().flat_map(|c| &c.0) {
            self.pass(condition, &mut spot);
        }
        self.conditions("when", &block.when, &mut spot);
        for (name, value) in [
            ("environment", &block.environment),
            ("become", &block.become_),
            ("become_user", &block.become_user),
            ("become_method", &block.become_method),
            ("become_flags", &block.become_flags),
            ("become_exe", &block.become_exe),
            ("check_mode", &block.check_mode),
            ("diff", &block.diff),
            ("delegate_to", &block.delegate_to),
            ("timeout", &block.timeout),
        ] {
            self.keyword(name, value.as_ref(), &spot);
        }
        spot.undefined = Undefined::Harmless;
        for (name, value) in [
            ("module_defaults", &block.module_defaults),
            ("no_log", &block.no_log),
            ("ignore_errors", &block.ignore_errors),
            ("ignore_unreachable", &block.ignore_unreachable),
            ("any_errors_fatal", &block.any_errors_fatal),
            ("delegate_facts", &block.delegate_facts),
            ("run_once", &block.run_once),
            ("throttle", &block.throttle),
        ] {
            self.keyword(name, value.as_ref(), &spot);
        }
    }
}

fn never(tags: &[String]) -> bool {
    tags.iter().any(|t| t == "never")
}

fn fails(sure: bool) -> Undefined {
    if sure {
        Undefined::Fails
    } else {
        Undefined::MayFail
    }
}
