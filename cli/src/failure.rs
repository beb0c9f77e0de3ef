//! What a command ends with when it does not succeed, and the one place where kinds of errors become exit codes.

use rustle_formats::artifact::ArtifactError;
use rustle_packer::PackError;
use rustle_packer::keys::KeyFileError;
use rustle_packer::overlay::OverlayBuildError;

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;

/// Messages and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is said. May be empty, where the output says it all.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How the program ends.
    pub(crate) exit: Exit,
}

impl Failure {
    /// One message.
    pub(crate) fn new(exit: Exit, diagnostic: Diagnostic) -> Failure {
        Failure {
            diagnostics: vec![diagnostic],
            exit,
        }
    }

    /// One message without a place.
    pub(crate) fn text(exit: Exit, message: impl Into<String>) -> Failure {
        Failure::new(exit, Diagnostic::error(message))
    }

    /// With a hint at the last message.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        if let Some(last) = self.diagnostics.last_mut() {
            last.hint = Some(hint.into());
        }
        self
    }

    /// A file that could not be read or written.
    pub(crate) fn io(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Failure {
        let message = format!("cannot {doing} {}", path.display());
        move |e| Failure::text(Exit::Machine, format!("{message}: {e}"))
    }
}

/// A folder for what a command needs until it ends; `purpose` is in its name.
///
/// # Errors
/// There is no place for temporary files.
pub(crate) fn work_folder(purpose: &str) -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new()
        .prefix(&format!(".rustle-{purpose}-"))
        .tempdir()
        .map_err(|e| Failure::text(Exit::Machine, format!("no folder for temporary files: {e}")))
}

impl From<KeyFileError> for Failure {
    fn from(e: KeyFileError) -> Failure {
        let failure = Failure::text(Exit::Key, e.to_string());
        match e {
            KeyFileError::Exists(_) => failure.hint("choose another name, or give --force"),
            _ => failure,
        }
    }
}

impl From<OverlayBuildError> for Failure {
    fn from(e: OverlayBuildError) -> Failure {
        match &e {
            OverlayBuildError::Plan(problems) => Failure {
                diagnostics: problems
                    .iter()
                    .map(|p| Diagnostic::error(p.to_string()))
                    .collect(),
                exit: Exit::Plan,
            },
            OverlayBuildError::NoLock(_) => Failure::text(Exit::Key, e.to_string()).hint(
                "say who may open it: --recipient HOST.key.pub, --passphrase-file FILE or --key-file FILE",
            ),
            OverlayBuildError::UnknownHost(_) => Failure::text(Exit::Usage, e.to_string()),
            OverlayBuildError::Env { variable, .. } => {
                let hint = format!("set {variable} in the environment of `rustle pack`");
                Failure::text(Exit::Key, e.to_string()).hint(hint)
            }
            _ => Failure::text(Exit::Key, e.to_string()),
        }
    }
}

impl From<PackError> for Failure {
    fn from(e: PackError) -> Failure {
        let exit = match &e {
            PackError::Io { .. } | PackError::Changed(_) => Exit::Machine,
            PackError::Name { .. }
            | PackError::Twice(_)
            | PackError::Special(_)
            | PackError::Mismatch { .. } => Exit::Asset,
            PackError::Stub(_) | PackError::NoStub(_) => Exit::Stub,
            PackError::Request(_) => Exit::Usage,
            PackError::Artifact { source, .. } => artifact_exit(source),
        };
        Failure::text(exit, e.to_string())
    }
}

/// The exit code for a refused artifact.
pub(crate) fn artifact_exit(e: &ArtifactError) -> Exit {
    match e {
        ArtifactError::Io(_) => Exit::Machine,
        ArtifactError::Unsupported(_) => Exit::Unfit,
        ArtifactError::NotAnArtifact | ArtifactError::Empty => Exit::NoArtifact,
        ArtifactError::PayloadMissing | ArtifactError::SidecarMissing => Exit::PayloadMissing,
        ArtifactError::Damaged(_)
        | ArtifactError::Malformed(_)
        | ArtifactError::NotFound(_)
        | ArtifactError::NotAFile(_) => Exit::Damaged,
    }
}

/// A refused artifact, with the file's name.
pub(crate) fn artifact(path: &std::path::Path, e: &ArtifactError) -> Failure {
    Failure::text(artifact_exit(e), format!("{}: {e}", path.display()))
}
