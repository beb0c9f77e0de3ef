//! Modules that Python imports from the archive that came with the plan. The archive has a program of its own
//! (`cli/modules/src/main.py`), which is given the module's name and, on its standard input, the arguments: they are never
//! in a file, in the environment or in a list of processes.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustle_formats::plan::PYTHON_BUNDLE;
use rustle_formats::{Map, Value};

use super::{answer, given, interpreter};
use crate::context::Context;
use crate::fsops::private::PrivateFolder;
use crate::outcome::{Failure, ModuleResult};
use crate::process::Run;

/// Runs the module `name`, which is imported as `import`.
pub(super) fn run(name: &str, import: &str, args: &Map, ctx: &Context<'_>) -> ModuleResult {
    let cannot = |e: io::Error| Failure::new(format!("cannot prepare the module '{name}': {e}"));
    let command = interpreter::python(name, ctx)?;
    let folder = PrivateFolder::new(ctx.work_dir, "module").map_err(cannot)?;
    // In a folder that lasts, the next module finds the archive unpacked, and what it imports compiled.
    let around = if ctx.lasting {
        ctx.work_dir
    } else {
        folder.path()
    };
    let archive = archive(around, ctx).map_err(cannot)?;
    let mut input = Map::new();
    let given = given::all(name, args, folder.path(), ctx);
    input.insert("ANSIBLE_MODULE_ARGS".into(), Value::Map(given));
    let input = serde_json::to_vec(&input).map_err(|e| cannot(e.into()))?;
    let done = Run::new(&command[0])
        .args(&command[1..])
        .arg(&archive)
        .arg(import)
        .stdin(input)
        .within(ctx)
        .run()?;
    answer::read(&done, ctx.diff)
}

/// The archive in a folder, written there by whoever comes first.
fn archive(folder: &Path, ctx: &Context<'_>) -> io::Result<PathBuf> {
    let path = folder.join("python.zip");
    if path.exists() {
        return Ok(path);
    }
    let own = folder.join(format!("python.zip.{}", std::process::id()));
    let mut file: File = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&own)?;
    ctx.assets.read(PYTHON_BUNDLE.as_bytes(), &mut file)?;
    file.flush()?;
    std::fs::rename(&own, &path)?;
    Ok(path)
}
