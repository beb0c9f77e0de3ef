//! `group_by`: puts the host into a group that is named after a fact. The controller takes it in.

use rustle_formats::Value;

use crate::args::{Args, text};
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct GroupBy;

static SPEC: Spec = Spec {
    name: "group_by",
    collection: "ansible.builtin",
    summary: "Puts the host into a group of the inventory of the run.",
    args: &[&[
        Arg::new("key", Kind::Raw, "The group's name; spaces in it become dashes."),
        Arg::new("parents", Kind::Raw, "The groups above it: a list, or one name. Default: all."),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Engine,
};

impl Module for GroupBy {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, _: &Context<'_>) -> ModuleResult {
        let name = |value: &Value| text(value).replace(' ', "-");
        let Some(key) = args.get("key").filter(|key| !key.is_null()) else {
            return Err(Failure::new(
                "the 'key' param is required when using group_by",
            ));
        };
        let parents = match args.get("parents") {
            None | Some(Value::Null) => vec!["all".to_owned()],
            Some(Value::List(list)) => list.iter().map(name).collect(),
            Some(one) => vec![name(one)],
        };
        Ok(Outcome::ok()
            .with("add_group", name(key))
            .with("parent_groups", Value::from(parents)))
    }
}
