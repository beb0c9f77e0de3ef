//! `key=value` arguments in one text, as Ansible splits them: quotes and templates keep blanks together.

/// The arguments of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shorthand {
    /// The pairs, in order.
    pub pairs: Vec<(String, String)>,
    /// What is no pair, with its blanks and line breaks.
    pub free: String,
}

/// Why a text cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbalanced {
    /// A quote is not closed.
    Quote(char),
    /// `{{`, `{%` or `{#` is not closed.
    Template(&'static str),
}

/// A word of the text.
struct Word<'t> {
    /// The blank before it.
    separator: &'t str,
    text: &'t str,
    /// Further blanks after it; they go when the word is an argument.
    trailing: &'t str,
}

/// Splits a text. `takes` says which keys are arguments; other pairs belong to the free text.
///
/// # Errors
/// An open quote or template.
pub fn split(text: &str, takes: impl Fn(&str) -> bool) -> Result<Shorthand, Unbalanced> {
    let mut out = Shorthand::default();
    for word in words(text)? {
        if let Some((key, value)) = pair(word.text)
            && takes(&key)
        {
            out.pairs.push((key, value));
            continue;
        }
        // A backslash at the end of a line continues it.
        if word.text == "\\" && word.trailing.starts_with('\n') {
            out.free.push_str(&word.trailing[1..]);
            continue;
        }
        if !out.free.is_empty() {
            let open = out.free.ends_with(char::is_whitespace);
            let separator = if open { word.separator } else { " " };
            out.free.push_str(separator);
        }
        out.free.push_str(&word.text.replace("\\=", "="));
        out.free.push_str(word.trailing);
    }
    Ok(out)
}

/// The key and the value of a word, if it is a pair.
fn pair(word: &str) -> Option<(String, String)> {
    let mut escaped = false;
    let at = word.char_indices().find_map(|(at, c)| {
        let found = c == '=' && !escaped;
        escaped = c == '\\';
        found.then_some(at)
    })?;
    let key = word[..at].replace("\\=", "=");
    let value = unescape(word[at + 1..].trim());
    (!key.is_empty()).then(|| (key, unquote(&value).to_owned()))
}

/// The escapes of Python's strings that have a letter of their own, or a number.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(escape) = rest[1..].chars().next() else {
            break;
        };
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let number = || {
            let digits = rest.get(2..2 + digits).filter(|_| digits > 0)?;
            let number = u32::from_str_radix(digits, 16).ok()?;
            char::from_u32(number)
        };
        let (c, length) = match escape {
            '\\' | '\'' | '"' => (escape, 2),
            'a' => ('\u{7}', 2),
            'b' => ('\u{8}', 2),
            'f' => ('\u{c}', 2),
            'n' => ('\n', 2),
            'r' => ('\r', 2),
            't' => ('\t', 2),
            'v' => ('\u{b}', 2),
            _ => number().map_or(('\\', 1), |c| (c, 2 + digits)),
        };
        out.push(c);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// The text without the quotes around it.
pub(crate) fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote))
            && !inner.ends_with('\\')
        {
            return inner;
        }
    }
    text
}

const TEMPLATES: [(&str, &str); 3] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];

/// Where the words begin and end.
fn spans(text: &str) -> Result<Vec<(usize, usize)>, Unbalanced> {
    let mut spans = Vec::new();
    let mut from = None;
    let mut quote: Option<char> = None;
    let mut template: Option<(&'static str, &'static str)> = None;
    let mut depth = 0usize;
    let mut escaped = false;
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at < skip_to {
            continue;
        }
        let rest = &text[at..];
        // A template may stand inside of another, as text.
        if let Some((open, close)) = template {
            if rest.starts_with(close) {
                skip_to = at + close.len();
                depth -= 1;
                template = template.filter(|_| depth > 0);
            } else if rest.starts_with(open) {
                skip_to = at + open.len();
                depth += 1;
            }
            continue;
        }
        if quote.is_none() && c.is_whitespace() {
            spans.extend(from.take().map(|from| (from, at)));
            escaped = false;
            continue;
        }
        from.get_or_insert(at);
        if let Some(found) = TEMPLATES.iter().find(|(open, _)| rest.starts_with(open)) {
            template = Some(*found);
            depth = 1;
            skip_to = at + found.0.len();
        } else if matches!(c, '"' | '\'') && !escaped {
            quote = match quote {
                Some(open) if open == c => None,
                None => Some(c),
                open => open,
            };
        }
        escaped = c == '\\' && !escaped;
    }
    if let Some((open, _)) = template {
        return Err(Unbalanced::Template(open));
    }
    if let Some(quote) = quote {
        return Err(Unbalanced::Quote(quote));
    }
    spans.extend(from.map(|from| (from, text.len())));
    Ok(spans)
}

fn words(text: &str) -> Result<Vec<Word<'_>>, Unbalanced> {
    let spans = spans(text)?;
    let mut words = Vec::with_capacity(spans.len());
    let mut separator = "";
    for (index, (from, to)) in spans.iter().enumerate() {
        let next = spans.get(index + 1).map(|(from, _)| *from);
        let blanks = &text[*to..next.unwrap_or(text.len())];
        // The last blank belongs to the next word, if that is on the same line.
        let kept = match blanks.char_indices().next_back() {
            Some((at, c)) if next.is_some() && c != '\n' => at,
            _ => blanks.len(),
        };
        words.push(Word {
            separator,
            text: &text[*from..*to],
            trailing: &blanks[..kept],
        });
        separator = &blanks[kept..];
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'c> = (&'c str, bool, &'c [(&'c str, &'c str)], &'c str);

    fn all(text: &str) -> (Vec<(String, String)>, String) {
        let shorthand = split(text, |_| true).unwrap();
        (shorthand.pairs, shorthand.free)
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect()
    }

    #[test]
    fn quotes_and_templates_hold_together() {
        assert_eq!(
            all("a=1 b=\"x y\" c='z'").0,
            pairs(&[("a", "1"), ("b", "x y"), ("c", "z")])
        );
        assert_eq!(
            all("msg={{ a + b }} x={{ 'q' }}y").0,
            pairs(&[("msg", "{{ a + b }}"), ("x", "{{ 'q' }}y")])
        );
        assert_eq!(
            all("src=a\n  dest=b").0,
            pairs(&[("src", "a"), ("dest", "b")])
        );
    }

    #[test]
    fn what_ansible_splits() {
        // From ansible.parsing.splitter.parse_kv: the text, whether it is free-form, the pairs, the free text.
        let cases: &[Case] = &[
            (
                "echo a=b   \"c  d\" chdir=/tmp | wc",
                true,
                &[("chdir", "/tmp")],
                "echo a=b   \"c  d\" | wc",
            ),
            ("echo   a    b", true, &[], "echo   a    b"),
            ("creates=/x ls -l", false, &[("creates", "/x")], "ls -l"),
            ("echo a\\=b", true, &[], "echo a=b"),
            (
                "regexp=^a=b line=c=d",
                false,
                &[("regexp", "^a=b"), ("line", "c=d")],
                "",
            ),
            ("a='it''s'", false, &[("a", "it''s")], ""),
            ("a=\"b\\\"c\" d", false, &[("a", "b\"c")], "d"),
            ("x=\"a\"b", false, &[("x", "\"a\"b")], ""),
            (
                "ls\n-l\n  creates=/y",
                true,
                &[("creates", "/y")],
                "ls\n-l\n ",
            ),
            ("a= b", false, &[("a", "")], "b"),
            ("=b", false, &[], "=b"),
            (
                "echo {{ x }} creates={{ y }}",
                true,
                &[("creates", "{{ y }}")],
                "echo {{ x }}",
            ),
            (
                "cmd=\"ls -l\" chdir=/",
                true,
                &[("chdir", "/")],
                "cmd=\"ls -l\"",
            ),
            (
                "echo hi removes=/a   # c",
                true,
                &[("removes", "/a")],
                "echo hi # c",
            ),
            ("a=b\\ c d=e", false, &[("a", "b\\"), ("d", "e")], "c"),
            (
                "echo $(a \"b c\") \\\n  foo",
                true,
                &[],
                "echo $(a \"b c\")  foo",
            ),
            (
                "executable=/bin/bash echo 'x' ",
                true,
                &[("executable", "/bin/bash")],
                "echo 'x' ",
            ),
            ("a=\"\\n\"", false, &[("a", "\n")], ""),
            ("path=/a\\\\b", false, &[("path", "/a\\b")], ""),
        ];
        for (text, raw, expected, free) in cases {
            let takes = |key: &str| !raw || super::super::action::is_raw_option(key);
            let ours = split(text, takes).unwrap();
            assert_eq!(ours.pairs, pairs(expected), "{text:?}");
            assert_eq!(ours.free, *free, "{text:?}");
        }
        assert_eq!(split("echo \"a", |_| true), Err(Unbalanced::Quote('"')));
        assert_eq!(split("x={{ a", |_| true), Err(Unbalanced::Template("{{")));
    }
}
