//! The two header encodings, and how a frame is put together around them.
//!
//! Each frame says in its own type byte how its header is encoded. A 4.9 server answers in the encoding of the
//! request, a 5.x server always in JSON; so nothing but the type byte is trusted.

mod binary;
mod json;

pub use json::{SendFill, SendHead};

use crate::{
    DecodeError, DecodeErrorKind as Kind, ExtFields, Flags, LanguageCode, RemotingCommand, RequestCode,
    Version,
    ext::ExtSink,
    header::{Request, StoredReply},
};

/// How a header is encoded (Apache's `SerializeType`).
///
/// ```
/// use maxq_protocol::HeaderEncoding; // maxq::HeaderEncoding
///
/// assert_eq!(HeaderEncoding::default(), HeaderEncoding::Json);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeaderEncoding {
    /// Type byte 0: a JSON object. Every server reads it.
    #[default]
    Json,
    /// Type byte 1: RocketMQ's binary header. Smaller; an empty text reads back as absent.
    Binary,
}

impl HeaderEncoding {
    /// The encoding that a type byte names.
    ///
    /// # Errors
    /// Neither 0 nor 1.
    pub const fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            0 => Ok(Self::Json),
            1 => Ok(Self::Binary),
            other => Err(DecodeError::new(Kind::UnknownSerializeType(other), "serialize type")),
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::Binary => 1,
        }
    }
}

/// What a request says besides its own fields.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// Correlates the answer.
    pub opaque: i32,
    /// Request or one-way.
    pub flags: Flags,
    /// Wanted encoding; a code that does not fit the binary header travels as JSON all the same.
    pub encoding: HeaderEncoding,
}

/// Appends the length word and the head of a request to `out`; its body of `body_length` bytes follows outside.
///
/// This is the way of every send: the typed fields go straight into the encoding, without an [`ExtFields`] between.
/// `extra` is what hooks added.
pub fn write_request_head<R: Request>(
    request: &R,
    extra: &ExtFields,
    envelope: Envelope,
    body_length: usize,
    out: &mut Vec<u8>,
) {
    let preamble = Preamble {
        code: R::CODE.0,
        language: LanguageCode::RUST,
        version: Version::OURS,
        opaque: envelope.opaque,
        flags: envelope.flags,
        remark: None,
    };
    write_head(preamble, &RequestFields { request, extra }, envelope.encoding, body_length, out);
}

/// Appends the whole frame of `command` to `out`.
pub(crate) fn write_frame(command: &RemotingCommand, out: &mut Vec<u8>) {
    let preamble = Preamble {
        code: command.code,
        language: command.language,
        version: command.version,
        opaque: command.opaque,
        flags: command.flags,
        remark: command.remark.as_deref(),
    };
    write_head(preamble, &command.ext, command.encoding, command.body.len(), out);
    out.extend_from_slice(&command.body);
}

/// Reads a header whose frame is whole; the body is the caller's.
pub(crate) fn read_header(type_byte: u8, header: &[u8]) -> Result<RemotingCommand, DecodeError> {
    match HeaderEncoding::from_byte(type_byte)? {
        HeaderEncoding::Json => json::read(header),
        HeaderEncoding::Binary => binary::read(header),
    }
}

/// Reads the answers to stored sends in place, without a copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredReader {
    /// How the last one was written.
    shape: json::Shape,
}

impl StoredReader {
    /// `None` says that it is not such an answer, or not a usual one, and decides nothing.
    pub(crate) fn read<'a>(&mut self, type_byte: u8, header: &'a [u8]) -> Option<StoredReply<'a>> {
        match HeaderEncoding::from_byte(type_byte).ok()? {
            HeaderEncoding::Binary => binary::read_stored(header),
            HeaderEncoding::Json => self.shape.read(header).or_else(|| {
                self.shape.learn(header);
                self.shape.read(header)
            }),
        }
    }
}

/// More ext fields than this are refused. Requests have about fifteen; as look-ups are linear, a header with a million
/// would take minutes to read.
const MAX_FIELDS: usize = 1024;
/// Room for the ext fields of a usual answer: that to a send has five to seven.
const USUAL_FIELDS: usize = 8;

/// The fixed part of a header.
#[derive(Clone, Copy)]
struct Preamble<'a> {
    code: i32,
    language: LanguageCode,
    version: Version,
    opaque: i32,
    flags: Flags,
    remark: Option<&'a str>,
}

/// Ext fields that are to be written. Generic over where to, so that each field of a send becomes a few stores.
trait Fields {
    fn write_to<S: ExtSink>(&self, sink: &mut S);
}

/// The typed fields of a request, and what hooks added to them.
struct RequestFields<'a, R> {
    request: &'a R,
    extra: &'a ExtFields,
}

impl<R: Request> Fields for RequestFields<'_, R> {
    fn write_to<S: ExtSink>(&self, sink: &mut S) {
        self.request.write(sink);
        self.extra.write_to(sink);
    }
}

impl Fields for ExtFields {
    fn write_to<S: ExtSink>(&self, sink: &mut S) {
        for (key, value) in self.iter() {
            sink.pair(key, value);
        }
    }
}

fn write_head(
    preamble: Preamble<'_>,
    fields: &impl Fields,
    encoding: HeaderEncoding,
    body_length: usize,
    out: &mut Vec<u8>,
) {
    let encoding =
        if RequestCode(preamble.code).fits_binary_header() { encoding } else { HeaderEncoding::Json };
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    match encoding {
        HeaderEncoding::Json => json::write(preamble, fields, out),
        HeaderEncoding::Binary => binary::write(preamble, fields, out),
    }
    put_lengths(start, encoding, body_length, out);
}

/// Fills the two words in front of a header that begins eight bytes behind `start` and ends with `out`.
fn put_lengths(start: usize, encoding: HeaderEncoding, body_length: usize, out: &mut [u8]) {
    let header = out.len() - start - 8;
    let length = (4 + header + body_length) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&(header as u32).to_be_bytes());
    out[start + 4] = encoding.byte();
}
