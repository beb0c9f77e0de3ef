//! Not doing again what was done before: known digests, and frames that were compressed already.
//!
//! A frame is named by what decides its bytes (contents, method, level, library), so that one taken over is the one that would
//! be made. Frames come from the previous artifact (`--base`), whose tables say what each holds, or from the cache folder.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rustle_formats::artifact::{
    ArtifactError, Container, Entry, FrameRecord, Kind, codec_name, flags,
};

use crate::PackError;
use crate::cache::Cache;
use crate::collect::Content;
use crate::output::Made;
use crate::pipeline::Codec;

/// What is known of a file's content without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) digest: [u8; 32],
    /// 0: the file has one chunk.
    pub(crate) chunk_log: u8,
    /// For files of several chunks: their values, and which of them are all zeros.
    pub(crate) values: Vec<([u8; 32], bool)>,
}

/// The name of a frame: a digest of all that decides its bytes.
pub(crate) fn frame_key<'a>(
    codec: Codec,
    pieces: impl Iterator<Item = (u32, &'a [u8; 32])>,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("rustle packer 1 2025 frame key");
    hasher.update(&[codec.method.code()]);
    hasher.update(&codec.level.to_le_bytes());
    let name = codec_name(codec.method);
    hasher.update(&(name.len() as u32).to_le_bytes());
    hasher.update(name.as_bytes());
    for (len, digest) in pieces {
        hasher.update(&len.to_le_bytes());
        hasher.update(digest);
    }
    *hasher.finalize().as_bytes()
}

/// A frame of the previous artifact.
#[derive(Clone)]
struct Earlier {
    record: FrameRecord,
    in_sidecar: bool,
    offset: u64,
}

/// The previous artifact's frames by name.
pub(crate) struct Base {
    file: Arc<File>,
    sidecar: Option<Arc<File>>,
    frames: HashMap<[u8; 32], Earlier>,
}

impl Base {
    /// Reads the tables of the artifact at `path`. One that was packed with another codec has nothing to give.
    pub(crate) fn open(path: &Path, codec: Codec) -> Result<Self, PackError> {
        let file = Arc::new(File::open(path).map_err(PackError::io("open", path))?);
        let container =
            Container::open_file(Arc::clone(&file)).map_err(PackError::artifact(path))?;
        let mut base = Self {
            file,
            sidecar: None,
            frames: HashMap::new(),
        };
        let manifest = container.manifest();
        if (manifest.method, manifest.level) != (codec.method, codec.level)
            || manifest.codec != codec_name(codec.method)
        {
            return Ok(base);
        }
        if container.header().has(flags::SIDECAR) {
            match File::open(crate::sidecar_path(path)) {
                Ok(file) => base.sidecar = Some(Arc::new(file)),
                Err(_) => return Ok(base),
            }
        }
        base.list(&container, codec)
            .map_err(PackError::artifact(path))?;
        Ok(base)
    }

    fn list(
        &mut self,
        container: &Container<Arc<File>>,
        codec: Codec,
    ) -> Result<(), ArtifactError> {
        let mut contents: Vec<Vec<(u32, u32, [u8; 32])>> =
            vec![Vec::new(); container.header().data_frames as usize];
        for page in 0..container.page_count() {
            for Entry { kind, .. } in container.page(page)?.iter() {
                let Kind::File {
                    digest,
                    chunks,
                    chunk_log,
                    ..
                } = kind
                else {
                    continue;
                };
                for chunk in chunks {
                    let Some(held) = chunk.frame.and_then(|f| contents.get_mut(f as usize)) else {
                        continue;
                    };
                    let value = if *chunk_log == 0 {
                        *digest
                    } else {
                        chunk.value
                    };
                    held.push((chunk.offset, chunk.len, value));
                }
            }
        }
        for (frame, mut held) in contents.into_iter().enumerate() {
            held.sort_unstable();
            held.dedup();
            let Some(info) = container.frame(frame as u32) else {
                continue;
            };
            let key = frame_key(codec, held.iter().map(|(_, len, value)| (*len, value)));
            let earlier = Earlier {
                record: info.record,
                in_sidecar: info.in_sidecar,
                offset: info.offset,
            };
            self.frames.insert(key, earlier);
        }
        Ok(())
    }

    /// The bytes of the artifact and of its sidecar, if something of them can be taken over.
    pub(crate) fn sizes(&self) -> Option<(u64, u64)> {
        let len = |file: &File| file.metadata().map_or(0, |m| m.len());
        (!self.frames.is_empty()).then(|| (len(&self.file), self.sidecar.as_deref().map_or(0, len)))
    }

    fn find(&self, key: &[u8; 32]) -> Option<Made> {
        let found = self.frames.get(key)?;
        let file = if found.in_sidecar {
            self.sidecar.as_ref()?
        } else {
            &self.file
        };
        Some(Made::Elsewhere {
            record: found.record,
            file: Arc::clone(file),
            offset: found.offset,
        })
    }
}

/// All that an earlier run left behind.
#[derive(Default)]
pub(crate) struct Reuse {
    pub(crate) base: Option<Base>,
    pub(crate) cache: Option<Cache>,
}

impl Reuse {
    /// What is known of a content without reading it.
    pub(crate) fn known(&self, content: &Content) -> Option<&Known> {
        match content {
            Content::Disk { stamp, .. } => self.cache.as_ref()?.known(stamp),
            Content::Memory(_) => None,
        }
    }

    /// A frame that was made before.
    pub(crate) fn find(&self, key: &[u8; 32]) -> Option<Made> {
        self.base
            .as_ref()
            .and_then(|base| base.find(key))
            .or_else(|| self.cache.as_ref()?.find(key))
    }

    /// Keeps a frame for the next run, if there is a place for it. Failing to is no error: it is only a cache.
    pub(crate) fn keep(&self, key: &[u8; 32], record: &FrameRecord, stored: &[u8]) {
        if let Some(cache) = &self.cache {
            cache.keep(key, record, stored);
        }
    }
}
