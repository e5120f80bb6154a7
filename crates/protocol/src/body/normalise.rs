//! Makes JSON of what fastjson writes when nobody asks for JSON.

use crate::{DecodeError, DecodeErrorKind as Kind};

/// Quotes bare keys (`{0:"a"}`) and turns objects that are keys (`{{"topic":"t"}:1}`) into texts; everything else is
/// copied. Valid JSON stays byte for byte what it is.
///
/// It does not judge: what was no JSON for another reason still is none. The text grows sixfold at most.
///
/// # Errors
/// It is not UTF-8, is nested deeper than 128 levels, or has an object key inside of an object key: there each level
/// would double the backslashes of the one inside.
pub fn normalise(text: &[u8]) -> Result<Vec<u8>, DecodeError> {
    std::str::from_utf8(text).map_err(|_| DecodeError::new(Kind::NotUtf8, CONTEXT))?;
    let mut state = Normaliser { out: Vec::with_capacity(text.len() + 16), open: Vec::new(), key: None };
    let mut rest = text;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(token_length(rest));
        state.take(token)?;
        rest = after;
    }
    Ok(state.out)
}

struct Normaliser {
    out: Vec<u8>,
    /// The brackets around the next token.
    open: Vec<Place>,
    /// Where the object began that is a key right now, and how many brackets are around it.
    key: Option<(usize, usize)>,
}

/// What comes next inside of a bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Element,
    Key,
    Value,
}

impl Normaliser {
    fn take(&mut self, token: &[u8]) -> Result<(), DecodeError> {
        let is_key = self.open.last() == Some(&Place::Key);
        match token[0] {
            b'{' if is_key => self.open_key()?,
            b'{' => self.open(Place::Key)?,
            b'[' => self.open(Place::Element)?,
            b'}' | b']' => return self.close(token),
            b':' => self.expect(Place::Value),
            b',' => self.expect(Place::Key),
            byte if is_key && byte != b'"' && !byte.is_ascii_whitespace() => {
                self.out.push(b'"');
                self.out.extend_from_slice(token);
                self.out.push(b'"');
                return Ok(());
            }
            _ => {}
        }
        self.out.extend_from_slice(token);
        Ok(())
    }

    fn open(&mut self, next: Place) -> Result<(), DecodeError> {
        if self.open.len() == MAX_DEPTH {
            return Err(refused("nested too deeply"));
        }
        self.open.push(next);
        Ok(())
    }

    fn open_key(&mut self) -> Result<(), DecodeError> {
        if self.key.is_some() {
            return Err(refused("an object key inside of an object key"));
        }
        self.key = Some((self.out.len(), self.open.len()));
        self.open(Place::Key)
    }

    fn close(&mut self, bracket: &[u8]) -> Result<(), DecodeError> {
        self.open.pop();
        self.out.extend_from_slice(bracket);
        if let Some((start, _)) = self.key.take_if(|(_, depth)| *depth == self.open.len()) {
            let object = self.out.split_off(start);
            let text = std::str::from_utf8(&object).map_err(|_| DecodeError::new(Kind::NotUtf8, CONTEXT))?;
            serde_json::to_writer(&mut self.out, text)
                .map_err(|_| refused("an object key that is no text"))?;
        }
        Ok(())
    }

    /// In an object the place moves; in an array it stays.
    fn expect(&mut self, next: Place) {
        if let Some(place @ (Place::Key | Place::Value)) = self.open.last_mut() {
            *place = next;
        }
    }
}

/// The next token: a text with its quotes, one bracket, separator or blank, or a run of anything else.
fn token_length(rest: &[u8]) -> usize {
    const ENDS_RUN: &[u8] = b"{}[]:,\" \t\r\n";
    match rest[0] {
        b'"' => text_length(rest),
        byte if ENDS_RUN.contains(&byte) => 1,
        _ => rest.iter().position(|byte| ENDS_RUN.contains(byte)).unwrap_or(rest.len()),
    }
}

/// Up to the closing quote, or to the end if there is none.
fn text_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = rest.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if rest[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    rest.len()
}

fn refused(why: &str) -> DecodeError {
    DecodeError::new(Kind::Json(why.to_owned()), CONTEXT)
}

const CONTEXT: &str = "JSON body";
/// What serde_json allows too.
const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(text: &str) -> String {
        String::from_utf8(normalise(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn bare_keys_are_quoted_wherever_they_stand() {
        assert_eq!(normalised(r#"{0:"a",-1:{2:[{3:null}]}}"#), r#"{"0":"a","-1":{"2":[{"3":null}]}}"#);
        assert_eq!(normalised("{ 0 : 1 ,\n1:2}"), "{ \"0\" : 1 ,\n\"1\":2}");
        assert_eq!(normalised("[0,{null:1}]"), r#"[0,{"null":1}]"#);
    }

    #[test]
    fn objects_that_are_keys_become_texts() {
        assert_eq!(
            normalised(r#"{"t":{{"brokerName":"b\"","queueId":0}:{"max":3},{0:[1]}:{4:5}}}"#),
            r#"{"t":{"{\"brokerName\":\"b\\\"\",\"queueId\":0}":{"max":3},"{\"0\":[1]}":{"4":5}}}"#
        );
    }

    #[test]
    fn texts_are_left_alone() {
        for text in
            [r#"{"a:{0:1},":"}{\\\"0:"}"#, r#"["\\",0]"#, r#""{0:1}""#, "{}", "", "7", r#""\"#, "\"", "{\"a"]
        {
            assert_eq!(normalised(text), text);
        }
    }

    #[test]
    fn bombs_are_refused() {
        assert!(normalise("[".repeat(129).as_bytes()).is_err());
        assert!(normalise("{{{".as_bytes()).is_err());
        assert!(normalise(&[b'{', 0xFF]).is_err());
        assert!(normalise("}]".repeat(1000).as_bytes()).is_ok());
    }
}
