//! `password`: a random password that is kept in a file of the controller, or of nobody with `/dev/null`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustle_template::{Engine, Error, LookupCall, Value, seeded_text};

use crate::arguments::{terms, text_of};
use crate::failed;

/// How long a password is, if nobody says.
const LENGTH: usize = 20;

/// What of a term is not an option.
const KNOWN: [&str; 5] = ["chars", "encrypt", "ident", "length", "seed"];

/// What is wanted of a password.
struct Wanted {
    path: String,
    length: usize,
    chars: Vec<String>,
    encrypt: Option<String>,
    ident: Option<String>,
    seed: Option<Value>,
}

pub(crate) fn run(call: &LookupCall<'_>, folders: &[PathBuf]) -> Result<Vec<Value>, Error> {
    let base = folders.last().map_or(Path::new("."), PathBuf::as_path);
    let mut out = Vec::new();
    for term in terms(call)? {
        let wanted = wanted(&term, call)?;
        let kept = match wanted.path.as_str() {
            "/dev/null" => Kept {
                password: fresh(&wanted)?,
                salt: None,
                ident: None,
            },
            path => on_disk(&base.join(path), &wanted)?,
        };
        out.push(Value::from(match &wanted.encrypt {
            None => kept.password,
            Some(scheme) => hashed(&kept, scheme, wanted.ident.as_deref())?,
        }));
    }
    Ok(out)
}

/// `path key=value key=value`, over the options of the call.
fn wanted(term: &str, call: &LookupCall<'_>) -> Result<Wanted, Error> {
    let first = KNOWN
        .iter()
        .filter_map(|key| term.find(&format!(" {key}=")))
        .chain(unknown_option(term))
        .min()
        .unwrap_or(term.len());
    let (path, rest) = term.split_at(first);
    let mut options: Vec<(String, Value)> = call
        .options
        .iter()
        .map(|(key, value)| (key.to_string(), value.clone()))
        .collect();
    let mut bad = Vec::new();
    for pair in rest.split_whitespace() {
        match pair.split_once('=') {
            Some((key, value)) if KNOWN.contains(&key) => {
                options.push((key.to_owned(), Value::str(value)));
            }
            Some((key, _)) => bad.push(key.to_owned()),
            None => bad.push(pair.to_owned()),
        }
    }
    bad.extend(
        options
            .iter()
            .filter(|(key, _)| !KNOWN.contains(&key.as_str()))
            .map(|(key, _)| key.clone()),
    );
    if !bad.is_empty() {
        return Err(failed(format!(
            "Unrecognized parameter(s) given to password lookup: {}",
            bad.join(", ")
        )));
    }
    let get = |name: &str| {
        options
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v)
    };
    let text = |name: &str| match get(name) {
        None | Some(Value::None) => Ok(None),
        Some(value) => text_of(value).map(Some),
    };
    let length = match text("length")? {
        None => LENGTH,
        Some(length) => length
            .trim()
            .parse()
            .ok()
            .filter(|length| *length <= 1 << 20)
            .ok_or_else(|| failed(format!("`{length}` is no length of a password")))?,
    };
    let chars = match get("chars") {
        Some(Value::List(list)) => list
            .to_vec()
            .iter()
            .map(text_of)
            .collect::<Result<_, _>>()?,
        Some(Value::Str(text)) => char_sets(text),
        _ => vec!["ascii_letters".into(), "digits".into(), ".,:-_".into()],
    };
    Ok(Wanted {
        path: path.trim().to_owned(),
        length,
        chars,
        encrypt: text("encrypt")?.filter(|scheme| !scheme.is_empty()),
        ident: text("ident")?,
        seed: get("seed").filter(|v| !matches!(v, Value::None)).cloned(),
    })
}

/// Where something stands that looks like an option, and is none.
fn unknown_option(term: &str) -> Option<usize> {
    let at = term.find('=')?;
    term[..at].rfind(' ')
}

/// Names of sets between commas; a comma of its own is written twice.
fn char_sets(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    if text.contains(",,") {
        out.push(",".into());
    }
    let rest = text.replace(",,", ",");
    out.extend(
        rest.split(',')
            .filter(|set| !set.is_empty())
            .map(str::to_owned),
    );
    out
}

/// The characters of sets that Python's `string` has names for, and of others as they stand.
fn alphabet(sets: &[String]) -> Vec<char> {
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const DIGITS: &str = "0123456789";
    const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    let mut out = String::new();
    for set in sets {
        match set.as_str() {
            "ascii_letters" => out.extend([LOWER, UPPER]),
            "ascii_lowercase" => out.push_str(LOWER),
            "ascii_uppercase" => out.push_str(UPPER),
            "digits" => out.push_str(DIGITS),
            "hexdigits" => out.extend([DIGITS, "abcdefABCDEF"]),
            "octdigits" => out.push_str("01234567"),
            "punctuation" => out.push_str(PUNCTUATION),
            "printable" => out.extend([DIGITS, LOWER, UPPER, PUNCTUATION, " \t\n\r\x0b\x0c"]),
            "whitespace" => out.push_str(" \t\n\r\x0b\x0c"),
            other => out.push_str(other),
        }
    }
    // Quotes would have to be escaped wherever the password is written.
    out.chars().filter(|c| !matches!(c, '"' | '\'')).collect()
}

fn fresh(wanted: &Wanted) -> Result<String, Error> {
    let alphabet = alphabet(&wanted.chars);
    if alphabet.is_empty() {
        return Err(failed("no characters are left to make a password of"));
    }
    match &wanted.seed {
        Some(seed) => seeded_text(seed, &alphabet, wanted.length),
        None => random(&alphabet, wanted.length),
    }
}

/// Characters that nobody can guess, each as likely as any other.
fn random(alphabet: &[char], length: usize) -> Result<String, Error> {
    let count = alphabet.len() as u64;
    let limit = u64::MAX - u64::MAX % count;
    let mut out = String::new();
    while out.chars().count() < length {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|e| failed(format!("no randomness: {e}")))?;
        let number = u64::from_le_bytes(bytes);
        if number < limit {
            out.push(alphabet[(number % count) as usize]);
        }
    }
    Ok(out)
}

/// What stands in the file.
struct Kept {
    password: String,
    salt: Option<String>,
    ident: Option<String>,
}

/// The password of a file, which is made where there is none.
fn on_disk(path: &Path, wanted: &Wanted) -> Result<Kept, Error> {
    let cannot = |e: std::io::Error| failed(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(cannot)?;
    }
    // Others that want the same password wait until it is there.
    let lock = path.with_file_name(format!(
        ".{}.lock",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    let held = fs::File::create(&lock).map_err(cannot)?;
    rustix::fs::flock(&held, FlockOperation::LockExclusive).map_err(|e| cannot(e.into()))?;
    let done = read_or_make(path, wanted);
    // Whoever waits has it open, and makes it again otherwise.
    let _ = fs::remove_file(&lock);
    done
}

fn read_or_make(path: &Path, wanted: &Wanted) -> Result<Kept, Error> {
    let cannot = |e: std::io::Error| failed(format!("{}: {e}", path.display()));
    let mut kept = match fs::read_to_string(path) {
        Ok(text) => parse(text.trim_end_matches('\n')),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Kept {
            password: fresh(wanted)?,
            salt: None,
            ident: None,
        },
        Err(e) => return Err(cannot(e)),
    };
    let had_salt = kept.salt.is_some();
    if wanted.encrypt.is_some() && !had_salt {
        let letters: Vec<char> = alphabet(&["ascii_letters".into(), "digits".into(), "./".into()]);
        kept.salt = Some(random(&letters, 8)?);
    }
    if wanted.encrypt.is_some() && kept.ident.is_none() {
        kept.ident.clone_from(&wanted.ident);
    }
    if !path.exists() || wanted.encrypt.is_some() && !had_salt {
        let mut line = kept.password.clone();
        if let Some(salt) = kept.salt.as_ref().filter(|_| wanted.encrypt.is_some()) {
            line.push_str(&format!(" salt={salt}"));
        }
        if let Some(ident) = kept.ident.as_ref().filter(|_| wanted.encrypt.is_some()) {
            line.push_str(&format!(" ident={ident}"));
        }
        line.push('\n');
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .map_err(cannot)?;
        file.write_all(line.as_bytes()).map_err(cannot)?;
    }
    Ok(kept)
}

/// `password`, `password salt=…`, `password salt=… ident=…`.
fn parse(text: &str) -> Kept {
    let (rest, ident) = match text.rsplit_once(" ident=") {
        Some((rest, ident)) => (rest, Some(ident.to_owned())),
        None => (text, None),
    };
    match rest.rsplit_once(" salt=") {
        Some((password, salt)) => Kept {
            password: password.to_owned(),
            salt: Some(salt.to_owned()),
            ident,
        },
        None => Kept {
            password: rest.to_owned(),
            salt: None,
            ident,
        },
    }
}

fn hashed(kept: &Kept, scheme: &str, ident: Option<&str>) -> Result<String, Error> {
    let mut scope: indexmap::IndexMap<String, Value> = indexmap::IndexMap::new();
    let or_none = |text: Option<&str>| text.map_or(Value::None, Value::str);
    scope.insert("password".into(), Value::str(kept.password.as_str()));
    scope.insert("scheme".into(), Value::str(scheme));
    scope.insert("salt".into(), or_none(kept.salt.as_deref()));
    scope.insert("ident".into(), or_none(kept.ident.as_deref().or(ident)));
    let found = Engine::new().eval_expr(
        &scope,
        "password | password_hash(scheme, salt=salt, ident=ident)",
    )?;
    text_of(&found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_passwords() {
        let kept = parse("pass word salt=abc ident=2a");
        assert_eq!(kept.password, "pass word");
        assert_eq!(
            (kept.salt.as_deref(), kept.ident.as_deref()),
            (Some("abc"), Some("2a"))
        );
        assert_eq!(parse("x").password, "x");
    }

    #[test]
    fn sets_of_characters() {
        assert_eq!(char_sets("digits,,x"), [",", "digits", "x"]);
        assert_eq!(alphabet(&["digits".into(), "'\"a".into()]).len(), 11);
        assert_eq!(random(&['a'], 5).unwrap(), "aaaaa");
    }

    #[test]
    fn seeds_draw_as_python_does() {
        let letters = alphabet(&["ascii_letters".into(), "digits".into(), ".,:-_".into()]);
        assert_eq!(
            seeded_text(&Value::str("x"), &letters, 10).unwrap(),
            "O9iX65WvW9"
        );
    }
}
