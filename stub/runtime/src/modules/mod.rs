//! The modules, one file each, and the table that finds them.
//!
//! Adding a module: a file with its SPEC, its code and its tests; a line in `modules!` below, among those of the core flavour
//! or of the full one. Names, the reference
//! and all argument checks follow from the SPEC.

use crate::args::Args;
use crate::context::Context;
use crate::outcome::ModuleResult;
use crate::spec::Spec;

/// A module.
pub trait Module: Sync {
    /// Its declaration.
    fn spec(&self) -> &'static Spec;

    /// Does the work, or predicts it in check mode. Arguments were checked by the SPEC.
    ///
    /// # Errors
    /// A sentence that names the cause; nothing half done is left behind.
    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult;

    /// Where the module is, if it came with the plan. Default: it is one of this program's own.
    #[cfg(feature = "full")]
    fn carried(&self) -> Option<Brought> {
        None
    }
}

/// The asset that has a module, and the name to import it by, where Python does.
#[cfg(feature = "full")]
pub(crate) type Brought = (String, Option<String>);

macro_rules! modules {
    (core { $($file:ident :: $kind:ident),* $(,)? } full { $($more:ident :: $its:ident),* $(,)? }) => {
        $(mod $file;)*
        $(#[cfg(feature = "full")] mod $more;)*
        /// All modules that this flavour has, by name.
        pub static MODULES: &[&dyn Module] = &[
            $(&$file::$kind,)*
            $(#[cfg(feature = "full")] &$more::$its,)*
        ];
        /// The names of those that only the full flavour has.
        #[cfg(feature = "full")]
        pub(crate) static FULL_ONLY: &[&str] = &[$(stringify!($more)),*];
    };
}

// One a line, sorted, so that side-by-side work does not collide.
modules! {
core {
    assert::Assert,
    async_status::AsyncStatus,
    command::Command,
    copy::Copy,
    debug::Debug,
    fail::Fail,
    file::File,
    get_url::GetUrl,
    group::Group,
    lineinfile::LineInFile,
    include_vars::IncludeVars,
    pause::Pause,
    ping::Ping,
    raw::Raw,
    script::Script,
    service::Service,
    set_fact::SetFact,
    setup::Setup,
    shell::Shell,
    slurp::Slurp,
    stat::Stat,
    systemd::Systemd,
    systemd_service::SystemdService,
    template::Template,
    user::User,
    validate_argument_spec::ValidateArgumentSpec,
}
// What few plans use, and what is large: left out of the core flavour of the stub.
full {
    add_host::AddHost,
    apt::Apt,
    assemble::Assemble,
    blockinfile::BlockInFile,
    fetch::Fetch,
    find::Find,
    getent::Getent,
    group_by::GroupBy,
    package::Package,
    reboot::Reboot,
    replace::Replace,
    set_stats::SetStats,
    synchronize::Synchronize,
    tempfile::Tempfile,
    unarchive::Unarchive,
    uri::Uri,
    wait_for::WaitFor,
    wait_for_connection::WaitForConnection,
}
}

/// Finds a module by its short name, its full name, or `ansible.legacy.NAME`.
pub fn find(name: &str) -> Option<&'static dyn Module> {
    let (collection, short) = match name.rsplit_once('.') {
        Some((collection, short)) => (Some(collection), short),
        None => (None, name),
    };
    MODULES.iter().copied().find(|m| {
        let spec = m.spec();
        spec.name == short
            && collection.is_none_or(|c| {
                c == spec.collection
                    || (c == "ansible.legacy" && spec.collection == "ansible.builtin")
            })
    })
}
