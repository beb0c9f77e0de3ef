use std::path::Path;

use serde_json::{Value as Json, json};

use super::*;

fn read_with(
    text: &[u8],
    duplicate_keys: DuplicateKeys,
) -> Result<Document, Box<(Sources, Problem)>> {
    let sources = Sources::default();
    match read(
        &sources,
        Path::new("x.yml"),
        text,
        &Options { duplicate_keys },
    ) {
        Ok(document) => Ok(document),
        Err(problem) => Err(Box::new((sources, problem))),
    }
}

/// Python's `repr` of a float.
fn float(f: f64) -> String {
    if f.is_nan() {
        "nan".to_owned()
    } else if f.is_infinite() {
        if f > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        format!("{f:?}")
    }
}

/// A value in the form of the record. Places of nulls and booleans are not recorded.
fn tree(node: &Node) -> Json {
    let (kind, value) = match &node.value {
        NodeValue::Null => return json!({"t": "null", "v": null}),
        NodeValue::Bool(b) => return json!({"t": "bool", "v": b}),
        NodeValue::Int(i) => ("int", json!(i.to_string())),
        NodeValue::Big(big) => ("int", json!(big.to_string())),
        NodeValue::Float(f) => ("float", json!(float(*f))),
        NodeValue::Time(text) => ("time", json!(text)),
        NodeValue::Str(text) if text.is_unsafe => ("unsafe", json!(text.text)),
        NodeValue::Str(text) => ("str", json!(text.text)),
        NodeValue::Vault(vault) => ("vault", json!(vault.ciphertext)),
        NodeValue::List(list) => ("list", list.iter().map(tree).collect()),
        NodeValue::Map(map) => (
            "map",
            map.iter().map(|(k, v)| json!([tree(k), tree(v)])).collect(),
        ),
    };
    json!({"t": kind, "p": [node.at.line, node.at.column], "v": value})
}

/// Ansible knows no places in JSON; we do.
fn without_places(tree: &Json) -> Json {
    match tree {
        Json::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "p")
            .map(|(key, value)| (key.clone(), without_places(value)))
            .collect(),
        Json::Array(items) => items.iter().map(without_places).collect(),
        other => other.clone(),
    }
}

fn has_places(tree: &Json) -> bool {
    !tree["p"].is_null() && !tree["p"][0].is_null()
}

/// Accepted by Ansible, refused by us, and why.
const REFUSED: &[(&str, &str)] = &[("!!binary", "bytes"), ("!!set", "sets")];

/// Ansible names the place where it noticed, and we the one where it began.
const ELSEWHERE: &[&str] = &["is never closed", "neither `key: value`"];

#[test]
fn what_ansible_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/yaml");
    let record = std::fs::read_to_string(folder.join("recorded.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&record).unwrap();
    assert!(cases.len() >= 150);
    let mut differences = Vec::new();
    for case in &cases {
        let text = case["text"].as_str().unwrap();
        let read = read_with(text.as_bytes(), DuplicateKeys::Warn);
        let known = REFUSED.iter().any(|(part, _)| text.contains(part));
        match (read, case.get("value")) {
            (Ok(document), Some(expected)) => {
                let (mut ours, mut theirs) = (tree(&document.root), expected.clone());
                if !has_places(&theirs) {
                    (ours, theirs) = (without_places(&ours), without_places(&theirs));
                }
                let duplicates = document
                    .warnings
                    .iter()
                    .filter(|problem| problem.message.contains("duplicate mapping key"))
                    .count();
                if ours != theirs {
                    differences.push(format!("{text:?}\n  ours   {ours}\n  theirs {theirs}"));
                } else if case["duplicates"] != json!(duplicates) {
                    differences.push(format!("{text:?}: {duplicates} warnings of duplicates"));
                }
            }
            (Err(failure), Some(_)) if !known => {
                let (_, problem) = *failure;
                differences.push(format!("{text:?} refused: {}", problem.message));
            }
            (Ok(document), None) => differences.push(format!(
                "{text:?} accepted as {}: {}",
                tree(&document.root),
                case["error"]
            )),
            (Err(failure), None) => {
                let (_, problem) = *failure;
                let at = problem.at.expect("every problem has a place");
                let elsewhere = ELSEWHERE.iter().any(|part| problem.message.contains(part));
                if case["p"][0].is_u64() && case["p"][0] != json!(at.line) && !elsewhere {
                    differences.push(format!(
                        "{text:?}: {} in line {} ({case})",
                        problem.message, at.line
                    ));
                }
            }
            _ => {}
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// A problem as text: place, message, line, caret, notes, hint.
fn show(sources: &Sources, problem: &Problem) -> String {
    let at = problem.at.expect("every problem has a place");
    let line = sources.line(at).unwrap_or_default();
    let caret = " ".repeat(at.column.saturating_sub(1) as usize)
        + &"^".repeat(problem.length.max(1) as usize);
    let mut out = format!(
        "{}:{}: {}\n  {line}\n  {caret}\n",
        at.line, at.column, problem.message
    );
    for note in &problem.notes {
        out.push_str(&format!("  note: {note}\n"));
    }
    if let Some(hint) = &problem.hint {
        out.push_str(&format!("  hint: {hint}\n"));
    }
    out
}

#[test]
fn messages() {
    let texts = [
        "a: {{ x }}\n",
        "a: {{ x }}/b\n",
        "- {{ x }}\n",
        "a: \"{{ x }}\"/b\n",
        "a:\n\tb: 1\n",
        "msg: Note: this\n",
        "a: 'x\nb: 1\n",
        "a: @x\n",
        "- a\n-b\n",
        "a: [1, 2\nb: 3\n",
        "a: - b\n",
        "a:\n  b: 1\n c: 2\n",
        "a: 1\n---\nb: 2\n",
        "a: !vaul x\n",
        "a: !vault [1]\n",
        "a: *x\n",
        "a: &x [*x]\n",
        "a: &x 1\nb: &x 2\n",
        "a: <<\n",
        "<<: 1\n",
        "a: 2024-02-30\n",
        "? [a]\n: b\n",
        "a: x\u{7}\n",
        "a: !!set {b}\n",
        "a: |0\n x\n",
        "[1]]\n",
    ];
    let shown: Vec<String> = texts
        .iter()
        .map(
            |text| match read_with(text.as_bytes(), DuplicateKeys::Warn) {
                Ok(document) => format!("{text:?} is accepted as {:?}\n", tree(&document.root)),
                Err(failure) => show(&failure.0, &failure.1),
            },
        )
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn keys_that_are_there_twice() {
    let text = b"a: 1\nb: 2\na: 3\n";
    let document = read_with(text, DuplicateKeys::Warn).unwrap();
    assert_eq!(
        document.warnings[0].message,
        "Found duplicate mapping key 'a'; the last one counts"
    );
    assert_eq!(
        document.root.as_map().unwrap().get("a").unwrap().as_i64(),
        Some(3)
    );
    assert!(
        read_with(text, DuplicateKeys::Ignore)
            .unwrap()
            .warnings
            .is_empty()
    );
    assert!(read_with(text, DuplicateKeys::Error).is_err());
}

fn message(text: &[u8]) -> String {
    match read_with(text, DuplicateKeys::Warn) {
        Ok(_) => "accepted".to_owned(),
        Err(failure) => failure.1.message,
    }
}

#[test]
fn hostile_documents_are_bounded() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let items = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{items}]\n"));
    }
    assert!(message(laughs.as_bytes()).contains("more than 10000000 values"));
    assert!(message("[".repeat(100_000).as_bytes()).contains("deeper than 100"));
    assert!(message("- ".repeat(100_000).as_bytes()).contains("deeper than 100"));
    assert!(message("{a: ".repeat(100_000).as_bytes()).contains("deeper than 100"));
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for i in 1..150 {
        deep.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    assert!(message(deep.as_bytes()).contains("deeper than 100"));
    assert!(
        message(format!("a: {}\n", "9".repeat(1_000_000)).as_bytes())
            .contains("more than 4300 digits")
    );
    assert!(message(b"a: \xff\n").contains("0xff is no UTF-8"));
    assert!(message(&vec![b' '; MAX_BYTES + 1]).contains("not read"));
}

#[test]
fn a_block_scalar_may_end_the_text_without_a_line_break() {
    for (text, value) in [
        ("a: |\n  x", json!({"a": "x"})),
        ("a: |-\n  x\n  y", json!({"a": "x\ny"})),
        ("a: >\n  x\n  y", json!({"a": "x y"})),
        ("a: |+\n  é", json!({"a": "é"})),
        ("- |\n  x\n  # c", json!(["x\n# c"])),
        ("a: |\n  x\n# c", json!({"a": "x\n"})),
        ("a: |\n  x\n  ", json!({"a": "x\n"})),
        ("a: |\n  é\nb: é", json!({"a": "é\n", "b": "é"})),
    ] {
        let document = read_with(text.as_bytes(), DuplicateKeys::Warn);
        let Ok(document) = document else {
            panic!("{text:?} is refused");
        };
        let read = document.root.to_value(&mut |_, _| unreachable!());
        let read = serde_json::to_value(read.unwrap()).unwrap();
        assert_eq!(read, value, "{text:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_gives_a_value_or_a_problem(text in "([a-c0-9]|[-?:,\\[\\]{}#&*!|>'\"%@`<=~. \t\n\r]|!a,|: |- |\\? |---\n|<<: |\u{85}|\u{2028}|\u{feff}){0,40}") {
        let _ = read_with(text.as_bytes(), DuplicateKeys::Warn);
    }

    #[test]
    fn json_is_read_as_json(text in "[\\[\\]{}:,\"0-9eE+.truefalsn \\\\u-]{0,24}") {
        let file = Sources::default().add("x", "");
        let ours = json::read(&text, file).is_some();
        // Numbers beyond a double and lone surrogates differ from Python, and are not compared.
        if let Ok(value) = serde_json::from_str::<Json>(&text) {
            proptest::prop_assert!(ours, "{text:?} is {value}");
        }
    }
}
