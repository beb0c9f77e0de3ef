//! The import statements of a Python file: wherever they stand, since modules import in functions and behind `try`.

/// One name after `import`, or one `from … import …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// How many dots are in front: 0 is an absolute name.
    pub(crate) level: usize,
    /// The dotted name, without those dots.
    pub(crate) module: String,
    /// What is taken from it; each may be a module in it.
    pub(crate) names: Vec<String>,
}

/// The imports of a text. What looks like one in a long string is taken for one: no harm is done, for only what there is
/// to import is packed.
pub(crate) fn of(text: &str) -> Vec<Import> {
    let mut out = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // `try: import x` is one line, too.
        let written = line.trim_start();
        let written = ["try:", "else:"]
            .iter()
            .find_map(|word| written.strip_prefix(word))
            .map_or(written, str::trim_start);
        if !written.starts_with("import ") && !written.starts_with("from ") {
            continue;
        }
        let mut statement = without_comment(written).to_owned();
        while let Some(begun) = unfinished(&statement) {
            let Some(more) = lines.next() else { break };
            statement.truncate(begun);
            statement.push(' ');
            statement.push_str(without_comment(more));
        }
        for part in statement.split(';') {
            read(part.trim(), &mut out);
        }
    }
    out
}

/// Where a statement that goes on in the next line ends in this one.
fn unfinished(statement: &str) -> Option<usize> {
    let trimmed = statement.trim_end();
    if let Some(before) = trimmed.strip_suffix('\\') {
        return Some(before.len());
    }
    (trimmed.contains('(') && !trimmed.contains(')')).then_some(trimmed.len())
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

fn read(statement: &str, out: &mut Vec<Import>) {
    if let Some(list) = statement.strip_prefix("import ") {
        for name in names(list) {
            out.push(Import {
                level: 0,
                module: name,
                names: Vec::new(),
            });
        }
        return;
    }
    let Some((module, list)) = statement
        .strip_prefix("from ")
        .and_then(|rest| rest.split_once(" import"))
    else {
        return;
    };
    let module = module.trim();
    let name = module.trim_start_matches('.');
    out.push(Import {
        level: module.len() - name.len(),
        module: name.to_owned(),
        names: names(list),
    });
}

/// The names of a list, without what they are called here.
fn names(list: &str) -> Vec<String> {
    list.split(',')
        .filter_map(|item| {
            item.trim_matches([' ', '\t', '(', ')'])
                .split_whitespace()
                .next()
        })
        .filter(|name| {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'*'))
        })
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        of(text)
            .into_iter()
            .map(|i| format!("{}{}:{}", ".".repeat(i.level), i.module, i.names.join(",")))
            .collect()
    }

    #[test]
    fn statements_in_all_forms() {
        let text = "import os, ansible.module_utils.a as x\n\
                    try:\n    from ansible.module_utils.b import (  # why\n        one as o,\n        two,\n    )\n\
                    except ImportError: pass\n\
                    from .. import c\n\
                    from ..d.e import f; import g\n\
                    from a.b import h, \\\n    i\n\
                    importer = 1\nfrom_x = 2\n\
                    try: import j\n";
        assert_eq!(
            shown(text),
            [
                "os:",
                "ansible.module_utils.a:",
                "ansible.module_utils.b:one,two",
                "..:c",
                "..d.e:f",
                "g:",
                "a.b:h,i",
                "j:"
            ]
        );
    }

    #[test]
    fn prose_is_harmless() {
        assert_eq!(shown("from here on (this text\nnever ends"), [""; 0]);
        assert_eq!(shown("import (\n"), [""; 0]);
    }
}
