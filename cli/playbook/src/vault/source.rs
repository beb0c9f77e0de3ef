//! Where vault passwords come from: files, scripts, and people.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::envelope::is_encrypted;
use super::error::SourceError;
use super::secret::{Secret, Vault};

/// Asks a person. The library has no terminal; the command line does.
pub trait Prompt {
    /// Shows the text and reads a line that is not shown. `None`: nobody is there.
    fn ask(&mut self, prompt: &str) -> Option<Zeroizing<String>>;
}

/// Where one password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// A file with the password, or an executable that prints it. A name that ends in `-client` before its extension
    /// is called with `--vault-id ID`.
    File(PathBuf),
    /// A person is asked, and the question names the id.
    Prompt,
    /// A person is asked as `--ask-vault-password` does, without naming an id.
    Ask,
}

impl PasswordSource {
    /// Reads `id@source` or `source`, as `--vault-id` takes it. `path` makes a path of a source.
    pub fn parse(
        text: &str,
        default_id: &str,
        path: impl FnOnce(&str) -> PathBuf,
    ) -> (String, PasswordSource) {
        let (id, source) = text.split_once('@').unwrap_or(("", text));
        let source = match source {
            "prompt" => PasswordSource::Prompt,
            "prompt_ask_vault_pass" => PasswordSource::Ask,
            file => PasswordSource::File(path(file)),
        };
        let id = if id.is_empty() { default_id } else { id };
        (id.to_owned(), source)
    }
}

/// The passwords that could be had, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of their sources.
    pub secrets: Vec<Secret>,
    /// The vault id and what was wrong. Fatal only where there is no secret at all.
    pub failures: Vec<(String, SourceError)>,
}

/// Gets the passwords of several sources. A password file that is a vault itself is opened with the passwords before it.
pub fn load_all(sources: &[(String, PasswordSource)], prompt: &mut dyn Prompt) -> Loaded {
    let mut loaded = Loaded::default();
    for (id, source) in sources {
        let password = match source {
            PasswordSource::File(path) => from_file(path, id, &loaded.secrets),
            PasswordSource::Prompt => answer(prompt, &format!("Vault password ({id}): "), id),
            PasswordSource::Ask => answer(prompt, "Vault password: ", id),
        };
        match password {
            Ok(password) => loaded.secrets.push(Secret::new(id.as_str(), password)),
            Err(e) => loaded.failures.push((id.clone(), e)),
        }
    }
    loaded
}

/// Gets the password of a source for encrypting: who is asked for it has to say it twice.
///
/// # Errors
/// Where it cannot be had.
pub fn load_new(
    id: &str,
    source: &PasswordSource,
    known: &[Secret],
    prompt: &mut dyn Prompt,
) -> Result<Secret, SourceError> {
    let (first, second) = match source {
        PasswordSource::File(path) => {
            return Ok(Secret::new(id, from_file(path, id, known)?));
        }
        PasswordSource::Prompt => (
            format!("New vault password ({id}): "),
            format!("Confirm new vault password ({id}): "),
        ),
        PasswordSource::Ask => (
            "New Vault password: ".to_owned(),
            "Confirm New Vault password: ".to_owned(),
        ),
    };
    let password = answer(prompt, &first, id)?;
    if *answer(prompt, &second, id)? != *password {
        return Err(SourceError::Differ);
    }
    Ok(Secret::new(id, password))
}

fn answer(
    prompt: &mut dyn Prompt,
    question: &str,
    id: &str,
) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let said = prompt
        .ask(question)
        .ok_or_else(|| SourceError::NoAnswer(id.to_owned()))?;
    let bytes = trimmed(said.as_bytes());
    if bytes.is_empty() {
        return Err(SourceError::EmptyAnswer(id.to_owned()));
    }
    Ok(bytes)
}

fn from_file(path: &Path, id: &str, known: &[Secret]) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let meta = std::fs::metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => SourceError::Missing(path.to_owned()),
        _ => SourceError::Io(path.to_owned(), e),
    })?;
    if meta.is_dir() {
        return Err(SourceError::Directory(path.to_owned()));
    }
    let password = if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
        from_script(path, id)?
    } else {
        let bytes =
            Zeroizing::new(std::fs::read(path).map_err(|e| SourceError::Io(path.to_owned(), e))?);
        let bytes = trimmed(&bytes);
        if is_encrypted(&bytes) {
            let vault = Vault {
                secrets: known.to_vec(),
                match_id: false,
                ..Vault::default()
            };
            let plain = vault
                .decrypt(&bytes)
                .map_err(|e| SourceError::Encrypted(path.to_owned(), e))?;
            trimmed(&plain.text)
        } else {
            bytes
        }
    };
    if password.is_empty() {
        return Err(SourceError::Empty(path.to_owned()));
    }
    Ok(password)
}

/// The exit code by which a client script says that it does not know the id.
const UNKNOWN_ID: i32 = 2;

fn from_script(path: &Path, id: &str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let client = path
        .file_stem()
        .is_some_and(|s| s.to_string_lossy().ends_with("-client"));
    let mut command = Command::new(path);
    command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    if client {
        command.args(["--vault-id", id]).stderr(Stdio::piped());
    }
    let output = command
        .output()
        .map_err(|e| SourceError::Run(path.to_owned(), e))?;
    let password = Zeroizing::new(output.stdout);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(trimmed(&password)),
        Some(UNKNOWN_ID) if client => Err(SourceError::Unknown {
            script: path.to_owned(),
            id: id.to_owned(),
            said,
        }),
        _ => Err(SourceError::Failed {
            script: path.to_owned(),
            status: output.status.to_string(),
            said,
        }),
    }
}

/// Without the white space around it, which files and scripts end with.
fn trimmed(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.trim_ascii().to_vec())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::secret::DEFAULT_ID;
    use super::*;

    struct Says(Vec<&'static str>, Vec<String>);

    impl Prompt for Says {
        fn ask(&mut self, prompt: &str) -> Option<Zeroizing<String>> {
            self.1.push(prompt.to_owned());
            (!self.0.is_empty()).then(|| Zeroizing::new(self.0.remove(0).to_owned()))
        }
    }

    fn script(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn ids_and_sources_are_told_apart() {
        let parse = |text| PasswordSource::parse(text, "default", |p| PathBuf::from(p));
        let file = |id: &str, path: &str| (id.to_owned(), PasswordSource::File(path.into()));
        assert_eq!(parse("pw"), file("default", "pw"));
        assert_eq!(parse("dev@pw"), file("dev", "pw"));
        assert_eq!(parse("a@b@pw"), file("a", "b@pw"));
        assert_eq!(parse("@pw"), file("default", "pw"));
        assert_eq!(parse("x@prompt"), ("x".to_owned(), PasswordSource::Prompt));
        assert_eq!(
            parse("prompt_ask_vault_pass"),
            ("default".to_owned(), PasswordSource::Ask)
        );
    }

    #[test]
    fn files_and_scripts_give_passwords() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| PasswordSource::File(dir.path().join(name));
        fs::write(dir.path().join("plain"), "  sec ret \n\n").unwrap();
        fs::write(dir.path().join("empty"), "\n").unwrap();
        script(dir.path(), "script", "#!/bin/sh\necho secret\n");
        script(dir.path(), "bad", "#!/bin/sh\nexit 3\n");
        let client = "#!/bin/sh\n[ \"$1\" = --vault-id ] && [ \"$2\" = dev ] && exec echo s\necho no >&2; exit 2\n";
        script(dir.path(), "my-client.sh", client);
        let mut nobody = Says(vec![], vec![]);
        let loaded = load_all(
            &[
                ("a".to_owned(), path("plain")),
                ("b".to_owned(), path("script")),
                ("dev".to_owned(), path("my-client.sh")),
                ("other".to_owned(), path("my-client.sh")),
                ("c".to_owned(), path("bad")),
                ("d".to_owned(), path("empty")),
                ("e".to_owned(), path("missing")),
                ("f".to_owned(), PasswordSource::File(dir.path().to_owned())),
                ("g".to_owned(), PasswordSource::Prompt),
            ],
            &mut nobody,
        );
        let ids: Vec<&str> = loaded.secrets.iter().map(Secret::id).collect();
        assert_eq!(ids, ["a", "b", "dev"]);
        let said: String = loaded
            .failures
            .iter()
            .map(|(id, e)| format!("{id}: {e}\n"))
            .collect::<String>()
            .replace(dir.path().to_str().unwrap(), "DIR");
        insta::assert_snapshot!(said, @r"
        other: the vault password client script DIR/my-client.sh has no secret for the vault id `other`: no
        c: the vault password script DIR/bad failed (exit status: 3)
        d: DIR/empty gave an empty vault password
        e: the vault password file DIR/missing was not found
        f: the vault password file DIR is a directory
        g: nobody answered the question for the vault password (g)
        ");
    }

    #[test]
    fn an_encrypted_password_file_is_opened_with_the_passwords_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secret::new("default", Zeroizing::new(b"one".to_vec()));
        let inner = dir.path().join("inner");
        fs::write(&inner, first.encrypt(b"two\n", DEFAULT_ID, None).unwrap()).unwrap();
        let got = from_file(&inner, "x", &[first]).unwrap();
        assert_eq!(*got, b"two");
        assert!(from_file(&inner, "x", &[]).is_err());
    }

    #[test]
    fn who_sets_a_password_says_it_twice() {
        let mut says = Says(vec!["a", "a", "a", "b", ""], vec![]);
        assert!(load_new("x", &PasswordSource::Prompt, &[], &mut says).is_ok());
        let refused = load_new("x", &PasswordSource::Ask, &[], &mut says).unwrap_err();
        assert_eq!(refused.to_string(), "the passwords do not match");
        assert!(load_new("x", &PasswordSource::Ask, &[], &mut says).is_err());
        assert_eq!(
            says.1[..4],
            [
                "New vault password (x): ",
                "Confirm new vault password (x): ",
                "New Vault password: ",
                "Confirm New Vault password: "
            ]
        );
    }
}
