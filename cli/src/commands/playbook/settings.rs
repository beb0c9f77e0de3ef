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
    options.broken_conditionals = config.flag("ALLOW_BROKEN_CONDITIONALS");
    options.diff |= config.flag("DIFF_ALWAYS");
    if options.tags.is_empty() {
        options.tags = config.list("TAGS_RUN");
    }
    if options.skip_tags.is_empty() {
        options.skip_tags = config.list("TAGS_SKIP");
    }
    options.become_same = config.flag("BECOME_ALLOW_SAME_USER");
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
    let text = |field: &mut Option<Value>, name: &str| {
        if field.is_none() {
            let set = config.text(name).filter(|text| !text.is_empty());
            *field = set.map(Value::from);
        }
    };
    if config.is_set("DEFAULT_BECOME_METHOD") {
        text(&mut play.become_method, "DEFAULT_BECOME_METHOD");
    }
    let method = play.become_method.as_ref().and_then(Value::as_str);
    let method = method
        .unwrap_or("sudo")
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let of = |option: &str| format!("{method}_become_plugin.{option}");
    let (user, exe, flags) = (of("user"), of("exe"), of("flags"));
    text(&mut play.become_user, &user);
    text(&mut play.become_exe, &exe);
    text(&mut play.become_flags, &flags);
}

/// What of the run is shown.
pub(in crate::commands) fn display(config: &Config) -> Display {
    Display {
        hide_skipped: !config.flag("DISPLAY_SKIPPED_HOSTS"),
        hide_ok: !config.flag("DISPLAY_OK_HOSTS"),
        failures_apart: config.flag("DISPLAY_FAILED_STDERR"),
        path_of_failures: config.flag("SHOW_TASK_PATH_ON_FAILURE"),
        yaml: config.text("CALLBACK_RESULT_FORMAT") == Some("yaml"),
        pretty: config
            .is_set("CALLBACK_FORMAT_PRETTY")
            .then(|| config.flag("CALLBACK_FORMAT_PRETTY")),
    }
}
