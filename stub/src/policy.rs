//! Who may change this machine: what a machine's policy says, and what an artifact says of where and until when it runs.
//!
//! The policy is a file of the machine, written by its administrator. It counts for every payload that a runner is started
//! with, by hand or over a session. It cannot protect from who can replace the runner, the policy or the clock: that is root
//! already.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustle_formats::artifact::Container;
use rustle_formats::plan::RuntimeConfig;
use rustle_formats::sign::{self, PublicKey};

use crate::exit::{self, Failure};

/// Where it lies.
const PATH: &str = "/etc/rustle/policy";
/// The longest policy in bytes.
const LONGEST: u64 = 1 << 20;

/// A machine's policy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Whose signature counts.
    pub trusted: Vec<PublicKey>,
    /// What this machine is called, beside its own name.
    names: Vec<String>,
    /// Whether only artifacts run that say where and until when.
    bound: bool,
    /// Whether no controller may answer while an artifact runs: what it answers bears no signature.
    alone: bool,
}

/// How a payload is to be run.
pub(crate) struct Wanted<'a> {
    /// What its plan says.
    pub runtime: &'a RuntimeConfig,
    /// The machine's own name.
    pub machine: Option<&'a str>,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// Whether somebody answers, or gives variables, who signed nothing.
    pub unsigned_words: bool,
}

impl Policy {
    /// The machine's, if it has one.
    ///
    /// # Errors
    /// One that cannot be read, or that others than root can write.
    pub(crate) fn of_machine() -> Result<Option<Policy>, Failure> {
        Policy::read(Path::new(PATH))
    }

    fn read(path: &Path) -> Result<Option<Policy>, Failure> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Failure::io(path.display(), &e)),
        };
        let meta = file
            .metadata()
            .map_err(|e| Failure::io(path.display(), &e))?;
        let refused =
            |why: &str| Failure::new(exit::UNTRUSTED, format!("{}: {why}", path.display()));
        if meta.mode() & 0o022 != 0 {
            return Err(refused("others than its owner can write it"));
        }
        if cfg!(not(test)) && meta.uid() != 0 {
            return Err(refused("it does not belong to root"));
        }
        let mut text = String::new();
        (&mut file)
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|e| Failure::io(path.display(), &e))?;
        Policy::parse(&text).map(Some).map_err(|why| refused(&why))
    }

    /// Lines of `name NAME`, `require bound`, `require alone`, and public keys; `#` begins a remark.
    fn parse(text: &str) -> Result<Policy, String> {
        let mut policy = Policy::default();
        let mut keys = String::new();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                ["name", name] => policy.names.push((*name).to_owned()),
                ["require", "bound"] => policy.bound = true,
                ["require", "alone"] => policy.alone = true,
                [first, ..] if first.starts_with('#') => {}
                [first, ..] if first.starts_with("rustle-") => {
                    keys.push_str(line);
                    keys.push('\n');
                }
                _ => {
                    return Err(format!(
                        "line {}: neither a public key nor `name NAME`, `require bound` or `require alone`",
                        number + 1
                    ));
                }
            }
        }
        policy.trusted = PublicKey::parse_list(&keys).map_err(|e| e.to_string())?;
        Ok(policy)
    }

    /// Of keys that the user trusts those that the machine trusts too; all of the machine's where the user names none.
    pub(crate) fn narrow(&self, keys: Vec<PublicKey>) -> Vec<PublicKey> {
        match keys.is_empty() {
            true => self.trusted.clone(),
            false => keys
                .into_iter()
                .filter(|key| self.trusted.iter().any(|t| t.as_bytes() == key.as_bytes()))
                .collect(),
        }
    }

    /// Whether the payload is signed as the policy wants it.
    ///
    /// # Errors
    /// [`exit::UNTRUSTED`], with the reason.
    pub(crate) fn admits(&self, container: &Container<File>) -> Result<(), Failure> {
        let signature = container.signature();
        sign::verify_root(&self.trusted, &container.root(), signature.as_ref())
            .map(|_| ())
            .map_err(|e| refused(&format!("the artifact is {e}")))
    }
}

/// Whether a payload may run here and now.
///
/// # Errors
/// [`exit::UNTRUSTED`] where the policy forbids it or it has expired, [`exit::UNFIT`] where it is for other machines.
pub(crate) fn permits(policy: Option<&Policy>, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let runtime = wanted.runtime;
    if let Some(policy) = policy {
        if policy.bound && (runtime.bound_to.is_empty() || runtime.expires.is_none()) {
            return Err(refused(
                "the artifact does not say which machines it is for and when it expires (`rustle pack --bind NAME --expires WHEN`)",
            ));
        }
        if policy.alone && wanted.unsigned_words {
            return Err(refused(
                "a controller would answer while it runs, and what it answers bears no signature",
            ));
        }
    }
    if let Some(expires) = runtime.expires
        && wanted.now >= expires
    {
        return Err(Failure::new(
            exit::UNTRUSTED,
            format!(
                "the artifact expired {} seconds ago",
                wanted.now.saturating_sub(expires)
            ),
        ));
    }
    let own = wanted
        .machine
        .into_iter()
        .flat_map(|name| [name, name.split('.').next().unwrap_or(name)]);
    let given = policy
        .iter()
        .flat_map(|p| p.names.iter().map(String::as_str));
    let named = own.chain(given).any(|name| {
        runtime
            .bound_to
            .iter()
            .any(|bound| bound.eq_ignore_ascii_case(name))
    });
    if !runtime.bound_to.is_empty() && !named {
        return Err(Failure::new(
            exit::UNFIT,
            format!(
                "the artifact is for {} alone, and this machine is called {}",
                runtime.bound_to.join(", "),
                wanted.machine.unwrap_or("nothing")
            ),
        ));
    }
    Ok(())
}

fn refused(why: &str) -> Failure {
    Failure::new(
        exit::UNTRUSTED,
        format!("this machine's policy ({PATH}) forbids it: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustle_formats::sign::SecretKey;

    fn wanted(runtime: &RuntimeConfig) -> Wanted<'_> {
        Wanted {
            runtime,
            machine: Some("web1.example.org"),
            now: 1000,
            unsigned_words: true,
        }
    }

    fn code(policy: Option<&Policy>, runtime: &RuntimeConfig) -> Option<u8> {
        permits(policy, &wanted(runtime)).err().map(|f| f.code)
    }

    #[test]
    fn a_bound_artifact_runs_where_and_until_it_says() {
        let of = |names: &[&str], expires| RuntimeConfig {
            bound_to: names.iter().map(|n| (*n).to_owned()).collect(),
            expires,
            ..RuntimeConfig::default()
        };
        assert_eq!(code(None, &of(&[], None)), None);
        assert_eq!(code(None, &of(&["web1"], Some(1001))), None);
        assert_eq!(code(None, &of(&["WEB1.example.org"], None)), None);
        assert_eq!(
            code(None, &of(&["web1"], Some(1000))),
            Some(exit::UNTRUSTED)
        );
        assert_eq!(code(None, &of(&["web2", "web"], None)), Some(exit::UNFIT));
        let named = Policy {
            names: vec!["frontend".to_owned()],
            ..Policy::default()
        };
        assert_eq!(code(Some(&named), &of(&["frontend"], None)), None);
    }

    #[test]
    fn a_policy_is_read_line_by_line() {
        let key = SecretKey::from_seed(&[7; 32]).public("me").to_line();
        let policy = Policy::parse(&format!(
            "# ours\n\n{key}\nname a\nrequire bound\nrequire alone\n"
        ))
        .unwrap();
        assert_eq!(policy.trusted.len(), 1);
        assert!(policy.bound && policy.alone);
        assert_eq!(
            code(Some(&policy), &RuntimeConfig::default()),
            Some(exit::UNTRUSTED)
        );
        // Without a key nothing could ever run: that is a mistake.
        Policy::parse("name a").unwrap_err();
        for wrong in ["name a b", "require x", "trust me"] {
            Policy::parse(&format!("{key}\n{wrong}\n")).unwrap_err();
        }
    }

    #[test]
    fn a_policy_that_others_can_write_is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy");
        assert_eq!(Policy::read(&path).unwrap(), None);
        let key = SecretKey::from_seed(&[7; 32]).public("me").to_line();
        std::fs::write(&path, key).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(Policy::read(&path).unwrap_err().code, exit::UNTRUSTED);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Policy::read(&path).unwrap().is_some());
    }
}
