//! What dpkg knows about packages.

use std::collections::HashMap;
use std::path::Path;

use crate::context::Context;
use crate::outcome::Failure;
use crate::process::{Run, program};

/// Packages with version and state.
pub(super) struct Installed {
    packages: HashMap<String, (String, String)>,
}

/// A package's name without its version, `nginx=1.2` and `nginx/stable`.
pub(super) fn name_of(spec: &str) -> &str {
    spec.split(['=', '/']).next().unwrap_or(spec)
}

/// Asks for these packages.
pub(super) fn query(ctx: &Context<'_>, specs: &[&str]) -> Result<Installed, Failure> {
    let names = specs.iter().map(|s| name_of(s).trim_end_matches('+'));
    let done = Run::new(program(ctx, "dpkg-query")?)
        .args([
            "-W",
            "-f",
            "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Status}\\t${Provides}\\n",
        ])
        .arg("--")
        .args(names)
        .within(ctx)
        .plain()
        .run()?;
    // A package that dpkg never heard of makes it fail; what it knows it still writes.
    if done.rc > 1 || done.rc < 0 {
        return Err(done.failure(format!("dpkg-query failed: {}", done.err())));
    }
    let mut packages = HashMap::new();
    for line in done.out().lines() {
        let f: Vec<&str> = line.split('\t').collect();
        if let [name, architecture, version, status, ..] = f.as_slice() {
            let state = ((*version).to_owned(), (*status).to_owned());
            packages.insert(format!("{name}:{architecture}"), state.clone());
            packages.insert((*name).to_owned(), state);
        }
    }
    Ok(Installed { packages })
}

impl Installed {
    /// Whether the package is installed, in the version that the spec names if it names one.
    pub(super) fn has(&self, spec: &str) -> bool {
        let Some(version) = self.version(name_of(spec)) else {
            return false;
        };
        match spec.split_once('=') {
            None => true,
            Some((_, wanted)) => match wanted.strip_suffix('*') {
                Some(start) => version.starts_with(start),
                None => version == wanted,
            },
        }
    }

    /// Whether only the package's configuration is left.
    pub(super) fn has_configuration(&self, spec: &str) -> bool {
        self.packages
            .get(name_of(spec))
            .is_some_and(|(_, status)| status == "config-files")
    }

    /// The version that is installed.
    pub(super) fn version(&self, name: &str) -> Option<&str> {
        let (version, status) = self.packages.get(name)?;
        matches!(
            status.as_str(),
            "installed" | "triggers-pending" | "triggers-awaited"
        )
        .then_some(version.as_str())
    }
}

/// Name and version of a package file.
pub(super) fn of_file(ctx: &Context<'_>, path: &Path) -> Result<(String, String), Failure> {
    let done = Run::new(program(ctx, "dpkg-deb")?)
        .args(["--show", "--showformat", "${Package}\\n${Version}\\n"])
        .arg(path)
        .within(ctx)
        .plain()
        .run()?;
    let out = done.out();
    match (done.ok(), out.lines().collect::<Vec<_>>().as_slice()) {
        (true, [name, version, ..]) => Ok(((*name).to_owned(), (*version).to_owned())),
        _ => Err(done.failure(format!(
            "Unable to install package: {} is no package: {}",
            path.display(),
            done.said()
        ))),
    }
}

/// The part of apt-get's output that says what is changed: from the lists of names to the totals.
pub(super) fn summary(out: &str) -> String {
    let mut text = String::new();
    let mut on = false;
    for line in out.lines() {
        on |= line.starts_with("The following") && !line.contains("no longer required");
        if on {
            text.push_str(line);
            text.push('\n');
        }
        if on && line.contains(" to remove and ") {
            break;
        }
    }
    text
}
