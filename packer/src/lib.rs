//! Plan, assets and runner in; one executable file out.
//!
//! The packer compiles nothing: a runner is bytes to it, built once for each target and kept in the stub catalogue. What it writes is
//! described in `docs/FORMAT.md` and read by `rustle_formats::artifact`. The same request always gives the same bytes.
//!
//! [`pack`] is the way in.

mod attach;
mod cache;
pub mod catalogue;
mod collect;
mod content;
mod diff;
mod error;
mod inject;
mod inspect;
pub mod keys;
mod output;
pub mod overlay;
mod pack;
mod pipeline;
mod place;
mod progress;
mod reuse;
mod tables;
mod units;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use attach::attach_overlay;
pub use catalogue::{Catalogue, Flavour, StubInfo};
pub use collect::{AssetFrom, AssetSource, Recorded};
pub use diff::{Changes, DiffReport, diff};
pub use error::PackError;
pub use inspect::{
    AssetLine, FrameSums, Inspection, OpenArtifact, OverlayLine, PlayLine, TaskLine, inspect,
    open_artifact,
};
pub use pack::{FRAMES_WORTH_KEEPING, OverlayMaker, PackReport, PackRequest, level_for, pack};
pub use progress::{Phase, Progress, Silent};
pub use rustle_formats::artifact::{Method, Placement};

/// Where the sidecar of the artifact at `path` lies: beside it, with `.rustle-data` behind its name.
pub fn sidecar_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".rustle-data");
    name.into()
}
