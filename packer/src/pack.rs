//! The whole of packing, step by step.

use std::path::PathBuf;
use std::sync::Arc;

use rustle_formats::artifact::{
    Encoder, FrameRecord, FrameTable, Header, MANIFEST_VERSION, MAX_FRAMES, MAX_OVERLAY, MAX_PLAN,
    Manifest, Method, Placement, SIDECAR_HEADER_LEN, Slot, codec_name, flags, outside_digest,
    outside_ranges, overlay_digest, sidecar_header,
};
use rustle_formats::plan::{ExecutionPlan, PLAN_VERSION};
use rustle_formats::sign::{SecretKey, sign_root};

use crate::cache::Cache;
use crate::collect::{self, AssetSource, Node, NodeKind, Recorded};
use crate::output::{Made, Output};
use crate::pipeline::{self, Codec, FrameSink, Job, Placed};
use crate::place::Layout;
use crate::reuse::{Base, Reuse};
use crate::units::plan_units;
use crate::{PackError, Phase, Progress, sidecar_path, tables};

/// Frames of at most so many bytes of assets are kept in the cache folder. For more, writing everything twice costs more
/// than it saves; an earlier artifact does as well there.
pub const FRAMES_WORTH_KEEPING: u64 = 50_000_000;

/// Makes the overlay of an artifact once its root is known.
pub type OverlayMaker<'a> = Box<dyn FnOnce(&[u8; 32]) -> Result<Vec<u8>, PackError> + 'a>;

/// What to pack, and how. [`PackRequest::new`] gives the defaults.
pub struct PackRequest<'a> {
    /// The plan: shared, because a large one is packed for several targets.
    pub plan: Arc<ExecutionPlan>,
    /// The files that its tasks need.
    pub assets: Vec<AssetSource>,
    /// The runner's bytes.
    pub stub: Vec<u8>,
    /// The runner's target triple.
    pub target: String,
    /// The file to be written.
    pub output: PathBuf,
    /// How frames are compressed. Default: zstd.
    pub method: Method,
    /// The level of that. Default: by the assets' size (see [`level_for`]).
    pub level: Option<i32>,
    /// How many threads work; 0, the default: as many as there are cores.
    pub threads: usize,
    /// How the payload is joined to the runner. Default: appended.
    pub placement: Placement,
    /// Whether contents go to a sidecar file. Default: no.
    pub stream: bool,
    /// The key to sign with. Default: not signed.
    pub signer: Option<&'a SecretKey>,
    /// Whether the artifact refuses to run without an overlay. Default: no.
    pub needs_overlay: bool,
    /// Makes an overlay to put in. Default: none.
    pub overlay: Option<OverlayMaker<'a>>,
    /// An earlier artifact, whose frames are taken over where they did not change.
    pub base: Option<PathBuf>,
    /// A folder for digests of unchanged files.
    pub cache: Option<PathBuf>,
    /// Whether compressed frames are kept in the cache folder too, up to [`FRAMES_WORTH_KEEPING`]. Default: no.
    pub cache_frames: bool,
    /// What is recorded of assets beyond content and mode.
    pub recorded: Recorded,
}

impl PackRequest<'_> {
    /// A request with nothing but the defaults.
    pub fn new(
        plan: impl Into<Arc<ExecutionPlan>>,
        stub: Vec<u8>,
        target: impl Into<String>,
        output: impl Into<PathBuf>,
    ) -> Self {
        Self {
            plan: plan.into(),
            assets: Vec::new(),
            stub,
            target: target.into(),
            output: output.into(),
            method: Method::Zstd,
            level: None,
            threads: 0,
            placement: Placement::Append,
            stream: false,
            signer: None,
            needs_overlay: false,
            overlay: None,
            base: None,
            cache: None,
            cache_frames: false,
            recorded: Recorded::default(),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PackReport {
    /// The artifact.
    pub output: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// Its sidecar, if it has one.
    pub sidecar: Option<PathBuf>,
    /// The sidecar's bytes; 0 without one.
    pub sidecar_size: u64,
    /// The root, in hexadecimal.
    pub root: String,
    /// How many assets it holds, folders and links included.
    pub assets: u64,
    /// How many of them are files.
    pub files: u64,
    /// The bytes of all files before deduplication and compression.
    pub total_bytes: u64,
    /// How many frames hold contents.
    pub data_frames: u32,
    /// How many of those were taken over from the earlier artifact or the cache.
    pub reused_frames: u32,
    /// The method and level that were used.
    pub method: Method,
    /// See `method`.
    pub level: i32,
}

/// The compression level for assets of so many bytes, when none is asked for: the method's default, but harder from 50 to
/// 200 MB, where a smaller file to send is worth some seconds; above, time counts again.
pub fn level_for(method: Method, total_bytes: u64) -> i32 {
    const MB: u64 = 1_000_000;
    match method {
        Method::Zstd if (50 * MB..200 * MB).contains(&total_bytes) => 6,
        _ => Encoder::default_level(method),
    }
}

/// Packs. The output appears under its name only when it is whole.
///
/// # Errors
/// See [`PackError`]. Nothing is left behind.
pub fn pack(
    request: PackRequest<'_>,
    progress: &mut dyn Progress,
) -> Result<PackReport, PackError> {
    progress.begin(Phase::Collect, 0);
    let threads = match request.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let nodes = collect::collect(&request.assets, request.recorded, threads)?;
    u32::try_from(nodes.len()).map_err(|_| PackError::Request("too many assets".into()))?;
    let files = nodes
        .iter()
        .filter(|n| matches!(n.kind, NodeKind::File(_)))
        .count() as u64;
    let total_bytes = nodes
        .iter()
        .map(|n| n.size())
        .fold(0u64, u64::saturating_add);
    let level = request
        .level
        .unwrap_or_else(|| level_for(request.method, total_bytes));
    let codec = Codec {
        method: request.method,
        level,
    };
    let reuse = Reuse {
        base: request
            .base
            .as_deref()
            .map(|path| Base::open(path, codec))
            .transpose()?,
        cache: request
            .cache
            .as_deref()
            .map(|dir| {
                Cache::open(
                    dir,
                    request.cache_frames && total_bytes <= FRAMES_WORTH_KEEPING,
                )
            })
            .transpose()?,
    };
    let layout = Layout::new(&request.stub, request.placement)?;
    let units = plan_units(&nodes);
    let stream = request.stream && !units.units.is_empty();

    progress.begin(Phase::Compress, total_bytes);
    let expected = reuse.base.as_ref().and_then(Base::sizes);
    let mut writer = Writer::create(&request, layout, stream, expected, progress)?;
    let job = Job {
        nodes: &nodes,
        units: &units,
        codec,
        threads,
        reuse: &reuse,
    };
    let placed = pipeline::run(&job, &mut writer)?;
    writer.progress.begin(Phase::Finish, 0);
    let manifest = manifest_of(&request, codec, files, total_bytes);
    let counts = writer.tables(&request.plan, &manifest, &nodes, &placed, codec, threads)?;
    let mut report = writer.finish(request, counts, nodes.len() as u32)?;
    (report.files, report.total_bytes) = (files, total_bytes);
    (report.method, report.level) = (codec.method, codec.level);
    if let Some(cache) = reuse.cache {
        cache.remember(&nodes, &placed);
    }
    Ok(report)
}

fn manifest_of(request: &PackRequest<'_>, codec: Codec, files: u64, total_bytes: u64) -> Manifest {
    Manifest {
        tool: concat!("rustle ", env!("CARGO_PKG_VERSION")).into(),
        target: request.target.clone(),
        name: request.plan.metadata.name.clone().unwrap_or_default(),
        tasks: request.plan.tasks().count() as u64,
        hosts: request.plan.hosts.keys().cloned().collect(),
        method: codec.method,
        level: codec.level,
        codec: codec_name(codec.method),
        files,
        total_bytes,
        times: request.recorded.times,
        owners: request.recorded.owners,
    }
}

/// How many frames of each kind were written, and where the index begins.
struct Counts {
    data: u32,
    index: u32,
    plan: u32,
    plan_len: u64,
    index_at: u64,
}

/// The output, and its frame table as it grows.
struct Writer<'p> {
    output: Output,
    sidecar: Option<Output>,
    layout: Layout,
    table: Vec<u8>,
    frames: u32,
    reused: u32,
    progress: &'p mut dyn Progress,
}

impl FrameSink for Writer<'_> {
    fn write(&mut self, frame: Made, plain_bytes: u64) -> Result<(), PackError> {
        self.count(&frame)?;
        if matches!(frame, Made::Elsewhere { .. } | Made::Kept { .. }) {
            self.reused += 1;
        }
        match &mut self.sidecar {
            Some(sidecar) => sidecar.append_made(frame)?,
            None => self.output.append_made(frame)?,
        }
        self.progress.advance(plain_bytes);
        Ok(())
    }

    fn skip(&mut self, plain_bytes: u64) {
        self.progress.advance(plain_bytes);
    }
}

impl<'p> Writer<'p> {
    fn create(
        request: &PackRequest<'_>,
        layout: Layout,
        stream: bool,
        expected: Option<(u64, u64)>,
        progress: &'p mut dyn Progress,
    ) -> Result<Self, PackError> {
        let mut output = Output::create(&request.output)?;
        if let Some((bytes, _)) = expected {
            output.expect(bytes);
        }
        output.append(&layout.prefix)?;
        output.append(&[0; Header::LEN])?;
        let sidecar = if stream {
            let mut sidecar = Output::create(&sidecar_path(&request.output))?;
            if let Some((_, beside)) = expected {
                sidecar.expect(beside);
            }
            sidecar.append(&[0; SIDECAR_HEADER_LEN])?;
            Some(sidecar)
        } else {
            None
        };
        Ok(Self {
            output,
            sidecar,
            layout,
            table: Vec::new(),
            frames: 0,
            reused: 0,
            progress,
        })
    }

    fn count(&mut self, frame: &Made) -> Result<(), PackError> {
        if self.frames == MAX_FRAMES {
            return Err(PackError::Request(
                "the assets need more frames than an artifact can have".into(),
            ));
        }
        self.frames += 1;
        frame.record().encode(&mut self.table);
        Ok(())
    }

    /// Writes a frame that is not content.
    fn inner(&mut self, frame: Made) -> Result<(), PackError> {
        self.count(&frame)?;
        self.output.append_made(frame)
    }

    fn tables(
        &mut self,
        plan: &ExecutionPlan,
        manifest: &Manifest,
        nodes: &[Node],
        placed: &[Placed],
        codec: Codec,
        threads: usize,
    ) -> Result<Counts, PackError> {
        let data = self.frames;
        let index_at = self.output.len() - self.layout.payload_offset();
        let mut write = |made: Made| self.inner(made);
        let (index, directory) = tables::write_index(nodes, placed, codec, threads, &mut write)?;
        let unwritable =
            |e: postcard::Error| PackError::Request(format!("the plan cannot be written: {e}"));
        let manifest = postcard::to_stdvec(manifest).map_err(unwritable)?;
        let plan = postcard::to_stdvec(plan).map_err(unwritable)?;
        if plan.len() as u64 > MAX_PLAN {
            return Err(PackError::Request("the plan has more than 1 GiB".into()));
        }
        let plan_len = plan.len() as u64;
        let mut last = vec![directory, manifest];
        last.extend(tables::plan_frames(&plan));
        let plan = last.len() as u32 - 2;
        for made in tables::compress(&last, codec, threads)? {
            self.inner(made)?;
        }
        Ok(Counts {
            data,
            index,
            plan,
            plan_len,
            index_at,
        })
    }

    /// The header, all but the signature, for a payload whose last bytes, `table`, were just written.
    fn header(
        &mut self,
        request: &PackRequest<'_>,
        counts: &Counts,
        assets: u32,
        table: &[u8],
    ) -> Result<Header, PackError> {
        let payload_offset = self.layout.payload_offset();
        let payload_len = self.output.len() - payload_offset;
        let sidecar_len = self.sidecar.as_ref().map_or(0, Output::len);
        self.layout.set_lengths(payload_len, 0)?;
        let (slot_offset, placement) = (self.layout.slot_offset, self.layout.placement);
        let damaged = |e| PackError::Stub(format!("{e}"));
        let outside = outside_ranges(
            self.layout.prefix.as_slice(),
            placement,
            slot_offset,
            payload_offset,
        );
        let outside = outside.map_err(damaged)?;
        let mut bits = if sidecar_len > 0 { flags::SIDECAR } else { 0 };
        bits |= if request.needs_overlay {
            flags::NEEDS_OVERLAY
        } else {
            0
        };
        bits |= if request.signer.is_some() {
            flags::SIGNED
        } else {
            0
        };
        Ok(Header {
            asset_table_offset: counts.index_at,
            asset_count: assets,
            flags: bits,
            placement,
            payload_len,
            frame_table_offset: payload_len - table.len() as u64,
            frame_count: (table.len() / FrameRecord::LEN) as u32,
            data_frames: counts.data,
            index_frames: counts.index,
            plan_frames: counts.plan,
            plan_len: counts.plan_len,
            plan_version: PLAN_VERSION,
            manifest_version: MANIFEST_VERSION,
            sidecar_len,
            outside_len: outside.len(),
            table_digest: FrameTable::digest_of(table),
            outside_digest: outside_digest(self.layout.prefix.as_slice(), &outside)
                .map_err(damaged)?,
            signer: request
                .signer
                .map_or([0; 32], |key| *key.public("").as_bytes()),
            signature: [0; 64],
        })
    }

    /// Writes frame table, overlay, header, slot and footer, and gives the files their names.
    fn finish(
        mut self,
        request: PackRequest<'_>,
        counts: Counts,
        assets: u32,
    ) -> Result<PackReport, PackError> {
        let payload_offset = self.layout.payload_offset();
        let table = std::mem::take(&mut self.table);
        self.output.append(&table)?;
        let payload_len = self.output.len() - payload_offset;
        let mut header = self.header(&request, &counts, assets, &table)?;
        let (slot_offset, placement) = (self.layout.slot_offset, self.layout.placement);
        let sidecar_len = header.sidecar_len;
        let root = header.root();
        if let Some(key) = request.signer {
            header.signature = sign_root(key, &root).bytes;
        }
        let mut slot = Slot {
            placement,
            payload_offset,
            payload_len,
            root,
            overlay_offset: 0,
            overlay_len: 0,
            overlay_digest: [0; 32],
            slot_offset,
        };
        self.output.patch(payload_offset, &header.encode())?;
        if let Some(make) = request.overlay {
            self.overlay(&mut slot, &make(&root)?)?;
        }
        self.layout.set_slot(&slot);
        self.output.patch(0, &self.layout.prefix)?;
        if placement == Placement::Append {
            self.output.append(&slot.encode_footer())?;
        }
        let size = self.output.len();
        let sidecar = match self.sidecar {
            Some(mut sidecar) => {
                sidecar.patch(0, &sidecar_header(&header.table_digest, sidecar_len))?;
                sidecar.persist(0o644)?;
                Some(sidecar_path(&request.output))
            }
            None => None,
        };
        self.output.persist(0o755)?;
        Ok(PackReport {
            output: request.output,
            size,
            sidecar,
            sidecar_size: sidecar_len,
            root: root.iter().map(|b| format!("{b:02x}")).collect(),
            assets: u64::from(assets),
            files: 0,
            total_bytes: 0,
            data_frames: counts.data,
            reused_frames: self.reused,
            method: Method::default(),
            level: 0,
        })
    }

    fn overlay(&mut self, slot: &mut Slot, bytes: &[u8]) -> Result<(), PackError> {
        put_overlay(slot, bytes)?;
        self.layout
            .set_lengths(slot.payload_len, slot.overlay_len)?;
        self.output.append(bytes)
    }
}

/// Enters an overlay into a slot.
pub(crate) fn put_overlay(slot: &mut Slot, bytes: &[u8]) -> Result<(), PackError> {
    if bytes.is_empty() || bytes.len() as u64 > MAX_OVERLAY {
        return Err(PackError::Request(
            "an overlay has 1 byte to 256 MiB".into(),
        ));
    }
    slot.overlay_offset = slot.payload_offset + slot.payload_len;
    slot.overlay_len = bytes.len() as u64;
    slot.overlay_digest = overlay_digest(bytes);
    Ok(())
}
