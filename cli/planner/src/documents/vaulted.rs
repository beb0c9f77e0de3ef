//! Secrets in documents: between the commands they stay the ciphertexts that they were in the repository.

use indexmap::IndexMap;
use rustle_formats::value::SECRET_KEY;
use serde_json::Value as Json;

/// The key under which a document has the ciphertext of a value, as Ansible's own JSON does.
pub const VAULT_KEY: &str = "__ansible_vault";

/// Puts ciphertexts in place of the references to secrets of these names.
pub fn show(document: &mut Json, ciphertexts: &IndexMap<String, String>) {
    each(document, &mut |object| {
        let name = object.get(SECRET_KEY)?.as_str()?;
        let ciphertext = ciphertexts.get(name)?;
        Some((VAULT_KEY, ciphertext.clone()))
    });
}

/// Puts references to secrets in place of ciphertexts; the ciphertexts by the names that they get.
pub fn hide(document: &mut Json) -> IndexMap<String, String> {
    let mut known: IndexMap<String, String> = IndexMap::new();
    each(document, &mut |object| {
        let ciphertext = object.get(VAULT_KEY)?.as_str()?.to_owned();
        let name = match known.get(&ciphertext) {
            Some(name) => name.clone(),
            None => {
                let name = format!("vaulted_{}", known.len() + 1);
                known.insert(ciphertext, name.clone());
                name
            }
        };
        Some((SECRET_KEY, name))
    });
    known.into_iter().map(|(text, name)| (name, text)).collect()
}

type Object = serde_json::Map<String, Json>;

/// Replaces every object of one key for which there is something else.
fn each(value: &mut Json, replaced: &mut dyn FnMut(&Object) -> Option<(&'static str, String)>) {
    match value {
        Json::Object(object) => {
            if object.len() == 1
                && let Some((key, text)) = replaced(object)
            {
                object.clear();
                object.insert(key.to_owned(), text.into());
                return;
            }
            for (_, inner) in object.iter_mut() {
                each(inner, replaced);
            }
        }
        Json::Array(list) => list.iter_mut().for_each(|inner| each(inner, replaced)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ciphertexts_come_back_as_they_were() {
        let written = json!({"a": [{"__ansible_vault": "x"}, {"__ansible_vault": "y"}], "b": {"__ansible_vault": "x"}});
        let mut document = written.clone();
        let texts = hide(&mut document);
        assert_eq!(
            document,
            json!({"a": [{"__rustle_secret": "vaulted_1"}, {"__rustle_secret": "vaulted_2"}],
                   "b": {"__rustle_secret": "vaulted_1"}})
        );
        assert_eq!(texts.len(), 2);
        show(&mut document, &texts);
        assert_eq!(document, written);
        // A secret that has a source of its own stays.
        let mut own = json!({"__rustle_secret": "db"});
        show(&mut own, &texts);
        assert_eq!(own, json!({"__rustle_secret": "db"}));
    }
}
