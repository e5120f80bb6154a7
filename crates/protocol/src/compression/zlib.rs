//! zlib streams (RFC 1950), as Java's `Deflater` and `Inflater` speak them (Apache's `ZlibCompressor`).

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CompressError, Compression, corrupt, reserve, too_large};
use crate::DecodeError;

pub(super) fn compress(level: u32, body: &[u8]) -> Result<Vec<u8>, CompressError> {
    let mut stream = Compress::new(flate2::Compression::new(level.min(MAX_LEVEL)), true);
    let mut out = Vec::with_capacity(body.len() / 2 + SMALL);
    loop {
        let done = stream.total_in() as usize;
        let status = stream.compress_vec(&body[done..], &mut out, FlushCompress::Finish);
        match status {
            Ok(Status::StreamEnd) => return Ok(out),
            Ok(Status::Ok | Status::BufError) => out.reserve(out.len().max(SMALL)),
            Err(why) => {
                return Err(CompressError::Failed { kind: Compression::Zlib, why: why.to_string() });
            }
        }
    }
}

/// Bytes behind the end of the stream are not looked at, as in Java.
pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut stream = Decompress::new(true);
    let mut out = Vec::new();
    // The first guess holds most bodies: text packs to about a quarter.
    out.reserve_exact(limit.min(body.len().saturating_mul(4).max(SMALL)));
    loop {
        let done = stream.total_in() as usize;
        let before = out.len();
        let status = stream.decompress_vec(&body[done..], &mut out, FlushDecompress::None).map_err(broken)?;
        let has_room = out.len() < out.capacity();
        match status {
            Status::StreamEnd => return Ok(out),
            _ if has_room && stream.total_in() as usize == done && out.len() == before => {
                return Err(corrupt("the zlib stream ends too early"));
            }
            _ if has_room => {}
            _ if out.len() < limit => reserve(&mut out, 1, limit),
            _ => return ends_here(&mut stream, body, limit).map(|()| out),
        }
    }
}

/// Whether nothing but the checksum is left, now that the limit is reached.
fn ends_here(stream: &mut Decompress, body: &[u8], limit: usize) -> Result<(), DecodeError> {
    let done = stream.total_in() as usize;
    let mut one_more = [0];
    let status = stream.decompress(&body[done..], &mut one_more, FlushDecompress::Finish).map_err(broken)?;
    match status {
        _ if stream.total_out() > limit as u64 => Err(too_large(limit)),
        Status::StreamEnd => Ok(()),
        _ => Err(corrupt("the zlib stream ends too early")),
    }
}

fn broken(why: flate2::DecompressError) -> DecodeError {
    corrupt(why.to_string())
}

const MAX_LEVEL: u32 = 9;
const SMALL: usize = 1024;
