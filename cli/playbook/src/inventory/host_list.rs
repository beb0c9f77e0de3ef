//! Hosts named on the command line: `-i web1,web2:2222`.

use super::model::{Inventory, UNGROUPED};
use super::ranges;
use crate::source::Position;
use crate::yaml::{Node, NodeValue};

/// Adds the hosts of a list divided by commas. With `ranges`, `web[1:3]` is three of them (`advanced_host_list`).
///
/// # Errors
/// Where a range is none.
pub(super) fn read(
    list: &str,
    expand: bool,
    at: Position,
    inventory: &mut Inventory,
) -> Result<(), String> {
    for word in list.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let (names, port) = if expand {
            ranges::expand(word)?
        } else {
            let (name, port) = ranges::split_port(word);
            (vec![name.to_owned()], port)
        };
        for name in names {
            // A host that another source has stays where it is.
            if inventory.find_host(&name).is_some() {
                continue;
            }
            let host = inventory.add_host(&name);
            inventory.add_member(host, UNGROUPED);
            if let Some(port) = port {
                let value = NodeValue::Int(i64::from(port));
                inventory.set_host_var(host, "ansible_port", Node { value, at });
            }
        }
    }
    Ok(())
}
