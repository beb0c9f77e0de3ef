//! `stat`: everything that is known of a path.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::Access;
use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::fsops::digest::{self, Algorithm};
use crate::fsops::{errno, flags, info, paths};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Stat;

static SPEC: Spec = Spec {
    name: "stat",
    collection: "ansible.builtin",
    summary: "Says what a path is: kind, size, owner, times, checksum.",
    args: &[&[
        Arg::new("path", Kind::Path, "What is looked at.")
            .aliases(&["dest", "name"])
            .required(),
        Arg::new("follow", Kind::Bool, "Whether links are followed.").default(Default::Bool(false)),
        Arg::new("get_checksum", Kind::Bool, "Whether the content is hashed.")
            .default(Default::Bool(true)),
        Arg::new(
            "checksum_algorithm",
            Kind::Str,
            "How the content is hashed.",
        )
        .aliases(&["checksum", "checksum_algo"])
        .choices(Algorithm::NAMES)
        .default(Default::Str("sha1")),
        Arg::new(
            "get_mime",
            Kind::Bool,
            "Whether the kind of content is guessed.",
        )
        .aliases(&["mime", "mime_type", "mime-type"])
        .default(Default::Bool(true)),
        Arg::new(
            "get_attributes",
            Kind::Bool,
            "Whether the attributes of lsattr are read.",
        )
        .aliases(&["attr", "attributes"])
        .default(Default::Bool(true)),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for Stat {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let path = paths::arg(args, "path", ctx).unwrap_or_default();
        let meta = if args.bool("follow") {
            std::fs::metadata(&path)
        } else {
            std::fs::symlink_metadata(&path)
        };
        let mut stat = Map::new();
        match meta {
            Ok(meta) => describe(&path, &meta, args, &mut stat),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                stat.insert("exists".into(), false.into());
            }
            Err(e) => {
                let text = errno::text(&e);
                let words = text.split_once("] ").map_or(text.as_str(), |(_, w)| w);
                return Err(Failure::new(words));
            }
        }
        Ok(Outcome::ok().with("stat", stat))
    }
}

fn describe(path: &Path, meta: &Metadata, args: &Args, out: &mut Map) {
    info::stat_fields(meta, out);
    let kind = meta.file_type();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("exists", true.into());
    put("path", paths::shown(path).into());
    put("blocks", info::number(meta.blocks()));
    put("block_size", info::number(meta.blksize()));
    put("device_type", info::number(meta.rdev()));
    let may = |access| rustix::fs::access(path, access).is_ok();
    put("readable", may(Access::READ_OK).into());
    put("writeable", may(Access::WRITE_OK).into());
    put("executable", may(Access::EXEC_OK).into());
    if kind.is_symlink() {
        let target = std::fs::read_link(path).unwrap_or_default();
        put("lnk_source", paths::shown(&paths::real(path)).into());
        put("lnk_target", paths::shown(&target).into());
    }
    if kind.is_file()
        && args.bool("get_checksum")
        && let Some(algorithm) = Algorithm::named(args.text("checksum_algorithm"))
        && let Ok(sum) = digest::of_file(path, algorithm)
    {
        put("checksum", sum.into());
    }
    if args.bool("get_mime") {
        let (mime, charset) = guess(path);
        put("mimetype", mime.into());
        put("charset", charset.into());
    }
    if args.bool("get_attributes") {
        let shown = flags::shown(path);
        let (letters, names) = shown.map_or_else(std::default::Default::default, |s| (s.letters, s.names));
        put("attr_flags", letters.into());
        put("attributes", names.into());
        if let Some(version) = flags::version(path) {
            put("version", version.to_string().into());
        }
    }
}

/// The kind of content by its first bytes: what file(1) says for what is common, and no more.
fn guess(path: &Path) -> (&'static str, &'static str) {
    let Ok(own) = std::fs::symlink_metadata(path) else {
        return ("unknown", "unknown");
    };
    let kind = own.file_type();
    if kind.is_symlink() {
        return if path.exists() {
            ("inode/symlink", "binary")
        } else {
            ("unknown", "unknown")
        };
    }
    let special = [
        (kind.is_dir(), "inode/directory"),
        (kind.is_fifo(), "inode/fifo"),
        (kind.is_char_device(), "inode/chardevice"),
        (kind.is_block_device(), "inode/blockdevice"),
        (kind.is_socket(), "inode/socket"),
        (own.len() == 0, "inode/x-empty"),
    ];
    if let Some((_, mime)) = special.iter().find(|(is, _)| *is) {
        return (mime, "binary");
    }
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(8192).read_to_end(&mut head));
    if read.is_err() {
        return ("unknown", "unknown");
    }
    guess_content(&head)
}

/// Beginnings that tell what a file is.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x7fELF", "application/x-executable"),
    (b"\x1f\x8b", "application/gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"BZh", "application/x-bzip2"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
];

fn guess_content(head: &[u8]) -> (&'static str, &'static str) {
    if let Some((_, mime)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return (mime, "binary");
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // A character may be cut in two by the end of what was read.
        Err(e) if e.error_len().is_none() => head
            .get(..e.valid_up_to())
            .and_then(|h| std::str::from_utf8(h).ok()),
        Err(_) => None,
    };
    let Some(text) = text else {
        let binary = head.iter().any(|b| matches!(b, 0..=6 | 14..=26 | 28..=31 | 0x7f..=0x9f));
        return if binary {
            ("application/octet-stream", "binary")
        } else {
            ("text/plain", "iso-8859-1")
        };
    };
    if text.bytes().any(|b| matches!(b, 0..=6 | 14..=26 | 28..=31)) {
        return ("application/octet-stream", "binary");
    }
    let charset = if text.is_ascii() { "us-ascii" } else { "utf-8" };
    let mime = if let Some(first) = text.strip_prefix("#!") {
        let line = first.lines().next().unwrap_or_default();
        if line.contains("python") {
            "text/x-script.python"
        } else if line.contains("perl") {
            "text/x-perl"
        } else if line.contains("sh") {
            "text/x-shellscript"
        } else {
            "text/plain"
        }
    } else if text.starts_with("<?xml") {
        "text/xml"
    } else if text.starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    {
        "application/json"
    } else {
        "text/plain"
    };
    (mime, charset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_content() {
        assert_eq!(guess_content(b"hello\n"), ("text/plain", "us-ascii"));
        assert_eq!(
            guess_content(b"\x00\x01"),
            ("application/octet-stream", "binary")
        );
        assert_eq!(guess_content(b"caf\xe9\n"), ("text/plain", "iso-8859-1"));
        assert_eq!(guess_content("é".as_bytes()).1, "utf-8");
    }
}
