//! The levels of precedence, as Ansible documents them. Each wins over those before it.

use std::fmt;

/// Where a variable is set. The order is that of Ansible's documentation, where level 1 are values of the command line
/// that are no variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 2: `defaults/` of a role.
    RoleDefaults,
    /// 3: the group `all` in an inventory source.
    InventoryAll,
    /// 3: another group in an inventory source.
    InventoryGroup,
    /// 4: `group_vars/all` beside the inventory.
    InventoryGroupVarsAll,
    /// 5: `group_vars/all` beside the playbook.
    PlaybookGroupVarsAll,
    /// 6: `group_vars/` of another group beside the inventory.
    InventoryGroupVars,
    /// 7: `group_vars/` of another group beside the playbook.
    PlaybookGroupVars,
    /// 8: the host in an inventory source.
    InventoryHost,
    /// 9: `host_vars/` beside the inventory.
    InventoryHostVars,
    /// 10: `host_vars/` beside the playbook.
    PlaybookHostVars,
    /// 11: facts of the host.
    Facts,
    /// 12: `vars` of the play.
    PlayVars,
    /// 13: `vars_prompt`.
    PlayPrompt,
    /// 14: `vars_files`.
    PlayFiles,
    /// 15: `vars/` of a role.
    RoleVars,
    /// 16: `vars` of a block.
    BlockVars,
    /// 17: `vars` of a task.
    TaskVars,
    /// 18: `include_vars`.
    IncludeVars,
    /// 19: `set_fact` and `register`.
    SetFacts,
    /// 20: parameters of a role.
    RoleParams,
    /// 21: parameters of an include.
    IncludeParams,
    /// 22: `--extra-vars`.
    ExtraVars,
}

impl Level {
    /// The number in Ansible's documentation.
    pub fn number(self) -> u8 {
        match self {
            Level::RoleDefaults => 2,
            Level::InventoryAll | Level::InventoryGroup => 3,
            Level::InventoryGroupVarsAll => 4,
            Level::PlaybookGroupVarsAll => 5,
            Level::InventoryGroupVars => 6,
            Level::PlaybookGroupVars => 7,
            Level::InventoryHost => 8,
            Level::InventoryHostVars => 9,
            Level::PlaybookHostVars => 10,
            Level::Facts => 11,
            Level::PlayVars => 12,
            Level::PlayPrompt => 13,
            Level::PlayFiles => 14,
            Level::RoleVars => 15,
            Level::BlockVars => 16,
            Level::TaskVars => 17,
            Level::IncludeVars => 18,
            Level::SetFacts => 19,
            Level::RoleParams => 20,
            Level::IncludeParams => 21,
            Level::ExtraVars => 22,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::RoleDefaults => "role defaults",
            Level::InventoryAll => "the group `all` of the inventory",
            Level::InventoryGroup => "a group of the inventory",
            Level::InventoryGroupVarsAll => "group_vars/all beside the inventory",
            Level::PlaybookGroupVarsAll => "group_vars/all beside the playbook",
            Level::InventoryGroupVars => "group_vars beside the inventory",
            Level::PlaybookGroupVars => "group_vars beside the playbook",
            Level::InventoryHost => "the host in the inventory",
            Level::InventoryHostVars => "host_vars beside the inventory",
            Level::PlaybookHostVars => "host_vars beside the playbook",
            Level::Facts => "facts",
            Level::PlayVars => "vars of the play",
            Level::PlayPrompt => "vars_prompt",
            Level::PlayFiles => "vars_files",
            Level::RoleVars => "role vars",
            Level::BlockVars => "vars of a block",
            Level::TaskVars => "vars of the task",
            Level::IncludeVars => "include_vars",
            Level::SetFacts => "set_fact or register",
            Level::RoleParams => "role parameters",
            Level::IncludeParams => "include parameters",
            Level::ExtraVars => "--extra-vars",
        })
    }
}
