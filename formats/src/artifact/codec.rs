//! Compression of one frame: pure functions from bytes to bytes, whatever the method.
//!
//! A frame is compressed in one go by one thread, so its bytes depend on nothing but its content, method, level and the
//! library's version. What does not shrink is stored.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::{ArtifactError, MAX_FRAME};

/// How a frame is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Not at all.
    None,
    /// Zstandard.
    #[default]
    Zstd,
    /// LZMA2 in an xz stream.
    Xz,
    /// DEFLATE in a gzip member.
    Gzip,
    /// An LZ4 block without a frame around it.
    Lz4,
}

impl Method {
    /// The number that stands for it in the frame table.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Zstd => 1,
            Self::Xz => 2,
            Self::Gzip => 3,
            Self::Lz4 => 4,
        }
    }

    pub(crate) fn from_code(code: u8) -> Result<Self, ArtifactError> {
        Ok(match code {
            0 => Self::None,
            1 => Self::Zstd,
            2 => Self::Xz,
            3 => Self::Gzip,
            4 => Self::Lz4,
            other => {
                return Err(ArtifactError::Unsupported(
                    format!("compression method {other}").into(),
                ));
            }
        })
    }

    /// The name that the command line uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::None, Self::Zstd, Self::Xz, Self::Gzip, Self::Lz4]
            .into_iter()
            .find(|m| m.name() == name)
    }
}

/// Memory that an xz decoder may use: four times the largest dictionary that a frame needs.
const XZ_MEMORY: u64 = 4 * MAX_FRAME as u64;

/// Decompresses frames, keeping its working memory from one to the next.
#[derive(Default)]
pub(crate) struct Decoder {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Decoder {
    /// Decompresses `stored`, which must give exactly `plain_len` bytes and be used up, into `plain`, whose old content goes.
    pub(crate) fn decode_into(
        &mut self,
        method: Method,
        stored: &[u8],
        plain_len: usize,
        plain: &mut Vec<u8>,
    ) -> Result<(), ArtifactError> {
        if plain_len > MAX_FRAME {
            return Err(ArtifactError::malformed("a frame is too long"));
        }
        let bad = || ArtifactError::malformed("a frame does not decompress");
        plain.clear();
        plain.reserve_exact(plain_len);
        match method {
            Method::None => plain.extend_from_slice(stored),
            Method::Zstd => self.zstd(stored, plain).map_err(|_| bad())?,
            Method::Xz => decode_xz(stored, plain_len, plain).map_err(|_| bad())?,
            Method::Gzip => {
                let mut rest = stored;
                let source = flate2::bufread::GzDecoder::new(&mut rest);
                read_up_to(source, plain_len, plain).map_err(|_| bad())?;
                if !rest.is_empty() {
                    return Err(bad());
                }
            }
            Method::Lz4 => {
                *plain = vec![0; plain_len];
                let len = lz4_flex::block::decompress_into(stored, plain).map_err(|_| bad())?;
                plain.truncate(len);
            }
        }
        if plain.len() == plain_len {
            Ok(())
        } else {
            Err(bad())
        }
    }

    fn zstd(&mut self, stored: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(zstd::bulk::Decompressor::new()?),
        };
        zstd.decompress_to_buffer(stored, plain)?;
        Ok(())
    }
}

fn decode_xz(stored: &[u8], plain_len: usize, plain: &mut Vec<u8>) -> io::Result<()> {
    let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?;
    let mut decoder = liblzma::bufread::XzDecoder::new_stream(stored, stream);
    read_up_to(&mut decoder, plain_len, plain)?;
    if decoder.total_in() != stored.len() as u64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(())
}

/// Reads to the end, but at most one byte more than `max`.
fn read_up_to(source: impl Read, max: usize, plain: &mut Vec<u8>) -> io::Result<()> {
    source.take(max as u64 + 1).read_to_end(plain)?;
    Ok(())
}

/// The library and version whose output a method's frames are: frames are reused only where it is the same.
#[cfg(feature = "pack")]
pub fn codec_name(method: Method) -> String {
    match method {
        Method::None => "none".into(),
        Method::Zstd => format!("zstd {}", zstd::zstd_safe::version_string()),
        Method::Xz => format!("liblzma {}", liblzma_version()),
        Method::Gzip => "miniz_oxide 1".into(),
        Method::Lz4 => "lz4_flex 0.14".into(),
    }
}

#[cfg(feature = "pack")]
fn liblzma_version() -> String {
    // The crate does not export the number; its own version pins the bundled library.
    "0.4".into()
}

/// Compresses frames with one method and level.
#[cfg(feature = "pack")]
pub struct Encoder {
    method: Method,
    level: i32,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

#[cfg(feature = "pack")]
impl Encoder {
    /// The level used when none is asked for.
    pub fn default_level(method: Method) -> i32 {
        match method {
            Method::Zstd => 3,
            Method::Xz | Method::Gzip => 6,
            Method::None | Method::Lz4 => 0,
        }
    }

    /// The lowest and the highest level of a method.
    pub fn levels(method: Method) -> (i32, i32) {
        match method {
            Method::Zstd => (1, 22),
            Method::Xz => (0, 9),
            Method::Gzip => (1, 9),
            Method::None | Method::Lz4 => (0, 0),
        }
    }

    /// An encoder for `method` at `level` (see [`Encoder::levels`]).
    ///
    /// # Errors
    /// When the method has no such level, or its library cannot start.
    pub fn new(method: Method, level: i32) -> io::Result<Self> {
        let (low, high) = Self::levels(method);
        if !(low..=high).contains(&level) {
            let what = format!("{} has levels {low} to {high}, not {level}", method.name());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let zstd = match method {
            Method::Zstd => Some(zstd::bulk::Compressor::new(level)?),
            _ => None,
        };
        Ok(Self {
            method,
            level,
            zstd,
        })
    }

    /// Compresses one frame. [`Method::None`] comes back, with the plain bytes, where that is not longer.
    ///
    /// # Errors
    /// When the frame is longer than [`MAX_FRAME`] or the library fails.
    pub fn encode(&mut self, plain: &[u8]) -> io::Result<(Method, Vec<u8>)> {
        if plain.len() > MAX_FRAME {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a frame is too long",
            ));
        }
        let packed = match (self.method, &mut self.zstd) {
            (Method::Zstd, Some(zstd)) => zstd.compress(plain)?,
            (Method::Xz, _) => encode_xz(plain, self.level)?,
            (Method::Gzip, _) => {
                let level = flate2::Compression::new(self.level.unsigned_abs());
                let mut out = Vec::new();
                flate2::bufread::GzEncoder::new(plain, level).read_to_end(&mut out)?;
                out
            }
            (Method::Lz4, _) => lz4_flex::block::compress(plain),
            (Method::None | Method::Zstd, _) => plain.to_vec(),
        };
        if packed.len() < plain.len() {
            Ok((self.method, packed))
        } else {
            Ok((Method::None, plain.to_vec()))
        }
    }
}

#[cfg(feature = "pack")]
fn encode_xz(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
    let mut options = LzmaOptions::new_preset(level.unsigned_abs())?;
    let dictionary = plain.len().next_power_of_two().clamp(1 << 16, MAX_FRAME);
    options.dict_size(dictionary as u32);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, Check::None)?;
    let mut out = Vec::new();
    liblzma::bufread::XzEncoder::new_stream(plain, stream).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(all(test, feature = "pack"))]
mod tests {
    use super::*;

    fn decode(method: Method, stored: &[u8], len: usize) -> Result<Vec<u8>, ArtifactError> {
        let mut plain = b"left over".to_vec();
        Decoder::default().decode_into(method, stored, len, &mut plain)?;
        Ok(plain)
    }

    const ALL: [Method; 5] = [
        Method::None,
        Method::Zstd,
        Method::Xz,
        Method::Gzip,
        Method::Lz4,
    ];

    #[test]
    fn every_method_gives_back_what_it_got() {
        let text = b"the same words again and again, ".repeat(5000);
        for method in ALL {
            let mut encoder = Encoder::new(method, Encoder::default_level(method)).unwrap();
            let (used, stored) = encoder.encode(&text).unwrap();
            assert_eq!(used, method);
            assert_eq!(decode(used, &stored, text.len()).unwrap(), text);
            assert!(decode(used, &stored, text.len() - 1).is_err(), "{method:?}");
            assert!(decode(used, &stored, text.len() + 1).is_err(), "{method:?}");
            let (_, tiny) = encoder.encode(b"ab").unwrap();
            assert_eq!(tiny, b"ab", "what does not shrink is stored");
        }
    }

    #[test]
    fn trailing_bytes_are_refused_where_the_method_can_tell() {
        let text = vec![b'a'; 4000];
        for method in [Method::Xz, Method::Gzip, Method::Zstd] {
            let mut encoder = Encoder::new(method, Encoder::default_level(method)).unwrap();
            let (used, mut stored) = encoder.encode(&text).unwrap();
            stored.push(7);
            assert!(decode(used, &stored, text.len()).is_err(), "{method:?}");
        }
    }

    #[test]
    fn levels_are_checked() {
        assert!(Encoder::new(Method::Zstd, 23).is_err());
        assert!(Encoder::new(Method::Lz4, 1).is_err());
    }
}
