//! The file of the hosts that failed (`retry_files_enabled`), for `--limit @FILE`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustle_formats::event::{Event, EventKind, Status};
use rustle_playbook::config::Config;
use rustle_runtime::report::Stream;

use super::Screen;

/// What `meta: clear_host_errors` says.
const FORGIVEN: &str = "cleared host errors";

/// Where the file of a playbook lies: beside it, or in `retry_files_save_path`.
pub(super) fn path(config: &Config, playbook: &Path) -> Option<PathBuf> {
    let directory = &config.environment().directory;
    let name = format!("{}.retry", playbook.file_stem()?.to_string_lossy());
    let folder = match config.text("RETRY_FILES_SAVE_PATH") {
        Some(set) if !set.is_empty() => directory.join(set),
        _ => directory.join(playbook).parent()?.to_owned(),
    };
    Some(folder.join(name))
}

/// Keeps track of the hosts that failed, and writes them down at the end.
pub(super) struct RetryFile {
    path: PathBuf,
    failed: BTreeSet<String>,
}

impl RetryFile {
    pub(super) fn new(path: PathBuf) -> RetryFile {
        RetryFile {
            path,
            failed: BTreeSet::new(),
        }
    }

    fn write(&self) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let lines: String = self.failed.iter().map(|host| format!("{host}\n")).collect();
        crate::replace::replace(&self.path, lines.as_bytes(), None)
    }
}

impl Screen for RetryFile {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        match &event.kind {
            EventKind::TaskResult {
                host,
                status: Status::Failed | Status::Unreachable,
                ignored: false,
                ..
            } => {
                self.failed.insert(host.clone());
            }
            EventKind::Rescued { host } => {
                self.failed.remove(host);
            }
            EventKind::Steered { message, .. } if message == FORGIVEN => self.failed.clear(),
            // After a mistake of the playbook Ansible writes none.
            EventKind::RunFinished { aborted: None, .. } if !self.failed.is_empty() => {
                let path = self.path.display();
                match self.write() {
                    Ok(()) => sink(Stream::Out, &format!("\tto retry, use: --limit @{path}\n")),
                    Err(e) => sink(
                        Stream::Err,
                        &format!("[WARNING]: Could not create retry file '{path}'.         {e}\n"),
                    ),
                }
            }
            _ => {}
        }
    }
}
