//! Frames: a length, then one message. Bytes come as the channel gives them, so reading keeps what is incomplete.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MAX_FRAME;

/// A stream that is not what it should be. Nothing more can be read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// A length above [`MAX_FRAME`].
    TooLong(u32),
    /// A frame that is not a message of this version.
    Malformed(String),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong(n) => write!(
                f,
                "a frame of {n} bytes, more than the {MAX_FRAME} allowed: is something else writing to the channel?"
            ),
            FrameError::Malformed(why) => write!(f, "a frame that cannot be read: {why}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// One message as a frame.
///
/// # Errors
/// Where the message is longer than [`MAX_FRAME`].
pub fn encode_frame<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut out = postcard::to_extend(message, vec![0u8; 4])
        .map_err(|e| FrameError::Malformed(e.to_string()))?;
    let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
    if length as usize > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    out[..4].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

/// Takes bytes in, gives messages out.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
}

impl FrameReader {
    /// Takes bytes from the channel.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 1 << 20 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// Where the stream is broken; it stays so.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let available = &self.buffer[self.start..];
        let Some(head) = available.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head);
        if length as usize > MAX_FRAME {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = available.get(4..4 + length as usize) else {
            return Ok(None);
        };
        let (message, rest) =
            postcard::take_from_bytes(body).map_err(|e| FrameError::Malformed(e.to_string()))?;
        if !rest.is_empty() {
            return Err(FrameError::Malformed(format!(
                "{} bytes after the message",
                rest.len()
            )));
        }
        self.start += 4 + length as usize;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Down, Up};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_come_out_whole_whatever_the_cuts() {
        let messages = vec![
            Down::Ping,
            Down::Data {
                file: 0,
                piece: 7,
                offset: 9,
                bytes: vec![1; 300],
            },
            Down::Cancel { now: true },
        ];
        let bytes: Vec<u8> = messages
            .iter()
            .flat_map(|m| encode_frame(m).unwrap())
            .collect();
        for cut in 1..bytes.len() {
            let mut reader = FrameReader::default();
            let mut got: Vec<Down> = Vec::new();
            for part in bytes.chunks(cut) {
                reader.push(part);
                while let Some(m) = reader.take().unwrap() {
                    got.push(m);
                }
            }
            assert_eq!(got, messages);
        }
    }

    #[test]
    fn noise_is_refused_before_it_is_allocated() {
        let mut reader = FrameReader::default();
        reader.push(b"Last login: Sun");
        assert!(matches!(reader.take::<Up>(), Err(FrameError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut reader = FrameReader::default();
            reader.push(&bytes);
            while let Ok(Some(_)) = reader.take::<Up>() {}
            let mut reader = FrameReader::default();
            reader.push(&bytes);
            while let Ok(Some(_)) = reader.take::<Down>() {}
        }
    }
}
