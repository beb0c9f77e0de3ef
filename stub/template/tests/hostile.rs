//! Text that nobody would write: whatever comes, the engine answers, and does not fall over.

use std::collections::HashMap;

use proptest::prelude::*;
use rustle_template::{Engine, FileOptions, Value};

fn variables() -> HashMap<String, Value> {
    let json = serde_json::json!({"a": 1, "b": [1, "x", null], "c": {"d": "{{ a }}"}, "s": "text"});
    json.as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| (k.clone(), Value::from_json(v, true)))
        .collect()
}

/// Pieces of the language, put together at random: further in than random characters get.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "-%}",
        "{%-",
        "if",
        "else",
        "endif",
        "for",
        "in",
        "endfor",
        "set",
        "=",
        "macro",
        "endmacro",
        "call",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ".",
        "|",
        "~",
        "+",
        "-",
        "*",
        "//",
        "%",
        "**",
        "==",
        "<",
        "not",
        "is",
        "defined",
        "a",
        "b",
        "c",
        "d",
        "s",
        "loop",
        "1",
        "2.5",
        "'x'",
        "\"%s\"",
        "map",
        "default",
        "join",
        "combine",
        "int",
        "to_yaml",
        "from_yaml",
        "regex_replace",
        "range",
        "raw",
        "endraw",
        "\n",
        " ",
        "é",
        "namespace",
        "block",
        "endblock",
        "sort",
        "first",
        "upper",
        "format",
        "none",
        "true",
        "recursive",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,80}") {
        let engine = Engine::new();
        let _ = engine.render_str(&variables(), &text);
        let _ = engine.eval_expr(&variables(), &text);
        let _ = engine.check_syntax(&text);
    }

    #[test]
    fn any_pieces(text in pieces()) {
        let engine = Engine::new();
        let _ = engine.render_str(&variables(), &text);
        let _ = engine.render_file(&variables(), &text, "t", &FileOptions::default());
        let _ = engine.eval_condition(&variables(), &Value::trusted(text.as_str()));
        let _ = engine.check_expr(&text);
    }

    #[test]
    fn any_yaml(text in "[-a-z0-9:?&*!|>'\"%@`#{}\\[\\], \n\t]{0,60}") {
        let mut variables = variables();
        variables.insert("y".into(), Value::str(text.as_str()));
        let _ = Engine::new().render_str(&variables, "{{ y | from_yaml_all | to_nice_yaml }}{{ y | from_yaml }}");
    }

    #[test]
    fn any_pattern(pattern in ".{0,20}", text in ".{0,20}") {
        let mut variables = variables();
        variables.insert("p".into(), Value::str(pattern.as_str()));
        variables.insert("t".into(), Value::str(text.as_str()));
        let _ = Engine::new().render_str(&variables, "{{ t | regex_replace(p, p) }}{{ p.format(t) }}{{ p % t }}");
        let _ = Engine::new().render_str(&variables, "{{ p.format(t) }}");
        let _ = Engine::new().render_str(&variables, "{{ p % t }}{{ t | strftime(0) }}{{ t | human_to_bytes }}");
    }
}

#[test]
fn depth_is_bounded() {
    let engine = Engine::new();
    for text in [
        format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{{{{ 1{} }}}}", "+1".repeat(100_000)),
        format!("{{{{ {}a }}}}", "not ".repeat(100_000)),
        format!("{{{{ a{} }}}}", ".x".repeat(100_000)),
        format!("{{{{ a{} }}}}", "|string".repeat(100_000)),
        "{% if a %}".repeat(10_000),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l | flatten }}{{ l | to_json }}".to_owned(),
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}".to_owned(),
        "{{ 'x' * 99999999999 }}".to_owned(),
        "{{ range(99999999999) | list }}".to_owned(),
        "{{ 9 ** 999999999 }}".to_owned(),
        "{{ '%999999999d' % 1 }}".to_owned(),
    ] {
        assert!(
            engine.render_str(&variables(), &text).is_err(),
            "{}",
            &text[..text.len().min(60)]
        );
    }
}
