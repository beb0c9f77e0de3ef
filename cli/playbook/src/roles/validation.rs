//! The argument specification of a role, and the task that it implies.

use std::path::Path;

use crate::play::{Reader, Validation, text_of};
use crate::problem::Problem;
use crate::yaml::Node;

impl Reader<'_> {
    /// The implicit validation of a role, if its specification has the entry point.
    pub(super) fn role_validation(
        &self,
        role: &Path,
        tasks_from: Option<&str>,
        in_meta: Option<&Node>,
        asked: &Node,
    ) -> Result<Option<Validation>, Problem> {
        let folder = role.join("meta");
        let names = [
            "argument_specs.yml",
            "argument_specs.yaml",
            "argument_specs.json",
        ];
        let file = names
            .iter()
            .map(|name| folder.join(name))
            .find(|path| self.files.is_file(path));
        let document = file
            .map(|path| self.document(&path, Some(asked.at)))
            .transpose()?;
        let specs = match &document {
            Some(document) => document.as_map().and_then(|map| map.get("argument_specs")),
            None => in_meta,
        };
        let entry_point = tasks_from.map_or("main", |from| {
            let stem = from.rsplit('/').next().unwrap_or(from);
            [".yml", ".yaml", ".json"]
                .iter()
                .find_map(|end| stem.strip_suffix(end))
                .unwrap_or(stem)
        });
        let entry = specs
            .and_then(Node::as_map)
            .and_then(|map| map.get(entry_point));
        let entry = entry
            .and_then(Node::as_map)
            .filter(|entry| !entry.is_empty());
        Ok(entry.map(|entry| Validation {
            entry_point: entry_point.to_owned(),
            description: entry
                .get("short_description")
                .map(text_of)
                .filter(|description| !description.is_empty()),
            options: entry.get("options").cloned(),
        }))
    }
}
