//! What is known of a host before any play: the inventory, group_vars/ and host_vars/, in Ansible's order.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::VarsFiles;
use super::layers::{Layer, merge};
use super::level::Level;
use super::variables::Variables;
use crate::inventory::{ALL, GroupId, HostId, Inventory};
use crate::problem::Problem;

/// The folders that group_vars/ and host_vars/ are looked for in.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// Beside the inventory's sources, in their order.
    pub inventory: Vec<PathBuf>,
    /// Beside the playbook.
    pub playbook: Vec<PathBuf>,
}

/// Gives the variables of hosts and groups.
#[derive(Debug)]
pub struct InventoryVars<'a> {
    inventory: &'a Inventory,
    roots: Roots,
    files: VarsFiles<'a>,
    precedence: Vec<String>,
}

impl<'a> InventoryVars<'a> {
    /// `precedence` is Ansible's `VARIABLE_PRECEDENCE`.
    pub fn new(
        inventory: &'a Inventory,
        roots: Roots,
        files: VarsFiles<'a>,
        precedence: Vec<String>,
    ) -> InventoryVars<'a> {
        InventoryVars {
            inventory,
            roots,
            files,
            precedence,
        }
    }

    /// What Ansible warns of in the files that were read. Empties it.
    pub fn take_warnings(&mut self) -> Vec<Problem> {
        self.files.take_warnings()
    }

    /// The layers of a host, the weakest first.
    ///
    /// # Errors
    /// Where a file of variables is wrong.
    pub fn layers(&mut self, host: HostId) -> Result<Vec<Layer<'a>>, Problem> {
        let inventory = self.inventory;
        let mut groups = inventory.groups_of(host);
        groups.retain(|g| *g != ALL);
        let mut out = Vec::new();
        for step in self.precedence.clone() {
            match step.as_str() {
                "all_inventory" => self.own(&[ALL], Level::InventoryAll, &mut out),
                "groups_inventory" => self.own(&groups, Level::InventoryGroup, &mut out),
                "all_plugins_inventory" => {
                    self.of_files(&[ALL], Level::InventoryGroupVarsAll, &mut out)?;
                }
                "groups_plugins_inventory" => {
                    self.of_files(&groups, Level::InventoryGroupVars, &mut out)?;
                }
                "all_plugins_play" => {
                    self.of_files(&[ALL], Level::PlaybookGroupVarsAll, &mut out)?;
                }
                "groups_plugins_play" => {
                    self.of_files(&groups, Level::PlaybookGroupVars, &mut out)?;
                }
                // Ansible passes over what it does not know.
                _ => {}
            }
        }
        out.push(Layer::new(
            Level::InventoryHost,
            inventory.host_name(host),
            &inventory.host(host).vars,
        ));
        for (level, roots) in [
            (Level::InventoryHostVars, self.roots.inventory.clone()),
            (Level::PlaybookHostVars, self.roots.playbook.clone()),
        ] {
            for root in roots {
                let name = inventory.host_name(host);
                let found = self.files.entity(&root.join("host_vars"), name)?;
                out.extend(found.map(|vars| layer(level, name, &vars)));
            }
        }
        Ok(out)
    }

    /// The variables of a host.
    ///
    /// # Errors
    /// Where a file of variables is wrong.
    pub fn host(&mut self, host: HostId) -> Result<Variables, Problem> {
        let layers = self.layers(host)?;
        let mut out = merge(&layers, self.files.behaviour);
        out.remove("ansible_group_priority");
        Ok(out)
    }

    /// The variables of the host alone, without those of its groups.
    ///
    /// # Errors
    /// Where a file of variables is wrong.
    pub fn host_only(&mut self, host: HostId) -> Result<Variables, Problem> {
        let mut layers = self.layers(host)?;
        layers.retain(|l| {
            matches!(
                l.level,
                Level::InventoryHost | Level::InventoryHostVars | Level::PlaybookHostVars
            )
        });
        Ok(merge(&layers, self.files.behaviour))
    }

    /// The variables of a group alone.
    ///
    /// # Errors
    /// Where a file of variables is wrong.
    pub fn group(&mut self, group: GroupId) -> Result<Variables, Problem> {
        let mut layers = Vec::new();
        self.own(&[group], Level::InventoryGroup, &mut layers);
        self.of_files(&[group], Level::InventoryGroupVars, &mut layers)?;
        self.of_files(&[group], Level::PlaybookGroupVars, &mut layers)?;
        Ok(merge(&layers, self.files.behaviour))
    }

    fn own(&self, groups: &[GroupId], level: Level, out: &mut Vec<Layer<'a>>) {
        let inventory = self.inventory;
        out.extend(
            groups
                .iter()
                .map(|g| Layer::new(level, inventory.group_name(*g), &inventory.group(*g).vars)),
        );
    }

    fn of_files(
        &mut self,
        groups: &[GroupId],
        level: Level,
        out: &mut Vec<Layer<'a>>,
    ) -> Result<(), Problem> {
        let roots = match level {
            Level::InventoryGroupVarsAll | Level::InventoryGroupVars => &self.roots.inventory,
            _ => &self.roots.playbook,
        };
        for root in roots.clone() {
            let folder = root.join("group_vars");
            for group in groups {
                let name = self.inventory.group_name(*group);
                let found = self.files.entity(&folder, name)?;
                out.extend(found.map(|vars| layer(level, name, &vars)));
            }
        }
        Ok(())
    }
}

fn layer<'a>(level: Level, owner: &'a str, vars: &Arc<Variables>) -> Layer<'a> {
    Layer {
        level,
        owner: Cow::Borrowed(owner),
        vars: Cow::Owned(Variables::clone(vars)),
    }
}
