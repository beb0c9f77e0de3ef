//! Where an artifact goes: a destination, the plan's host that it is, and that host's overlay.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustle_controller::Destination;
use rustle_formats::artifact::{Container, flags};
use rustle_formats::seal::Overlay;
use rustle_formats::session::MAX_OVERLAY_SENT;
use rustle_formats::sign::PublicKey;

use crate::exit::Exit;
use crate::failure::{self, Failure};

/// A machine to push to.
pub(super) struct Target {
    /// Where it is.
    pub(super) to: Destination,
    /// The plan's host that it is, if that is known.
    pub(super) name: Option<String>,
    /// Its overlay, where it does not lie in the artifact.
    pub(super) overlay: Option<Vec<u8>>,
}

impl Target {
    /// What it is called in messages and outputs: the plan's name, else the destination.
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.to.to_string())
    }
}

/// What decides about targets.
pub(super) struct Choice<'a> {
    /// The artifact.
    pub(super) artifact: &'a Path,
    /// `--host`.
    pub(super) host: Option<&'a str>,
    /// `--overlay`.
    pub(super) overlay: Option<&'a Path>,
    /// `--trusted`.
    pub(super) trusted: &'a [PublicKey],
}

impl Choice<'_> {
    /// Reads `[NAME=][user@]host[:port]` and finds each one's overlay, checked as the runner will check it.
    pub(super) fn targets(&self, hosts: &[String]) -> Result<Vec<Target>, Failure> {
        let damaged = |e| failure::artifact(self.artifact, &e);
        let file = File::open(self.artifact).map_err(Failure::io("open", self.artifact))?;
        let container = Container::open_file(file).map_err(damaged)?;
        if hosts.len() > 1 && (self.host.is_some() || self.overlay.is_some()) {
            return Err(usage(
                "--host and --overlay go with one HOST; with several write NAME=HOST for each, and leave the overlays in \
                 ARTIFACT.overlays"
                    .to_owned(),
            ));
        }
        let mut out: Vec<Target> = Vec::new();
        for text in hosts {
            let mut target = self.target(text, &container)?;
            if out.iter().any(|other| other.to == target.to) {
                return Err(usage(format!("the host `{text}` is named twice")));
            }
            target.overlay = self.overlay(&target, &container)?;
            out.push(target);
        }
        Ok(out)
    }

    fn target(&self, text: &str, container: &Container<File>) -> Result<Target, Failure> {
        let (named, rest) = match text.split_once('=') {
            Some((name, rest)) => (Some(name), rest),
            None => (self.host, text),
        };
        let to: Destination = rest.parse().map_err(usage)?;
        let known = &container.manifest().hosts;
        if let Some(name) = named
            && !known.is_empty()
            && !known.iter().any(|k| k == name)
        {
            return Err(usage(format!(
                "the plan has no host `{name}`; its hosts are {}",
                known.join(", ")
            )));
        }
        let own = known.iter().find(|k| **k == to.host).map(String::as_str);
        let only = match known.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        };
        let name = named.or(own).or(only).map(str::to_owned);
        Ok(Target {
            to,
            name,
            overlay: None,
        })
    }

    fn overlay(
        &self,
        target: &Target,
        container: &Container<File>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let beside = target.name.as_deref().map(|n| self.beside(n));
        let file = match (self.overlay, beside) {
            (Some(file), _) => file.to_owned(),
            (None, Some(file)) if container.slot().overlay_len == 0 && file.exists() => file,
            (None, beside) => {
                let lacks = container.header().has(flags::NEEDS_OVERLAY)
                    && container.slot().overlay_len == 0;
                return if lacks {
                    Err(self.missing(target, beside.as_deref()))
                } else {
                    Ok(None)
                };
            }
        };
        let mut bytes = Vec::new();
        File::open(&file)
            .and_then(|f| f.take(MAX_OVERLAY_SENT + 1).read_to_end(&mut bytes))
            .map_err(Failure::io("read", &file))?;
        if bytes.len() as u64 > MAX_OVERLAY_SENT {
            return Err(Failure::text(
                Exit::Usage,
                format!(
                    "{}: longer than the {} MiB that a push carries",
                    file.display(),
                    MAX_OVERLAY_SENT >> 20
                ),
            )
            .hint("`rustle pack --host NAME` puts it into the artifact"));
        }
        let refused = |e: rustle_formats::seal::OverlayError| {
            Failure::text(
                super::super::verify::exit_of(&e),
                format!("{}: {e}", file.display()),
            )
        };
        let overlay = Overlay::parse(&bytes).map_err(refused)?;
        overlay
            .check_for(&container.root(), target.name.as_deref())
            .map_err(refused)?;
        overlay
            .verify_beside(self.trusted, container.signature().as_ref())
            .map_err(refused)?;
        overlay.verify_items().map_err(refused)?;
        Ok(Some(bytes))
    }

    /// Where `rustle pack` puts a host's overlay.
    fn beside(&self, name: &str) -> PathBuf {
        let mut folder = OsString::from(self.artifact);
        folder.push(".overlays");
        Path::new(&folder).join(format!("{}.overlay", name.replace('/', "_")))
    }

    fn missing(&self, target: &Target, looked: Option<&Path>) -> Failure {
        let label = target.label();
        let message = match looked {
            Some(file) => format!(
                "the artifact runs only with a host's overlay, and {label} has none: there is no {}",
                file.display()
            ),
            None => format!(
                "the artifact runs only with a host's overlay, and which host of the plan {label} is was not said"
            ),
        };
        Failure::text(Exit::Usage, message).hint(format!(
            "write NAME={} for the plan's host NAME, or name a file with --overlay",
            target.to
        ))
    }
}

fn usage(message: String) -> Failure {
    Failure::text(Exit::Usage, message)
}
