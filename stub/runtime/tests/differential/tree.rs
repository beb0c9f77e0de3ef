//! What lies in a folder, in the recorder's form.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};
use sha1::Digest;

pub(crate) type Tree = BTreeMap<String, Value>;

pub(crate) fn snapshot(root: &Path) -> Tree {
    let mut tree = Tree::new();
    visit(root, root, &mut tree);
    tree
}

fn visit(root: &Path, path: &Path, tree: &mut Tree) {
    let meta = std::fs::symlink_metadata(path).unwrap();
    let mut entry = json!({"uid": meta.uid(), "gid": meta.gid()});
    if !meta.is_symlink() {
        entry["mode"] = json!(format!("{:04o}", meta.mode() & 0o7777));
    }
    if meta.is_symlink() {
        let target = std::fs::read_link(path).unwrap();
        let target = target
            .to_string_lossy()
            .replace(root.to_str().unwrap(), "$ROOT");
        entry["type"] = json!("link");
        entry["target"] = json!(target);
    } else if meta.is_dir() {
        entry["type"] = json!("dir");
        for child in std::fs::read_dir(path).unwrap() {
            visit(root, &child.unwrap().path(), tree);
        }
    } else if meta.is_file() {
        entry["type"] = json!("file");
        let data = std::fs::read(path).unwrap();
        match String::from_utf8(data) {
            Ok(text) if text.len() <= 600 => {
                entry["content"] = json!(text.replace(root.to_str().unwrap(), "$ROOT"))
            }
            other => {
                let bytes = other.map_or_else(|e| e.into_bytes(), String::into_bytes);
                entry["sha1"] = json!(hex::encode(sha1::Sha1::digest(bytes)));
            }
        }
        if meta.nlink() > 1 {
            entry["links"] = json!(meta.nlink());
        }
    } else {
        entry["type"] = json!("other");
    }
    if meta.mtime() < 1_500_000_000 {
        entry["mtime"] = json!(meta.mtime());
    }
    let name = match path.strip_prefix(root).unwrap() {
        rest if rest.as_os_str().is_empty() => ".".to_owned(),
        rest => rest.to_string_lossy().into_owned(),
    };
    tree.insert(super::replay::backup_names(&name), entry);
}
