//! What all file modules share: modes and owners, atomic writing, backups, digests, diffs, return values.
//!
//! The rules are Ansible's (who is followed, what is preserved, what a message says); the means are this system's own
//! calls: nothing here starts a process but [`validate`], whose whole purpose that is.

pub(crate) mod attrs;
pub(crate) mod backup;
pub(crate) mod diff;
pub(crate) mod digest;
pub(crate) mod edit;
pub(crate) mod errno;
pub(crate) mod flags;
pub(crate) mod holes;
pub(crate) mod info;
pub(crate) mod install;
pub(crate) mod mode;
pub(crate) mod owners;
pub(crate) mod paths;
pub(crate) mod private;
pub(crate) mod selinux;
pub(crate) mod staging;
pub(crate) mod times;
pub(crate) mod validate;
pub(crate) mod write;
