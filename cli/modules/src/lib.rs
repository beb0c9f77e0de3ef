//! Modules in other languages than the runner's: in which one a file is, and, for Python, everything that it imports of
//! Ansible's, as one archive that the target's Python runs.
//!
//! Nothing of Ansible is in this crate: what an archive contains is read from the installation on the controller.

mod archive;
mod bundle;
mod imports;

pub use bundle::{Bundle, BundleError, Places};

/// How a module is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// By Python, with what it imports from `ansible.module_utils` or a collection.
    Python,
    /// By PowerShell, on Windows.
    PowerShell,
    /// As a program, or by what its first line names.
    Own,
}

impl Language {
    /// The language of a module with this content.
    pub fn of(content: &[u8]) -> Language {
        let Ok(text) = std::str::from_utf8(content) else {
            return Language::Own;
        };
        let marks = ["#Requires -Module", "#AnsibleRequires", "#!powershell"];
        if text
            .lines()
            .any(|line| marks.iter().any(|mark| line.starts_with(mark)))
        {
            return Language::PowerShell;
        }
        let ansible = imports::of(text).iter().any(|import| {
            let module = import.module.as_str();
            import.level > 0
                || module == "ansible.module_utils"
                || module.starts_with("ansible.module_utils.")
                || module.starts_with("ansible_collections.")
        });
        if ansible {
            Language::Python
        } else {
            Language::Own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (text, language) in [
            (
                "#!/usr/bin/python\nfrom ansible.module_utils.basic import *\n",
                Language::Python,
            ),
            (
                "def f():\n    from ..module_utils.x import y\n",
                Language::Python,
            ),
            (
                "import ansible_collections.a.b.plugins.module_utils.c\n",
                Language::Python,
            ),
            (
                "#!powershell\n#Requires -Module Ansible.ModuleUtils.Legacy\n",
                Language::PowerShell,
            ),
            (
                "#!/usr/bin/python\n# WANT_JSON\nimport json\n",
                Language::Own,
            ),
            (
                "#!/bin/sh\necho from ansible.module_utils import x\n",
                Language::Own,
            ),
        ] {
            assert_eq!(Language::of(text.as_bytes()), language, "{text}");
        }
        assert_eq!(Language::of(b"\x7fELF\0\xff"), Language::Own);
    }
}
