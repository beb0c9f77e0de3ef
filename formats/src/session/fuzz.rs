//! Bodies of the fuzz targets for sessions: any bytes in, no panic and no boundless memory. Tests call them too.

use super::{Down, FrameReader, Up};

/// Reads bytes as a stream of messages in both directions, whole and in pieces.
pub fn stream(bytes: &[u8]) {
    for step in [bytes.len().max(1), 7] {
        let (mut down, mut up) = (FrameReader::default(), FrameReader::default());
        for piece in bytes.chunks(step) {
            down.push(piece);
            up.push(piece);
            while let Ok(Some(_)) = down.take::<Down>() {}
            while let Ok(Some(_)) = up.take::<Up>() {}
        }
    }
}
