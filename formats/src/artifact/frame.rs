//! The frame table: one fixed-size record for every frame, in the order in which the frames lie.
//!
//! Records hold lengths and no offsets: frames follow each other without gaps, so that an overlap or a gap cannot even
//! be written down.

use super::codec::Method;
use super::header::{Header, flags};
use super::wire::Reader;
use super::{ArtifactError, MAX_FRAME, SIDECAR_HEADER_LEN, context, digest_in};

/// What the table says of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRecord {
    /// Its bytes in the file.
    pub stored_len: u32,
    /// Its bytes when decompressed.
    pub plain_len: u32,
    /// How it is compressed.
    pub method: Method,
    /// The digest of its stored bytes.
    pub digest: [u8; 32],
}

impl FrameRecord {
    /// The encoded length in bytes.
    pub const LEN: usize = 48;

    /// The digest of a frame's stored bytes.
    pub fn digest_of(stored: &[u8]) -> [u8; 32] {
        digest_in(context::FRAME, stored)
    }

    /// Appends the record's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.stored_len.to_le_bytes());
        out.extend_from_slice(&self.plain_len.to_le_bytes());
        out.push(self.method.code());
        out.extend_from_slice(&[0; 7]);
        out.extend_from_slice(&self.digest);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, ArtifactError> {
        let record = Self {
            stored_len: reader.u32()?,
            plain_len: reader.u32()?,
            method: Method::from_code(reader.u8()?)?,
            digest: {
                if reader.array::<7>()? != [0; 7] {
                    return Err(ArtifactError::unsupported(
                        "a frame record with unknown fields",
                    ));
                }
                reader.array()?
            },
        };
        if record.plain_len == 0 || record.plain_len as usize > MAX_FRAME {
            return Err(ArtifactError::malformed("a frame's length is out of range"));
        }
        let fits = match record.method {
            Method::None => record.stored_len == record.plain_len,
            _ => record.stored_len > 0 && record.stored_len < record.plain_len,
        };
        if fits {
            Ok(record)
        } else {
            Err(ArtifactError::malformed(
                "a frame's stored length is out of range",
            ))
        }
    }
}

/// All frames, with their places.
#[derive(Debug, Clone)]
pub struct FrameTable {
    records: Vec<FrameRecord>,
    /// From the payload's start, or from the sidecar's for data frames that lie there.
    offsets: Vec<u64>,
}

impl FrameTable {
    /// The digest of a table's bytes.
    pub fn digest_of(bytes: &[u8]) -> [u8; 32] {
        digest_in(context::TABLE, bytes)
    }

    /// Reads the table that `header` announces, and checks that the frames fill their regions exactly.
    pub(crate) fn decode(bytes: &[u8], header: &Header) -> Result<Self, ArtifactError> {
        if Self::digest_of(bytes) != header.table_digest {
            return Err(ArtifactError::damaged(
                "the frame table does not have its digest",
            ));
        }
        let count = header.frame_count as usize;
        if bytes.len() != count * FrameRecord::LEN {
            return Err(ArtifactError::malformed(
                "the frame table has the wrong length",
            ));
        }
        let mut reader = Reader::new(bytes);
        let mut records = Vec::with_capacity(count);
        let mut offsets = Vec::with_capacity(count);
        let inner = header.first_inner_frame();
        let mut at = if inner > 0 {
            SIDECAR_HEADER_LEN as u64
        } else {
            Header::LEN as u64
        };
        let mut plan_len = 0u64;
        let first_plan = header.frame_count - header.plan_frames;
        let mut index_at = None;
        for i in 0..header.frame_count {
            if i == inner && inner > 0 {
                if at != header.sidecar_len {
                    return Err(ArtifactError::malformed(
                        "the frames do not fill the sidecar",
                    ));
                }
                at = Header::LEN as u64;
            }
            if i == header.data_frames {
                index_at = Some(at);
            }
            let record = FrameRecord::decode(&mut reader)?;
            offsets.push(at);
            // Cannot overflow: at most 2^22 frames of at most 2^22 bytes.
            at += u64::from(record.stored_len);
            if i >= first_plan {
                plan_len += u64::from(record.plain_len);
            }
            records.push(record);
        }
        if at != header.frame_table_offset {
            return Err(ArtifactError::malformed(
                "the frames do not fill the payload",
            ));
        }
        if index_at != Some(header.asset_table_offset) {
            return Err(ArtifactError::malformed(
                "the asset index is not where the header says",
            ));
        }
        if plan_len != header.plan_len {
            return Err(ArtifactError::malformed(
                "the plan does not have its length",
            ));
        }
        if header.has(flags::SIDECAR) && inner == 0 {
            return Err(ArtifactError::malformed("a sidecar without frames"));
        }
        Ok(Self { records, offsets })
    }

    /// A table of these records without a place in a file, for the fuzzers.
    pub(crate) fn of_records(records: Vec<FrameRecord>) -> Option<Self> {
        let mut at = 0u64;
        let mut offsets = Vec::with_capacity(records.len());
        for record in &records {
            offsets.push(at);
            at = at.checked_add(u64::from(record.stored_len))?;
        }
        Some(Self { records, offsets })
    }

    /// How many frames there are.
    pub fn len(&self) -> u32 {
        self.records.len() as u32
    }

    /// Whether there are none. Never so for a table that was read: the index directory is a frame.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record of a frame.
    pub fn get(&self, index: u32) -> Option<&FrameRecord> {
        self.records.get(index as usize)
    }

    /// Where a frame begins: from the payload's start, or from the sidecar's for data frames that lie there.
    pub(crate) fn offset(&self, index: u32) -> Option<u64> {
        self.offsets.get(index as usize).copied()
    }

    /// All records in order.
    pub fn records(&self) -> &[FrameRecord] {
        &self.records
    }
}
