//! Whatever a plan says, the check comes to an end and tells of it in a time that grows with the plan.

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        Just("{{ a }}".to_owned()),
        Just("{{ b | default(a) }}".to_owned()),
        Just("{% for x in a %}{{ x }}".to_owned()),
        "\\{\\{ [a-z|(.'\\[ ]{0,12} \\}\\}",
        Just("a".to_owned()),
        Just("b".to_owned()),
        "\\PC{0,6}",
    ]
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|i| json!(i)),
        any::<f64>().prop_map(|f| json!(f)),
        text().prop_map(|t| json!(t)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|l| json!(l)),
            prop::collection::hash_map(text(), inner, 0..4).prop_map(|m| json!(m)),
        ]
    })
}

const KEYWORDS: &[&str] = &[
    "when",
    "loop",
    "until",
    "retries",
    "become",
    "environment",
    "delegate_to",
    "run_once",
    "module_defaults",
    "ignore_errors",
    "changed_when",
];

fn task() -> impl Strategy<Value = serde_json::Value> {
    let modules = prop::sample::select(vec![
        "debug",
        "assert",
        "set_fact",
        "template",
        "copy",
        "meta",
        "pause",
        "fetch",
        "command",
        "",
        "x.y.z",
        "include_vars",
    ]);
    let keywords = prop::collection::vec((prop::sample::select(KEYWORDS), value()), 0..4);
    let args = prop::collection::hash_map(
        prop_oneof![
            Just("src".to_owned()),
            Just("msg".to_owned()),
            Just("that".to_owned()),
            text()
        ],
        value(),
        0..4,
    );
    let texts = prop::collection::vec(text(), 0..3);
    (modules, args, keywords, texts, text()).prop_map(|(module, args, keywords, texts, id)| {
        let mut task = json!({
            "id": id, "name": id, "module": module, "args": args,
            "dependencies": texts, "notify": texts, "register": id, "vars": {"a": id}
        });
        for (name, value) in keywords {
            task[name] = value;
        }
        task
    })
}

fn item() -> impl Strategy<Value = serde_json::Value> {
    task().prop_recursive(3, 8, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..3);
        (list(), list(), value()).prop_map(
            |(block, rescue, when)| json!({"block": block, "rescue": rescue, "when": when}),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_plan_is_checked(
        items in prop::collection::vec(item(), 0..6),
        handlers in prop::collection::vec(task(), 0..3),
        vars in prop::collection::hash_map(text(), value(), 0..4),
        batch in text(),
        content in text(),
    ) {
        let document = json!({"version": 1, "extra_vars": vars, "plays": [{
            "vars": vars,
            "batches": [{"batch_id": batch, "tasks": items, "dependencies": [batch]}],
            "handlers": handlers
        }]});
        if let Ok(plan) = serde_json::from_value::<ExecutionPlan>(document) {
            for problem in files(&plan, &content) {
                prop_assert!(!problem.is_empty());
            }
        }
    }
}

/// A hundred times the tasks take about a hundred times as long, not ten thousand times.
#[test]
fn time_grows_with_the_plan() {
    let made = |count: usize| {
        let tasks: Vec<serde_json::Value> = (0..count)
            .map(|i| {
                json!({
                    "id": format!("t{i}"), "module": "debug", "register": format!("r{i}"),
                    "args": {"msg": format!("{{{{ r{i} }}}} {{{{ port }}}} {{{{ missing }}}}")},
                    "when": "port is defined", "dependencies": [format!("t{}", i.saturating_sub(1))],
                    "notify": ["h"]
                })
            })
            .collect();
        plan(json!({
            "vars": {"port": 80}, "handlers": [{"name": "h", "module": "debug"}],
            "batches": [{"tasks": tasks}]
        }))
    };
    let time = |plan: &ExecutionPlan| {
        let start = std::time::Instant::now();
        let found = check(plan, &CheckOptions::default()).len();
        (start.elapsed().as_secs_f64(), found)
    };
    let (few, many) = (made(200), made(20_000));
    time(&few);
    let short = time(&few);
    let long = time(&many);
    assert_eq!((short.1, long.1), (201, 20_001));
    // A wide margin: machines that run tests are busy.
    assert!(
        long.0 < short.0.max(0.0005) * 100.0 * 20.0,
        "{short:?} {long:?}"
    );
}
