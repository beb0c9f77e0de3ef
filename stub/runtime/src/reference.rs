//! The reference of all modules as Markdown, made from their SPECs: `docs/modules.md`.

use std::fmt::Write as _;

use crate::modules::MODULES;
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// The whole page.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Modules\n\nMade from the modules' own declarations: `UPDATE=1 cargo test -p rustle-runtime --test reference` writes \
         it anew.\nNames, aliases, types, choices and defaults are Ansible's.\n",
    );
    let mut specs: Vec<&Spec> = MODULES.iter().map(|m| m.spec()).collect();
    specs.sort_by_key(|s| (s.collection, s.name));
    let _ = writeln!(
        out,
        "\n| module | check mode | diff | acts on |\n| --- | --- | --- | --- |"
    );
    for spec in &specs {
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {} | {} |",
            spec.name,
            spec.name,
            support(spec.check),
            support(spec.diff),
            match (spec.place, spec.reach) {
                (Place::Engine, _) => "the run itself",
                (Place::Target, Reach::Local) => "the host alone",
                (Place::Target, Reach::Outside) => "what others may see",
            }
        );
    }
    for spec in specs {
        let _ = writeln!(
            out,
            "\n## {}\n\n{} (`{}`)\n",
            spec.name,
            spec.summary,
            spec.full_name()
        );
        if let Some(free) = spec.free_form {
            let _ = writeln!(out, "Free-form text goes to `{free}`.\n");
        }
        if spec.open {
            out.push_str("Takes any other argument as well.\n\n");
        }
        if spec.all_args().next().is_none() {
            continue;
        }
        out.push_str("| argument | type | default | meaning |\n| --- | --- | --- | --- |\n");
        for arg in spec.all_args() {
            argument(&mut out, arg);
        }
    }
    out
}

fn argument(out: &mut String, arg: &Arg) {
    let mut name = format!("`{}`", arg.name);
    for alias in arg.aliases {
        let _ = write!(name, ", `{alias}`");
    }
    let mut meaning = arg.doc.replace('|', "\\|");
    if !arg.choices.is_empty() {
        let _ = write!(meaning, " One of: {}.", arg.choices.join(", "));
    }
    if arg.secret {
        meaning.push_str(" Never shown.");
    }
    let default = match arg.default {
        _ if arg.required => "required".to_owned(),
        None => String::new(),
        Some(Default::Str("")) => "empty".to_owned(),
        Some(Default::Str(s)) => format!("`{}`", s.replace('|', "\\|").replace('\n', "\\n")),
        Some(Default::Bool(b)) => format!("`{b}`"),
        Some(Default::Int(i)) => format!("`{i}`"),
        Some(Default::EmptyList) => "`[]`".to_owned(),
        Some(Default::EmptyDict) => "`{}`".to_owned(),
    };
    let _ = writeln!(
        out,
        "| {name} | {} | {default} | {meaning} |",
        kind(arg.kind)
    );
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Str => "str".into(),
        Kind::Path => "path".into(),
        Kind::Bool => "bool".into(),
        Kind::Int => "int".into(),
        Kind::Float => "float".into(),
        Kind::List(element) => format!("list of {}", self::kind(*element)),
        Kind::Dict => "dict".into(),
        Kind::Raw => "any".into(),
        Kind::Mode => "mode".into(),
        Kind::Bytes => "bytes".into(),
        Kind::Json => "json".into(),
    }
}

fn support(support: Support) -> &'static str {
    match support {
        Support::Full => "full",
        Support::Partial => "in part",
        Support::None => "no",
    }
}
