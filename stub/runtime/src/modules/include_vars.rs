//! `include_vars`: reads variables from files that came with the plan. The engine keeps them.

use rustle_formats::order;
use rustle_formats::{Map, Value, lay};

use crate::args::Args;
use crate::assets::{AssetEntry, AssetKind};
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::pyregex::{Flags, Flavor, PyRegex};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct IncludeVars;

/// The largest file that is read.
const MAX_FILE: u64 = 64 << 20;

static SPEC: Spec = Spec {
    name: "include_vars",
    collection: "ansible.builtin",
    summary: "Reads variables from YAML or JSON files of the plan.",
    args: &[&[
        Arg::new("file", Kind::Str, "The file.").asset(),
        Arg::new("dir", Kind::Str, "A folder; its files are read in the order of their names.").asset(),
        Arg::new("name", Kind::Str, "A variable to put them all into."),
        Arg::new("depth", Kind::Int, "How deep folders are searched; 0: as deep as they go.")
            .default(Default::Int(0)),
        Arg::new("files_matching", Kind::Str, "A regular expression; only files of `dir` are read in whose names it is found."),
        Arg::new("ignore_files", Kind::List(&Kind::Str), "Names of files that are passed over.")
            .default(Default::EmptyList),
        Arg::new("extensions", Kind::List(&Kind::Str), "Endings of files that are read. Default: json, yaml, yml."),
        Arg::new("hash_behaviour", Kind::Str, "Whether mappings replace the variable of their name or are merged into it.")
            .choices(&["replace", "merge"]),
        Arg::new("ignore_unknown_extensions", Kind::Bool, "Whether other files in `dir` are passed over.")
            .default(Default::Bool(false)),
    ]],
    free_form: Some("file"),
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

impl Module for IncludeVars {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if args.has("file") && args.has("dir") {
            return Err(Failure::new(
                "Task failed: You are mixing file only and dir only arguments, these are incompatible",
            ));
        }
        let mut names = Vec::new();
        let vars = match load(args, ctx, &mut names) {
            Ok(vars) => vars,
            // Ansible says why under another name, and that it does not know.
            Err(why) => {
                return Err(Failure::new("Task failed: Action failed: Unknown error.")
                    .with("ansible_facts", Map::new())
                    .with("ansible_included_var_files", names)
                    .with("message", why.msg));
            }
        };
        let mut facts = match args.str("name") {
            Some(name) => Map::from_iter([(name.to_owned(), Value::Map(vars))]),
            None => vars,
        };
        if let (Some("merge"), Some(known)) = (args.str("hash_behaviour"), ctx.variables) {
            for (name, value) in &mut facts {
                if let Some(Value::Map(old)) = known.get(name).map_err(Failure::new)?
                    && let Value::Map(new) = value
                {
                    let over = std::mem::replace(new, old);
                    lay(new, &over, true);
                }
            }
        }
        Ok(Outcome {
            facts,
            ..Outcome::ok().with("ansible_included_var_files", names)
        })
    }
}

/// The variables of what is asked for. `names` receives the files that were read.
fn load(args: &Args, ctx: &Context<'_>, names: &mut Vec<String>) -> Result<Map, Failure> {
    let mut vars = Map::new();
    let entries = match (args.str("file"), args.str("dir")) {
        (Some(file), _) => vec![ctx.find_asset(file.trim_end_matches('\n'), "vars")?],
        (None, Some(dir)) => files(args, ctx, &ctx.find_asset(dir, "vars")?)?,
        (None, None) => {
            return Err(Failure::new(
                "Could not find file on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option",
            ));
        }
    };
    for entry in entries {
        vars.extend(read(ctx, &entry)?);
        names.push(String::from_utf8_lossy(&entry.path).into_owned());
    }
    Ok(vars)
}

/// The files of a folder that are meant, in the order of their names.
fn files(args: &Args, ctx: &Context<'_>, folder: &AssetEntry) -> Result<Vec<AssetEntry>, Failure> {
    let below = ctx
        .assets
        .below(&folder.path)
        .map_err(|e| Failure::new(format!("cannot read the assets: {e}")))?;
    let depth = args.int("depth").unwrap_or(0);
    let endings = args
        .list("extensions")
        .unwrap_or_else(|| ["json", "yaml", "yml"].map(str::to_owned).to_vec());
    let ignored = args.list("ignore_files").unwrap_or_default();
    let wanted = match args.str("files_matching") {
        Some(pattern) => Some(
            PyRegex::new(pattern, Flavor::Text, Flags::default())
                .map_err(|e| Failure::new(format!("files_matching: {e}")))?,
        ),
        None => None,
    };
    let mut out = Vec::new();
    for entry in below {
        if !matches!(entry.kind, AssetKind::File { .. }) {
            continue;
        }
        let path = String::from_utf8_lossy(entry.path.get(folder.path.len() + 1..).unwrap_or_default()).into_owned();
        let levels = path.split('/').count();
        let name = path.rsplit('/').next().unwrap_or_default();
        if (depth > 0 && i64::try_from(levels).is_ok_and(|l| l > depth))
            || ignored.iter().any(|i| i == name)
        {
            continue;
        }
        let ending = name.rsplit_once('.').map_or("", |(_, e)| e);
        if !endings.iter().any(|e| e.trim_start_matches('.') == ending) {
            if args.bool("ignore_unknown_extensions") {
                continue;
            }
            return Err(Failure::new(format!(
                "{path} does not have a valid extension: {}",
                endings.join(", ")
            )));
        }
        if wanted.as_ref().is_none_or(|pattern| pattern.is_match(name)) {
            out.push((place(&path), entry));
        }
    }
    order::sort_by(&mut out, |a, b| a.0.cmp(&b.0));
    Ok(out.into_iter().map(|(_, entry)| entry).collect())
}

/// What files are sorted by: those of a folder come before those of the folders in it.
fn place(path: &str) -> (Vec<String>, String) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folders = folder.split('/').filter(|f| !f.is_empty());
    (folders.map(str::to_owned).collect(), name.to_owned())
}

fn read(ctx: &Context<'_>, entry: &AssetEntry) -> Result<Map, Failure> {
    let name = String::from_utf8_lossy(&entry.path).into_owned();
    let bytes = ctx
        .assets
        .read_to_vec(&entry.path, MAX_FILE)
        .map_err(|e| Failure::new(format!("cannot read {name}: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{name} is not UTF-8")))?;
    let value = rustle_template::parse_yaml(&text)
        .and_then(|v| v.to_formats())
        .map_err(|e| Failure::new(format!("{name}: {}", e.message())))?;
    match value {
        Value::Map(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(Failure::new(format!(
            "{name} must be stored as a dictionary/hash"
        ))),
    }
}
