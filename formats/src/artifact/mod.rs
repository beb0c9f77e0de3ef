//! The artifact: one file that holds a runner, a plan and the files that the plan needs.
//!
//! Packer and runner must agree on every byte of it, and the bytes come from places that nobody should trust. So the
//! layout, its reader and its rules live here once, without a file system: a reader works on anything that can be read
//! at an offset ([`ReadAt`]). `docs/FORMAT.md` is the normative text; the names there and here are the same.
//!
//! A file is found to be an artifact by its [`Slot`], a fixed-size descriptor inside the runner. The slot names the
//! payload: a [`Header`], frames (independently compressed pieces of at most [`MAX_FRAME`] bytes), and a table of them.
//! [`Container`] reads it all.

mod codec;
mod container;
mod elf;
mod error;
mod frame;
pub mod fuzz;
mod header;
mod index;
mod locate;
mod manifest;
mod path;
mod read_at;
mod recent;
mod sidecar;
mod slot;
mod verify;
mod wire;

pub use codec::Method;
#[cfg(feature = "pack")]
pub use codec::{Encoder, codec_name};
pub use container::{Container, FrameInfo, FrameScratch};
pub use elf::{Section, section};
pub use error::ArtifactError;
pub use frame::{FrameRecord, FrameTable};
pub use header::{Header, flags};
pub use index::{
    Chunk, DirectoryBuilder, Entry, Kind, PageBuilder, chunk_value, merge_chunk_values,
};
pub use manifest::{MANIFEST_VERSION, Manifest};
pub use path::{PathError, check_path};
pub use read_at::ReadAt;
pub use sidecar::{SIDECAR_HEADER_LEN, sidecar_header};
pub use slot::{EMPTY_SLOT, Placement, SLOT_LEN, Slot};
pub use verify::{Outside, outside_digest, outside_ranges, overlay_digest};

/// The version of the container's layout. A reader refuses any other.
pub const FORMAT_VERSION: u32 = 1;
/// The payload begins on a multiple of this many bytes of the file.
pub const PAGE: u64 = 4096;
/// The most plaintext bytes in one frame.
pub const MAX_FRAME: usize = 4 << 20;
/// The most frames in one artifact (with full frames: 16 TiB).
pub const MAX_FRAMES: u32 = 4 << 20;
/// The most entries in one page of the asset index.
pub const MAX_PAGE_ENTRIES: usize = 1024;
/// The most plaintext bytes of a plan.
pub const MAX_PLAN: u64 = 1 << 30;
/// The most bytes of an overlay.
pub const MAX_OVERLAY: u64 = 256 << 20;
/// The longest asset path or link target, in bytes.
pub const MAX_PATH: usize = 4096;
/// Chunks of an asset have `1 << MIN_CHUNK_LOG` to `1 << MAX_CHUNK_LOG` bytes.
pub const MIN_CHUNK_LOG: u8 = 16;
/// See [`MIN_CHUNK_LOG`].
pub const MAX_CHUNK_LOG: u8 = 22;

/// The name of the ELF section that holds the slot.
pub const SLOT_SECTION: &[u8] = b".rustle.slot";
/// The name of the ELF section that holds an injected payload.
pub const PAYLOAD_SECTION: &[u8] = b".rustle.payload";
/// The name of the ELF section that holds an injected overlay. It is there, empty, without an overlay.
pub const OVERLAY_SECTION: &[u8] = b".rustle.overlay";

/// Contexts that keep the digests of different things apart.
pub(crate) mod context {
    pub(crate) const ROOT: &str = "rustle artifact 1 2025 root";
    pub(crate) const FRAME: &str = "rustle artifact 1 2025 frame";
    pub(crate) const TABLE: &str = "rustle artifact 1 2025 frame table";
    pub(crate) const OUTSIDE: &str = "rustle artifact 1 2025 outside";
    pub(crate) const OVERLAY: &str = "rustle artifact 1 2025 overlay";
}

/// The digest of `bytes` in one of the [`context`]s.
pub(crate) fn digest_in(context: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}
