//! The binary header (Apache's `RocketMQSerializable`).
//!
//! `i16 code, u8 language, i16 version, i32 opaque, i32 flag, i32 n + remark, i32 n + (i16 k + key, i32 v + value)*`
//!
//! An empty text reads back as absent; a field met twice keeps its last value.

use bytes::{Buf, Bytes};

use super::{Fields, HeaderEncoding, MAX_FIELDS, Preamble, USUAL_FIELDS};
use crate::{
    DecodeError, DecodeErrorKind as Kind, ExtFields, Flags, LanguageCode, RemotingCommand, Version,
    ext::ExtSink, header::StoredReply,
};

pub(super) fn write(preamble: Preamble<'_>, fields: &impl Fields, out: &mut Vec<u8>) {
    out.extend_from_slice(&(preamble.code as i16).to_be_bytes());
    out.push(preamble.language.0);
    out.extend_from_slice(&(preamble.version.0 as i16).to_be_bytes());
    out.extend_from_slice(&preamble.opaque.to_be_bytes());
    out.extend_from_slice(&preamble.flags.0.to_be_bytes());
    let remark = preamble.remark.unwrap_or_default();
    out.extend_from_slice(&(remark.len() as u32).to_be_bytes());
    out.extend_from_slice(remark.as_bytes());
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    fields.write_to(&mut BinarySink(out));
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

pub(super) fn read(mut header: &[u8]) -> Result<RemotingCommand, DecodeError> {
    if header.len() < FIXED {
        return Err(truncated("binary header"));
    }
    let code = i32::from(header.get_i16());
    let language = LanguageCode(header.get_u8());
    let version = Version(i32::from(header.get_i16()));
    let opaque = header.get_i32();
    let flags = Flags(header.get_i32());
    let length = take_length(&mut header, 4, "remark")?;
    let remark = take_text(&mut header, length, "remark")?;
    let length = take_length(&mut header, 4, "ext fields")?;
    if length > header.len() {
        return Err(truncated("ext fields"));
    }
    Ok(RemotingCommand {
        code,
        language,
        version,
        opaque,
        flags,
        remark: (!remark.is_empty()).then(|| remark.to_owned()),
        ext: read_ext(&header[..length])?,
        body: Bytes::new(),
        encoding: HeaderEncoding::Binary,
    })
}

/// The answer to a stored send, if the header is one and has no remark.
pub(super) fn read_stored(header: &[u8]) -> Option<StoredReply<'_>> {
    let (fixed, header) = header.split_first_chunk::<FIXED>()?;
    let [0, 0, _, _, _, o0, o1, o2, o3, f0, f1, f2, f3] = *fixed else { return None };
    let (no_remark, header) = header.split_first_chunk::<4>()?;
    let (length, block) = header.split_first_chunk::<4>()?;
    if *no_remark != [0; 4] || u32::from_be_bytes(*length) as usize != block.len() {
        return None;
    }
    if i32::from_be_bytes([f0, f1, f2, f3]) & Flags::RESPONSE.0 == 0 {
        return None;
    }
    let (mut message_id, mut queue_id, mut queue_offset, mut pairs) = (None, None, None, 0);
    each_pair(block, |key, value| {
        match key {
            "msgId" => message_id = Some(value),
            "queueId" => queue_id = Some(value),
            "queueOffset" => queue_offset = Some(value),
            _ => {}
        }
        pairs += 1;
        if pairs < MAX_FIELDS { Ok(()) } else { Err(truncated("ext fields")) }
    })
    .ok()?;
    Some(StoredReply {
        opaque: i32::from_be_bytes([o0, o1, o2, o3]),
        message_id: message_id?,
        queue_id: queue_id?.parse().ok()?,
        queue_offset: queue_offset?.parse().ok()?,
    })
}

fn read_ext(block: &[u8]) -> Result<ExtFields, DecodeError> {
    let mut fields = ExtFields::new();
    if !block.is_empty() {
        fields.reserve(block.len(), USUAL_FIELDS);
    }
    each_pair(block, |key, value| {
        if fields.len() == MAX_FIELDS {
            return Err(DecodeError::new(Kind::Malformed("too many".to_owned()), "ext fields"));
        }
        fields.set(key, value);
        Ok(())
    })?;
    Ok(fields)
}

/// Visits the fields that say something.
fn each_pair<'a>(
    mut block: &'a [u8],
    mut visit: impl FnMut(&'a str, &'a str) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while !block.is_empty() {
        let length = take_length(&mut block, 2, "ext key")?;
        let key = take_text(&mut block, length, "ext key")?;
        let length = take_length(&mut block, 4, "ext value")?;
        let value = take_text(&mut block, length, "ext value")?;
        if !key.is_empty() && !value.is_empty() {
            visit(key, value)?;
        }
    }
    Ok(())
}

/// A length of two or four bytes. Negative ones are larger than any block and end as truncated.
fn take_length(block: &mut &[u8], width: usize, context: &'static str) -> Result<usize, DecodeError> {
    if block.len() < width {
        return Err(truncated(context));
    }
    Ok(if width == 2 { usize::from(block.get_u16()) } else { block.get_u32() as usize })
}

fn take_text<'a>(block: &mut &'a [u8], length: usize, context: &'static str) -> Result<&'a str, DecodeError> {
    let Some((text, rest)) = block.split_at_checked(length) else { return Err(truncated(context)) };
    *block = rest;
    std::str::from_utf8(text).map_err(|_| DecodeError::new(Kind::NotUtf8, context))
}

const fn truncated(context: &'static str) -> DecodeError {
    DecodeError::new(Kind::Truncated, context)
}

/// Code, language, version, opaque, flags.
const FIXED: usize = 2 + 1 + 2 + 4 + 4;

struct BinarySink<'a>(&'a mut Vec<u8>);

impl ExtSink for BinarySink<'_> {
    fn field(&mut self, key: &'static str, value: &str) {
        self.pair(key, value);
    }

    /// A key that is longer than its 16 bits cannot be said and is left out.
    fn pair(&mut self, key: &str, value: &str) {
        let Ok(length) = u16::try_from(key.len()) else { return };
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(&(value.len() as u32).to_be_bytes());
        self.0.extend_from_slice(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_lie_are_refused() {
        let whole: Vec<u8> = {
            let mut out = Vec::new();
            let preamble = Preamble {
                code: 17,
                language: LanguageCode::JAVA,
                version: Version(479),
                opaque: 7,
                flags: Flags::RESPONSE,
                remark: Some("no"),
            };
            write(preamble, &ExtFields::from_iter([("k", "v")]), &mut out);
            out
        };
        assert!(read(&whole).is_ok());
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]).unwrap_err().kind, Kind::Truncated, "cut at {cut}");
        }
        let mut negative = whole;
        negative[13..17].copy_from_slice(&(-1i32).to_be_bytes());
        assert_eq!(read(&negative).unwrap_err().kind, Kind::Truncated);
    }
}
