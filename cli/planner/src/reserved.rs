//! Variables with names that mean something else already: keywords, and functions of templates. Ansible warns of them.

use rustle_playbook::yaml::{Mapping, Node};
use rustle_playbook::{Position, Problem};

use crate::lowering::Lowering;

/// The names that ansible-core 2.19 warns of, sorted.
const RESERVED: [&str; 74] = [
    "action",
    "always",
    "any_errors_fatal",
    "args",
    "async",
    "async_val",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "block",
    "changed_when",
    "check_mode",
    "collections",
    "connection",
    "cycler",
    "debugger",
    "delay",
    "delegate_facts",
    "delegate_to",
    "dict",
    "diff",
    "environment",
    "fact_path",
    "failed_when",
    "force_handlers",
    "gather_facts",
    "gather_timeout",
    "handlers",
    "hosts",
    "ignore_errors",
    "ignore_unreachable",
    "joiner",
    "lipsum",
    "local_action",
    "lookup",
    "loop",
    "loop_control",
    "loop_with",
    "max_fail_percentage",
    "module_defaults",
    "name",
    "namespace",
    "no_log",
    "notify",
    "now",
    "omit",
    "order",
    "poll",
    "port",
    "post_tasks",
    "pre_tasks",
    "q",
    "query",
    "range",
    "register",
    "remote_user",
    "rescue",
    "retries",
    "roles",
    "run_once",
    "serial",
    "strategy",
    "tags",
    "tasks",
    "throttle",
    "timeout",
    "undef",
    "until",
    "vars_files",
    "vars_prompt",
    "when",
    "with_",
];

fn is_reserved(name: &str) -> bool {
    RESERVED.binary_search(&name).is_ok()
}

impl Lowering<'_> {
    /// Warns of the names of variables in a mapping that are reserved.
    pub(crate) fn warn_reserved(&mut self, variables: &Mapping) {
        for (key, _) in variables {
            if let Some(name) = key.as_str() {
                self.warn_reserved_name(name, key.at);
            }
        }
    }

    /// The same of one name.
    pub(crate) fn warn_reserved_text(&mut self, name: &Node) {
        if let Some(text) = name.as_str() {
            self.warn_reserved_name(text, name.at);
        }
    }

    fn warn_reserved_name(&mut self, name: &str, at: Position) {
        if is_reserved(name) {
            self.warnings.push(
                Problem::warning(format!("Found variable using reserved name '{name}'."))
                    .at(at)
                    .over(name.len()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("query") && is_reserved("when"));
        assert!(!is_reserved("vars") && !is_reserved("item"));
    }
}
