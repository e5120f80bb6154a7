//! Zstandard frames, as zstd-jni speaks them (Apache's `ZstdCompressor`).
//!
//! Java streams, so its frames do not say how much they hold. They are undone in one go into room that doubles: a
//! streaming reader would allocate the window that the header declares, up to 128 MiB.

use std::cell::RefCell;

use zstd::zstd_safe::{self, DCtx};

use super::{CompressError, Compression, corrupt, too_large};
use crate::DecodeError;

pub(super) fn compress(level: u32, body: &[u8]) -> Result<Vec<u8>, CompressError> {
    let level = level.clamp(1, MAX_LEVEL) as i32;
    zstd::bulk::compress(body, level)
        .map_err(|why| CompressError::Failed { kind: Compression::Zstd, why: why.to_string() })
}

pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    CONTEXT.with_borrow_mut(|context| decompress_with(context, body, limit))
}

fn decompress_with(context: &mut DCtx<'_>, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut room = limit.min(first_guess(body));
    loop {
        let mut out = Vec::with_capacity(room);
        match context.decompress(&mut out, body) {
            Ok(_) if body.is_empty() => return Err(corrupt("there is no zstd frame")),
            Ok(_) => return Ok(out),
            Err(code) if !is_out_of_room(code) => return Err(corrupt(zstd_safe::get_error_name(code))),
            Err(_) if room == limit => return Err(too_large(limit)),
            Err(_) => room = room.saturating_mul(2).min(limit),
        }
    }
}

/// What the first frame declares, or else what text packs from. Never nothing: nothing doubled would stay nothing.
fn first_guess(body: &[u8]) -> usize {
    let guess = match zstd_safe::get_frame_content_size(body) {
        Ok(Some(size)) => usize::try_from(size).unwrap_or(usize::MAX),
        _ => body.len().saturating_mul(8),
    };
    guess.max(SMALL)
}

/// zstd has no other name for its error codes in this interface; the text is part of its own tests.
fn is_out_of_room(code: usize) -> bool {
    zstd_safe::get_error_name(code) == "Destination buffer is too small"
}

thread_local! {
    /// To make one takes longer than to undo a small body. It holds about 100 KiB, and nothing of a body.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

const MAX_LEVEL: u32 = 22;
const SMALL: usize = 1024;
