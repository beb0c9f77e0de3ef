//! The payload's header: every length, count and digest that the rest is checked against.
//!
//! Its digest is the artifact's root. It covers the frame table's digest, and through it every frame, so that a signature
//! over the root covers the artifact.

use super::slot::Placement;
use super::wire::Reader;
use super::{ArtifactError, FORMAT_VERSION, MAX_FRAMES, MAX_PLAN, context, digest_in};

/// Bits of [`Header::flags`]. A reader refuses bits that it does not know.
pub mod flags {
    /// The signer's key and the signature are there.
    pub const SIGNED: u32 = 1;
    /// The data frames lie in a sidecar file.
    pub const SIDECAR: u32 = 2;
    /// The artifact runs only with an overlay.
    pub const NEEDS_OVERLAY: u32 = 4;
    /// All bits that this version knows.
    pub(crate) const KNOWN: u32 = SIGNED | SIDECAR | NEEDS_OVERLAY;
}

/// The payload's first bytes, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where the asset index begins, in bytes from the payload's start.
    pub asset_table_offset: u64,
    /// How many assets there are, folders and links included.
    pub asset_count: u32,
    /// [`flags`].
    pub flags: u32,
    /// How the payload is placed; the slot must say the same.
    pub placement: Placement,
    /// The payload's length in bytes; the slot must say the same.
    pub payload_len: u64,
    /// Where the frame table begins, in bytes from the payload's start. It ends the payload.
    pub frame_table_offset: u64,
    /// How many frames there are in all.
    pub frame_count: u32,
    /// How many of them, the first ones, hold assets' contents.
    pub data_frames: u32,
    /// How many, the next ones, hold pages of the asset index. After them: the index directory, and the manifest.
    pub index_frames: u32,
    /// How many, the last ones, hold the plan.
    pub plan_frames: u32,
    /// The plan's length in bytes when decompressed.
    pub plan_len: u64,
    /// The version of the plan's shape.
    pub plan_version: u32,
    /// The version of the manifest's shape.
    pub manifest_version: u32,
    /// The sidecar's length in bytes; 0 without one.
    pub sidecar_len: u64,
    /// How many bytes of the file [`Header::outside_digest`] covers.
    pub outside_len: u64,
    /// The digest of the frame table.
    pub table_digest: [u8; 32],
    /// The digest of the file's bytes outside slot, payload, overlay and footer.
    pub outside_digest: [u8; 32],
    /// The signer's Ed25519 public key; zeros when not signed.
    pub signer: [u8; 32],
    /// The signature over the root; zeros when not signed. Not covered by the root.
    pub signature: [u8; 64],
}

impl Header {
    /// The encoded length in bytes.
    pub const LEN: usize = 256;
    /// The first bytes of every payload.
    pub const MAGIC: [u8; 8] = *b"RUSTLE01";
    /// How many of the first bytes the root covers: all but the signature.
    pub const ROOTED: usize = 192;

    /// The root of a header given as bytes, whether or not they make sense.
    pub fn root_of(bytes: &[u8; Self::LEN]) -> [u8; 32] {
        digest_in(context::ROOT, &bytes[..Self::ROOTED])
    }

    /// The root of this header: what slot, signature and overlays are bound to.
    pub fn root(&self) -> [u8; 32] {
        Self::root_of(&self.encode())
    }

    /// Whether a flag is set.
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// How many frames lie in the payload, before the table: all, or all but the data frames.
    pub(crate) fn first_inner_frame(&self) -> u32 {
        if self.has(flags::SIDECAR) {
            self.data_frames
        } else {
            0
        }
    }

    /// Reads a header.
    ///
    /// # Errors
    /// `PayloadMissing` when the magic is not there, `Unsupported` for another version or unknown flags, `Malformed` when
    /// its numbers contradict each other.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, ArtifactError> {
        if bytes[..8] != Self::MAGIC {
            return Err(ArtifactError::PayloadMissing);
        }
        let mut reader = Reader::new(&bytes[8..]);
        let version = reader.u32()?;
        if version != FORMAT_VERSION {
            return Err(ArtifactError::Unsupported(
                format!("format version {version}").into(),
            ));
        }
        let header = Self {
            asset_table_offset: reader.u64()?,
            asset_count: reader.u32()?,
            flags: reader.u32()?,
            placement: Placement::from_code(reader.u32()?)?,
            payload_len: reader.u64()?,
            frame_table_offset: reader.u64()?,
            frame_count: reader.u32()?,
            data_frames: reader.u32()?,
            index_frames: reader.u32()?,
            plan_frames: reader.u32()?,
            plan_len: reader.u64()?,
            plan_version: reader.u32()?,
            manifest_version: reader.u32()?,
            sidecar_len: reader.u64()?,
            outside_len: reader.u64()?,
            table_digest: reader.array()?,
            outside_digest: reader.array()?,
            signer: reader.array()?,
            signature: reader.array()?,
        };
        reader.finish("a header of the wrong length")?;
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), ArtifactError> {
        let unknown = self.flags & !flags::KNOWN;
        if unknown != 0 {
            return Err(ArtifactError::Unsupported(
                format!("flags {unknown:#x}").into(),
            ));
        }
        let bad = |what: &'static str| Err(ArtifactError::malformed(what));
        if self.frame_count > MAX_FRAMES {
            return bad("too many frames");
        }
        let sum = [self.data_frames, self.index_frames, self.plan_frames]
            .iter()
            .try_fold(2u32, |sum, &n| sum.checked_add(n));
        if sum != Some(self.frame_count) {
            return bad("the counts of frames do not add up");
        }
        let table_len = u64::from(self.frame_count) * super::FrameRecord::LEN as u64;
        if self.frame_table_offset.checked_add(table_len) != Some(self.payload_len) {
            return bad("the frame table does not end the payload");
        }
        if self.asset_table_offset < Self::LEN as u64
            || self.asset_table_offset > self.frame_table_offset
        {
            return bad("the asset index lies outside the payload");
        }
        if self.plan_len > MAX_PLAN {
            return bad("the plan is too long");
        }
        if self.has(flags::SIDECAR) != (self.sidecar_len != 0) {
            return bad("the sidecar's length and flag differ");
        }
        if !self.has(flags::SIGNED) && (self.signer != [0; 32] || self.signature != [0; 64]) {
            return bad("a signature without its flag");
        }
        if self.index_frames as u64 > u64::from(self.asset_count) {
            return bad("more index pages than assets");
        }
        Ok(())
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&Self::MAGIC);
        put(&FORMAT_VERSION.to_le_bytes());
        put(&self.asset_table_offset.to_le_bytes());
        put(&self.asset_count.to_le_bytes());
        put(&self.flags.to_le_bytes());
        put(&self.placement.code().to_le_bytes());
        put(&self.payload_len.to_le_bytes());
        put(&self.frame_table_offset.to_le_bytes());
        put(&self.frame_count.to_le_bytes());
        put(&self.data_frames.to_le_bytes());
        put(&self.index_frames.to_le_bytes());
        put(&self.plan_frames.to_le_bytes());
        put(&self.plan_len.to_le_bytes());
        put(&self.plan_version.to_le_bytes());
        put(&self.manifest_version.to_le_bytes());
        put(&self.sidecar_len.to_le_bytes());
        put(&self.outside_len.to_le_bytes());
        put(&self.table_digest);
        put(&self.outside_digest);
        put(&self.signer);
        put(&self.signature);
        out
    }
}
