//! SELinux contexts, where the kernel enforces or logs them: read and written as the extended attribute they are.
//!
//! `_default` asks the policy's own file list, which only the target's tools can read; it is left to them, with a warning.

use std::path::Path;

use crate::outcome::Failure;

const NAME: &str = "security.selinux";

/// The four parts as asked for: user, role, type, level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted(pub(crate) [Option<String>; 4]);

impl Wanted {
    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0
            .iter()
            .flatten()
            .all(|part| part == "_default" || part.is_empty())
    }
}

/// Whether this system uses SELinux.
pub(crate) fn enabled() -> bool {
    static ENABLED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *ENABLED.get_or_init(|| Path::new("/sys/fs/selinux/enforce").exists())
}

/// The file's context, `user:role:type:level`, without following a link.
pub(crate) fn context(path: &Path) -> Option<String> {
    if !enabled() {
        return None;
    }
    let mut buffer = [0u8; 512];
    let length = rustix::fs::lgetxattr(path, NAME, &mut buffer).ok()?;
    let text = String::from_utf8_lossy(buffer.get(..length)?).into_owned();
    Some(text.trim_end_matches('\0').to_owned())
}

/// Puts a context onto a file.
pub(crate) fn set(path: &Path, context: &str) -> Result<(), Failure> {
    let mut bytes = context.as_bytes().to_vec();
    bytes.push(0);
    rustix::fs::lsetxattr(path, NAME, &bytes, rustix::fs::XattrFlags::empty()).map_err(|e| {
        Failure::new(format!(
            "set selinux context failed: {}",
            super::errno::at(&super::errno::from_rustix(e), path)
        ))
    })
}

/// The context that results from putting the wanted parts into `current`; `None` where nothing changes.
pub(crate) fn merged(current: &str, wanted: &Wanted) -> Option<String> {
    let mut parts: Vec<String> = current.splitn(4, ':').map(str::to_owned).collect();
    parts.resize(4, String::new());
    let mut changed = false;
    for (part, wanted) in parts.iter_mut().zip(&wanted.0) {
        if let Some(wanted) = wanted
            && !wanted.is_empty()
            && wanted != "_default"
            && part != wanted
        {
            part.clone_from(wanted);
            changed = true;
        }
    }
    changed.then(|| parts.join(":").trim_end_matches(':').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_changes() {
        let current = "system_u:object_r:etc_t:s0:c1,c2";
        let mut wanted = Wanted::default();
        assert_eq!(merged(current, &wanted), None);
        wanted.0[2] = Some("httpd_sys_content_t".into());
        assert_eq!(
            merged(current, &wanted).as_deref(),
            Some("system_u:object_r:httpd_sys_content_t:s0:c1,c2")
        );
        wanted.0[2] = Some("_default".into());
        assert!(wanted.is_empty());
    }
}
