//! What changed from one artifact to the next, and what of it a host that has the old one still needs.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rustle_formats::artifact::{Entry, FrameRecord};
use rustle_formats::plan::ExecutionPlan;
use serde::Serialize;

use crate::PackError;
use crate::inspect::{OpenArtifact, open_artifact, printable};

/// Names that were added, removed or changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// Only in the new one.
    pub added: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
    /// In both, and different.
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The difference between two artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffReport {
    /// Whether the roots are the same: then so is everything else.
    pub same: bool,
    /// Tasks by id (by name where they have none).
    pub tasks: Changes,
    /// Assets by path.
    pub assets: Changes,
    /// Whether plays, variables or the run's configuration changed beyond the tasks.
    pub plan_changed: bool,
    /// How many of the new one's frames the old one has too.
    pub frames_shared: u32,
    /// How many frames the new one has.
    pub frames: u32,
    /// The stored bytes of the frames that are shared.
    pub bytes_shared: u64,
    /// The bytes that a host with the old one needs: frames that are not shared, tables, header and overlay.
    pub bytes_to_send: u64,
}

/// Compares the artifacts at `old` and `new`.
///
/// # Errors
/// When one of them cannot be opened or its tables are damaged.
pub fn diff(old: &Path, new: &Path) -> Result<DiffReport, PackError> {
    let (a, b) = (open_artifact(old)?, open_artifact(new)?);
    let plan_a = a.plan().map_err(PackError::artifact(old))?;
    let plan_b = b.plan().map_err(PackError::artifact(new))?;
    let held: HashSet<[u8; 32]> = a.table().records().iter().map(|r| r.digest).collect();
    let (shared, fresh): (Vec<&FrameRecord>, Vec<&FrameRecord>) = b
        .table()
        .records()
        .iter()
        .partition(|r| held.contains(&r.digest));
    let bytes =
        |records: &[&FrameRecord]| records.iter().map(|r| u64::from(r.stored_len)).sum::<u64>();
    let tables = b.header().payload_len - b.header().frame_table_offset
        + rustle_formats::artifact::Header::LEN as u64;
    Ok(DiffReport {
        same: a.root() == b.root(),
        tasks: task_changes(&plan_a, &plan_b),
        assets: asset_changes(&a, old, &b, new)?,
        plan_changed: without_tasks(plan_a) != without_tasks(plan_b),
        frames_shared: shared.len() as u32,
        frames: b.frame_count(),
        bytes_shared: bytes(&shared),
        bytes_to_send: bytes(&fresh) + tables + b.slot().overlay_len,
    })
}

fn task_changes(a: &ExecutionPlan, b: &ExecutionPlan) -> Changes {
    let key = |t: &rustle_formats::plan::Task| {
        if t.id.is_empty() {
            t.name.clone()
        } else {
            t.id.clone()
        }
    };
    let old: HashMap<String, _> = a.tasks().map(|t| (key(t), t)).collect();
    let mut out = Changes::default();
    let mut kept = HashSet::new();
    for task in b.tasks() {
        let name = key(task);
        match old.get(&name) {
            None => out.added.push(name),
            Some(before) => {
                if *before != task {
                    out.changed.push(name.clone());
                }
                kept.insert(name);
            }
        }
    }
    out.removed = a
        .tasks()
        .map(key)
        .filter(|name| !kept.contains(name))
        .collect();
    out
}

fn without_tasks(mut plan: ExecutionPlan) -> ExecutionPlan {
    for play in &mut plan.plays {
        play.batches.clear();
        play.handlers.clear();
    }
    for role in plan.roles.values_mut() {
        role.tasks.clear();
        role.handlers.clear();
    }
    plan.task_files.clear();
    plan.total_tasks = None;
    plan
}

/// Both lists are sorted: one pass over the two.
fn asset_changes(
    a: &OpenArtifact,
    old: &Path,
    b: &OpenArtifact,
    new: &Path,
) -> Result<Changes, PackError> {
    let mut out = Changes::default();
    let (mut left, mut right) = (a.assets().peekable(), b.assets().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ok(out),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(Ok(x)), Some(Ok(y))) => x.path.cmp(&y.path),
            (Some(_), Some(_)) => std::cmp::Ordering::Equal,
        };
        let x = if order.is_le() {
            left.next().transpose().map_err(PackError::artifact(old))?
        } else {
            None
        };
        let y = if order.is_ge() {
            right.next().transpose().map_err(PackError::artifact(new))?
        } else {
            None
        };
        match (x, y) {
            (Some(x), Some(y)) if !same(&x, &y) => out.changed.push(printable(&y.path)),
            (Some(x), None) => out.removed.push(printable(&x.path)),
            (None, Some(y)) => out.added.push(printable(&y.path)),
            _ => {}
        }
    }
}

/// Whether two assets are the same for a host; where their contents lie does not matter.
fn same(a: &Entry, b: &Entry) -> bool {
    use rustle_formats::artifact::Kind::File;
    let kinds = match (&a.kind, &b.kind) {
        (File { digest: x, .. }, File { digest: y, .. }) => x == y,
        (x, y) => x == y,
    };
    kinds && (a.mode, a.mtime, a.owner) == (b.mode, b.mtime, b.owner)
}
