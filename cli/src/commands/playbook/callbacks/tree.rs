//! A file for each host with its last result as JSON (`tree`, and `--tree` of `rustle run`).

use std::path::PathBuf;

use rustle_formats::event::{Event, EventKind, Status};
use rustle_playbook::config::Environment;
use rustle_runtime::report::{Stream, compact, visible};

use super::Screen;
use crate::commands::run::ad_hoc::short;

/// Writes results into a folder.
pub(super) struct Tree {
    folder: PathBuf,
    module: String,
}

impl Tree {
    pub(super) fn into(folder: PathBuf) -> Tree {
        Tree {
            folder,
            module: String::new(),
        }
    }

    /// In the folder that the environment names (`ANSIBLE_CALLBACK_TREE_DIR`), else ~/.ansible/tree.
    pub(super) fn usual(environment: &Environment) -> Tree {
        let set = environment.variables.get("ANSIBLE_CALLBACK_TREE_DIR");
        let usual = set.map_or("~/.ansible/tree", String::as_str);
        Tree::into(super::junit::place(usual, environment))
    }
}

impl Screen for Tree {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        match &event.kind {
            EventKind::TaskStarted { module, .. } => short(module).clone_into(&mut self.module),
            EventKind::TaskResult { host, result, .. } => {
                let text = compact(&visible(result, &self.module, Status::Ok, 0));
                let file = self.folder.join(host.replace('/', "_"));
                let written = std::fs::create_dir_all(&self.folder)
                    .and_then(|()| crate::replace::replace(&file, text.as_bytes(), Some(0o644)));
                if let Err(e) = written {
                    let text = format!("[WARNING]: cannot write {}: {e}\n", file.display());
                    sink(Stream::Err, &text);
                }
            }
            _ => {}
        }
    }
}
