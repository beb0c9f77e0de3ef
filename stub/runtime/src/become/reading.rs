//! Reading the playbook's files as another user. Under Ansible it is the controller's user who reads them; here the module that
//! needs them runs in a fork that has become somebody else. It keeps the one right to read, and uses it for these files alone.
//! Programs that it starts do not have it.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
};

const READ: CapabilitySet = CapabilitySet::DAC_READ_SEARCH;

/// Asks the system to leave the rights of this process in place when it changes its user. Whether it does.
pub(super) fn keep() -> bool {
    let has = capabilities(None).is_ok_and(|sets| sets.permitted.contains(READ));
    has && set_keep_capabilities(true).is_ok()
}

/// Gives all rights back but that to read, which sleeps.
pub(super) fn leave_but_reading() {
    let sets = |permitted| CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted,
        inheritable: CapabilitySet::empty(),
    };
    // Without the right some files are not found; with more than it a module could do what its user cannot.
    if set_capabilities(None, sets(READ)).is_err() {
        let _ = set_capabilities(None, sets(CapabilitySet::empty()));
    }
}

/// Does something with the right to read all files, where this process has kept it.
pub fn with_files<T>(read: impl FnOnce() -> T) -> T {
    let Ok(asleep) = capabilities(None) else {
        return read();
    };
    if asleep.permitted != READ {
        return read();
    }
    let awake = CapabilitySets {
        effective: READ,
        ..asleep
    };
    let raised = set_capabilities(None, awake).is_ok();
    let done = read();
    if raised {
        let _ = set_capabilities(None, asleep);
    }
    done
}
