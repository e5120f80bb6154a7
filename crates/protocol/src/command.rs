//! One frame as a value: Apache's `RemotingCommand`.

use bytes::Bytes;

use crate::{
    DecodeError, ExtFields, HeaderEncoding, LanguageCode, RequestCode, ResponseCode, Version,
    header::{Header, Request},
    serialize,
};

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotingCommand {
    /// Request code, or response code when the response flag is set.
    pub code: i32,
    /// Language of the sender.
    pub language: LanguageCode,
    /// Version of the sender.
    pub version: Version,
    /// Correlates a response with its request; the sender of the request chooses it.
    pub opaque: i32,
    /// Response and one-way bits.
    pub flags: Flags,
    /// Error text of a response. Success answers may carry one too: never judge success by it.
    pub remark: Option<String>,
    /// Typed header fields and what hooks added.
    pub ext: ExtFields,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// How the header was, or will be, encoded.
    pub encoding: HeaderEncoding,
}

impl RemotingCommand {
    /// A request with `header`'s code and fields, opaque 0, no body, JSON.
    pub fn request<R: Request>(header: &R) -> Self {
        let mut ext = ExtFields::new();
        header.write(&mut ext);
        Self { code: R::CODE.0, ext, ..Self::empty() }
    }

    /// A response without fields.
    pub fn response(code: ResponseCode, opaque: i32) -> Self {
        Self { code: code.0, opaque, flags: Flags::RESPONSE, ..Self::empty() }
    }

    /// The same command with the fields of `header`.
    pub fn with_header(mut self, header: &impl Header) -> Self {
        self.ext.reserve(USUAL_TEXT, USUAL_FIELDS);
        header.write(&mut self.ext);
        self
    }

    /// The same command with a remark.
    pub fn with_remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = Some(remark.into());
        self
    }

    /// The same command with a body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The code of a request.
    pub const fn request_code(&self) -> RequestCode {
        RequestCode(self.code)
    }

    /// The code of a response.
    pub const fn response_code(&self) -> ResponseCode {
        ResponseCode(self.code)
    }

    /// Whether this answers a request.
    pub const fn is_response(&self) -> bool {
        self.flags.0 & Flags::RESPONSE.0 != 0
    }

    /// Whether the receiver must not answer.
    pub const fn is_oneway(&self) -> bool {
        self.flags.0 & Flags::ONEWAY.0 != 0
    }

    /// Reads the typed fields.
    ///
    /// # Errors
    /// A mandatory field is missing, or one does not parse.
    pub fn header<H: Header>(&self) -> Result<H, DecodeError> {
        H::read(&self.ext)
    }

    /// Appends the whole frame, length word first, to `out`.
    ///
    /// A code that does not fit the binary header travels as JSON whatever `encoding` says.
    pub fn encode(&self, out: &mut Vec<u8>) {
        serialize::write_frame(self, out);
    }

    fn empty() -> Self {
        Self {
            code: 0,
            language: LanguageCode::RUST,
            version: Version::OURS,
            opaque: 0,
            flags: Flags::REQUEST,
            remark: None,
            ext: ExtFields::new(),
            body: Bytes::new(),
            encoding: HeaderEncoding::Json,
        }
    }
}

/// What the answer to a send needs, so that building it does not grow the fields step by step.
const USUAL_TEXT: usize = 256;
/// As [`USUAL_TEXT`].
const USUAL_FIELDS: usize = 8;

/// The flag word: bit 0 = response, bit 1 = one-way. Unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub i32);

impl Flags {
    /// A request that wants an answer.
    pub const REQUEST: Self = Self(0);
    /// An answer.
    pub const RESPONSE: Self = Self(1);
    /// A request that must not be answered.
    pub const ONEWAY: Self = Self(2);
}
