//! What of a run is shown, and in which form.

use rustle_formats::Map;

use super::json_text::{compact, pretty};

/// Marks a result whose difference nobody asked for.
pub(crate) const UNSHOWN_DIFF: &str = "_ansible_unshown_diff";

/// What of a run is shown, where it is not all of it, and the form of results.
#[derive(Debug, Clone, Copy, Default)]
pub struct Display {
    /// Without what was skipped.
    pub hide_skipped: bool,
    /// Without what changed nothing.
    pub hide_ok: bool,
    /// Failures on standard error.
    pub failures_apart: bool,
    /// The place of a task above its failure.
    pub path_of_failures: bool,
    /// Results as YAML, where this build has a writer for it (feature `full`).
    pub yaml: bool,
    /// Results on several lines, made for reading: always, or never. `None`: JSON where showing something is what a module is
    /// for, and YAML always.
    pub pretty: Option<bool>,
}

impl Display {
    /// A result as it stands behind ` => `, without a newline at its end. `always`: showing it is what the module is for.
    pub(super) fn data(self, result: &Map, always: bool) -> String {
        #[cfg(feature = "full")]
        if self.yaml
            && let Some(text) = yaml(result, self.pretty.unwrap_or(true))
        {
            return text;
        }
        if self.pretty.unwrap_or(always) {
            pretty(result)
        } else {
            compact(result)
        }
    }
}

/// A result as YAML, on lines of its own. What stands in it twice, a text and its lines, is left out once where it is for
/// reading.
#[cfg(feature = "full")]
fn yaml(result: &Map, pretty: bool) -> Option<String> {
    let mut shown = result.clone();
    if pretty {
        for (lines, text) in [("stdout_lines", "stdout"), ("stderr_lines", "stderr")] {
            if shown.contains_key(text)
                && let Some(value) = shown.get_mut(lines)
            {
                *value = "<omitted>".into();
            }
        }
    }
    let text = rustle_template::yaml_result(&shown.into(), pretty).ok()?;
    let mut out = String::new();
    for line in text.trim_end_matches('\n').split('\n') {
        out.push('\n');
        if !line.trim().is_empty() {
            out.push_str("    ");
            out.push_str(line);
        }
    }
    Some(out)
}
