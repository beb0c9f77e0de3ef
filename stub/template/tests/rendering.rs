//! What callers rely on: native results, lazy variables, undefined values, conditions, files.

use std::collections::HashMap;
use std::rc::Rc;

use rustle_template::{Engine, Error, ErrorKind, FileOptions, Loader, Value};

fn variables() -> HashMap<String, Value> {
    let json = serde_json::json!({
        "n": 5, "s": "hello", "l": [1, 2, 3], "d": {"a": 1, "b": {"c": 2}},
        "ref": "{{ n }}", "nested": {"good": "{{ n + 1 }}", "bad": "{{ nope }}"},
        "loop1": "{{ loop2 }}", "loop2": "{{ loop1 }}",
    });
    let mut variables: HashMap<String, Value> = json
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| (k.clone(), Value::from_json(v, true)))
        .collect();
    variables.insert("data".into(), Value::str("{{ n }}"));
    variables
}

fn render(text: &str) -> String {
    match Engine::new().render_str(&variables(), text) {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.message().to_owned(),
    }
}

#[test]
fn one_expression_keeps_its_type() {
    assert_eq!(render("{{ 1 + 1 }}"), "2");
    assert_eq!(render("{{ l }}"), "[1, 2, 3]");
    assert_eq!(render("x{{ l }}"), "'x[1, 2, 3]'");
    assert_eq!(render("{{ none }}"), "None");
}

#[test]
fn variables_are_rendered_when_reached() {
    assert_eq!(render("{{ ref }}"), "5");
    assert_eq!(render("{{ nested.good }}"), "6");
    assert_eq!(render("{{ nested.bad | default('d') }}"), "'d'");
    assert_eq!(render("{{ nested }}"), "'nope' is undefined");
    assert_eq!(render("{{ data }}"), "'{{ n }}'");
    assert!(render("{{ loop1 }}").contains("ecursive loop"));
}

#[test]
fn undefined_is_an_error_where_it_is_used() {
    assert_eq!(render("{{ a.b.c | default('x') }}"), "'x'");
    assert_eq!(render("{{ a.b.c }}"), "'a' is undefined");
    assert_eq!(
        render("{{ d.x }}"),
        "object of type 'dict' has no attribute 'x'"
    );
    assert_eq!(render("{{ a is defined }}"), "False");
}

#[test]
fn templates_change_copies_of_variables() {
    let variables = variables();
    let engine = Engine::new();
    let text = "{% set _ = l.append(4) %}{{ l }}";
    assert_eq!(
        format!("{:?}", engine.render_str(&variables, text).unwrap()),
        "[1, 2, 3, 4]"
    );
    assert_eq!(format!("{:?}", variables["l"]), "[1, 2, 3]");
}

#[test]
fn conditions() {
    let engine = Engine::new();
    let ask = |text: &str| engine.eval_condition(&variables(), &Value::trusted(text));
    assert!(ask("n == 5 and s is defined").unwrap());
    assert!(!ask("nope is defined").unwrap());
    assert_eq!(*ask("s").unwrap_err().kind(), ErrorKind::BrokenConditional);
    assert!(ask("nope").unwrap_err().is_undefined());
}

struct Files;

impl Loader for Files {
    fn load(&self, name: &str, _: Option<&str>) -> Result<Option<String>, Error> {
        Ok(match name {
            "base" => Some("<{% block body %}base{% endblock %}>\n".into()),
            "macros" => {
                Some("{% macro hi(name, mark='!') %}hi {{ name }}{{ mark }}{% endmacro %}".into())
            }
            "part" => Some("part {{ x }} {{ n }}".into()),
            _ => None,
        })
    }
}

#[test]
fn files() {
    let engine = Engine::new().with_loader(Rc::new(Files));
    let render =
        |source: &str| engine.render_file(&variables(), source, "main", &FileOptions::default());
    assert_eq!(
        render("{% extends 'base' %}{% block body %}{{ super() }}+{{ n }}{% endblock %}").unwrap(),
        "<base+5>"
    );
    assert_eq!(
        render("{% import 'macros' as m %}{{ m.hi('you') }}\n").unwrap(),
        "hi you!\n"
    );
    assert_eq!(
        render("{% from 'macros' import hi as h %}{{ h('you', mark='?') }}").unwrap(),
        "hi you?"
    );
    assert_eq!(
        render("{% set x = 1 %}{% include 'part' %}").unwrap(),
        "part 1 5"
    );
    let error = render("a\nb {{ nope.x }}").unwrap_err();
    assert_eq!((error.template(), error.line()), (Some("main"), 2));
}

#[test]
fn analysis_tells_what_is_needed() {
    let found = Engine::new().check_syntax(
        "{{ a }} {{ b | default(1) }} {{ c | nofilter }} {% if e is defined %}{{ e }}{% endif %}",
    );
    let found = found.unwrap();
    assert_eq!(found.required, ["a".into()]);
    assert_eq!(&*found.unknown_filters[0].0, "nofilter");
    assert!(
        Engine::new()
            .check_syntax("{{ 1 + }}")
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
}
