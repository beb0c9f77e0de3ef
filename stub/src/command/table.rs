//! Every option of the artifact's command line. The parser and the help are both made from this table.

/// What an option stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    Check,
    Diff,
    Tags,
    SkipTags,
    StartAt,
    ExtraVars,
    ForceHandlers,
    Timeout,
    Host,
    AskBecomePass,
    BecomePasswordFile,
    ListTasks,
    ListTags,
    Inspect,
    Json,
    Verify,
    Trusted,
    RequireSignature,
    CheckFirst,
    Extract,
    Report,
    Events,
    KeyFile,
    Identity,
    PassphraseFile,
    Overlay,
    Sidecar,
    WorkDir,
    JournalDir,
    LockFile,
    WaitLock,
    Verbose,
    Colour,
    NoColour,
    Help,
    Version,
}

/// One option.
pub(super) struct Opt {
    pub(super) id: Id,
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    /// What its value is called, if it takes one.
    pub(super) value: Option<&'static str>,
    pub(super) group: &'static str,
    pub(super) help: &'static str,
}

const WHAT: &str = "What to do";
const RUN: &str = "The run";
const SECRETS: &str = "Secrets and trust";
const TELL: &str = "What is told";
const PLACE: &str = "Places";

const fn flag(id: Id, long: &'static str, group: &'static str, help: &'static str) -> Opt {
    Opt {
        id,
        long,
        short: None,
        value: None,
        group,
        help,
    }
}

const fn with(
    id: Id,
    long: &'static str,
    value: &'static str,
    group: &'static str,
    help: &'static str,
) -> Opt {
    Opt {
        id,
        long,
        short: None,
        value: Some(value),
        group,
        help,
    }
}

const fn short(mut opt: Opt, c: char) -> Opt {
    opt.short = Some(c);
    opt
}

/// The table.
pub(super) const OPTIONS: &[Opt] = &[
    short(
        flag(
            Id::Check,
            "check",
            WHAT,
            "Change nothing; predict what a run would change.",
        ),
        'C',
    ),
    flag(
        Id::ListTasks,
        "list-tasks",
        WHAT,
        "List the tasks that a run would go through.",
    ),
    flag(Id::ListTags, "list-tags", WHAT, "List the tags."),
    flag(
        Id::Inspect,
        "inspect",
        WHAT,
        "Say what is inside: plan, tasks, assets, digests, signer.",
    ),
    flag(Id::Json, "json", WHAT, "With --inspect: as JSON."),
    flag(
        Id::Verify,
        "verify",
        WHAT,
        "Check every byte (and the signature, with --trusted); run nothing.",
    ),
    with(
        Id::Extract,
        "extract",
        "DIR",
        WHAT,
        "Unpack the assets into an empty folder; run nothing.",
    ),
    short(flag(Id::Help, "help", WHAT, "Print this."), 'h'),
    flag(
        Id::Version,
        "version",
        WHAT,
        "Print the runner's version and target.",
    ),
    short(
        flag(Id::Diff, "diff", RUN, "Show what changes in files."),
        'D',
    ),
    short(
        with(
            Id::Tags,
            "tags",
            "TAGS",
            RUN,
            "Only tasks with one of these tags.",
        ),
        't',
    ),
    with(
        Id::SkipTags,
        "skip-tags",
        "TAGS",
        RUN,
        "No tasks with one of these tags.",
    ),
    with(
        Id::StartAt,
        "start-at-task",
        "NAME",
        RUN,
        "Begin with the task of this name.",
    ),
    short(
        with(
            Id::ExtraVars,
            "extra-vars",
            "VARS",
            RUN,
            "Variables that win over all others: k=v, JSON, or @FILE.",
        ),
        'e',
    ),
    flag(
        Id::ForceHandlers,
        "force-handlers",
        RUN,
        "Run handlers even where a task failed.",
    ),
    with(
        Id::Timeout,
        "timeout",
        "SECONDS",
        RUN,
        "How long the whole run may take.",
    ),
    with(
        Id::Host,
        "host",
        "NAME",
        RUN,
        "The host of the plan that this machine is.",
    ),
    short(
        flag(
            Id::AskBecomePass,
            "ask-become-pass",
            RUN,
            "Ask for the password for becoming another user.",
        ),
        'K',
    ),
    with(
        Id::BecomePasswordFile,
        "become-password-file",
        "FILE",
        RUN,
        "A file with that password.",
    ),
    flag(
        Id::CheckFirst,
        "check-first",
        RUN,
        "Check every byte of the artifact before the first task.",
    ),
    with(
        Id::WaitLock,
        "wait-lock",
        "SECONDS",
        RUN,
        "Wait so long for another run on this machine to end.",
    ),
    with(
        Id::KeyFile,
        "key-file",
        "FILE",
        SECRETS,
        "The key that opens the secrets. Also: RUSTLE_ENCRYPTION_KEY.",
    ),
    with(
        Id::Identity,
        "identity",
        "FILE",
        SECRETS,
        "The X25519 identity that opens the secrets.",
    ),
    with(
        Id::PassphraseFile,
        "passphrase-file",
        "FILE",
        SECRETS,
        "A file with the passphrase; else it is asked for on a terminal.",
    ),
    with(
        Id::Overlay,
        "overlay",
        "FILE",
        SECRETS,
        "A host's overlay: its variables and secrets.",
    ),
    with(
        Id::Trusted,
        "trusted",
        "FILE",
        SECRETS,
        "Public keys; the artifact must be signed by one of them.",
    ),
    flag(
        Id::RequireSignature,
        "require-signature",
        SECRETS,
        "Refuse an artifact that is not signed by a key of --trusted.",
    ),
    with(
        Id::Report,
        "report",
        "FILE",
        TELL,
        "Write the run's report as JSON (`-`: standard output, in place of the text).",
    ),
    with(
        Id::Events,
        "events",
        "FILE",
        TELL,
        "Write events as they happen, one JSON a line (`-`: in place of the text).",
    ),
    short(
        flag(Id::Verbose, "verbose", TELL, "Say more; -vv still more."),
        'v',
    ),
    flag(
        Id::Colour,
        "color",
        TELL,
        "Colours, even where the output is no terminal.",
    ),
    flag(
        Id::NoColour,
        "no-color",
        TELL,
        "No colours. Also: NO_COLOR.",
    ),
    with(
        Id::Sidecar,
        "sidecar",
        "FILE",
        PLACE,
        "The sidecar of an artifact that was packed with --stream.",
    ),
    with(
        Id::WorkDir,
        "work-dir",
        "DIR",
        PLACE,
        "Where the private folder for temporary files is made.",
    ),
    with(
        Id::JournalDir,
        "journal-dir",
        "DIR",
        PLACE,
        "Where the run's events are kept.",
    ),
    with(
        Id::LockFile,
        "lock-file",
        "FILE",
        PLACE,
        "The file that keeps two runs on one machine apart.",
    ),
];
