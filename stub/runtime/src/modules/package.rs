//! `package`: installs and removes packages by whatever tool the machine has.

mod tools;

use std::path::Path;

use rustle_formats::{Map, Value};

use crate::args::{Args, Moment};
use crate::context::Context;
use crate::modules::{self, Module};
use crate::outcome::{Failure, ModuleResult};
use crate::process::find_program;
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Package;

static SPEC: Spec = Spec {
    name: "package",
    collection: "ansible.builtin",
    summary: "Installs and removes packages by the machine's own tool.",
    args: &[&[
        Arg::new(
            "name",
            Kind::Raw,
            "Packages, by the names that the tool knows.",
        )
        .required(),
        Arg::new(
            "state",
            Kind::Str,
            "present, absent, or what else the tool's module knows.",
        )
        .default(Default::Str("present")),
        Arg::new(
            "use",
            Kind::Str,
            "The tool: auto, apt, dnf, yum, apk, zypper or pacman.",
        )
        .default(Default::Str("auto")),
    ]],
    free_form: None,
    open: true,
    rules: &[],
    check: Support::Full,
    diff: Support::Partial,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Package {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        // A variable wins over what is not said.
        let variable = match (args.text("use"), ctx.variables) {
            ("auto", Some(variables)) => variables.get("ansible_package_use"),
            _ => Ok(None),
        };
        let variable = variable.map_err(Failure::new)?;
        let named = variable.as_ref().and_then(Value::as_str);
        let named = named.unwrap_or_else(|| args.text("use"));
        let named = named.rsplit('.').next().unwrap_or(named);
        let name = if named == "auto" { detect(ctx)? } else { named };
        if name == "apt" {
            return by_module(name, args, ctx);
        }
        tools::find(name)
            .ok_or_else(|| Failure::new(format!("Could not find a matching action for the \"{name}\" package manager.")))?
            .run(args, ctx)
    }
}

/// The machine's tool.
fn detect(ctx: &Context<'_>) -> Result<&'static str, Failure> {
    let candidates = [
        ("apt", "apt-get"),
        ("dnf", "dnf"),
        ("dnf", "microdnf"),
        ("yum", "yum"),
        ("zypper", "zypper"),
        ("apk", "apk"),
        ("pacman", "pacman"),
    ];
    let found = candidates.iter().find(|(name, tool)| {
        find_program(ctx, tool).is_some() && (*name != "apt" || Path::new("/var/lib/dpkg").exists())
    });
    found.map(|(name, _)| *name).ok_or_else(|| {
        Failure::new("Could not detect a package manager: none of apt-get, dnf, yum, zypper, apk and pacman is there")
    })
}

/// Hands the arguments over to the tool's own module.
fn by_module(name: &str, args: &Args, ctx: &Context<'_>) -> ModuleResult {
    let module = modules::find(name)
        .ok_or_else(|| Failure::new(format!("use: the module '{name}' is not known")))?;
    let raw: Map = args
        .values()
        .iter()
        .filter(|(key, _)| key.as_str() != "use")
        .map(|(key, value)| (key.clone(), renamed(key, value)))
        .collect();
    let args = Args::check(module.spec(), &raw, Moment::Running).map_err(|errors| {
        let text: Vec<String> = errors.into_iter().map(|e| e.message).collect();
        Failure::new(text.join("; "))
    })?;
    module.run(&args, ctx)
}

/// `installed` and `removed` are old words for the states.
fn renamed(key: &str, value: &Value) -> Value {
    match (key, value.as_str()) {
        ("state", Some("installed")) => "present".into(),
        ("state", Some("removed")) => "absent".into(),
        _ => value.clone(),
    }
}
