//! All settings of ansible-core, and those of its usual display, of its ssh connection and of its ways to become another user that
//! Rustle honours, from `settings.tsv`: names, where they are set, types, defaults, and whether Rustle
//! honours them.

use std::sync::LazyLock;

/// What Rustle makes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It means here what it means to Ansible.
    Honoured,
    /// It is about something that Rustle does not have.
    Moot,
    /// It would change what an inventory means, and does not.
    Inventory,
    /// It would change what a run does, and does not.
    Run,
}

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Float,
    /// Divided by commas.
    List,
    Path,
    /// Paths divided by commas.
    PathList,
    /// Paths divided by colons.
    PathSpec,
    /// Text; in a file, quotes around it are taken off.
    Text,
}

/// One setting.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) effect: Effect,
    pub(super) name: &'static str,
    /// Section and key; of several, the last that is set wins.
    pub(super) ini: Vec<(&'static str, &'static str)>,
    /// Of several, the last that is set wins.
    pub(super) env: Vec<&'static str>,
    pub(super) kind: Kind,
    /// Empty: anything.
    pub(super) choices: Vec<&'static str>,
    pub(super) default: Option<&'static str>,
}

static TABLE: LazyLock<Vec<Known>> = LazyLock::new(|| {
    include_str!("settings.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(row)
        .collect()
});

/// All settings.
pub(super) fn all() -> &'static [Known] {
    &TABLE
}

/// A setting by its name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    // The table is sorted, as a test sees to.
    let at = TABLE.binary_search_by(|k| k.name.cmp(name)).ok()?;
    Some(&TABLE[at])
}

fn row(line: &'static str) -> Known {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let &[effect, name, ini, env, kind, choices, default] = fields.as_slice() else {
        panic!("settings.tsv has a row of {} columns: {line}", fields.len());
    };
    let given = |text: &'static str, by: char| -> Vec<&'static str> {
        if text == "~" {
            Vec::new()
        } else {
            text.split(by).collect()
        }
    };
    Known {
        effect: match effect {
            "+" => Effect::Honoured,
            "." => Effect::Moot,
            "i" => Effect::Inventory,
            _ => Effect::Run,
        },
        name,
        ini: given(ini, ' ')
            .iter()
            .filter_map(|k| k.split_once('.'))
            .collect(),
        env: given(env, ' '),
        kind: match kind {
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer,
            "float" => Kind::Float,
            "list" => Kind::List,
            "path" | "tmppath" => Kind::Path,
            "pathlist" => Kind::PathList,
            "pathspec" => Kind::PathSpec,
            _ => Kind::Text,
        },
        choices: given(choices, ','),
        default: (default != "~").then_some(default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_sorted() {
        assert_eq!(all().len(), 258);
        assert!(all().is_sorted_by(|a, b| a.name < b.name));
        let forks = find("DEFAULT_FORKS").unwrap();
        assert_eq!(forks.ini, [("defaults", "forks")]);
        assert_eq!(forks.kind, Kind::Integer);
        assert_eq!(forks.default, Some("5"));
        assert!(find("NOPE").is_none());
    }

    /// `scripts/record-settings` asked Ansible for them.
    #[test]
    fn every_setting_of_ansible_is_in_the_table_with_its_names() {
        let recorded = include_str!("../../../../fixtures/config/settings.tsv");
        let rows = recorded.lines().filter(|line| !line.starts_with('#'));
        for row in rows {
            let fields: Vec<&str> = row.split('\t').collect();
            let &[name, keys, variables] = fields.as_slice() else {
                panic!("{row}");
            };
            let known = find(name).unwrap_or_else(|| panic!("{name} is missing"));
            let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
            let ini: Vec<String> = known.ini.iter().map(|(s, k)| format!("{s}.{k}")).collect();
            assert_eq!(ini, words(keys), "{name}");
            assert_eq!(known.env, words(variables), "{name}");
        }
    }
}
