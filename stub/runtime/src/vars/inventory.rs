//! A plan's own inventory, for whoever runs the plan on other machines: its groups, and what each host's variables are.

use rustle_formats::plan::ExecutionPlan;
use rustle_formats::{Map, lay};

use super::Groups;

/// Every group with all of its hosts, those of child groups among them.
pub fn groups(plan: &ExecutionPlan) -> Vec<(String, Vec<String>)> {
    let all = Groups::of(plan);
    let pairs = all.all().iter();
    pairs.map(|(n, hosts)| (n.clone(), hosts.clone())).collect()
}

/// The hosts that these names mean, each a host, a group or `all`, in the plan's order.
pub fn hosts(plan: &ExecutionPlan, names: &[String]) -> Vec<String> {
    let groups = Groups::of(plan);
    let mut out = Vec::new();
    for host in plan.hosts.keys() {
        if names.iter().any(|name| groups.includes(name, host)) {
            out.push(host.clone());
        }
    }
    out
}

/// A host's variables: its groups', laid over each other as the engine does it, and its own on top.
pub fn vars(plan: &ExecutionPlan, host: &str) -> Map {
    let groups = Groups::of(plan);
    let mut out = Map::new();
    for (_, group) in groups.order_for(plan, host) {
        lay(&mut out, &group.vars, false);
    }
    if let Some(own) = plan.hosts.get(host) {
        lay(&mut out, &own.vars, false);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_variables_of_a_plan() {
        let plan: ExecutionPlan = serde_json::from_str(
            r#"{"version": 1, "plays": [],
                "hosts": {"b": {"groups": ["web"]}, "a": {"vars": {"x": 1}, "groups": ["web"]}, "c": {}},
                "groups": {"web": {"vars": {"x": 2, "y": 3}}, "all": {"vars": {"y": 4, "z": 5}}}}"#,
        )
        .unwrap();
        assert_eq!(hosts(&plan, &["web".into()]), ["b", "a"]);
        assert_eq!(hosts(&plan, &["c".into(), "a".into()]), ["a", "c"]);
        let json = |host| serde_json::to_value(vars(&plan, host)).unwrap();
        assert_eq!(json("a"), serde_json::json!({"y": 3, "z": 5, "x": 1}));
        assert_eq!(json("b"), serde_json::json!({"y": 3, "z": 5, "x": 2}));
        assert_eq!(json("c"), serde_json::json!({"y": 4, "z": 5}));
        assert!(
            groups(&plan)
                .iter()
                .any(|(name, hosts)| name == "web" && hosts.len() == 2)
        );
    }
}
