//! LZ4 frames, as lz4-java's `LZ4FrameInputStream` and `..OutputStream` speak them (Apache's `Lz4Compressor`).
//!
//! ```text
//! u32 magic, flags, block size, [u64 content size], [u32 dictionary], header checksum,
//! (u32 length, block, [u32 block checksum])*, u32 0, [u32 content checksum]          numbers are little-endian
//! ```
//!
//! The frame layer is our own because readers allocate for the declared block size, and Java declares 4 MiB for every
//! body. We write 64 KiB blocks, so Java's consumers profit too, and allocate for what the blocks really hold.

use bytes::Buf;
use lz4_flex::block;
use twox_hash::XxHash32;

use super::{corrupt, reserve, too_large};
use crate::DecodeError;

pub(super) fn compress(body: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 2] = [FLAG_VERSION | FLAG_INDEPENDENT, WRITTEN_BLOCK_SIZE_CODE << 4];
    let mut out = Vec::with_capacity(body.len() / 2 + 64);
    out.extend_from_slice(&FRAME_MAGIC.to_le_bytes());
    out.extend_from_slice(&HEADER);
    out.push(header_checksum(&HEADER));
    for block in body.chunks(WRITTEN_BLOCK_SIZE) {
        write_block(block, &mut out);
    }
    out.extend_from_slice(&END_MARK.to_le_bytes());
    out
}

/// Reads one frame after the other up to the end, as Java does; frames that are marked as skippable are skipped.
pub(super) fn decompress(mut body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Plain { bytes: Vec::new(), frame_start: 0, limit };
    loop {
        match take_u32(&mut body)? {
            FRAME_MAGIC => read_frame(&mut body, &mut plain)?,
            magic if magic & SKIPPABLE_MASK == SKIPPABLE_MAGIC => {
                let length = take_u32(&mut body)? as usize;
                take(&mut body, length)?;
            }
            magic => return Err(corrupt(format!("0x{magic:08X} begins no LZ4 frame"))),
        }
        if body.is_empty() {
            return Ok(plain.bytes);
        }
    }
}

fn write_block(plain: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + 4 + block::get_maximum_output_size(plain.len()), 0);
    let packed = block::compress_into(plain, &mut out[start + 4..]).unwrap_or(plain.len());
    let word = if packed < plain.len() {
        out.truncate(start + 4 + packed);
        packed as u32
    } else {
        out.truncate(start + 4);
        out.extend_from_slice(plain);
        plain.len() as u32 | STORED_BIT
    };
    out[start..start + 4].copy_from_slice(&word.to_le_bytes());
}

fn read_frame(body: &mut &[u8], plain: &mut Plain) -> Result<(), DecodeError> {
    let frame = Frame::read(body)?;
    plain.frame_start = plain.bytes.len();
    loop {
        let word = take_u32(body)?;
        if word == END_MARK {
            break;
        }
        let block = take(body, (word & !STORED_BIT) as usize)?;
        if frame.has(FLAG_BLOCK_CHECKSUM) {
            check(take_u32(body)?, block, "block")?;
        }
        if word & STORED_BIT != 0 {
            plain.room_for(block.len(), &frame)?;
            plain.bytes.extend_from_slice(block);
        } else {
            plain.unpack(block, &frame)?;
        }
    }
    let content = &plain.bytes[plain.frame_start..];
    if frame.has(FLAG_CONTENT_CHECKSUM) {
        check(take_u32(body)?, content, "content")?;
    }
    match frame.content_size {
        Some(size) if size != content.len() as u64 => Err(corrupt("the LZ4 content size is wrong")),
        _ => Ok(()),
    }
}

/// What a frame header says.
struct Frame {
    flags: u8,
    block_size: usize,
    content_size: Option<u64>,
}

impl Frame {
    fn read(body: &mut &[u8]) -> Result<Self, DecodeError> {
        let start = *body;
        let descriptor = take(body, 2)?;
        let (flags, size_code) = (descriptor[0], descriptor[1] >> 4 & 7);
        if flags & FLAG_VERSION_MASK != FLAG_VERSION {
            return Err(corrupt("the LZ4 frame is of an unknown version"));
        }
        if flags & FLAG_DICTIONARY != 0 {
            return Err(corrupt("the LZ4 frame needs a dictionary"));
        }
        if size_code < 4 {
            return Err(corrupt("the LZ4 frame has an unknown block size"));
        }
        let content_size = match flags & FLAG_CONTENT_SIZE {
            0 => None,
            _ => Some(take(body, 8)?.get_u64_le()),
        };
        let descriptor = &start[..start.len() - body.len()];
        if take(body, 1)?[0] != header_checksum(descriptor) {
            return Err(corrupt("the LZ4 header does not have its checksum"));
        }
        // Codes 4 to 7 are 64 KiB, 256 KiB, 1 MiB and 4 MiB.
        Ok(Self { flags, block_size: 1 << (8 + 2 * size_code), content_size })
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What came out so far.
struct Plain {
    bytes: Vec<u8>,
    /// Where the bytes of this frame begin.
    frame_start: usize,
    limit: usize,
}

impl Plain {
    fn room_for(&mut self, length: usize, frame: &Frame) -> Result<(), DecodeError> {
        if length > frame.block_size {
            return Err(corrupt("an LZ4 block is longer than its frame declares"));
        }
        if length > self.limit - self.bytes.len() {
            return Err(too_large(self.limit));
        }
        reserve(&mut self.bytes, length, self.limit);
        Ok(())
    }

    fn unpack(&mut self, block: &[u8], frame: &Frame) -> Result<(), DecodeError> {
        let length = plain_length(block).ok_or_else(|| corrupt("an LZ4 block ends too early"))?;
        self.room_for(length, frame)?;
        let end = self.bytes.len();
        self.bytes.resize(end + length, 0);
        let (before, room) = self.bytes.split_at_mut(end);
        let written = if frame.has(FLAG_INDEPENDENT) {
            block::decompress_into(block, room)
        } else {
            let window = self.frame_start.max(end.saturating_sub(WINDOW));
            block::decompress_into_with_dict(block, room, &before[window..])
        };
        match written {
            Ok(written) if written == length => Ok(()),
            Ok(_) => Err(corrupt("an LZ4 block holds less than it says")),
            Err(why) => Err(corrupt(why.to_string())),
        }
    }
}

/// How many bytes a block holds, added up from its sequences: literals and the matches between them. `None` when it
/// ends too early. So room is made for what comes, not for what a header declares.
fn plain_length(mut block: &[u8]) -> Option<usize> {
    const MIN_MATCH: usize = 4;
    let mut total = 0usize;
    loop {
        let (&token, rest) = block.split_first()?;
        block = rest;
        let literals = extended_length(token >> 4, &mut block)?;
        block = block.get(literals..)?;
        total = total.checked_add(literals)?;
        if block.is_empty() {
            return Some(total);
        }
        block = block.get(2..)?;
        let matched = extended_length(token & 15, &mut block)?;
        total = total.checked_add(matched + MIN_MATCH)?;
    }
}

/// A length of 15 goes on in the bytes that follow, up to the first that is not 255.
fn extended_length(nibble: u8, block: &mut &[u8]) -> Option<usize> {
    let mut length = usize::from(nibble);
    if nibble == 15 {
        loop {
            let (&byte, rest) = block.split_first()?;
            *block = rest;
            length += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
    }
    Some(length)
}

fn take<'a>(body: &mut &'a [u8], length: usize) -> Result<&'a [u8], DecodeError> {
    let (taken, rest) =
        body.split_at_checked(length).ok_or_else(|| corrupt("the LZ4 frame ends too early"))?;
    *body = rest;
    Ok(taken)
}

fn take_u32(body: &mut &[u8]) -> Result<u32, DecodeError> {
    Ok(take(body, 4)?.get_u32_le())
}

fn check(stored: u32, bytes: &[u8], what: &str) -> Result<(), DecodeError> {
    if stored == xxh32(bytes) {
        Ok(())
    } else {
        Err(corrupt(format!("an LZ4 {what} does not have its checksum")))
    }
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    (xxh32(descriptor) >> 8) as u8
}

fn xxh32(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

const FRAME_MAGIC: u32 = 0x184D_2204;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
const SKIPPABLE_MASK: u32 = 0xFFFF_FFF0;
const END_MARK: u32 = 0;
/// In a block's length: the block is not compressed.
const STORED_BIT: u32 = 0x8000_0000;

const FLAG_VERSION_MASK: u8 = 0xC0;
const FLAG_VERSION: u8 = 0x40;
const FLAG_INDEPENDENT: u8 = 0x20;
const FLAG_BLOCK_CHECKSUM: u8 = 0x10;
const FLAG_CONTENT_SIZE: u8 = 0x08;
const FLAG_CONTENT_CHECKSUM: u8 = 0x04;
const FLAG_DICTIONARY: u8 = 0x01;

const WRITTEN_BLOCK_SIZE: usize = 64 * 1024;
const WRITTEN_BLOCK_SIZE_CODE: u8 = 4;
/// How far back a match may point.
const WINDOW: usize = 64 * 1024;
