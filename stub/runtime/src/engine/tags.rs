//! Which tasks the tags select, by Ansible's rules.

use rustle_formats::plan::{Block, PlayPlan, Task};

/// The tags of a task with those of its blocks and its play.
pub(crate) fn effective<'p>(
    play: &'p PlayPlan,
    blocks: impl Iterator<Item = &'p Block>,
    task: &'p Task,
) -> Vec<&'p str> {
    let mut tags: Vec<&str> = Vec::new();
    let all = play
        .tags
        .iter()
        .chain(blocks.flat_map(|b| &b.tags))
        .chain(&task.tags);
    for tag in all.flat_map(|t| t.split(',')).map(str::trim) {
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// Whether a task with these tags is run.
pub(crate) fn selected(tags: &[&str], only: &[String], skip: &[String]) -> bool {
    let has = |list: &[String], word: &str| list.iter().any(|t| t == word);
    let meets = |list: &[String]| tags.iter().any(|t| has(list, t));
    let tagged = !tags.is_empty() && tags != ["untagged"];
    let always = tags.contains(&"always");
    let never = tags.contains(&"never");

    let wanted = if only.is_empty() || has(only, "all") {
        // `never` needs to be asked for by name.
        !never || meets(only)
    } else {
        always
            || meets(only)
            || (has(only, "tagged") && tagged && !never)
            || (has(only, "untagged") && !tagged)
    };
    if !wanted {
        return false;
    }
    let unwanted = if has(skip, "all") {
        !always || has(skip, "always")
    } else {
        meets(skip) || (has(skip, "tagged") && tagged) || (has(skip, "untagged") && !tagged)
    };
    !unwanted
}

#[cfg(test)]
mod tests {
    use super::selected;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn special_tags() {
        for (tags, only, skip, expected) in [
            ("", "", "", true),
            ("never", "", "", false),
            ("never x", "", "", false),
            ("never x", "x", "", true),
            ("never x", "tagged", "", false),
            ("always", "x", "", true),
            ("always", "x", "always", false),
            ("always", "", "all", true),
            ("", "x", "", false),
            ("", "untagged", "", true),
            ("x", "untagged", "", false),
            ("x", "tagged", "", true),
            ("x", "all", "x", false),
            ("x", "", "untagged", true),
            ("", "", "untagged", false),
            ("x", "", "tagged", false),
        ] {
            let tags: Vec<&str> = tags.split_whitespace().collect();
            assert_eq!(
                selected(&tags, &words(only), &words(skip)),
                expected,
                "{tags:?} --tags {only} --skip-tags {skip}"
            );
        }
    }
}
