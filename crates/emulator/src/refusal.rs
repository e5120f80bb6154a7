//! A request that is not carried out: the code and the remark of its answer.

use maxq_protocol::{DecodeError, DecodeErrorKind, RemotingCommand, ResponseCode};

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: ResponseCode,
    remark: String,
    field: Option<(&'static str, &'static str)>,
    is_exception: bool,
}

impl Refusal {
    /// A refusal as a handler of Apache words it.
    pub(crate) fn new(code: ResponseCode, remark: impl Into<String>) -> Self {
        Self { code, remark: remark.into(), field: None, is_exception: false }
    }

    /// What becomes of a Java exception: code 1 and its text, without fields
    /// (`NettyRemotingAbstract.processRequestCommand`).
    ///
    /// The text is ours after the class name. Java itself drops it once the code is hot, so no client may read it.
    pub(crate) fn exception(text: impl Into<String>) -> Self {
        Self { code: ResponseCode::SYSTEM_ERROR, remark: text.into(), field: None, is_exception: true }
    }

    /// A request that Apache knows and this emulator does not carry out yet.
    pub(crate) fn not_emulated(code: i32, what: &str) -> Self {
        let remark = format!(" request type {code} not supported: {what} is not emulated yet");
        Self::new(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark)
    }

    /// The same refusal with a field.
    pub(crate) fn with_field(self, key: &'static str, value: &'static str) -> Self {
        Self { field: Some((key, value)), ..self }
    }

    /// The same refusal; an exception of the library that reads JSON has the package of this one.
    pub(crate) fn of_json_library(mut self, package: &str) -> Self {
        if let Some(rest) = self.remark.strip_prefix(JSON_LIBRARY) {
            self.remark = format!("{package}{rest}");
        }
        self
    }

    /// Whether it stands for a Java exception.
    pub(crate) const fn is_exception(&self) -> bool {
        self.is_exception
    }

    /// The answer.
    pub(crate) fn into_answer(self) -> RemotingCommand {
        let mut answer = RemotingCommand::response(self.code, 0).with_remark(self.remark);
        if let Some((key, value)) = self.field {
            answer.ext.set(key, value);
        }
        answer
    }
}

impl From<DecodeError> for Refusal {
    /// Headers and bodies that do not decode.
    fn from(error: DecodeError) -> Self {
        match error.kind {
            DecodeErrorKind::Missing => Self::exception(format!(
                "java.lang.NullPointerException: header field {} is missing",
                error.context
            )),
            DecodeErrorKind::Malformed(text) => {
                Self::exception(format!("java.lang.NumberFormatException: For input string: \"{text}\""))
            }
            DecodeErrorKind::Json(_) => Self::exception(format!("{JSON_LIBRARY}.JSONException: {error}")),
            _ => Self::exception(format!("java.nio.BufferUnderflowException: {error}")),
        }
    }
}

/// What 5.5.0 reads JSON with.
const JSON_LIBRARY: &str = "com.alibaba.fastjson2";
