//! Which plans the core flavour of the runner can run: those that name nothing which only the full one has.
//!
//! The core flavour is compiled without the cargo feature `full`. Whether a plan needs more is decided by its words, in
//! whatever they stand: a name that occurs nowhere cannot be asked for, and one that means something else costs some
//! kilobytes.

use rustle_template::names;

use crate::modules;

/// What a vaulted file begins with.
const VAULTED: &str = "$ANSIBLE_VAULT";

/// Looks through texts for names that only the full flavour knows.
#[derive(Debug)]
pub struct Needs {
    /// By their lengths: few words of a plan have to be compared with more than a handful, and none is hashed.
    wanted: Vec<SameLength>,
    collections: Vec<&'static str>,
    found: Option<&'static str>,
}

/// The names of one length, and what they begin with: most words of a plan begin with something else.
#[derive(Debug, Default, Clone)]
struct SameLength {
    names: Vec<&'static str>,
    /// A bit for each first byte, by its lower five bits: the letters, whatever their case.
    begins: u32,
}

impl SameLength {
    fn find(&self, word: &[u8]) -> Option<&'static str> {
        let first = word.first()?;
        if self.begins & (1 << (first & 31)) == 0 {
            return None;
        }
        self.names.iter().copied().find(|n| n.as_bytes() == word)
    }
}

impl Default for Needs {
    fn default() -> Self {
        let names = modules::FULL_ONLY.iter().copied().chain(names::full_only());
        let mut wanted: Vec<SameLength> = Vec::new();
        for name in names {
            let len = name.len();
            wanted.resize(wanted.len().max(len + 1), SameLength::default());
            wanted[len].names.push(name);
            wanted[len].begins |= name.bytes().next().map_or(0, |b| 1 << (b & 31));
        }
        Needs {
            wanted,
            collections: names::full_collections().collect(),
            found: None,
        }
    }
}

impl Needs {
    /// Looks through a text: of a plan, a template, a file of variables.
    pub fn look(&mut self, text: &[u8]) {
        if self.found.is_some() {
            return;
        }
        // What is vaulted may name anything.
        if text.starts_with(VAULTED.as_bytes()) {
            self.found = Some(VAULTED);
            return;
        }
        let in_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
        self.found = text
            .split(|b| !in_word(b))
            .find_map(|path| self.known(path));
    }

    /// What is known of a name, perhaps with what it is a part of before it: `x.hex`, `ansible.utils.ipaddr`.
    fn known(&self, path: &[u8]) -> Option<&'static str> {
        let mut words = path.split(|b| *b == b'.');
        let word = words.find_map(|word| self.wanted.get(word.len())?.find(word));
        let within = |c: &&&'static str| path.starts_with(c.as_bytes());
        word.or_else(|| self.collections.iter().find(within).copied())
    }

    /// What was found by either of two that looked through different texts.
    #[must_use]
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            found: self.found.or(other.found),
            ..self
        }
    }

    /// The first name that was found; `None`: the core flavour will do.
    pub fn full(&self) -> Option<&'static str> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::{Needs, VAULTED};

    #[test]
    fn only_whole_words_ask_for_more() {
        let mut needs = Needs::default();
        needs.look(b"- copy: {dest: /x/assembled, content: '{{ x | default(1) }}'}");
        assert_eq!(needs.full(), None);
        needs.look(b"- ansible.builtin.assemble:\n    dest: /x");
        assert_eq!(needs.full(), Some("assemble"));
        let first = |text: &str| {
            let mut needs = Needs::default();
            needs.look(text.as_bytes());
            needs.full()
        };
        assert_eq!(first("{{ a | ansible.utils.ipaddr }}"), Some("ipaddr"));
        assert_eq!(
            first("{{ a | community.general.dict }}"),
            Some("community.general")
        );
        assert_eq!(first("{{ lookup('dict', x).value.b }}"), None);
        assert_eq!(first("$ANSIBLE_VAULT;1.1;AES256\n3634"), Some(VAULTED));
    }
}
