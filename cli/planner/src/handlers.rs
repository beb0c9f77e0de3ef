//! Handlers. A plan has a flat list of them: what blocks and imports around a handler say is said on the handler itself.

use rustle_formats::plan::Task;
use rustle_playbook::play::{Entry, Site};
use serde_json::Value as Json;

use crate::keywords::Fields;
use crate::lowering::Lowering;

/// Keywords that a block or an import keeps for itself.
const OWN: &[&str] = &["name", "block", "rescue", "always", "listen"];

impl Lowering<'_> {
    /// Handlers, those of blocks and of imported files among them.
    pub(crate) fn handlers(&mut self, entries: &[Entry], site: &Site) -> Vec<Task> {
        let site = Site {
            handlers: true,
            ..site.clone()
        };
        let mut out = Vec::new();
        self.handlers_below(entries, &site, &Fields::new(), &mut out);
        out
    }

    fn handlers_below(
        &mut self,
        entries: &[Entry],
        site: &Site,
        around: &Fields,
        out: &mut Vec<Task>,
    ) {
        for entry in entries {
            let (keywords, inner) = match entry {
                Entry::Task(task) => {
                    out.push(self.task(task, site, around));
                    continue;
                }
                Entry::ImportTasks(import) => (&import.task.keywords, &import.entries),
                // A handler is never rescued: what else the block has is not reached.
                Entry::Block(block) => (&block.keywords, &block.block),
                // The reader refuses it.
                Entry::ImportRole(_) => continue,
            };
            let mut fields = self.fields(keywords, OWN);
            inherit(&mut fields, around);
            self.handlers_below(inner, site, &fields, out);
        }
    }
}

/// Adds to the keywords of something those of what is around it, as they are handed down.
pub(crate) fn inherit(inner: &mut Fields, around: &Fields) {
    for (name, outer) in around {
        let own = inner.remove(name);
        let joined = match (name.as_str(), own) {
            (_, None) => outer.clone(),
            ("vars", Some(Json::Object(own))) => {
                let mut vars = outer.as_object().cloned().unwrap_or_default();
                vars.extend(own);
                vars.into()
            }
            ("when" | "tags" | "environment" | "module_defaults", Some(own)) => {
                let mut list = parts(outer.clone());
                list.extend(parts(own));
                list.into()
            }
            (_, Some(own)) => own,
        };
        inner.insert(name.clone(), joined);
    }
}

fn parts(value: Json) -> Vec<Json> {
    match value {
        Json::Array(list) => list,
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_keywords_win_and_lists_add_up() {
        let fields = |text: &str| serde_json::from_str::<Fields>(text).expect("an object");
        let mut inner =
            fields(r#"{"vars": {"a": 1}, "when": "x", "become": false, "tags": ["t"]}"#);
        let outer = r#"{"vars": {"a": 2, "b": 3}, "when": ["y"], "become": true, "timeout": 5}"#;
        inherit(&mut inner, &fields(outer));
        let expected = r#"{"vars": {"a": 1, "b": 3}, "when": ["y", "x"], "become": false, "tags": ["t"], "timeout": 5}"#;
        assert_eq!(inner, fields(expected));
    }
}
