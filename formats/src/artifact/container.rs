//! Reading an artifact: opening it cheaply, looking assets up, and reading their contents with every digest checked.

use std::io::Write;
use std::sync::Arc;

use super::codec::Decoder;
use super::frame::{FrameRecord, FrameTable};
use super::header::{Header, flags};
use super::index::{Chunk, Entry, Kind, PageInfo, decode_directory, decode_page};
use super::locate::{check_footer, find_payload};
use super::manifest::{MANIFEST_VERSION, Manifest};
use super::recent::Cache;
use super::sidecar::check_sidecar;
use super::slot::{Placement, SLOT_LEN, Slot};
use super::verify::overlay_digest;
use super::{ArtifactError, MAX_OVERLAY, ReadAt, SLOT_SECTION, section};
use crate::plan::{ExecutionPlan, PLAN_VERSION};
use crate::sign::Signature;

/// How many decompressed frames are kept for the next small file, and how many index pages.
const CACHED_FRAMES: usize = 2;
const CACHED_PAGES: usize = 8;

/// An open artifact. Header, frame table, index directory and manifest were checked against the slot; the rest is checked when
/// it is read.
pub struct Container<R> {
    file: R,
    slot: Slot,
    payload_at: u64,
    header: Header,
    root: [u8; 32],
    table: FrameTable,
    pages: Vec<PageInfo>,
    manifest: Manifest,
    sidecar: Option<Box<dyn ReadAt>>,
    frame_cache: Cache<Vec<u8>>,
    page_cache: Cache<Vec<Entry>>,
}

/// Where a frame lies and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameInfo {
    /// Whether it lies in the sidecar.
    pub in_sidecar: bool,
    /// Its first byte, from the start of the artifact's file, or of the sidecar's.
    pub offset: u64,
    /// Its record.
    pub record: FrameRecord,
}

/// Memory for reading frames one after the other.
#[derive(Default)]
pub struct FrameScratch {
    stored: Vec<u8>,
    plain: Vec<u8>,
    decoder: Decoder,
}

impl<R: ReadAt> Container<R> {
    /// Opens the artifact in `file`, whose slot is found through the ELF section table, or as the footer at its end.
    ///
    /// # Errors
    /// As [`Container::open`]; `NotAnArtifact` and `Empty` too.
    pub fn open_file(file: R) -> Result<Self, ArtifactError> {
        let mut bytes = [0; SLOT_LEN];
        let slot = match section(&file, SLOT_SECTION)? {
            Some(found) if found.len == SLOT_LEN as u64 => {
                file.read_exact_at(&mut bytes, found.offset)?;
                let slot = Slot::decode(&bytes)?;
                if slot.slot_offset != found.offset && slot.placement == Placement::Append {
                    return Err(ArtifactError::malformed(
                        "the slot does not know its own place",
                    ));
                }
                slot
            }
            Some(_) => return Err(ArtifactError::malformed("the slot has the wrong length")),
            None => {
                let at = file
                    .size()?
                    .checked_sub(SLOT_LEN as u64)
                    .ok_or(ArtifactError::NotAnArtifact)?;
                file.read_exact_at(&mut bytes, at)?;
                Slot::decode_footer(&bytes)?
            }
        };
        Self::open(file, slot)
    }

    /// Opens the artifact in `file` whose slot is known: a runner reads its own.
    ///
    /// Reads header, frame table, index directory and manifest, and checks them. The cost does not depend on the payload's size,
    /// but for 48 bytes for each MiB of it.
    ///
    /// # Errors
    /// `PayloadMissing` when the payload is not where the slot says, and whatever else is wrong with what was read.
    pub fn open(file: R, slot: Slot) -> Result<Self, ArtifactError> {
        let (payload_at, bytes) = find_payload(&file, &slot)?;
        let header = Header::decode(&bytes)?;
        let root = Header::root_of(&bytes);
        if root != slot.root {
            return Err(ArtifactError::damaged(
                "the header does not have its digest",
            ));
        }
        if header.payload_len != slot.payload_len || header.placement != slot.placement {
            return Err(ArtifactError::malformed("slot and header disagree"));
        }
        let size = file.size()?;
        let end = slot.end();
        match slot.placement {
            Placement::Append => check_footer(&file, &slot, size)?,
            Placement::ElfSection if payload_at == slot.payload_offset && end > size => {
                return Err(ArtifactError::PayloadMissing);
            }
            Placement::ElfSection => {}
        }
        let table_len = header.frame_count as usize * FrameRecord::LEN;
        if header
            .frame_table_offset
            .checked_add(payload_at)
            .and_then(|at| at.checked_add(table_len as u64))
            > Some(size)
        {
            return Err(ArtifactError::PayloadMissing);
        }
        let mut table = vec![0; table_len];
        file.read_exact_at(&mut table, payload_at + header.frame_table_offset)?;
        let table = FrameTable::decode(&table, &header)?;
        let mut container = Self {
            file,
            slot,
            payload_at,
            header,
            root,
            table,
            pages: Vec::new(),
            manifest: Manifest::default(),
            sidecar: None,
            frame_cache: Cache::new(CACHED_FRAMES),
            page_cache: Cache::new(CACHED_PAGES),
        };
        let directory = header.data_frames + header.index_frames;
        let bytes = container.read_frame(directory)?;
        container.pages = decode_directory(&bytes, header.index_frames, header.asset_count)?;
        container.manifest = container.read_manifest(directory + 1)?;
        Ok(container)
    }

    fn read_manifest(&self, frame: u32) -> Result<Manifest, ArtifactError> {
        if self.header.manifest_version != MANIFEST_VERSION {
            return Err(ArtifactError::Unsupported(
                format!("manifest version {}", self.header.manifest_version).into(),
            ));
        }
        let bytes = self.read_frame(frame)?;
        match postcard::take_from_bytes(&bytes) {
            Ok((manifest, [])) => Ok(manifest),
            _ => Err(ArtifactError::malformed("the manifest cannot be read")),
        }
    }

    /// Gives the sidecar that holds the data frames, after checking that it is the right one.
    ///
    /// # Errors
    /// When the artifact has no sidecar, or this is not it.
    pub fn attach_sidecar(&mut self, file: Box<dyn ReadAt>) -> Result<(), ArtifactError> {
        if !self.header.has(flags::SIDECAR) {
            return Err(ArtifactError::malformed("the artifact has no sidecar"));
        }
        check_sidecar(&*file, &self.header)?;
        self.sidecar = Some(file);
        Ok(())
    }

    /// Whether a sidecar is needed and not there yet.
    pub fn lacks_sidecar(&self) -> bool {
        self.header.has(flags::SIDECAR) && self.sidecar.is_none()
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The slot that the artifact was opened with.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The root: the digest that names this artifact, and that signature and overlays are bound to.
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// What the artifact says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Who claims to have signed [`Container::root`], and the signature, unchecked (`sign::verify_root` checks it against trusted
    /// keys); `None` when not signed.
    pub fn signature(&self) -> Option<Signature> {
        let header = &self.header;
        header.has(flags::SIGNED).then_some(Signature {
            signer: header.signer,
            bytes: header.signature,
        })
    }

    /// The file, to read bytes that this type does not give.
    pub fn file(&self) -> &R {
        &self.file
    }

    /// Where the payload really begins: `strip` may have moved an injected one.
    pub(crate) fn payload_at(&self) -> u64 {
        self.payload_at
    }

    /// The overlay's bytes, checked against the slot; `None` without one. For a run that was given no other overlay.
    ///
    /// # Errors
    /// When it is needed and not there, cannot be read, or does not have its digest.
    pub fn overlay(&self) -> Result<Option<Vec<u8>>, ArtifactError> {
        let overlay = self.attached_overlay()?;
        if overlay.is_none() && self.header.has(flags::NEEDS_OVERLAY) {
            return Err(ArtifactError::malformed(
                "the artifact runs only with an overlay, and has none",
            ));
        }
        Ok(overlay)
    }

    /// As [`Container::overlay`], but without one it is `None` even where the artifact needs one to run: such a base is
    /// whole, may be verified and stored, and gets its overlay later or from a file.
    ///
    /// # Errors
    /// When it cannot be read or does not have its digest.
    pub fn attached_overlay(&self) -> Result<Option<Vec<u8>>, ArtifactError> {
        if self.slot.overlay_len == 0 {
            return Ok(None);
        }
        if self.slot.overlay_len > MAX_OVERLAY {
            return Err(ArtifactError::malformed("the overlay is too long"));
        }
        let moved = self.payload_at != self.slot.payload_offset;
        let at = if moved {
            let found = section(&self.file, super::OVERLAY_SECTION)?;
            found
                .filter(|s| s.len == self.slot.overlay_len)
                .ok_or(ArtifactError::PayloadMissing)?
                .offset
        } else {
            self.slot.overlay_offset
        };
        if at
            .checked_add(self.slot.overlay_len)
            .is_none_or(|end| end > self.file.size().unwrap_or(0))
        {
            return Err(ArtifactError::PayloadMissing);
        }
        let mut bytes = vec![0; self.slot.overlay_len as usize];
        self.file.read_exact_at(&mut bytes, at)?;
        if overlay_digest(&bytes) != self.slot.overlay_digest {
            return Err(ArtifactError::damaged(
                "the overlay does not have its digest",
            ));
        }
        Ok(Some(bytes))
    }

    /// The plan's bytes as postcard.
    ///
    /// # Errors
    /// When a frame is damaged, or the plan has another version than this program.
    pub fn plan_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        if self.header.plan_version != PLAN_VERSION {
            return Err(ArtifactError::Unsupported(
                format!("plan version {}", self.header.plan_version).into(),
            ));
        }
        let mut out = Vec::with_capacity(self.header.plan_len as usize);
        let mut scratch = FrameScratch::default();
        for frame in self.table.len() - self.header.plan_frames..self.table.len() {
            out.extend_from_slice(self.read_frame_into(frame, &mut scratch)?);
        }
        Ok(out)
    }

    /// The plan.
    ///
    /// # Errors
    /// As [`Container::plan_bytes`], and when the bytes are no plan.
    pub fn plan(&self) -> Result<ExecutionPlan, ArtifactError> {
        let bytes = self.plan_bytes()?;
        match postcard::take_from_bytes(&bytes) {
            Ok((plan, [])) => Ok(plan),
            Ok(_) => Err(ArtifactError::malformed("bytes after the plan")),
            Err(_) => Err(ArtifactError::malformed("the plan cannot be read")),
        }
    }

    /// How many frames there are.
    pub fn frame_count(&self) -> u32 {
        self.table.len()
    }

    /// The frame table.
    pub fn table(&self) -> &FrameTable {
        &self.table
    }

    /// Where frame `index` lies. `None` when there is no such frame.
    pub fn frame(&self, index: u32) -> Option<FrameInfo> {
        let record = *self.table.get(index)?;
        let in_sidecar = index < self.header.first_inner_frame();
        let base = if in_sidecar { 0 } else { self.payload_at };
        Some(FrameInfo {
            in_sidecar,
            offset: base + self.table.offset(index)?,
            record,
        })
    }

    /// The stored bytes of a frame, checked against its digest.
    ///
    /// # Errors
    /// When there is no such frame, the sidecar is missing, or the bytes are damaged.
    pub fn read_stored(&self, index: u32) -> Result<Vec<u8>, ArtifactError> {
        let mut stored = Vec::new();
        self.stored_into(index, &mut stored)?;
        Ok(stored)
    }

    fn stored_into(&self, index: u32, bytes: &mut Vec<u8>) -> Result<FrameRecord, ArtifactError> {
        let info = self
            .frame(index)
            .ok_or(ArtifactError::malformed("no such frame"))?;
        let len = info.record.stored_len as usize;
        // Not `resize`: where code is small first, it writes its zeros one by one.
        match bytes.len() < len {
            true => *bytes = vec![0; len],
            false => bytes.truncate(len),
        }
        let read = if info.in_sidecar {
            let sidecar = self.sidecar.as_ref().ok_or(ArtifactError::SidecarMissing)?;
            sidecar.read_exact_at(bytes, info.offset)
        } else {
            self.file.read_exact_at(bytes, info.offset)
        };
        read.map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => ArtifactError::PayloadMissing,
            _ => ArtifactError::Io(e),
        })?;
        if FrameRecord::digest_of(bytes) != info.record.digest {
            return Err(ArtifactError::Damaged(
                format!("frame {index} does not have its digest").into(),
            ));
        }
        Ok(info.record)
    }

    /// The decompressed bytes of a frame, checked against its digest.
    ///
    /// # Errors
    /// As [`Container::read_stored`].
    pub fn read_frame(&self, index: u32) -> Result<Vec<u8>, ArtifactError> {
        let mut scratch = FrameScratch::default();
        self.read_frame_into(index, &mut scratch)?;
        Ok(scratch.plain)
    }

    /// As [`Container::read_frame`], in memory that is used again for the next frame.
    ///
    /// # Errors
    /// As [`Container::read_stored`].
    pub fn read_frame_into<'s>(
        &self,
        index: u32,
        scratch: &'s mut FrameScratch,
    ) -> Result<&'s [u8], ArtifactError> {
        let record = self.stored_into(index, &mut scratch.stored)?;
        if record.method == super::Method::None {
            std::mem::swap(&mut scratch.stored, &mut scratch.plain);
        } else {
            let len = record.plain_len as usize;
            scratch
                .decoder
                .decode_into(record.method, &scratch.stored, len, &mut scratch.plain)?;
        }
        Ok(&scratch.plain)
    }

    /// How many assets there are.
    pub fn asset_count(&self) -> u32 {
        self.header.asset_count
    }

    /// How many pages the asset index has.
    pub fn page_count(&self) -> u32 {
        self.pages.len() as u32
    }

    /// The assets of one page of the index, in order of their paths.
    ///
    /// # Errors
    /// When there is no such page or it is damaged.
    pub fn page(&self, page: u32) -> Result<Arc<Vec<Entry>>, ArtifactError> {
        let info = self
            .pages
            .get(page as usize)
            .ok_or(ArtifactError::malformed("no such index page"))?;
        self.page_cache.get_or(page, || {
            let bytes = self.read_frame(self.header.data_frames + page)?;
            let next = self
                .pages
                .get(page as usize + 1)
                .map(|p| p.first.as_slice());
            decode_page(&bytes, info, next, &self.table, self.header.data_frames)
        })
    }

    /// The asset at a position in the order of paths, from 0.
    ///
    /// # Errors
    /// When there is no such asset or its page is damaged.
    pub fn asset(&self, index: u32) -> Result<Entry, ArtifactError> {
        let page = self
            .pages
            .partition_point(|p| p.start <= index)
            .checked_sub(1);
        let page = page.ok_or_else(|| ArtifactError::NotFound(format!("number {index}")))?;
        let at = (index - self.pages[page].start) as usize;
        let entries = self.page(page as u32)?;
        entries
            .get(at)
            .cloned()
            .ok_or_else(|| ArtifactError::NotFound(format!("number {index}")))
    }

    /// The position of the first asset whose path is `path` or sorts behind it.
    fn lower_bound(&self, path: &[u8]) -> Result<u32, ArtifactError> {
        let Some(page) = self
            .pages
            .partition_point(|p| p.first.as_slice() <= path)
            .checked_sub(1)
        else {
            return Ok(0);
        };
        let at = self
            .page(page as u32)?
            .partition_point(|e| e.path.as_slice() < path);
        Ok(self.pages[page].start + at as u32)
    }

    /// Looks an asset up by its exact path.
    ///
    /// # Errors
    /// When an index page is damaged. A path that is not there is `Ok(None)`.
    pub fn find(&self, path: &[u8]) -> Result<Option<Entry>, ArtifactError> {
        let Some(page) = self
            .pages
            .partition_point(|p| p.first.as_slice() <= path)
            .checked_sub(1)
        else {
            return Ok(None);
        };
        let entries = self.page(page as u32)?;
        let at = entries.binary_search_by(|e| e.path.as_slice().cmp(path));
        Ok(at.ok().and_then(|at| entries.get(at).cloned()))
    }

    /// All assets in the order of their paths.
    pub fn assets(&self) -> impl Iterator<Item = Result<Entry, ArtifactError>> + '_ {
        (0..self.header.asset_count).map(|i| self.asset(i))
    }

    /// Everything below the folder `dir` (not the folder itself), in the order of paths. An empty `dir`: all assets.
    ///
    /// # Errors
    /// When the first index page is damaged; later ones give their error in the iteration.
    pub fn below<'a>(
        &'a self,
        dir: &[u8],
    ) -> Result<impl Iterator<Item = Result<Entry, ArtifactError>> + use<'a, R>, ArtifactError>
    {
        let mut prefix = dir.to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let start = self.lower_bound(&prefix)?;
        Ok((start..self.header.asset_count)
            .map(move |i| self.asset(i))
            .take_while(move |e| e.as_ref().map_or(true, |e| e.path.starts_with(&prefix))))
    }

    /// Whether `path` is a folder: recorded as one, or the parent of an asset.
    ///
    /// # Errors
    /// When an index page is damaged.
    pub fn is_dir(&self, path: &[u8]) -> Result<bool, ArtifactError> {
        if let Some(entry) = self.find(path)? {
            return Ok(entry.kind == Kind::Dir);
        }
        self.below(path)?.next().transpose().map(|e| e.is_some())
    }

    /// Follows a hard link to the file that it names; other entries come back as they are.
    ///
    /// # Errors
    /// When the link's file is not there.
    pub fn resolve(&self, entry: Entry) -> Result<Entry, ArtifactError> {
        let Kind::Hardlink { to } = &entry.kind else {
            return Ok(entry);
        };
        match self.find(to)? {
            Some(file) if matches!(file.kind, Kind::File { .. }) => Ok(file),
            _ => Err(ArtifactError::malformed("a hard link points to no file")),
        }
    }

    /// Writes the content of the asset called `path`, a file or a hard link, and returns its length.
    ///
    /// # Errors
    /// As [`Container::read_entry`]; `NotFound` when there is no such asset.
    pub fn read_asset(&self, path: &[u8], out: &mut dyn Write) -> Result<u64, ArtifactError> {
        let entry = self.find(path)?;
        let entry = entry
            .ok_or_else(|| ArtifactError::NotFound(String::from_utf8_lossy(path).into_owned()))?;
        self.read_entry(&self.resolve(entry)?, out)
    }

    /// Writes the content of a file's entry, and returns its length.
    ///
    /// A frame is checked before it is decompressed, the whole content at the end: after an error, what was written must be
    /// thrown away.
    ///
    /// # Errors
    /// When the entry is no file, a frame or the content is damaged, or `out` fails.
    pub fn read_entry(&self, entry: &Entry, out: &mut dyn Write) -> Result<u64, ArtifactError> {
        let Kind::File {
            size,
            digest,
            chunks,
            ..
        } = &entry.kind
        else {
            return Err(ArtifactError::NotAFile(
                String::from_utf8_lossy(&entry.path).into_owned(),
            ));
        };
        let mut hasher = blake3::Hasher::new();
        for chunk in chunks {
            self.with_chunk(chunk, chunks.len() == 1, &mut |bytes| {
                hasher.update(bytes);
                out.write_all(bytes).map_err(ArtifactError::from)
            })?;
        }
        if hasher.finalize().as_bytes() != digest {
            let name = String::from_utf8_lossy(&entry.path);
            return Err(ArtifactError::Damaged(
                format!("the asset {name} does not have its digest").into(),
            ));
        }
        Ok(*size)
    }

    /// Hands the bytes of a chunk to `use_bytes`, in one or several pieces. Frames shared by small files are kept for the next.
    fn with_chunk(
        &self,
        chunk: &Chunk,
        keep: bool,
        use_bytes: &mut dyn FnMut(&[u8]) -> Result<(), ArtifactError>,
    ) -> Result<(), ArtifactError> {
        let Some(frame) = chunk.frame else {
            let zeros = [0; 65536];
            let mut left = chunk.len as usize;
            while left > 0 {
                let now = left.min(zeros.len());
                use_bytes(&zeros[..now])?;
                left -= now;
            }
            return Ok(());
        };
        let plain = if keep {
            self.frame_cache.get_or(frame, || self.read_frame(frame))?
        } else {
            self.read_frame(frame)?.into()
        };
        let start = chunk.offset as usize;
        let piece = plain.get(start..start + chunk.len as usize);
        use_bytes(
            piece.ok_or_else(|| {
                ArtifactError::malformed("an asset's content lies outside its frame")
            })?,
        )
    }
}
