//! Text with its provenance. Only text that somebody wrote into a playbook or an inventory may be a template;
//! text that came from a machine (results, facts, lookups) is data and stays data.

use std::ops::Deref;
use std::rc::Rc;

const TRUSTED: u8 = 1;
const TEMPLATE: u8 = 2;
const SAFE: u8 = 4;

/// Shared text and three marks: trusted, "trusted and contains a template", and safe (escaped for HTML).
#[derive(Clone)]
pub struct Str {
    text: Rc<str>,
    marks: u8,
}

impl Str {
    /// Text that is data.
    pub fn plain(text: impl Into<Rc<str>>) -> Self {
        Str {
            text: text.into(),
            marks: 0,
        }
    }

    /// Text from a playbook or an inventory.
    pub fn trusted(text: impl Into<Rc<str>>) -> Self {
        let text = text.into();
        let marks = if looks_like_template(&text) {
            TRUSTED | TEMPLATE
        } else {
            TRUSTED
        };
        Str { text, marks }
    }

    /// Text that needs no more escaping (`Markup`).
    pub(crate) fn safe(text: impl Into<Rc<str>>) -> Self {
        Str {
            text: text.into(),
            marks: SAFE,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The shared text.
    pub fn shared(&self) -> Rc<str> {
        self.text.clone()
    }

    /// True if the text may be a template.
    pub fn is_trusted(&self) -> bool {
        self.marks & TRUSTED != 0
    }

    /// True if the text is trusted and contains a template.
    pub fn is_template(&self) -> bool {
        self.marks & TEMPLATE != 0
    }

    /// True if the text is escaped already.
    pub fn is_safe(&self) -> bool {
        self.marks & SAFE != 0
    }

    /// The same text as data.
    pub fn untrusted(self) -> Str {
        Str {
            text: self.text,
            marks: 0,
        }
    }
}

/// True if the text holds the beginning of an expression, a statement or a comment.
pub(crate) fn looks_like_template(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .windows(2)
        .any(|pair| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#'))
}

impl Deref for Str {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Str::plain(text)
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Str::plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_text_is_a_template() {
        assert!(Str::trusted("a {{ b }}").is_template());
        assert!(!Str::trusted("a { b }").is_template());
        assert!(!Str::plain("{{ b }}").is_template());
        assert!(!Str::trusted("{{ b }}").untrusted().is_template());
    }
}
