//! `vars_files` whose names depend on the run.

use super::PlayPlan;
use crate::value::{Map, Value};

/// An entry of `vars_files` that only a host can choose, before each of its tasks: its names are templates of facts, or of
/// what the inventory says of the host. A plan has it as a mapping with these fields, because readers of another type would
/// cost every runner some kilobytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarsChoice<'p> {
    /// Which of the play's `vars_files` it stands for; what is there counts where nothing is chosen.
    pub place: usize,
    /// What was written: a name, or a list of names of which the first that there is a file for counts.
    pub names: &'p Value,
    /// The folder that names are looked for in, and before that in its `vars`; below `base_dir`.
    pub folder: &'p str,
    /// The contents of all files that may be meant, mappings, by path below `base_dir`.
    pub files: &'p Map,
}

impl<'p> VarsChoice<'p> {
    /// Reads one of a play's `vars_choices`; none where it is not of this shape.
    pub fn of(written: &'p Map) -> Option<VarsChoice<'p>> {
        let Value::Int(place) = written.get("place")? else {
            return None;
        };
        Some(VarsChoice {
            place: usize::try_from(*place).ok()?,
            names: written.get("names")?,
            folder: written.get("folder")?.as_str()?,
            files: written.get("files")?.as_map()?,
        })
    }

    /// As a plan has it.
    pub fn to_map(self) -> Map {
        Map::from_iter([
            ("place".to_owned(), Value::Int(self.place as i64)),
            ("names".to_owned(), self.names.clone()),
            ("folder".to_owned(), self.folder.into()),
            ("files".to_owned(), Value::Map(self.files.clone())),
        ])
    }
}

impl PlayPlan {
    /// All variables that files of `vars_files` may set, those of files that only a run chooses among them. The strongest
    /// come last.
    pub fn all_vars_files(&self) -> impl DoubleEndedIterator<Item = &Map> {
        let chosen = self.vars_choices.iter().filter_map(VarsChoice::of);
        let chosen: Vec<&Map> = chosen
            .flat_map(|choice| choice.files.values().filter_map(Value::as_map))
            .collect();
        chosen.into_iter().chain(&self.vars_files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let files = Map::from_iter([("vars/a.yml".to_owned(), Value::Map(Map::new()))]);
        let choice = VarsChoice {
            place: 1,
            names: &"{{ a }}.yml".into(),
            folder: "",
            files: &files,
        };
        let written = choice.to_map();
        assert_eq!(VarsChoice::of(&written), Some(choice));
        assert_eq!(VarsChoice::of(&Map::new()), None);
        let play = PlayPlan {
            vars_files: vec![files.clone()],
            vars_choices: vec![written],
            ..PlayPlan::default()
        };
        assert_eq!(play.all_vars_files().count(), 2);
    }
}
