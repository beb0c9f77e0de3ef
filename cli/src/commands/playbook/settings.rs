//! What ansible.cfg and the environment say of a run.

use std::time::Duration;

use rustle_formats::Value;
use rustle_formats::plan::PlayPlan;
use rustle_playbook::config::Config;
use rustle_runtime::engine::Options;
use rustle_runtime::report::Display;

/// Adds the settings to the options of the command line, which win.
pub(super) fn apply(config: &Config, options: &mut Options) {
    options.force_handlers |= config.flag("DEFAULT_FORCE_HANDLERS");
    options.unknown_handlers = !config.flag("ERROR_ON_MISSING_HANDLER");
    options.diff |= config.flag("DIFF_ALWAYS");
    if options.tags.is_empty() {
        options.tags = config.list("TAGS_RUN");
    }
    if options.skip_tags.is_empty() {
        options.skip_tags = config.list("TAGS_SKIP");
    }
    let limit = config
        .text("TASK_TIMEOUT")
        .and_then(|text| text.parse().ok());
    options.task_timeout = limit
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs);
}

/// What a play says nothing of.
pub(super) fn complete(config: &Config, play: &mut PlayPlan) {
    let flag = |field: &mut Option<Value>, name: &str| {
        if field.is_none() && config.flag(name) {
            *field = Some(true.into());
        }
    };
    flag(&mut play.no_log, "DEFAULT_NO_LOG");
    flag(&mut play.any_errors_fatal, "ANY_ERRORS_FATAL");
    flag(&mut play.become_, "DEFAULT_BECOME");
    let text = |field: &mut Option<Value>, name: &str, usual: &str| {
        let set = config
            .text(name)
            .filter(|text| *text != usual && !text.is_empty());
        if field.is_none() {
            *field = set.map(Value::from);
        }
    };
    text(&mut play.become_user, "DEFAULT_BECOME_USER", "root");
    text(&mut play.become_method, "DEFAULT_BECOME_METHOD", "sudo");
    text(&mut play.become_exe, "DEFAULT_BECOME_EXE", "");
    text(&mut play.become_flags, "DEFAULT_BECOME_FLAGS", "");
}

/// What of the run is shown.
pub(super) fn display(config: &Config) -> Display {
    Display {
        hide_skipped: !config.flag("DISPLAY_SKIPPED_HOSTS"),
        hide_ok: !config.flag("DISPLAY_OK_HOSTS"),
        failures_apart: config.flag("DISPLAY_FAILED_STDERR"),
        path_of_failures: config.flag("SHOW_TASK_PATH_ON_FAILURE"),
    }
}
