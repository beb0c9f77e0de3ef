//! File attributes as lsattr and chattr know them, through the kernel's own call.

use std::path::Path;

use rustix::fs::{IFlags, Mode, OFlags};

/// Letters, bits and the names that results use. In the order in which lsattr prints them.
const TABLE: &[(char, IFlags, &str)] = &[
    ('s', IFlags::SECURE_REMOVAL, "secure_deletion"),
    ('u', IFlags::UNRM, "undelete"),
    ('S', IFlags::SYNC, "synchronous"),
    ('D', IFlags::DIRSYNC, "dirsync"),
    ('i', IFlags::IMMUTABLE, "immutable"),
    ('a', IFlags::APPEND, "append"),
    ('d', IFlags::NODUMP, "nodump"),
    ('A', IFlags::NOATIME, "noatime"),
    ('c', IFlags::COMPRESSED, "compress"),
    ('j', IFlags::JOURNALING, "journalling"),
    ('t', IFlags::NOTAIL, "notail"),
    ('T', IFlags::TOPDIR, "topdir"),
    ('C', IFlags::NOCOW, "nocow"),
    ('P', IFlags::PROJECT_INHERIT, "project"),
];
/// Shown but not settable: extents, which nearly every file on ext4 has.
const EXTENTS: u32 = 0x0008_0000;

/// The file's flags. `None` where the file system has none, or the path is a link or a device.
fn read(path: &Path) -> Option<IFlags> {
    let kind = std::fs::symlink_metadata(path).ok()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return None;
    }
    let file = rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    rustix::fs::ioctl_getflags(&file).ok()
}

/// Letters and names of the attributes that a file has.
pub(crate) struct Shown {
    /// As lsattr prints them, without dashes.
    pub(crate) letters: String,
    /// As words.
    pub(crate) names: Vec<String>,
}

/// The attributes that a file has; `None` where the file system does not know any.
pub(crate) fn shown(path: &Path) -> Option<Shown> {
    let flags = read(path)?;
    let mut out = Shown {
        letters: letters(flags),
        names: Vec::new(),
    };
    for letter in out.letters.chars() {
        match TABLE.iter().find(|(l, _, _)| *l == letter) {
            Some((_, _, name)) => out.names.push((*name).to_owned()),
            None => out.names.push("extents".to_owned()),
        }
    }
    Some(out)
}

fn letters(flags: IFlags) -> String {
    let mut out: String = TABLE
        .iter()
        .filter(|(_, bit, _)| flags.contains(*bit))
        .map(|(letter, _, _)| *letter)
        .collect();
    if flags.bits() & EXTENTS != 0 {
        out.push('e');
    }
    out
}

/// A change of attributes that is due.
pub(crate) struct Change {
    /// The letters before.
    pub(crate) before: String,
    /// What was asked for, with its operator.
    pub(crate) after: String,
    flags: IFlags,
}

/// Compares what is there with what is wanted (`+i`, `-a`, `=d`, `d`).
///
/// # Errors
/// A letter that is no attribute, or a file system without attributes.
pub(crate) fn compare(path: &Path, wanted: &str) -> Result<Option<Change>, String> {
    let (operator, letters_wanted) = match wanted.chars().next() {
        Some(c @ ('+' | '-' | '=')) => (c, &wanted[1..]),
        _ => ('=', wanted),
    };
    let mut bits = IFlags::empty();
    for letter in letters_wanted.chars().filter(|c| *c != 'e') {
        match TABLE.iter().find(|(l, _, _)| *l == letter) {
            Some((_, bit, _)) => bits |= *bit,
            None => return Err(format!("'{letter}' is no attribute")),
        }
    }
    let Some(current) = read(path) else {
        return Err("the file system does not support attributes".to_owned());
    };
    let settable = TABLE
        .iter()
        .fold(IFlags::empty(), |all, (_, bit, _)| all | *bit);
    let target = match operator {
        '+' => current | bits,
        '-' => current & !bits,
        _ => (current & !settable) | bits,
    };
    Ok((target != current).then(|| Change {
        before: letters(current),
        after: format!("{operator}{letters_wanted}"),
        flags: target,
    }))
}

impl Change {
    /// Makes the change.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn apply(&self, path: &Path) -> std::io::Result<()> {
        let file = rustix::fs::open(
            path,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(super::errno::from_rustix)?;
        rustix::fs::ioctl_setflags(&file, self.flags).map_err(super::errno::from_rustix)
    }
}

/// The inode's generation, which `stat` calls the version; `None` where the file system has none.
pub(crate) fn version(path: &Path) -> Option<u32> {
    let kind = std::fs::symlink_metadata(path).ok()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return None;
    }
    let file = rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()?;
    let mut version: libc::c_long = 0;
    // SAFETY: FS_IOC_GETVERSION writes at most one long at the pointer, which lives through the call.
    let done = unsafe {
        libc::ioctl(
            std::os::fd::AsRawFd::as_raw_fd(&file),
            GETVERSION as _,
            &raw mut version,
        )
    };
    // Kernels write 32 bits whatever the size of a long.
    (done == 0).then_some(version as u32)
}

/// `_IOR('v', 1, long)`.
const GETVERSION: u32 =
    (2 << 30) | ((size_of::<libc::c_long>() as u32) << 16) | ((b'v' as u32) << 8) | 1;
