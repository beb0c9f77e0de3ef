//! `pause`: waits for a time.
//!
//! With a prompt it needs somebody to answer, so that an artifact that runs by itself cannot hold one; that is refused
//! when packing, and here too.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};
use crate::timing;

/// See the module's page in Ansible's documentation.
pub(super) struct Pause;

static SPEC: Spec = Spec {
    name: "pause",
    collection: "ansible.builtin",
    summary: "Waits for a time.",
    args: &[&[
        Arg::new("seconds", Kind::Raw, "How many seconds."),
        Arg::new("minutes", Kind::Raw, "How many minutes."),
        Arg::new("prompt", Kind::Str, "What to ask; needs a controller."),
        Arg::new("echo", Kind::Bool, "Whether the answer is shown.").default(Default::Bool(true)),
    ]],
    free_form: None,
    open: false,
    rules: &[Rule::MutuallyExclusive(&["minutes", "seconds"])],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Engine,
};

impl Module for Pause {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let minutes = args.has("minutes");
        let length = match (args.get("minutes"), args.get("seconds")) {
            (Some(value), _) => number("minutes", value)? * 60.0,
            (None, Some(value)) => number("seconds", value)?.trunc(),
            (None, None) => {
                return Err(Failure::new(
                    "pause without seconds or minutes waits for a key, and there is no controller to press one",
                ));
            }
        };
        // Ansible's pause is never shorter than a second.
        let length = Duration::try_from_secs_f64(length.max(1.0))
            .map_err(|_| Failure::new(format!("pause: {length} seconds is too long")))?;
        let start = timing::now();
        let begun = Instant::now();
        sleep(ctx, length)?;
        let took = begun.elapsed();
        let seconds = took.as_secs_f64();
        let (shown, unit) = if minutes { (seconds / 60.0, "minutes") } else { (seconds, "seconds") };
        Ok(Outcome::ok()
            .with("start", timing::moment(&start))
            .with("stop", timing::moment(&timing::now()))
            .with("delta", took.as_secs() as i64)
            .with("echo", args.bool("echo"))
            .with("user_input", "")
            .with("rc", 0i64)
            .with("stdout", format!("Paused for {} {unit}", rounded(shown)))
            .with("stderr", ""))
    }
}

/// Waits, and looks up when the run is to stop.
pub(super) fn sleep(ctx: &Context<'_>, length: Duration) -> Result<(), Failure> {
    let until = Instant::now() + length;
    loop {
        let now = Instant::now();
        if now >= until {
            return Ok(());
        }
        if (ctx.cancelled)() {
            return Err(Failure::new("the run was stopped while waiting"));
        }
        if ctx.deadline.is_some_and(|d| now >= d) {
            return Err(Failure::new("the task's time was up while waiting"));
        }
        std::thread::sleep((until - now).min(Duration::from_millis(100)));
    }
}

fn number(name: &str, value: &rustle_formats::Value) -> Result<f64, Failure> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.trim()
        .parse::<f64>()
        .ok()
        .filter(|n| n.is_finite())
        .ok_or_else(|| {
            Failure::new(format!(
                "argument '{name}' is of type str and we were unable to convert to int: invalid literal for int() with \
                 base 10: '{text}'"
            ))
        })
}

/// Two digits after the point, without zeros at the end, but at least one digit.
fn rounded(n: f64) -> String {
    let text = format!("{n:.2}");
    match text.strip_suffix('0') {
        Some(short) => short.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::trial::Trial;

    #[test]
    fn waits_at_least_a_second() {
        let t = Trial::new();
        let r = t.run("pause", json!({"seconds": 0}));
        assert_eq!((r.field("delta").as_str(), r.changed, r.failed), ("1", false, false));
        assert!(r.field("stdout").starts_with("Paused for 1.0"), "{r:?}");
        assert!(t.run("pause", json!({"seconds": "abc"})).message().contains("unable to convert"));
        assert!(t.run("pause", json!({})).failed);
        assert!(t.run("pause", json!({"seconds": 1, "minutes": 1})).message().contains("mutually exclusive"));
    }

    #[test]
    fn stops_at_the_deadline() {
        let mut t = Trial::new();
        t.timeout = Some(std::time::Duration::from_millis(50));
        assert!(t.run("pause", json!({"minutes": 5})).message().contains("time was up"));
    }
}
