//! Variables that only the controller knows: where a host's inventory lies, which configuration was read, who manages
//! templates. They stand among a host's own variables, and so in its overlay, never in an artifact that all hosts share.

use std::path::Path;

use rustle_formats::{Map, Value};
use rustle_planner::InventoryPart;
use rustle_playbook::config::Config;
use rustle_playbook::inventory::Loaded;

/// Gives them to every host.
pub(crate) fn give(
    inventory: &mut InventoryPart,
    loaded: &Loaded,
    limit: Option<&str>,
    config: &Config,
) {
    let shared = shared(loaded, limit, config);
    for (name, host) in &mut inventory.hosts {
        let known = loaded.inventory.find_host(name);
        let source = known.and_then(|id| loaded.inventory.host(id).source.clone());
        let mut more = shared.clone();
        if let Some(source) = source {
            let folder = match source.contains(',') {
                true => None,
                false => Path::new(&*source).parent(),
            };
            // A list of hosts lies nowhere; Ansible says so in a text.
            let folder = folder.map_or("None".into(), |f| f.to_string_lossy().into_owned());
            more.insert("inventory_dir".to_owned(), folder.into());
            more.insert("inventory_file".to_owned(), Value::from(&*source));
        }
        for (key, value) in more {
            host.vars.entry(key).or_insert(value);
        }
    }
}

fn shared(loaded: &Loaded, limit: Option<&str>, config: &Config) -> Map {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("ansible_inventory_sources", loaded.sources.clone().into());
    let file = config.file().map(|f| f.to_string_lossy().into_owned());
    put("ansible_config_file", file.map_or(Value::Null, Value::from));
    if let Some(limit) = limit {
        put("ansible_limit", limit.into());
    }
    // Where nobody says so, each machine's own Python runs modules.
    if let Some(python) = config
        .text("INTERPRETER_PYTHON")
        .filter(|p| !p.starts_with("auto"))
    {
        put("ansible_python_interpreter", python.into());
    }
    if let Some(python) = python(config) {
        put("ansible_playbook_python", python.into());
    }
    if let Some(text) = config.text("DEFAULT_MANAGED_STR").and_then(managed) {
        put("ansible_managed", text.into());
    }
    out
}

/// The Python of this machine, which Ansible would run with: playbooks name it as interpreter of local tasks.
pub(crate) fn python(config: &Config) -> Option<String> {
    let path = config.environment().variables.get("PATH")?;
    std::env::split_paths(path)
        .map(|folder| folder.join("python3"))
        .find(|file| file.is_file())
        .map(|file| file.to_string_lossy().into_owned())
}

/// The setting `ansible_managed` as a template that tells of the template it stands in; nothing where it is Ansible's own,
/// which the runner knows. Its fields are those of Python's `str.format`, its date those of `strftime`.
fn managed(setting: &str) -> Option<String> {
    if setting == "Ansible managed" {
        return None;
    }
    let filled = ["file", "host", "uid"]
        .iter()
        .fold(setting.to_owned(), |text, field| {
            let name = if *field == "file" { "path" } else { field };
            text.replace(
                &format!("{{{field}}}"),
                &format!("\u{1}template_{name}\u{2}"),
            )
        });
    let dated = match filled.contains('%') {
        false => filled,
        true => filled
            .split_inclusive(['\u{1}', '\u{2}'])
            .map(|part| match part.split_once('%') {
                None => part.to_owned(),
                Some(_) => {
                    let (text, end) =
                        part.split_at(part.trim_end_matches(['\u{1}', '\u{2}']).len());
                    let quoted = text.replace('\\', "\\\\").replace('\'', "\\'");
                    format!("{{{{ template_mtime.strftime('{quoted}') }}}}{end}")
                }
            })
            .collect(),
    };
    Some(dated.replace('\u{1}', "{{ ").replace('\u{2}', " }}"))
}

#[cfg(test)]
mod tests {
    use super::managed;

    #[test]
    fn a_managed_text_tells_of_its_template() {
        assert_eq!(managed("Ansible managed"), None);
        assert_eq!(
            managed("by {uid} on {host}: {file}, %Y-%m-%d").as_deref(),
            Some(
                "by {{ template_uid }} on {{ template_host }}: {{ template_path }}\
                 {{ template_mtime.strftime(', %Y-%m-%d') }}"
            )
        );
    }
}
