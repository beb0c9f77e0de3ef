//! Files that hosts bring to this machine (`fetch`).

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustle_formats::{Value, lexical};
use rustle_runtime::engine::{Delivery, Reply};
use sha1::{Digest as _, Sha1};

use super::DiskFiles;

impl DiskFiles {
    /// Takes a file in, or a part of it: see [`rustle_runtime::engine::Request::Keep`]. It gets its name when it is whole.
    pub fn keep(&self, delivery: &Delivery) -> Reply {
        match self.take(delivery) {
            Ok(reply) => reply,
            Err(why) => Reply::Refused(why),
        }
    }

    fn take(&self, delivery: &Delivery) -> Result<Reply, String> {
        let place = self.destination(delivery)?;
        let shown = place.display().to_string();
        let Some((offset, bytes)) = &delivery.part else {
            let there = checksum(&place).is_ok_and(|known| known == delivery.checksum);
            return Ok(match there {
                true => Reply::Value(Value::Str(shown)),
                false => Reply::Text(shown),
            });
        };
        if *offset == 0 {
            let folder = place.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder).map_err(|e| {
                let folder = folder.display();
                format!(
                    "Task failed: Unable to create local directories '{folder}': {}",
                    reason(&e, &folder.to_string())
                )
            })?;
        }
        let part = unfinished(&place, delivery);
        let failed = |e: io::Error| format!("Failed to fetch the file: {shown}: {e}");
        append(&part, *offset, bytes).map_err(failed)?;
        if !delivery.last {
            return Ok(Reply::Text(shown));
        }
        if delivery.validate && checksum(&part).map_err(failed)? != delivery.checksum {
            let _ = fs::remove_file(&part);
            return Err("checksum mismatch".to_owned());
        }
        fs::rename(&part, &place).map_err(failed)?;
        Ok(Reply::Text(shown))
    }

    /// Where a file belongs: below `dest`, the host's name and its own folders; or `dest` itself.
    fn destination(&self, delivery: &Delivery) -> Result<PathBuf, String> {
        let (root, home) = self
            .rooted
            .as_ref()
            .ok_or("this run has no folder of its own on the controller")?;
        let given = match (delivery.dest.strip_prefix('~'), home) {
            (Some(""), Some(home)) => home.clone(),
            (Some(rest), Some(home)) if rest.starts_with('/') => home.join(&rest[1..]),
            _ => PathBuf::from(&delivery.dest),
        };
        let dest = root.join(given);
        if !delivery.flat {
            if delivery.host.contains('/') || matches!(delivery.host.as_str(), "" | "." | "..") {
                return Err(format!(
                    "'{}' cannot be the name of a folder",
                    delivery.host
                ));
            }
            // What leads above the root leads nowhere: the file stays below the host's folder.
            let below = lexical(&Path::new("/").join(&delivery.source));
            let below = below.strip_prefix("/").unwrap_or(&below).to_owned();
            return Ok(lexical(&dest).join(&delivery.host).join(below));
        }
        if delivery.dest.ends_with('/') {
            let name = Path::new(&delivery.source).file_name();
            return Ok(lexical(&dest).join(name.unwrap_or_default()));
        }
        if dest.is_dir() {
            return Err("dest is an existing directory, use a trailing slash if you want to fetch src into that directory".to_owned());
        }
        Ok(lexical(&dest))
    }
}

/// The name that a file has until it is whole.
fn unfinished(place: &Path, delivery: &Delivery) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{}.part", &hex(delivery)[..16]))
}

/// Tells one host's part of a file from another's, whose name may be anything.
fn hex(delivery: &Delivery) -> String {
    let mut hasher = Sha1::new();
    hasher.update(delivery.host.as_bytes());
    hasher.update([0]);
    hasher.update(delivery.checksum.as_bytes());
    hex::encode(hasher.finalize())
}

fn append(part: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(offset == 0)
        .mode(0o666)
        .custom_flags(nofollow())
        .open(part)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// A link of that name is nobody's of this run.
fn nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}

fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha1::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// An error in Python's words.
fn reason(error: &io::Error, path: &str) -> String {
    let text = error.to_string();
    let sentence = text.split(" (os error").next().unwrap_or_default();
    match error.raw_os_error() {
        Some(code) => format!("[Errno {code}] {sentence}: b'{path}'"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(dest: &str, flat: bool) -> Delivery {
        Delivery {
            host: "web".into(),
            source: "/etc/../../x/y".into(),
            dest: dest.into(),
            flat,
            checksum: "a9993e364706816aba3e25717850c26c9cd0d89d".into(),
            part: None,
            last: false,
            validate: true,
        }
    }

    #[test]
    fn a_file_is_written_once_and_stays_below_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let files = DiskFiles::at(folder.path().to_owned(), None);
        let place = folder.path().join("got/web/x/y");
        let shown = place.display().to_string();
        assert_eq!(
            files.keep(&delivery("got", false)),
            Reply::Text(shown.clone())
        );
        let mut whole = delivery("got", false);
        whole.part = Some((0, b"abd".to_vec().into()));
        whole.last = true;
        assert_eq!(
            files.keep(&whole),
            Reply::Refused("checksum mismatch".into())
        );
        whole.part = Some((0, b"abc".to_vec().into()));
        assert_eq!(files.keep(&whole), Reply::Text(shown.clone()));
        assert_eq!(fs::read(&place).unwrap(), b"abc");
        assert_eq!(
            files.keep(&delivery("got", false)),
            Reply::Value(Value::Str(shown))
        );
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn flat_is_the_place_itself() {
        let folder = tempfile::tempdir().unwrap();
        let files = DiskFiles::at(folder.path().to_owned(), None);
        let at = |name: &str| folder.path().join(name).display().to_string();
        assert_eq!(files.keep(&delivery("a/", true)), Reply::Text(at("a/y")));
        assert_eq!(files.keep(&delivery("b", true)), Reply::Text(at("b")));
        fs::create_dir(folder.path().join("c")).unwrap();
        assert!(matches!(
            files.keep(&delivery("c", true)),
            Reply::Refused(_)
        ));
    }
}
