//! What a module declares about itself.
//!
//! One declaration feeds the dispatch table, the argument checks when packing and when running, and the generated
//! reference. A module cannot read an argument that its SPEC does not name.

/// Everything about a module but its code.
#[derive(Debug)]
pub struct Spec {
    /// The short name, `copy`.
    pub name: &'static str,
    /// The collection, `ansible.builtin`.
    pub collection: &'static str,
    /// One sentence for the reference.
    pub summary: &'static str,
    /// The arguments, in groups so that common ones are written once ([`FILE_ARGS`]).
    pub args: &'static [&'static [Arg]],
    /// The argument that takes free-form text (`command: ls -l`), if the module has such a form.
    pub free_form: Option<&'static str>,
    /// Whether arguments that are not declared are taken too (`set_fact`).
    pub open: bool,
    /// What holds between arguments.
    pub rules: &'static [Rule],
    /// What check mode does.
    pub check: Support,
    /// What diff mode does.
    pub diff: Support,
    /// What others can notice of the task, see [`Reach`].
    pub reach: Reach,
    /// Where the code runs, see [`Place`].
    pub place: Place,
}

/// How much of a mode a module supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Predicts or shows exactly.
    Full,
    /// In some cases; the reference says which.
    Partial,
    /// Not: the task is skipped in check mode.
    None,
}

/// Whether somebody outside the host can tell when the task ran. It decides how far a host may run ahead of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Effects and observations stay on the host: file, template, user, stat, set_fact, …
    Local,
    /// Acts on or looks at the outside, or nobody knows: command, service, get_url, …
    Outside,
}

/// Where a module's code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the target, as the user that the task becomes.
    Target,
    /// In the engine's own process, with its variables: debug, set_fact, assert, fail, …
    Engine,
}

/// The type of an argument, with Ansible's names and coercions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Text; numbers and booleans become text.
    Str,
    /// Text with `~` and `$VARIABLE` expanded.
    Path,
    /// A boolean or one of Ansible's words for it.
    Bool,
    /// A whole number, also as text.
    Int,
    /// A number, also as text.
    Float,
    /// A list; text is split at commas, a single value becomes a list of one.
    List(&'static Kind),
    /// A mapping; text is read as JSON or `k=v` pairs.
    Dict,
    /// As given.
    Raw,
    /// Octal number, text or symbolic: a file mode as the user wrote it.
    Mode,
    /// A number of bytes, with a unit.
    Bytes,
    /// A mapping or list, or JSON text of one; kept as JSON text.
    Json,
}

/// The default of an argument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// Text.
    Str(&'static str),
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An empty list.
    EmptyList,
    /// An empty mapping.
    EmptyDict,
}

/// One argument.
#[derive(Debug, Clone, Copy)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Whether it must be given.
    pub required: bool,
    /// Its value when it is not given.
    pub default: Option<Default>,
    /// The only values that it may have; for lists, each element.
    pub choices: &'static [&'static str],
    /// Whether its value is hidden in events (`no_log` in Ansible).
    pub secret: bool,
    /// Whether it names files of the controller, which packing must put into the artifact.
    pub asset: bool,
    /// Whether the engine hands it over untemplated (conditions, variable names).
    pub raw: bool,
    /// One sentence for the reference.
    #[cfg(feature = "reference")]
    pub doc: &'static str,
}

impl Arg {
    /// An optional argument without a default.
    #[cfg_attr(
        not(feature = "reference"),
        expect(
            unused_variables,
            reason = "only the reference says what arguments mean"
        )
    )]
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Arg {
        Arg {
            name,
            kind,
            aliases: &[],
            required: false,
            default: None,
            choices: &[],
            secret: false,
            asset: false,
            raw: false,
            #[cfg(feature = "reference")]
            doc,
        }
    }
    /// It must be given.
    #[must_use]
    pub const fn required(mut self) -> Arg {
        self.required = true;
        self
    }
    /// Its value when it is not given.
    #[must_use]
    pub const fn default(mut self, default: Default) -> Arg {
        self.default = Some(default);
        self
    }
    /// Its other names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Arg {
        self.aliases = aliases;
        self
    }
    /// Its only values.
    #[must_use]
    pub const fn choices(mut self, choices: &'static [&'static str]) -> Arg {
        self.choices = choices;
        self
    }
    /// It is hidden in events.
    #[must_use]
    pub const fn secret(mut self) -> Arg {
        self.secret = true;
        self
    }
    /// It names files of the controller.
    #[must_use]
    pub const fn asset(mut self) -> Arg {
        self.asset = true;
        self
    }
    /// It is handed over untemplated.
    #[must_use]
    pub const fn raw(mut self) -> Arg {
        self.raw = true;
        self
    }
}

/// What holds between arguments.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// At most one of them.
    MutuallyExclusive(&'static [&'static str]),
    /// All of them or none.
    RequiredTogether(&'static [&'static str]),
    /// At least one of them.
    RequiredOneOf(&'static [&'static str]),
    /// Where the first has the value, all (or, with `any`, one) of the others.
    RequiredIf {
        /// The argument that is looked at.
        arg: &'static str,
        /// Its value, as text.
        value: &'static str,
        /// What is then needed.
        needs: &'static [&'static str],
        /// Whether one of `needs` is enough.
        any: bool,
    },
    /// Where the first is given, all of the others.
    RequiredBy(&'static str, &'static [&'static str]),
}

/// The arguments that every module has which sets permissions: Ansible's "files" fragment.
pub const FILE_ARGS: &[Arg] = &[
    Arg::new(
        "mode",
        Kind::Mode,
        "The permissions: octal, symbolic, or `preserve` where supported.",
    ),
    Arg::new(
        "owner",
        Kind::Str,
        "The user that owns the file, by name or number.",
    ),
    Arg::new(
        "group",
        Kind::Str,
        "The group that owns the file, by name or number.",
    ),
    Arg::new("seuser", Kind::Str, "The user part of the SELinux context."),
    Arg::new("serole", Kind::Str, "The role part of the SELinux context."),
    Arg::new("setype", Kind::Str, "The type part of the SELinux context."),
    Arg::new(
        "selevel",
        Kind::Str,
        "The level part of the SELinux context.",
    ),
    Arg::new("attributes", Kind::Str, "The attributes, as for chattr.").aliases(&["attr"]),
    Arg::new(
        "unsafe_writes",
        Kind::Bool,
        "Whether to write in place where an atomic rename is impossible.",
    )
    .default(Default::Bool(false)),
];

impl Spec {
    /// All arguments.
    pub fn all_args(&self) -> impl Iterator<Item = &'static Arg> {
        self.args.iter().flat_map(|group| group.iter())
    }

    /// The argument of this name or alias.
    pub fn arg(&self, name: &str) -> Option<&'static Arg> {
        self.all_args()
            .find(|a| a.name == name || a.aliases.contains(&name))
    }

    /// Whether a name, short or full, means this module.
    pub fn is_called(&self, name: &str) -> bool {
        match name.rsplit_once('.') {
            None => name == self.name,
            Some((collection, short)) => {
                short == self.name
                    && (collection == self.collection
                        || (collection == "ansible.legacy" && self.collection == "ansible.builtin"))
            }
        }
    }

    /// The full name, `ansible.builtin.copy`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.collection, self.name)
    }
}
