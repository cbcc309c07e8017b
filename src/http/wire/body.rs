//! Reads bodies of requests.

use std::{error::Error, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};

/// Why a body is not taken.
#[derive(Debug)]
pub enum BodyError {
    /// It is too large.
    TooLarge {
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// It is compressed, or encoded in another way.
    Encoded(String),
    /// It did not come in time.
    Timeout,
    /// The client broke off, or its message is malformed.
    Broken,
}

/// Reads a body up to a limit of size and of time.
pub async fn read_body<B>(headers: &HeaderMap, body: B, limit: usize, timeout: Duration) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    must_be_plain(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge { limit });
    }
    match tokio::time::timeout(timeout, whole(Limited::new(body, limit))).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(BodyError::TooLarge { limit }),
        Ok(Err(_)) => Err(BodyError::Broken),
        Err(_) => Err(BodyError::Timeout),
    }
}

/// Refuses a body that is compressed: nobody here unpacks one, and what it unpacks to would have no limit.
pub fn must_be_plain(headers: &HeaderMap) -> Result<(), BodyError> {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(|coding| String::from_utf8_lossy(coding.trim_ascii()).to_ascii_lowercase());
    match codings.find(|coding| !coding.is_empty() && coding != "identity") {
        Some(coding) => Err(BodyError::Encoded(coding.chars().take(40).flat_map(char::escape_debug).collect())),
        None => Ok(()),
    }
}

/// Puts the parts of a body together as they come: each of them, however small, keeps the buffer that it was read into.
async fn whole<B: http_body::Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Bytes, B::Error> {
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await.transpose()? {
        let Ok(part) = frame.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = part;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&part);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
