//! The list of known differences: `module | case | pass | what | reason`, `*` for any.

use std::path::Path;

pub(crate) struct Known(Vec<[String; 4]>);

impl Known {
    pub(crate) fn load(folder: &Path) -> Known {
        let text = std::fs::read_to_string(folder.join("known-differences")).unwrap_or_default();
        let mut rules = Vec::new();
        for line in text.lines() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let parts: Vec<String> = line.split('|').map(|p| p.trim().to_owned()).collect();
            assert!(
                parts.len() == 5 && !parts[4].is_empty(),
                "known-differences needs `module | case | pass | what | reason`: {line}"
            );
            rules.push([
                parts[0].clone(),
                parts[1].clone(),
                parts[2].clone(),
                parts[3].clone(),
            ]);
        }
        Known(rules)
    }

    pub(crate) fn excuses(&self, module: &str, case: &str, pass: &str, what: &str) -> bool {
        let fits = |rule: &str, actual: &str| rule == "*" || rule == actual;
        self.0.iter().any(|r| {
            fits(&r[0], module) && fits(&r[1], case) && fits(&r[2], pass) && fits(&r[3], what)
        })
    }
}
