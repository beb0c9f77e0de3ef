//! `rustle vault create` and `edit`: plain text in an editor, encrypted on disk.
//!
//! The plain text is in a file of its own in a private folder, in memory where the machine has such a folder. Whatever
//! happens to the editor, the encrypted file stays as it was until the new one is whole; and what was typed before an
//! editor failed is kept, encrypted, beside it.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustle_playbook::vault::{Secret, is_encrypted};
use rustle_playbook::words;
use zeroize::Zeroizing;

use super::{encrypt, read, refused, write};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::Surroundings;
use crate::vault_options::VaultOptions;

/// Writes a new encrypted file in an editor.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The file.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Open the editor where there is no terminal, too.
    #[arg(long)]
    skip_tty_check: bool,
    /// The vault id that encrypts, where there are several.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Create {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let [name] = self.files.as_slice() else {
            return Err(Failure::text(
                Exit::Options,
                "`vault create` takes one file name",
            ));
        };
        if !self.skip_tty_check && !std::io::stdout().is_terminal() {
            return Err(
                Failure::text(Exit::Options, "there is no terminal for an editor")
                    .hint("--skip-tty-check opens it anyway"),
            );
        }
        let path = Path::new(name);
        if path.exists() {
            return Err(Failure::text(Exit::Plan, format!("{name} exists already"))
                .hint("use `rustle vault edit`"));
        }
        let surroundings = Surroundings::load(console)?;
        let id = self.encrypt_vault_id.as_deref();
        let secret = self.vault.new_secret(&surroundings, console, id)?;
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(Failure::io("make the folder", folder))?;
        }
        let session = Session {
            surroundings: &surroundings,
            name,
            secret: &secret,
            id: secret.id(),
        };
        session.edit(&[], console)?;
        Ok(Exit::Done)
    }
}

/// Edits encrypted files. Each is encrypted again with the password and the vault id that it had.
#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// The files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Accepted; a file keeps its vault id.
    #[arg(long, value_name = "ID", hide = true)]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Edit {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let surroundings = Surroundings::load(console)?;
        let vault = self.vault.vault(&surroundings, console, true)?;
        for name in &self.files {
            let text = read(name, "ciphertext")?;
            let plain = vault.decrypt(&text).map_err(|e| refused(name, &e))?;
            let session = Session {
                surroundings: &surroundings,
                name,
                secret: &plain.secret,
                id: if plain.vault_id.is_empty() {
                    "default"
                } else {
                    &plain.vault_id
                },
            };
            session.edit(&plain.text, console)?;
        }
        Ok(Exit::Done)
    }
}

/// One file in the editor.
struct Session<'a> {
    surroundings: &'a Surroundings,
    name: &'a str,
    secret: &'a Secret,
    id: &'a str,
}

impl Session<'_> {
    /// Opens the editor, and writes the file if the text is another one.
    fn edit(&self, before: &[u8], console: &Console) -> Result<(), Failure> {
        let plain = PlainFile::new(before, Path::new(self.name))?;
        let ended = self.open(&plain.path);
        let after = plain.read();
        drop(plain);
        let after = match (ended, after) {
            (Ok(()), Ok(after)) => after,
            (Ok(()), Err(e)) => {
                return Err(Failure::text(
                    Exit::Machine,
                    format!(
                        "cannot read what was edited: {e}; {} is as it was",
                        self.name
                    ),
                ));
            }
            (Err(failure), Ok(after)) if *after != before && !after.is_empty() => {
                return Err(self.rescue(failure, &after));
            }
            (Err(failure), _) => return Err(failure),
        };
        // A new file is written even where nothing was typed.
        if *after == before && Path::new(self.name).exists() {
            console.detail(&format!("{} is as it was", self.name));
            return Ok(());
        }
        self.save(self.name, &after)
    }

    fn save(&self, name: &str, text: &[u8]) -> Result<(), Failure> {
        if is_encrypted(text) {
            return Err(refused(name, &rustle_playbook::vault::VaultError::Twice));
        }
        let sealed = encrypt(self.secret, self.id, text, &self.surroundings.config)
            .map_err(|e| refused(name, &e))?;
        write(name, sealed.as_bytes(), None)
    }

    /// Keeps what was typed before the editor failed.
    fn rescue(&self, failure: Failure, text: &[u8]) -> Failure {
        let beside = (0..100)
            .map(|n| format!("{}.rescued{n}", self.name))
            .find(|p| !Path::new(p).exists());
        let Some(beside) = beside else {
            return failure;
        };
        match self.save(&beside, text) {
            Ok(()) => failure.hint(format!(
                "{} is as it was; what was typed is in {beside}, encrypted",
                self.name
            )),
            Err(_) => failure,
        }
    }

    fn open(&self, file: &Path) -> Result<(), Failure> {
        let editor = self.surroundings.config.text("EDITOR").unwrap_or("vi");
        let wrong = |why: String| {
            Failure::text(Exit::Plan, format!("the editor `{editor}` {why}"))
                .hint("name another one in EDITOR or ANSIBLE_EDITOR")
        };
        let words = words::split(editor).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        let Some((program, arguments)) = words.split_first() else {
            return Err(wrong("is no command".to_owned()));
        };
        let _patient = Patient::new();
        let status = Command::new(program)
            .args(arguments)
            .arg(file)
            .status()
            .map_err(|e| wrong(format!("cannot be run: {e}")))?;
        if status.success() {
            Ok(())
        } else {
            Err(wrong(format!("failed ({status})")))
        }
    }
}

/// While it lives, the signals that a terminal sends to the editor and to us do not end us: the plain text must go.
struct Patient(Vec<signal_hook::SigId>);

impl Patient {
    fn new() -> Patient {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        let seen = Arc::new(AtomicBool::new(false));
        Patient(
            [SIGHUP, SIGINT, SIGQUIT, SIGTERM]
                .into_iter()
                .filter_map(|s| signal_hook::flag::register(s, Arc::clone(&seen)).ok())
                .collect(),
        )
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        for id in self.0.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

/// The plain text, in a folder that only its owner can enter. Overwritten and removed when dropped.
struct PlainFile {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl PlainFile {
    fn new(text: &[u8], like: &Path) -> Result<PlainFile, Failure> {
        let memory = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|p| p.is_dir());
        let base = memory.unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::Builder::new()
            .prefix("rustle-vault-")
            // Without this the umask decides.
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(&base)
            .map_err(Failure::io("make a folder in", &base))?;
        // Editors choose their colours by the name.
        let name = like.file_name().unwrap_or("text".as_ref());
        let path = folder.path().join(name);
        let write = || -> std::io::Result<()> {
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options.open(&path)?.write_all(text)
        };
        write().map_err(Failure::io("write", &path))?;
        Ok(PlainFile {
            path,
            _folder: folder,
        })
    }

    fn read(&self) -> std::io::Result<Zeroizing<Vec<u8>>> {
        std::fs::read(&self.path).map(Zeroizing::new)
    }
}

impl Drop for PlainFile {
    fn drop(&mut self) {
        // What an editor left beside it goes with the folder; overwriting is an effort, not a promise.
        if let Ok(meta) = std::fs::metadata(&self.path)
            && let Ok(mut file) = std::fs::OpenOptions::new().write(true).open(&self.path)
        {
            let zeros = vec![0; usize::try_from(meta.len()).unwrap_or(0)];
            let _ = file.write_all(&zeros).and_then(|()| file.sync_all());
        }
    }
}
