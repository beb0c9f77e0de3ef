//! `template`: a text from the plan, rendered with the host's variables, put in place as `copy` does.

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::assets::{AssetEntry, AssetKind};
use crate::context::{Context, RenderRequest};
use crate::fsops::attrs::Wanted;
use crate::fsops::diff::{self, Side};
use crate::fsops::install::{Content, Job};
use crate::fsops::{errno, paths};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::vars;
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Template;

static SPEC: Spec = Spec {
    name: "template",
    collection: "ansible.builtin",
    summary: "Renders a template into a file on the machine.",
    args: &[FILE_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Local,
    place: Place::Target,
};

/// Templates above this size are refused: the text and the result are held in memory.
const LIMIT: u64 = 64 << 20;

const ARGS: &[Arg] = &[
    Arg::new("src", Kind::Path, "The template.")
        .required()
        .asset(),
    Arg::new("dest", Kind::Path, "Where to.").required(),
    Arg::new(
        "backup",
        Kind::Bool,
        "Whether a file that is replaced is kept aside.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "force",
        Kind::Bool,
        "Whether a file that is there is replaced.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "follow",
        Kind::Bool,
        "Whether links at the destination are followed.",
    )
    .default(Default::Bool(false)),
    Arg::new("validate", Kind::Str, "A command that checks the new file, `%s`."),
    Arg::new(
        "newline_sequence",
        Kind::Str,
        "What ends a line in the result.",
    )
    .choices(&["\\n", "\\r", "\\r\\n", "\n", "\r", "\r\n"])
    .default(Default::Str("\n")),
    Arg::new("block_start_string", Kind::Str, "What begins a block.").default(Default::Str("{%")),
    Arg::new("block_end_string", Kind::Str, "What ends a block.").default(Default::Str("%}")),
    Arg::new("variable_start_string", Kind::Str, "What begins an expression.")
        .default(Default::Str("{{")),
    Arg::new("variable_end_string", Kind::Str, "What ends an expression.")
        .default(Default::Str("}}")),
    Arg::new("comment_start_string", Kind::Str, "What begins a comment."),
    Arg::new("comment_end_string", Kind::Str, "What ends a comment."),
    Arg::new(
        "trim_blocks",
        Kind::Bool,
        "Whether the newline after a block is removed.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "lstrip_blocks",
        Kind::Bool,
        "Whether blanks before a block are removed.",
    )
    .default(Default::Bool(false)),
    Arg::new("output_encoding", Kind::Str, "The encoding of the result.")
        .default(Default::Str("utf-8")),
];

/// The options that the templating itself takes.
const OPTIONS: &[&str] = &[
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "trim_blocks",
    "lstrip_blocks",
];

impl Module for Template {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let src = args.text("src");
        let entry = ctx.find_asset(src, "templates")?;
        let entry = crate::modules::copy::resolve_asset(ctx, &entry)?;
        let dest_text = args.text("dest");
        let into_folder = paths::names_folder(dest_text);
        let mut dest = paths::expand(dest_text, ctx);
        if into_folder || dest.is_dir() {
            let name = src.rsplit('/').next().unwrap_or(src);
            dest = dest.join(name);
        }
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        let bytes = render(args, ctx, &entry, &name, &paths::shown(&dest))?;
        if !args.bool("force") && dest.exists() {
            return Ok(Outcome::ok()
                .with("dest", paths::shown(&dest))
                .with("src", name));
        }
        let wanted = Wanted::from_args(args);
        let wanted = match wanted.mode().and_then(Value::as_str) {
            Some("preserve") => wanted.with_mode(Some(Value::Int(i64::from(entry.mode & 0o7777)))),
            _ => wanted,
        };
        let content = Content::Bytes(bytes);
        if into_folder && !paths::parent(&dest).exists() {
            if ctx.check {
                content.rehearse(&dest, ctx)?;
                return Ok(predicted(&content, &name, ctx));
            }
            wanted.check()?;
            let folder = paths::parent(&dest);
            std::fs::create_dir_all(folder).map_err(|e| {
                Failure::new(format!(
                    "Could not create the folder {}: {}",
                    folder.display(),
                    errno::text(&e)
                ))
            })?;
        }
        Job {
            dest,
            content,
            header: name.clone(),
            src: name,
            wanted: &wanted,
            backup: args.bool("backup"),
            follow: args.bool("follow"),
            validate: args.str("validate"),
            unsafe_writes: args.bool("unsafe_writes"),
            checksum: None,
            ctx,
        }
        .run()
    }
}

/// Check mode where even the folder would have to be made.
fn predicted(content: &Content, name: &str, ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::changed(true);
    outcome.diff = ctx.diff.then(|| {
        Value::List(vec![diff::contents(
            Side::Text(String::new()),
            content.side(ctx),
            None,
            Some(name.to_owned()),
        )])
    });
    outcome
}

fn render(
    args: &Args,
    ctx: &Context<'_>,
    entry: &AssetEntry,
    name: &str,
    dest: &str,
) -> Result<Vec<u8>, Failure> {
    if !matches!(entry.kind, AssetKind::File { .. }) {
        return Err(Failure::new(format!("the template {name} is no file")));
    }
    let bytes = ctx
        .assets
        .read_to_vec(&entry.path, LIMIT)
        .map_err(|e| Failure::new(format!("Could not read {name}: {}", errno::text(&e))))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        Failure::new(format!(
            "Template source files must be utf-8 encoded: {name} has another byte at position {}",
            e.utf8_error().valid_up_to()
        ))
    })?;
    let variables = ctx
        .variables
        .ok_or_else(|| Failure::new("template needs the host's variables, which are not here"))?;
    let mut options = Map::new();
    for option in OPTIONS {
        if let Some(value) = args.get(option) {
            options.insert((*option).to_owned(), value.clone());
        }
    }
    let newline = match args.text("newline_sequence") {
        "\\n" => "\n",
        "\\r" => "\r",
        "\\r\\n" => "\r\n",
        other => other,
    };
    options.insert("newline_sequence".into(), newline.into());
    let managed = variables.has("ansible_managed");
    let mut about = vars::about_template(ctx.assets, &entry.path, args.text("src"), managed);
    about.insert("template_destpath".into(), dest.into());
    let request = RenderRequest {
        text: &text,
        name,
        about,
        options,
    };
    let rendered = variables.render(&request).map_err(Failure::new)?;
    encode(rendered, args.text("output_encoding"))
}

/// The result's bytes in the encoding that is asked for.
fn encode(text: String, encoding: &str) -> Result<Vec<u8>, Failure> {
    let highest = match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => return Ok(text.into_bytes()),
        "ascii" | "us-ascii" => 0x7f,
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => 0xff,
        _ => {
            return Err(Failure::new(format!(
                "output_encoding {encoding} is not supported: utf-8, latin-1 and ascii are"
            )));
        }
    };
    text.chars()
        .map(|c| {
            u8::try_from(u32::from(c))
                .ok()
                .filter(|b| *b <= highest)
                .ok_or_else(|| Failure::new(format!("{c:?} cannot be written in {encoding}")))
        })
        .collect()
}
