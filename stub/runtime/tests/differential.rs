//! Replays what real Ansible did (`fixtures/modules/*.records.json`, made by `scripts/record-modules`) with our modules,
//! and compares every result and every tree. What may differ stands, with its reason, in `fixtures/modules/known-differences`.

#[path = "differential/assets.rs"]
mod assets;
#[path = "differential/known.rs"]
mod known;
#[path = "differential/replay.rs"]
mod replay;
#[path = "differential/tree.rs"]
mod tree;

macro_rules! modules {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            replay::module(stringify!($name));
        })*
    };
}

modules! {
    blockinfile,
    copy,
    file,
    find,
    slurp,
    tempfile,
    lineinfile,
    replace,
    assemble,
    stat,
    template,
    command,
    wait_for,
    get_url,
    accounts,
    unarchive,
}
