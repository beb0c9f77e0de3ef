//! Finds in the texts of a plan what only the controller can evaluate: calls of its lookups, and expressions with the
//! repository's Python plugins.

use rustle_runtime::check::{CONTROLLER_LOOKUPS, is_native_lookup};
use rustle_template::Engine;

/// Part of a text that is to be evaluated when packing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// What it is, for people: `the lookup `pipe``.
    pub(super) what: String,
    /// Whether what it gives is a secret by its nature.
    pub(super) secret: bool,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text with expressions in it.
    Template,
    /// One expression.
    Condition,
}

/// Whether there is a plugin in Python of a kind and name.
pub(super) type Knows<'k> = dyn Fn(&str, &str) -> bool + 'k;

/// The parts of a text that the controller must evaluate, in order.
pub(super) fn parts(text: &str, kind: Kind, engine: &Engine<'_>, knows: &Knows<'_>) -> Vec<Part> {
    let mut out = Vec::new();
    let regions = match kind {
        Kind::Condition => vec![(0, text.len())],
        Kind::Template => expressions(text),
    };
    for (start, end) in regions {
        let inner = &text[start..end];
        match plugin(inner, engine, knows) {
            // A filter needs what stands before it, so the whole expression is taken.
            Some(what) => {
                let begin = start + (inner.len() - inner.trim_start().len());
                out.push(Part {
                    start: begin,
                    end: begin + inner.trim().len(),
                    what,
                    secret: inner.contains("password"),
                });
            }
            None => calls(inner, start, knows, &mut out),
        }
    }
    out
}

/// The filter or test in Python that an expression uses, if any.
fn plugin(expression: &str, engine: &Engine<'_>, knows: &Knows<'_>) -> Option<String> {
    let analysis = engine.check_expr(expression.trim()).ok()?;
    let filters = analysis.unknown_filters.iter().map(|f| ("filter", f));
    let tests = analysis.unknown_tests.iter().map(|t| ("test", t));
    filters
        .chain(tests)
        .find(|(kind, (name, ..))| knows(kind, name))
        .map(|(kind, (name, ..))| format!("the {kind} `{name}`"))
}

/// The insides of `{{ … }}` and `{% … %}`, as byte ranges. Comments and what is quoted is passed over.
fn expressions(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('{').map(|i| at + i) {
        at = found + 2;
        let close = match bytes.get(found + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => {
                at = text[found..]
                    .find("#}")
                    .map_or(text.len(), |i| found + i + 2);
                continue;
            }
            _ => {
                at = found + 1;
                continue;
            }
        };
        let end = outside_quotes(text, at, |rest| rest.starts_with(close));
        let Some(end) = end else { break };
        // Statements are no expressions: only the lookups in them can be told apart.
        out.push((at, end));
        at = end + 2;
    }
    out
}

/// The first place from `at` on, outside of quotes, that fits.
fn outside_quotes(text: &str, at: usize, mut fits: impl FnMut(&str) -> bool) -> Option<usize> {
    let mut quote = None;
    let mut skip = false;
    for (i, c) in text[at..].char_indices() {
        match (quote, c) {
            _ if skip => skip = false,
            (Some(_), '\\') => skip = true,
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if fits(&text[at + i..]) => return Some(at + i),
            (None, _) => {}
        }
    }
    None
}

/// The calls of lookups that only the controller has, in an expression that begins at `offset` of its text.
fn calls(expression: &str, offset: usize, knows: &Knows<'_>, out: &mut Vec<Part>) {
    let mut before = ' ';
    let mut from = 0;
    let mut found = Vec::new();
    // What is quoted is passed over, and so is what is inside of a call that was taken.
    let _ = outside_quotes(expression, 0, |rest| {
        let at = expression.len() - rest.len();
        let previous = std::mem::replace(&mut before, rest.chars().next().unwrap_or(' '));
        if at >= from
            && !(previous.is_alphanumeric() || matches!(previous, '_' | '.'))
            && let Some((length, name)) = call(rest)
            && is_controller_s(&name, knows)
        {
            from = at + length;
            found.push(Part {
                start: offset + at,
                end: offset + from,
                secret: matches!(short(&name), "password" | "unvault" | "passwordstore"),
                what: format!("the lookup `{name}`"),
            });
        }
        false
    });
    out.append(&mut found);
}

/// The files that a text's `template` lookups name by literal text.
pub(super) fn templates(text: &str, kind: Kind) -> Vec<String> {
    let regions = match kind {
        Kind::Condition => vec![(0, text.len())],
        Kind::Template => expressions(text),
    };
    let mut out = Vec::new();
    for (start, end) in regions {
        let _ = outside_quotes(&text[start..end], 0, |rest| {
            if let Some((length, name)) = call(rest)
                && short(&name) == "template"
            {
                out.extend(second(&rest[..length]));
            }
            false
        });
    }
    out
}

/// The literal text that a call has as its second argument.
fn second(call: &str) -> Option<String> {
    let rest = call.split_once(',')?.1.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, after) = rest[1..].split_once(quote)?;
    let whole = after.trim_start().starts_with([',', ')']);
    whole.then(|| name.to_owned())
}

/// The length of a call of a lookup that a text begins with, and the lookup's name.
fn call(text: &str) -> Option<(usize, String)> {
    let word = ["lookup", "query", "q"].into_iter().find(|w| {
        text.strip_prefix(w)
            .is_some_and(|r| r.trim_start().starts_with('('))
    })?;
    let open = text.find('(')?;
    debug_assert!(open >= word.len());
    let inside = text[open + 1..].trim_start();
    let quote = inside.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = inside[1..].split(quote).next()?.to_owned();
    let mut depth = 0;
    let end = outside_quotes(text, open, |rest| {
        match rest.as_bytes()[0] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    Some((end + 1, name))
}

fn short(name: &str) -> &str {
    let builtin = name.strip_prefix("ansible.builtin.");
    builtin
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name)
}

fn is_controller_s(name: &str, knows: &Knows<'_>) -> bool {
    let name = short(name);
    // What is meant is the controller's environment, and its files, which no task names.
    matches!(name, "env" | "file" | "unvault")
        || CONTROLLER_LOOKUPS.contains(&name)
        || (!is_native_lookup(name) && knows("lookup", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, kind: Kind) -> Vec<&str> {
        let knows = |kind: &str, name: &str| {
            matches!((kind, name), ("filter", "shout") | ("lookup", "mine"))
        };
        let found = parts(text, kind, &Engine::new(), &knows);
        found.iter().map(|p| &text[p.start..p.end]).collect()
    }

    #[test]
    fn calls_of_the_controllers_lookups_are_found() {
        let template = |text| found(text, Kind::Template);
        assert_eq!(
            template("a {{ lookup('pipe', 'echo )\"') ~ x }} {{ lookup('items', 'f') }}"),
            ["lookup('pipe', 'echo )\"')"]
        );
        assert_eq!(
            template("{% for x in q( \"lines\", lookup('pipe', 'a')) %}{{ x }}{% endfor %}"),
            ["q( \"lines\", lookup('pipe', 'a'))"]
        );
        assert_eq!(
            template("{{ [lookup('ansible.builtin.env', 'HOME'), query('mine', [1, 2])] }}"),
            [
                "lookup('ansible.builtin.env', 'HOME')",
                "query('mine', [1, 2])"
            ]
        );
        let nothing = [
            "lookup('pipe', 'x')",
            "{{ \"lookup('pipe', 'x')\" }}",
            "{# {{ lookup('pipe', 'x') }} #}",
            "{{ my_lookup('pipe', 'x') }} {{ o.lookup('pipe') }} {{ lookup(name, 'x') }}",
            "{{ lookup('pipe', 'x'",
        ];
        for text in nothing {
            assert_eq!(template(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn an_expression_with_a_plugin_is_taken_whole() {
        assert_eq!(
            found(
                "a {{ 'x' | shout ~ lookup('pipe', 'y') }} b",
                Kind::Template
            ),
            ["'x' | shout ~ lookup('pipe', 'y')"]
        );
        assert_eq!(
            found("x == lookup('pipe', 'y')", Kind::Condition),
            ["lookup('pipe', 'y')"]
        );
    }
}
