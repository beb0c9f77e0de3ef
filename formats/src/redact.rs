//! Takes secrets out of what is shown: results, differences, names, warnings, logs.
//!
//! A module that is given a password may hand it back in a hundred ways: in the command line that it ran, in a difference,
//! in an error of somebody else's program. So whoever shows or stores an event masks every known secret in it first, in the
//! forms in which secrets turn up: as they are, line by line, JSON-escaped, percent-encoded, quoted for a shell, in
//! hexadecimal and in base64 (alone or in the middle of something longer).
//!
//! What this cannot do: find a secret that was cut in two by the caller (mask whole texts, or lines), reversed, hashed, or
//! encoded in a way that is not listed; and secrets of fewer than [`MIN_SECRET`] bytes are not masked at all, because
//! masking `no` or `22` everywhere would hide the rest. `no_log` is for those.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::event::{Event, EventKind};
use crate::seal::SecretMap;
use crate::value::{Map, Value};

/// What stands in place of a secret.
pub const MASK: &str = "********";
/// Secrets with fewer bytes are not masked.
pub const MIN_SECRET: usize = 4;
/// Secrets with more bytes are masked as they are and line by line, but not in their encoded forms, which would take many
/// times their size.
const MAX_ENCODED: usize = 16 << 10;
/// Lines of a secret, and pieces of base64, with fewer bytes are not masked by themselves.
const MIN_PART: usize = 8;

type Needle = Zeroizing<Vec<u8>>;

/// Masks a fixed set of secrets. Cheap to ask where nothing is to be masked; wiped when dropped.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every form of every secret, sorted, each once, each with at least [`MIN_SECRET`] bytes.
    needles: Vec<Needle>,
    /// One bit for every pair of bytes with which a needle begins.
    begins: Vec<u64>,
}

impl Redactor {
    /// A redactor for these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Redactor {
        let mut redactor = Redactor::default();
        for secret in secrets {
            add_forms(secret, &mut redactor.needles);
        }
        redactor.needles.retain(|needle| needle.len() >= MIN_SECRET);
        crate::order::sort_by(&mut redactor.needles, |a, b| a.as_slice().cmp(b.as_slice()));
        redactor.needles.dedup();
        if !redactor.needles.is_empty() {
            redactor.begins = vec![0; (1 << 16) / 64];
        }
        for needle in &redactor.needles {
            let pair = usize::from(needle[0]) << 8 | usize::from(needle[1]);
            redactor.begins[pair / 64] |= 1 << (pair % 64);
        }
        redactor
    }

    /// A redactor for the secrets of an overlay.
    pub fn of(secrets: &SecretMap) -> Redactor {
        Redactor::new(secrets.iter().map(|(_, text)| text))
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The length of the longest needle that the text begins with.
    fn longest_at(&self, text: &[u8]) -> Option<usize> {
        let [a, b, ..] = text else { return None };
        let pair = usize::from(*a) << 8 | usize::from(*b);
        if self.begins[pair / 64] & (1 << (pair % 64)) == 0 {
            return None;
        }
        let start = text.get(..MIN_SECRET)?;
        let from = self
            .needles
            .partition_point(|needle| needle.as_slice() < start);
        self.needles[from..]
            .iter()
            .take_while(|needle| needle.starts_with(start))
            .filter(|needle| text.starts_with(needle))
            .map(|needle| needle.len())
            .max()
    }

    /// Where secrets stand in a text: ranges in order, those that touch or overlap joined into one.
    fn find(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        if self.is_empty() {
            return found;
        }
        for at in 0..text.len() {
            let Some(len) = self.longest_at(&text[at..]) else {
                continue;
            };
            match found.last_mut() {
                Some((_, end)) if *end >= at => *end = (*end).max(at + len),
                _ => found.push((at, at + len)),
            }
        }
        found
    }

    /// The text with [`MASK`] in place of every secret; borrowed where there is none.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.find(text.as_bytes());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (mut from, mut to) in found {
            // A secret that is not UTF-8 may match inside a character.
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            while !text.is_char_boundary(to) {
                to += 1;
            }
            out.push_str(&text[at.min(from)..from]);
            out.push_str(MASK);
            at = to;
        }
        out.push_str(&text[at..]);
        Cow::Owned(out)
    }

    /// As [`Redactor::text`], for bytes that need not be UTF-8.
    pub fn bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let found = self.find(bytes);
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for (from, to) in found {
            out.extend_from_slice(&bytes[at..from]);
            out.extend_from_slice(MASK.as_bytes());
            at = to;
        }
        out.extend_from_slice(&bytes[at..]);
        Cow::Owned(out)
    }

    /// Masks a text in place.
    pub fn string(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.text(text) {
            *text = masked;
        }
    }

    /// Masks every text in a value, keys included, and numbers that are written like a secret.
    pub fn value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Str(text) | Value::Unsafe(text) => self.string(text),
            Value::Int(_) | Value::Float(_) => {
                if let Cow::Owned(masked) = self.text(&value.to_string()) {
                    *value = Value::Str(masked);
                }
            }
            Value::List(list) => list.iter_mut().for_each(|v| self.value(v)),
            Value::Map(map) => self.map(map),
            Value::Pairs(pairs) => {
                for (key, value) in pairs {
                    self.value(key);
                    self.value(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Secret(_) => {}
        }
    }

    /// Masks every text in a mapping, keys included. Keys that become alike get asterisks until they differ.
    pub fn map(&self, map: &mut Map) {
        if self.is_empty() {
            return;
        }
        map.values_mut().for_each(|v| self.value(v));
        if map.keys().all(|key| self.find(key.as_bytes()).is_empty()) {
            return;
        }
        for (mut key, value) in std::mem::take(map) {
            self.string(&mut key);
            while map.contains_key(&key) {
                key.push('*');
            }
            map.insert(key, value);
        }
    }

    /// Masks everything in an event that can hold what a plan or a program wrote. Ids and host names stay.
    pub fn event(&self, event: &mut Event) {
        if self.is_empty() {
            return;
        }
        match &mut event.kind {
            EventKind::PlayStarted { name, .. } | EventKind::TaskStarted { name, .. } => {
                self.string(name);
            }
            EventKind::PlaySkipped { name, reason } => {
                self.string(name);
                self.string(reason);
            }
            EventKind::ItemResult { label, result, .. } => {
                self.value(label);
                self.value(result);
            }
            EventKind::TaskResult { result, .. } => self.value(result),
            EventKind::Retry { name, result, .. } => {
                self.string(name);
                self.value(result);
            }
            EventKind::Included { what, label, .. } => {
                self.string(what);
                label.iter_mut().for_each(|l| self.value(l));
            }
            EventKind::Notified { handler, .. } => self.string(handler),
            EventKind::Warning { message, .. } | EventKind::Steered { message, .. } => {
                self.string(message);
            }
            EventKind::RunFinished {
                aborted: Some(why), ..
            } => self.string(why),
            EventKind::RunStarted { .. }
            | EventKind::Rescued { .. }
            | EventKind::NoMoreHosts {}
            | EventKind::Heartbeat {}
            | EventKind::RunFinished { aborted: None, .. } => {}
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms)", self.needles.len())
    }
}

/// Adds every form in which a secret is looked for.
fn add_forms(secret: &[u8], out: &mut Vec<Needle>) {
    let trimmed = secret.trim_ascii();
    if trimmed.len() < MIN_SECRET {
        return;
    }
    for whole in [secret, trimmed] {
        out.push(Zeroizing::new(whole.to_vec()));
        if whole.len() > MAX_ENCODED {
            continue;
        }
        add_base64(whole, out);
        for upper in [false, true] {
            out.push(hexadecimal(whole, upper));
            for form in [false, true] {
                out.push(percent_encoded(whole, upper, form));
            }
        }
        if let Ok(text) = std::str::from_utf8(whole) {
            add_escaped(text, out);
        }
    }
    // A key in several lines is shown line by line, with a sign before each in a difference.
    let lines = trimmed.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    out.extend(
        lines
            .filter(|l| l.len() >= MIN_PART)
            .map(|l| Zeroizing::new(l.to_vec())),
    );
}

/// The inside of a JSON string, with and without escapes for what is not ASCII; and quoted for a shell.
fn add_escaped(text: &str, out: &mut Vec<Needle>) {
    let mut plain = Zeroizing::new(Vec::with_capacity(6 * text.len()));
    let mut ascii = Zeroizing::new(Vec::with_capacity(6 * text.len()));
    for c in text.chars() {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            _ => "",
        };
        let mut utf16 = [0u16; 2];
        let escaped = |out: &mut Vec<u8>, units: &[u16]| {
            for unit in units {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        };
        let mut utf8 = [0u8; 4];
        if !short.is_empty() {
            plain.extend_from_slice(short.as_bytes());
            ascii.extend_from_slice(short.as_bytes());
        } else if c.is_ascii_control() {
            escaped(&mut plain, c.encode_utf16(&mut utf16));
            escaped(&mut ascii, c.encode_utf16(&mut utf16));
        } else if c.is_ascii() {
            plain.push(c as u8);
            ascii.push(c as u8);
        } else {
            plain.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            escaped(&mut ascii, c.encode_utf16(&mut utf16));
        }
    }
    out.push(plain);
    out.push(ascii);
    for quote in ["'\"'\"'", "'\\''", "\\'"] {
        if text.contains('\'') {
            out.push(Zeroizing::new(text.replace('\'', quote).into_bytes()));
        }
    }
}

/// Base64 of a secret alone, and the part of it that is the same wherever the secret stands in something longer.
fn add_base64(secret: &[u8], out: &mut Vec<Needle>) {
    for skipped in 0..3usize {
        let mut shifted = Zeroizing::new(vec![0u8; skipped]);
        shifted.reserve_exact(secret.len());
        shifted.extend_from_slice(secret);
        // Characters that hold a bit of what stands before or behind the secret.
        let before = [0, 2, 3][skipped];
        let behind = usize::from(!shifted.len().is_multiple_of(3));
        for url in [false, true] {
            let mut encoded = Zeroizing::new(match url {
                false => STANDARD_NO_PAD.encode(&*shifted).into_bytes(),
                true => URL_SAFE_NO_PAD.encode(&*shifted).into_bytes(),
            });
            if skipped == 0 {
                out.push(encoded.clone());
            }
            let end = encoded.len() - behind;
            if end >= before + MIN_PART {
                encoded.truncate(end);
                encoded.drain(..before);
                out.push(encoded);
            }
        }
    }
}

fn hexadecimal(secret: &[u8], upper: bool) -> Needle {
    let digits: &[u8; 16] = if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    let mut out = Zeroizing::new(Vec::with_capacity(2 * secret.len()));
    for byte in secret {
        out.push(digits[usize::from(byte >> 4)]);
        out.push(digits[usize::from(byte & 15)]);
    }
    out
}

/// As in a URL; in a form, a space is `+`.
fn percent_encoded(secret: &[u8], upper: bool, form: bool) -> Needle {
    let mut out = Zeroizing::new(Vec::with_capacity(3 * secret.len()));
    for byte in secret {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            b' ' if form => out.push(b'+'),
            _ => {
                out.push(b'%');
                out.extend_from_slice(&hexadecimal(&[*byte], upper));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    fn of(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().map(|s| s.as_bytes()))
    }

    #[test]
    fn every_form_is_masked() {
        let secret = "p@ss \"wörd\"/it's\\";
        let redactor = of(&[secret]);
        let json = serde_json::to_string(secret).unwrap();
        let forms = [
            secret.to_owned(),
            json[1..json.len() - 1].to_owned(),
            r#"p@ss \"w\u00f6rd\"/it's\\"#.to_owned(),
            r#"p@ss "wörd"/it'"'"'s\"#.to_owned(),
            "p%40ss%20%22w%C3%B6rd%22%2Fit%27s%5C".to_owned(),
            "p%40ss+%22w%c3%b6rd%22%2fit%27s%5c".to_owned(),
            hex::encode(secret),
            hex::encode_upper(secret),
            STANDARD.encode(secret),
            URL_SAFE.encode(secret),
        ];
        for form in forms {
            let masked = redactor.text(&format!("<{form}>")).into_owned();
            assert!(
                masked.starts_with("<********") && masked.ends_with('>'),
                "{form}: {masked}"
            );
            assert!(masked.len() <= 12, "{form}: {masked}");
        }
    }

    #[test]
    fn base64_of_something_longer_is_masked() {
        let secret = "correct horse battery";
        let redactor = of(&[secret]);
        for user in ["", "a", "ab", "abc", "root:"] {
            for tail in ["", "x", "xy", "\n"] {
                let encoded = STANDARD.encode(format!("{user}{secret}{tail}"));
                let masked = redactor.text(&encoded).into_owned();
                assert!(
                    masked.contains(MASK) && masked.len() < encoded.len(),
                    "{encoded} {masked}"
                );
            }
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing() {
        let redactor = of(&["abcdef", "defghi", "abcd"]);
        assert_eq!(redactor.text("-abcdefghi-abcd-"), "-********-********-");
        assert_eq!(redactor.text("abcdefabcdef"), MASK);
        assert_eq!(redactor.text("abc def"), "abc def");
        assert!(matches!(redactor.text("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_of_a_key_are_masked_in_a_difference() {
        let redactor =
            of(&["-----BEGIN KEY-----\nMIIEpAIBAAKC\nsecondline123\n}\n-----END KEY-----\n"]);
        let diff = "+MIIEpAIBAAKC\n+secondline123\n }\n";
        assert_eq!(redactor.text(diff), "+********\n+********\n }\n");
    }

    #[test]
    fn large_secrets_take_no_more_than_twice_their_size_and_their_lines() {
        let large = "0123456789abcdef\n".repeat(20_000);
        let redactor = of(&[&large]);
        assert_eq!(redactor.needles.len(), 3);
        assert_eq!(redactor.text(&format!("<{large}>")), format!("<{MASK}>"));
        assert_eq!(redactor.text("x 0123456789abcdef"), format!("x {MASK}"));
    }

    #[test]
    fn short_secrets_are_left_alone() {
        assert!(of(&["", "abc", "\n\n\n\n\n", "no"]).is_empty());
        assert_eq!(of(&["no"]).text("no, notably"), "no, notably");
    }

    #[test]
    fn values_and_events_are_masked_whole() {
        let redactor = of(&["hunter2", "12345678"]);
        let mut value: Value = serde_json::from_str(
            r#"{"stdout": "pw=hunter2", "hunter2": 1, "********": 2, "n": 12345678, "f": 1.5, "ok": true,
                "l": [["xhunter2x"], {"__ansible_unsafe": "hunter2"}], "p": {"__rustle_pairs": [["hunter2", 3]]}}"#,
        )
        .unwrap();
        redactor.value(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"stdout":"pw=********","********":1,"*********":2,"n":"********","f":1.5,"ok":true,"l":[["x********x"],{"__ansible_unsafe":"********"}],"p":{"__rustle_pairs":[["********",3]]}}"#
        );
        let mut event = Event {
            seq: 1,
            time_ms: 0,
            kind: EventKind::Warning {
                message: "cannot log in with hunter2".into(),
                host: None,
            },
        };
        redactor.event(&mut event);
        assert!(!format!("{event:?}").contains("hunter2"));
        assert!(!format!("{redactor:?}").contains("104, 117"));
    }

    #[test]
    fn bytes_that_are_no_text_are_masked_too() {
        let redactor = Redactor::new([
            &[0xff, 0xfe, 0x80, 0x81, 0x82][..],
            &[0xa9, 0xc3, 0xa9, 0xc3],
        ]);
        assert_eq!(
            redactor
                .bytes(&[1, 0xff, 0xfe, 0x80, 0x81, 0x82, 2])
                .as_ref(),
            b"\x01********\x02"
        );
        // The second one matches inside `ééé`, from the middle of a character to the middle of one.
        assert_eq!(redactor.text("-ééé-"), "-********-");
    }

    proptest! {
        #[test]
        fn no_secret_remains(secret in "[a-c\"' é]{4,9}", text in "[a-c\"' é]{0,40}", at in 0usize..40) {
            let redactor = of(&[&secret]);
            let at = text.char_indices().map(|(i, _)| i).nth(at).unwrap_or(0);
            let text = format!("{}{secret}{}", &text[..at], &text[at..]);
            let masked = redactor.text(&text);
            if secret.trim_ascii().len() >= MIN_SECRET {
                prop_assert!(!masked.contains(&secret), "{} in {}", secret, masked);
                prop_assert!(!redactor.bytes(text.as_bytes()).windows(secret.len()).any(|w| w == secret.as_bytes()));
            }
        }
    }
}
