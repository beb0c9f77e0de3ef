use super::*;
use crate::plan::{Conditions, Source, Task};
use crate::value::Value;

fn mistake(text: &str) -> String {
    let e = &read(text).unwrap_err()[0];
    let hint = e.hint.as_deref().unwrap_or("-");
    let part = text
        .get(e.place.offset..e.place.offset + e.place.length)
        .unwrap_or("");
    format!(
        "{}:{} [{part}] {} ({hint})",
        e.place.line, e.place.column, e.message
    )
}

#[test]
fn mistakes_have_exact_places() {
    let task = |inner: &str| {
        format!(
            "{{\"version\": 1, \"plays\": [{{\"batches\": [{{\"tasks\": [\n  {inner}\n]}}]}}]}}"
        )
    };
    insta::assert_snapshot!(mistake("{\"version\": 1,\n \"plas\": []}"), @"2:2 [\"plas\"] unknown field `plas` (did you mean `plays`?)");
    insta::assert_snapshot!(mistake(&task(r#"{"module": "copy", "agrs": {}}"#)), @"2:22 [\"agrs\"] unknown field `agrs` (did you mean `args`?)");
    insta::assert_snapshot!(mistake(&task(r#"{"block": [{"module": "copy", "tags": "web"}]}"#)), @"2:41 [\"web\"] expected a list, found the string \"web\" (-)");
    insta::assert_snapshot!(mistake(&task(r#"{"args": {"mode": 1, "mode": 2}}"#)), @"2:24 [\"mode\"] the key `mode` is there twice (-)");
    insta::assert_snapshot!(mistake(&task(r#"{"name": "a", "name": "b"}"#)), @"2:17 [\"name\"] the key `name` is there twice (-)");
    insta::assert_snapshot!(mistake("{\"version\": 6}"), @"1:13 [6] the plan has version 6, and this program reads versions up to 5 (make the plan again with the tool of this version, or pack it with the other one)");
    insta::assert_snapshot!(mistake("{\"version\": \"one\"}"), @"1:13 [\"one\"] expected a whole number, found the string \"one\" (-)");
    insta::assert_snapshot!(mistake("{\"version\": 1,\n}"), @"2:1 [}] not well-formed JSON: trailing comma (-)");
    insta::assert_snapshot!(mistake("{\"version\": 1, \"plas\": 1,\n\"total_tasks\": }"), @"2:16 [}] not well-formed JSON: expected value (-)");
    insta::assert_snapshot!(mistake(" \n"), @"2:1 [] the text is empty (-)");
    insta::assert_snapshot!(mistake("[]"), @"1:1 [[]] expected a mapping, found a list (-)");
    insta::assert_snapshot!(mistake("{\"a\": 1}"), @"1:1 [{] this is not a plan: it has no `version`, no `plays` and no `tasks` (a plan begins with {\"version\": 5, \"plays\": [...]}; see `rustle schema plan`)");
    insta::assert_snapshot!(mistake("{\"version\": 1, \"total_tasks\": 3}"), @"1:31 [3] `total_tasks` is 3, and the plan has 0 tasks (the plan may have been cut; leave the field out if nobody counts)");
}

#[test]
fn pointers_lead_back_to_the_text() {
    let text = r#"{"version": 1, "plays": [{"batches": [{"tasks": [{"module": "copy", "args": {"onwer": "x"}}]}]}]}"#;
    let reading = read(text).unwrap();
    let at = |pointer: &str, key| {
        let place = reading.places(text, &[(pointer.to_owned(), key)])[0]
            .clone()
            .unwrap();
        text[place.offset..place.offset + place.length].to_owned()
    };
    let args = "/plays/0/batches/0/tasks/0/args";
    assert_eq!(at(&format!("{args}/onwer"), true), "\"onwer\"");
    assert_eq!(at(&format!("{args}/onwer"), false), "\"x\"");
    assert_eq!(at(&format!("{args}/mode"), true), "{\"onwer\": \"x\"}");
}

#[test]
fn writing_leaves_out_what_says_nothing_and_keeps_what_was_given() {
    let text = r#"{"version":5,"plays":[{"name":"a","batches":[{"tasks":[{"id":"t","module":"debug","args":{"msg":"","l":[]},"loop":[],"source":{"file":"x.yml","line":3,"column":0}},{"block":[{"module":"fail"}],"rescue":[{"module":"debug"}]}]}],"gather_facts":false}],"hosts":{"a":{}},"runtime":{"heartbeat_interval":{"secs":5,"nanos":0}}}"#;
    let plan = ExecutionPlan::from_json(text).unwrap();
    assert_eq!(to_line(&plan).unwrap(), text);
    assert_eq!(
        ExecutionPlan::from_json(&plan.to_json().unwrap()).unwrap(),
        plan
    );
    let wire = postcard::to_stdvec(&plan).unwrap();
    assert_eq!(postcard::from_bytes::<ExecutionPlan>(&wire).unwrap(), plan);
}

#[test]
fn every_field_survives() {
    let task = Task {
        id: "t".into(),
        when: Conditions(vec![Value::from("a"), Value::Bool(true)]),
        retries: Some(Value::Int(3)),
        loop_: Some(Value::from("{{ x }}")),
        source: Some(Source::default()),
        ..Task::default()
    };
    let text = to_line(&task).unwrap();
    assert_eq!(parse::<Task>(&text).unwrap(), task);
}

#[test]
fn no_tasks_is_a_plan() {
    let plan = ExecutionPlan::from_json("{\"version\": 2}").unwrap();
    assert_eq!(plan.count_tasks(), 0);
    assert_eq!(plan.to_json().unwrap(), "{\n  \"version\": 5\n}\n");
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!(
        "{{\"version\": 2, \"extra_vars\": {{\"a\": {}",
        "[".repeat(5000)
    );
    assert!(read(&text).is_err());
}
