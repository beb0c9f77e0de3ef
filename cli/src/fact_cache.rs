//! The cache of facts that ansible.cfg asks for (`fact_caching = jsonfile`): one file for each host, as Ansible writes and
//! reads them, so that both may use the same folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustle_formats::{Map, Value};
use rustle_playbook::Problem;
use rustle_playbook::config::Config;
use zeroize::Zeroizing;

use crate::replace::replace;

/// The version of the files' shape, which stands before the host's name.
const SCHEMA: &str = "s1_";
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Facts that outlive a run.
#[derive(Debug, Clone)]
pub(crate) struct FactCache {
    folder: PathBuf,
    prefix: String,
    /// How long a file counts; none: for ever.
    timeout: Option<Duration>,
}

impl FactCache {
    /// The cache that the settings ask for; none where they ask for none.
    ///
    /// # Errors
    /// Where the settings do not say where it is, or name a plugin that Rustle does not have.
    pub(crate) fn of(config: &Config) -> Result<Option<FactCache>, Problem> {
        let plugin = config.text("CACHE_PLUGIN").unwrap_or("memory");
        match plugin.strip_prefix("ansible.builtin.").unwrap_or(plugin) {
            "memory" | "" => return Ok(None),
            "jsonfile" => {}
            _ => {
                return Err(Problem::warning(format!(
                    "the cache plugin `{plugin}` (CACHE_PLUGIN) has no effect in Rustle: facts are not kept"
                ))
                .hint("`jsonfile` is understood"));
            }
        }
        let Some(folder) = config.path("CACHE_PLUGIN_CONNECTION") else {
            return Err(Problem::warning(
                "`fact_caching = jsonfile` does not say where: facts are not kept".to_owned(),
            )
            .hint("name a folder with `fact_caching_connection`"));
        };
        let seconds = config.integer("CACHE_PLUGIN_TIMEOUT").unwrap_or(86_400);
        let prefix = match config.is_set("CACHE_PLUGIN_PREFIX") {
            true => config.text("CACHE_PLUGIN_PREFIX").unwrap_or_default(),
            false => "",
        };
        Ok(Some(FactCache {
            folder,
            prefix: prefix.to_owned(),
            timeout: u64::try_from(seconds)
                .ok()
                .filter(|s| *s > 0)
                .map(Duration::from_secs),
        }))
    }

    /// The file of a host; none where its name cannot be one.
    fn file(&self, host: &str) -> Option<PathBuf> {
        let plain = !host.contains(['/', '\0']);
        plain.then(|| self.folder.join(format!("{}{SCHEMA}{host}", self.prefix)))
    }

    /// The facts of a host, as long as they count. What cannot be read counts as none.
    pub(crate) fn facts(&self, host: &str) -> Map {
        self.file(host)
            .and_then(|file| self.read(&file))
            .unwrap_or_default()
    }

    fn read(&self, file: &Path) -> Option<Map> {
        let meta = fs::metadata(file).ok()?;
        if !meta.is_file() || meta.len() > MAX_FILE {
            return None;
        }
        if let Some(timeout) = self.timeout {
            let age = SystemTime::now().duration_since(meta.modified().ok()?);
            // What was written in the future was written just now.
            if age.unwrap_or_default() > timeout {
                return None;
            }
        }
        let outer: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let inner: Value = serde_json::from_str(outer.get("__payload__")?.as_str()?).ok()?;
        match plain(inner) {
            Value::Map(facts) => Some(facts),
            _ => None,
        }
    }

    /// Keeps the facts of a host: those that hold none of these secrets. Without any, what was kept is forgotten.
    ///
    /// # Errors
    /// What kept the file from being written, for people.
    pub(crate) fn keep<'s>(
        &self,
        host: &str,
        facts: &Map,
        secrets: impl Iterator<Item = &'s Zeroizing<String>>,
    ) -> Result<(), String> {
        let Some(file) = self.file(host) else {
            return Ok(());
        };
        let secrets: Vec<&str> = secrets
            .map(|text| text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        let mut kept = facts.clone();
        kept.retain(|_, value| !holds(value, &secrets));
        if kept.is_empty() {
            return self.forget(host);
        }
        let wrong = |e: &dyn std::fmt::Display| format!("cannot write {}: {e}", file.display());
        let payload = serde_json::to_string(&kept).map_err(|e| wrong(&e))?;
        let whole = serde_json::json!({ "__payload__": payload }).to_string();
        fs::create_dir_all(&self.folder).map_err(|e| wrong(&e))?;
        replace(&file, whole.as_bytes(), Some(0o644)).map_err(|e| wrong(&e))
    }

    /// Forgets the facts of a host.
    ///
    /// # Errors
    /// What kept the file from being removed, for people.
    pub(crate) fn forget(&self, host: &str) -> Result<(), String> {
        let Some(file) = self.file(host) else {
            return Ok(());
        };
        match fs::remove_file(&file) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {e}", file.display()))
            }
            _ => Ok(()),
        }
    }
}

/// A value without what Ansible writes around those that it knows more of.
fn plain(value: Value) -> Value {
    match value {
        Value::Map(mut map) => match map.contains_key("__ansible_type") {
            true => map.shift_remove("value").map_or(Value::Null, plain),
            false => Value::Map(map.into_iter().map(|(k, v)| (k, plain(v))).collect()),
        },
        Value::List(list) => Value::List(list.into_iter().map(plain).collect()),
        other => other,
    }
}

fn holds(value: &Value, secrets: &[&str]) -> bool {
    let within = |text: &str| secrets.iter().any(|secret| text.contains(secret));
    match value {
        Value::Str(text) | Value::Unsafe(text) => within(text),
        Value::List(list) => list.iter().any(|v| holds(v, secrets)),
        Value::Map(map) => map.iter().any(|(k, v)| within(k) || holds(v, secrets)),
        Value::Secret(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &Path) -> FactCache {
        FactCache {
            folder: folder.join("new/facts"),
            prefix: "p_".into(),
            timeout: Some(Duration::from_secs(60)),
        }
    }

    fn map(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    fn no_secrets() -> std::iter::Empty<&'static Zeroizing<String>> {
        std::iter::empty()
    }

    #[test]
    fn what_was_kept_comes_back_without_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        assert_eq!(cache.facts("h"), Map::new());
        let facts =
            map(r#"{"ansible_os_family": "Debian", "n": {"a": [1, "x"]}, "token": ["the hush"]}"#);
        let secret = Zeroizing::new("hush".to_owned());
        cache.keep("h", &facts, std::iter::once(&secret)).unwrap();
        let text = fs::read_to_string(dir.path().join("new/facts/p_s1_h")).unwrap();
        assert!(text.starts_with(r#"{"__payload__":"{\"ansible_os_family\":"#));
        let kept = map(r#"{"ansible_os_family": "Debian", "n": {"a": [1, "x"]}}"#);
        assert_eq!(cache.facts("h"), kept);
        cache.keep("h", &Map::new(), no_secrets()).unwrap();
        assert_eq!(cache.facts("h"), Map::new());
        cache.forget("h").unwrap();
    }

    #[test]
    fn old_and_foreign_files_count_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        cache.keep("h", &map(r#"{"a": 1}"#), no_secrets()).unwrap();
        let file = cache.file("h").unwrap();
        let old = SystemTime::now() - Duration::from_secs(61);
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(old)
            .unwrap();
        assert_eq!(cache.facts("h"), Map::new());
        for text in ["", "garbage", r#"{"a": 1}"#, r#"{"__payload__": "[1]"}"#] {
            fs::write(&file, text).unwrap();
            assert_eq!(cache.facts("h"), Map::new(), "{text}");
        }
        assert_eq!(cache.file("../h"), None);
    }

    #[test]
    fn what_ansible_says_of_origins_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        cache.keep("h", &map(r#"{"a": 1}"#), no_secrets()).unwrap();
        let theirs = r#"{"__payload__": "{\"n\": {\"value\": 1, \"tags\": [{\"line_num\": 4, \"__ansible_type\": \"Origin\"}], \"__ansible_type\": \"_AnsibleTaggedInt\"}}"}"#;
        fs::write(cache.file("h").unwrap(), theirs).unwrap();
        assert_eq!(cache.facts("h"), map(r#"{"n": 1}"#));
    }
}
