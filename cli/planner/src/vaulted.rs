//! What was vaulted is a reference to a secret in the plan: a single value under `!vault`, and where that is asked for, every
//! text of a file that was vaulted as a whole.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use indexmap::IndexMap;
use rustle_formats::plan::{ExecutionPlan, SecretSpec};
use rustle_formats::seal::{UNDECRYPTABLE, find_secrets};
use rustle_formats::{Map, Value};
use rustle_playbook::yaml::{Node, NodeValue, Vault};
use rustle_playbook::{FileId, Position, Problem, Sources};
use zeroize::Zeroizing;

use crate::Opened;
use crate::lowering::Lowering;

/// The texts of secrets by name.
pub(crate) type Texts = IndexMap<String, Zeroizing<String>>;

/// Which of the files that were read were vaulted; each is asked for once.
#[derive(Default)]
pub(crate) struct VaultedFiles(HashMap<FileId, bool>);

impl VaultedFiles {
    /// Whether the file of this place is one of them.
    pub(crate) fn contains(
        &mut self,
        at: Position,
        sources: &Sources,
        is_vaulted: &dyn Fn(&Path) -> bool,
    ) -> bool {
        let known = self.0.entry(at.file);
        *known.or_insert_with(|| is_vaulted(&sources.path(at.file)))
    }
}

impl Lowering<'_> {
    /// Whether what stands here must not be in the plan in the clear.
    pub(crate) fn is_vaulted(&mut self, at: Position) -> bool {
        let request = &self.request;
        self.vaulted.contains(at, request.sources, request.vaulted)
    }
}

/// A value of YAML as a plan's. `hidden`: it is from a file that was vaulted as a whole.
pub(crate) fn value(
    node: &Node,
    hidden: bool,
    secrets: &mut Texts,
    decrypt: &dyn Fn(&Vault) -> Result<Opened, String>,
) -> Result<Value, Problem> {
    if hidden {
        return sealed(node, secrets, decrypt);
    }
    node.to_value(&mut |vault, at| {
        Ok(
            match decrypt(vault).map_err(|e| Problem::error(e).at(at))? {
                Opened::Text(text) => secret(text, secrets),
                Opened::Closed(why) => Value::Secret(format!("{UNDECRYPTABLE}{why}")),
            },
        )
    })
}

fn sealed(
    node: &Node,
    secrets: &mut Texts,
    decrypt: &dyn Fn(&Vault) -> Result<Opened, String>,
) -> Result<Value, Problem> {
    match &node.value {
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Vault(_) => {
            value(node, false, secrets, decrypt)
        }
        NodeValue::Str(text) if text.text.is_empty() => Ok(text.to_value()),
        NodeValue::Str(text) if is_template(&text.text) && !text.is_unsafe => Err(Problem::error(
            "a template in a vaulted file would be readable in an artifact",
        )
        .at(node.at)
        .hint("take the template out of the vaulted file, and vault only the secret in it")),
        NodeValue::Str(text) => Ok(secret(Zeroizing::new(text.text.to_string()), secrets)),
        NodeValue::Int(_) | NodeValue::Big(_) | NodeValue::Float(_) | NodeValue::Time(_) => {
            Err(Problem::error(format!(
                "{} in a vaulted file would be readable in an artifact: only texts are sealed",
                node.kind()
            ))
            .at(node.at)
            .hint("put it into quotes, or take it out of the vaulted file"))
        }
        NodeValue::List(items) => items
            .iter()
            .map(|item| sealed(item, secrets, decrypt))
            .collect::<Result<_, _>>()
            .map(Value::List),
        NodeValue::Map(map) if map.iter().all(|(key, _)| key.as_str().is_some()) => {
            let mut out = Map::with_capacity(map.len());
            for (key, value) in map.iter() {
                let key = key.as_str().unwrap_or_default().to_owned();
                out.insert(key, sealed(value, secrets, decrypt)?);
            }
            Ok(Value::Map(out))
        }
        NodeValue::Map(map) => map
            .iter()
            .map(|(key, value)| {
                let key = self::value(key, false, secrets, decrypt)?;
                Ok((key, sealed(value, secrets, decrypt)?))
            })
            .collect::<Result<_, Problem>>()
            .map(Value::Pairs),
    }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// The reference to a secret with this text: to one that is there already, if there is one.
fn secret(text: Zeroizing<String>, secrets: &mut Texts) -> Value {
    if let Some((name, _)) = secrets.iter().find(|(_, known)| **known == text) {
        return Value::Secret(name.clone());
    }
    let name = format!("vaulted_{}", secrets.len() + 1);
    secrets.insert(name.clone(), text);
    Value::Secret(name)
}

/// The plan's declarations of its secrets. One that only the variables of hosts refer to is for these hosts alone.
pub(crate) fn specs<'a>(
    plan: &ExecutionPlan,
    names: impl Iterator<Item = &'a String>,
) -> Vec<SecretSpec> {
    let mut shared = BTreeSet::new();
    find_secrets(plan, &["hosts"], &mut |name| {
        shared.insert(name.to_owned());
    });
    let mut hosts: HashMap<String, Vec<String>> = HashMap::new();
    for (host, of_host) in &plan.hosts {
        let mut own = BTreeSet::new();
        find_secrets(&of_host.vars, &[], &mut |name| {
            own.insert(name.to_owned());
        });
        for name in own {
            hosts.entry(name).or_default().push(host.clone());
        }
    }
    names
        .map(|name| SecretSpec {
            name: name.clone(),
            hosts: match hosts.remove(name) {
                Some(hosts) if !shared.contains(name) => hosts,
                _ => Vec::new(),
            },
            ..SecretSpec::default()
        })
        .collect()
}
