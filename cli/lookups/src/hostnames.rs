//! `inventory_hostnames`: the hosts that a pattern picks among the inventory's groups.

use rustle_playbook::inventory::Inventory;
use rustle_playbook::pattern::{Mismatch, pick};
use rustle_template::{Error, LookupCall, Value};

use crate::arguments::terms;
use crate::failed;

pub(crate) fn run(call: &LookupCall<'_>) -> Result<Vec<Value>, Error> {
    let inventory = inventory(call)?;
    let patterns = terms(call)?;
    // A pattern that cannot be read picks nothing, as under Ansible.
    let Ok(picked) = pick(&inventory, &patterns, None, Mismatch::Ignore) else {
        return Ok(Vec::new());
    };
    Ok(picked
        .hosts
        .iter()
        .map(|id| Value::str(inventory.host_name(*id)))
        .chain(picked.implicit.map(Value::from))
        .collect())
}

/// An inventory of what the variable `groups` says.
fn inventory(call: &LookupCall<'_>) -> Result<Inventory, Error> {
    let mut inventory = Inventory::new(Default::default());
    let Some(groups) = call.templar.get("groups")? else {
        return Ok(inventory);
    };
    let groups = groups.to_formats()?;
    let Some(groups) = groups.as_map() else {
        return Err(failed("the variable `groups` is no mapping"));
    };
    for (name, hosts) in groups {
        let group = inventory.add_group(name);
        for host in hosts.as_list().unwrap_or_default() {
            if let Some(host) = host.as_str() {
                let host = inventory.add_host(host);
                inventory.add_member(host, group);
            }
        }
    }
    Ok(inventory)
}
