//! Responses: whatever the pieces, the same is read of them, and hyper reads the same of all that passes.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use tollgate::upstream::HeadReader;
use tollgate::wire::{Decoder, HeadLimits};

use super::script::{Script, finish};

const LIMITS: HeadLimits = HeadLimits { fields: 100, bytes: 32 << 10 };

/// Two numbers that say what was asked for and how the response is cut, then the response and whatever comes behind it.
pub fn run(data: &[u8]) {
    let Some(([asked, every], bytes)) = data.split_first_chunk() else { return };
    let method = if asked & 1 == 0 { Method::GET } else { Method::HEAD };
    let whole = read(bytes, usize::MAX, &method);
    for every in [1, 7, usize::from(*every).max(1)] {
        let pieces = read(bytes, every, &method);
        assert_eq!(pieces.is_some(), whole.is_some(), "in pieces of {every}");
        assert!(whole.is_none() || pieces == whole, "in pieces of {every}: {pieces:?}, not {whole:?}");
    }
    if let Some(ours) = whole.filter(|ours| ours.status != 101) {
        let theirs = ask(bytes, usize::from(*every), method);
        assert_eq!(theirs.as_ref(), Some(&ours), "hyper reads something else");
    }
}

/// A response that came to its end.
#[derive(PartialEq, Debug)]
struct Read {
    status: u16,
    fields: HeaderMap,
    content: Bytes,
    trailers: HeaderMap,
}

/// What we make of it; nothing if it is none, or has no end.
fn read(bytes: &[u8], every: usize, method: &Method) -> Option<Read> {
    let (mut reader, mut received) = (HeadReader::new(LIMITS), BytesMut::new());
    let mut pieces = bytes.chunks(every.min(bytes.len()).max(1));
    let (head, framing) = loop {
        received.extend_from_slice(pieces.next()?);
        if let Some(head) = reader.take(&mut received, method).ok()? {
            break head;
        }
    };
    let mut decoder = Decoder::new(framing.length, LIMITS);
    let (mut content, mut trailers) = (BytesMut::new(), HeaderMap::new());
    loop {
        while let Some(frame) = decoder.take(&mut received).ok()? {
            match frame.into_data() {
                Ok(data) => content.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
        if decoder.is_done() {
            break;
        }
        match pieces.next() {
            Some(piece) => received.extend_from_slice(piece),
            None if decoder.end() => break,
            None => return None,
        }
    }
    Some(Read { status: head.status.as_u16(), fields: head.headers, content: content.freeze(), trailers })
}

/// What hyper makes of it.
fn ask(bytes: &[u8], every: usize, method: Method) -> Option<Read> {
    let script = Script::answering(bytes, every);
    finish(async move {
        let (mut sender, connection) = http1::Builder::new().max_headers(100).handshake(script).await.ok()?;
        let request =
            Request::builder().method(method).uri("/").header("host", "a").body(Empty::<Bytes>::new()).ok()?;
        let call = async move {
            let response = sender.send_request(request).await.ok()?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.ok()?;
            let trailers = body.trailers().cloned().unwrap_or_default();
            Some(Read { status: head.status.as_u16(), fields: head.headers, content: body.to_bytes(), trailers })
        };
        super::script::beside(call, connection).await
    })
}

/// The responses of the corpus.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::messages("responses")
}
