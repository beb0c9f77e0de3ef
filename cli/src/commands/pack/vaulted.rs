//! Files that are vaulted: Ansible decrypts them on their way to the target, so they are sealed for it with their plain
//! contents.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustle_formats::seal::SealedFile;
use rustle_packer::overlay::HostFile;
use rustle_packer::{AssetFrom, AssetSource};
use rustle_playbook::vault::Vault;

use crate::diagnostic::Diagnostic;
use crate::disk::is_vaulted;
use crate::exit::Exit;
use crate::failure::Failure;

/// Takes the files that are vaulted out of the assets.
///
/// # Errors
/// Where one cannot be decrypted, or lies in a folder that is packed whole.
pub(super) fn take(assets: &mut Vec<AssetSource>, vault: &Vault) -> Result<Vec<HostFile>, Failure> {
    let mut sealed = Vec::new();
    let mut problems = Vec::new();
    assets.retain(|asset| {
        let AssetFrom::Path(path) = &asset.from else {
            return true;
        };
        if path.is_dir() {
            problems.extend(below(path).map(|inside| {
                Diagnostic::error(format!(
                    "{} is vaulted, and lies in a folder that is packed whole",
                    inside.display()
                ))
                .hint("copy it with a task of its own, which names the file")
            }));
            return true;
        }
        if !is_vaulted(path) {
            return true;
        }
        match plain(asset, path, vault) {
            Ok(file) => sealed.push(file),
            Err(e) => problems.push(Diagnostic::error(format!("{}: {e}", path.display()))),
        }
        false
    });
    if problems.is_empty() {
        return Ok(sealed);
    }
    Err(Failure {
        diagnostics: problems,
        exit: Exit::Asset,
    })
}

/// The file as it goes into every overlay.
fn plain(asset: &AssetSource, path: &Path, vault: &Vault) -> Result<HostFile, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    let mode = fs::metadata(path).map_err(|e| e.to_string())?.permissions();
    let plain = vault.decrypt(&bytes).map_err(|e| e.to_string())?;
    Ok(HostFile {
        hosts: Vec::new(),
        file: SealedFile {
            name: String::from_utf8_lossy(&asset.name).into_owned(),
            mode: Some(mode.mode() & 0o7777),
            content: plain.text,
        },
    })
}

/// The first vaulted file below a folder. Links are not followed: packing keeps them as links.
fn below(folder: &Path) -> Option<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).ok()?.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries.into_iter().find_map(|entry| {
        let kind = entry.file_type().ok()?;
        let path = entry.path();
        if kind.is_dir() {
            below(&path)
        } else {
            (kind.is_file() && is_vaulted(&path)).then_some(path)
        }
    })
}
