//! What ansible.cfg and the environment say of a run.

use rustle_playbook::config::Config;
use rustle_runtime::engine::Options;

/// Adds the settings to the options of the command line, which win.
pub(super) fn apply(config: &Config, options: &mut Options) {
    options.force_handlers |= config.flag("DEFAULT_FORCE_HANDLERS");
    options.unknown_handlers = !config.flag("ERROR_ON_MISSING_HANDLER");
}
