//! Which host of the inventory a machine is, when nobody says so.

use rustle_formats::plan::ExecutionPlan;

use crate::vars::Groups;

/// The inventory name to run as: the one asked for; else the plan's only host; else the one that is called as the
/// machine is; else `localhost`, for a plan without hosts.
///
/// # Errors
/// Where the plan has several hosts and none was asked for or fits, or the plan does not have the one asked for.
pub fn choose_host(
    plan: &ExecutionPlan,
    wanted: Option<&str>,
    machine_name: Option<&str>,
) -> Result<String, String> {
    let hosts = known_hosts(plan);
    if let Some(wanted) = wanted {
        if hosts.is_empty() || wanted == "localhost" || hosts.iter().any(|h| h == wanted) {
            return Ok(wanted.to_owned());
        }
        return Err(format!(
            "the plan has no host '{wanted}'; it has {}",
            hosts.join(", ")
        ));
    }
    match hosts.as_slice() {
        [] => Ok("localhost".to_owned()),
        [only] => Ok(only.clone()),
        several => {
            let name = machine_name.unwrap_or_default();
            let short = name.split('.').next().unwrap_or_default();
            for candidate in [name, short] {
                if let Some(host) = several
                    .iter()
                    .find(|h| !candidate.is_empty() && *h == candidate)
                {
                    return Ok(host.clone());
                }
            }
            Err(format!(
                "the plan is for several hosts and none is called '{name}': say which one this machine is, one of {}",
                several.join(", ")
            ))
        }
    }
}

/// Every host that the plan describes or that a play names. Groups and patterns are no hosts.
fn known_hosts(plan: &ExecutionPlan) -> Vec<String> {
    let groups = Groups::of(plan);
    let mut hosts = groups.all().get("all").cloned().unwrap_or_default();
    for name in plan.plays.iter().flat_map(|p| &p.hosts) {
        if !hosts.contains(name) && !groups.all().contains_key(name) && name != "*" {
            hosts.push(name.clone());
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustle_formats::plan::{HostPlan, PlayPlan};

    #[test]
    fn the_host_is_found_or_asked_for() {
        let mut plan = ExecutionPlan::default();
        assert_eq!(choose_host(&plan, None, None).unwrap(), "localhost");
        plan.plays.push(PlayPlan {
            hosts: vec!["all".into(), "a".into()],
            ..PlayPlan::default()
        });
        assert_eq!(choose_host(&plan, None, None).unwrap(), "a");
        plan.hosts.insert("b".into(), HostPlan::default());
        assert_eq!(
            choose_host(&plan, None, Some("b.example.org")).unwrap(),
            "b"
        );
        assert!(choose_host(&plan, None, Some("c")).is_err());
        assert!(choose_host(&plan, Some("c"), None).is_err());
    }
}
