//! Archives of `tar`, however compressed: all that the machine's GNU tar reads.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;

use crate::outcome::Failure;
use crate::process::{Done, Run, find_program};

use super::{Extracted, Job, Seen, unreadable};

/// The machine's tar, and what it is told of the archive.
pub(super) struct Tar {
    program: PathBuf,
    gzip: bool,
}

impl Tar {
    /// Finds the program, and looks how the archive is compressed.
    pub(super) fn find(job: &Job<'_>) -> Result<Tar, Failure> {
        let program = find_program(job.ctx, "gtar").or_else(|| find_program(job.ctx, "tar"));
        let Some(program) = program else {
            let why = "Unable to find required 'gtar' or 'tar' binary in path".to_owned();
            return Err(unreadable(&job.src, &[("tar".to_owned(), why)]));
        };
        let mut begin = [0u8; 2];
        let read = std::fs::File::open(&job.src).and_then(|mut f| f.read_exact(&mut begin));
        // tar finds out the others by itself; gzip opens what `compress` made too.
        let gzip = read.is_ok() && matches!(begin, [0x1f, 0x8b | 0x9d]);
        Ok(Tar { program, gzip })
    }

    /// What Ansible calls this kind.
    pub(super) fn handler(&self) -> &'static str {
        if self.gzip { "TgzArchive" } else { "TarArchive" }
    }

    fn arguments(&self, job: &Job<'_>, what: &str) -> Vec<OsString> {
        let mut out: Vec<OsString> = vec![what.into(), "-C".into(), job.folder().into()];
        if self.gzip {
            out.push("-z".into());
        }
        let listing = what == "--list";
        if !job.options.is_empty() {
            out.push("--show-transformed-names".into());
            out.extend(job.options.iter().map(OsString::from));
        }
        if !listing {
            if job.args.bool("keep_newer") && what == "--extract" {
                out.push("--keep-newer-files".into());
            }
            for (option, name) in [("--owner=", "owner"), ("--group=", "group")] {
                if let Some(text) = job.args.str(name) {
                    out.push(format!("{option}{text}").into());
                }
            }
        }
        out.extend(job.exclude.iter().map(|e| format!("--exclude={e}").into()));
        out.push("-f".into());
        out.push(job.src.clone().into());
        out.extend(job.include.iter().map(OsString::from));
        out
    }

    /// Looks into the archive, and at what is there.
    pub(super) fn look(&self, job: &Job<'_>) -> Result<Seen, Failure> {
        let listed = Run::new(&self.program)
            .args(self.arguments(job, "--list"))
            .within(job.ctx)
            .env("LC_ALL", "C")
            .run()?;
        let members: Vec<String> = String::from_utf8_lossy(&listed.stdout)
            .lines()
            .map(unescaped)
            .filter(|name| !name.is_empty())
            .collect();
        if listed.rc != 0 || members.is_empty() && job.exclude.is_empty() {
            let said = String::from_utf8_lossy(&listed.stderr).into_owned();
            let why = format!("Unable to list files in the archive: {said}");
            let program = self.program.display().to_string();
            return Err(unreadable(&job.src, &[(program, why)]));
        }
        let compared = Run::new(&self.program)
            .args(self.arguments(job, "--diff"))
            .within(job.ctx)
            .env("LC_ALL", "C")
            .run()?;
        Ok(Seen {
            members,
            unpacked: !differs(job, &compared),
            differences: String::new(),
        })
    }

    /// Unpacks it.
    pub(super) fn extract(&self, job: &Job<'_>) -> Result<Extracted, Failure> {
        let arguments = self.arguments(job, "--extract");
        let mut command = vec![self.program.display().to_string()];
        command.extend(arguments.iter().map(|a| a.to_string_lossy().into_owned()));
        let done = Run::new(&self.program)
            .args(arguments)
            .within(job.ctx)
            .run()?;
        Ok(Extracted { command, done })
    }
}

/// Whether something has to be unpacked. What the task sets itself does not count, nor does what tar cannot replace: a folder in
/// place of a file.
fn differs(job: &Job<'_>, compared: &Done) -> bool {
    if compared.rc == 0 {
        return false;
    }
    let said = [&compared.stdout[..], b"\n", &compared.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    said.lines().any(|line| {
        let is = |what: &str| line.ends_with(what);
        is(": Mod time differs")
            || is(": Size differs")
            || is(": Contents differ")
            || is(": Symlink differs")
            || is(": Invalid argument")
            || is("Cannot stat: No such file or directory") && !is(": : Warning: Cannot stat: No such file or directory")
            || is(": Mode differs") && !job.args.has("mode")
            || is(": Uid differs") && !job.args.has("owner")
            || is(": Gid differs") && !job.args.has("group")
    })
}

/// A name as tar lists it, without its escapes.
fn unescaped(line: &str) -> String {
    if !line.contains('\\') {
        return line.to_owned();
    }
    let bytes = line.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let octal = bytes.get(at..at + 3).and_then(|d| {
            let text = std::str::from_utf8(d).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        if let Some(value) = octal {
            out.push(value);
            at += 3;
            continue;
        }
        let other = bytes.get(at).copied().unwrap_or(b'\\');
        out.push(match other {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            other => other,
        });
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_tar_writes_them() {
        assert_eq!(unescaped("./a b"), "./a b");
        assert_eq!(unescaped(r"\303\244\n\\x"), "ä\n\\x");
        assert_eq!(unescaped("end\\"), "end\\");
    }
}
