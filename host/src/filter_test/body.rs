//! Bodies of cases: cut into pieces on the way in, whole again on the way out.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use crate::config::cases::{Content, Cut};
use crate::message::{Body, BodyError};

/// More pieces than this show nothing that fewer do not.
const MOST_PIECES: usize = 2_048;

/// Sizes of pieces that are tried where any cut must do.
const SIZES: [usize; 9] = [1, 2, 3, 5, 7, 16, 61, 1_024, 16_384];

/// One way to cut a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cutting {
    Whole,
    /// Pieces of so many bytes each.
    Every(usize),
    /// Pieces of these sizes, in turn.
    Sizes(Vec<usize>),
}

impl Cutting {
    /// All ways that the case asks for: at least one.
    pub(super) fn all(content: &Content) -> Vec<Self> {
        let length = content.bytes.len();
        match &content.cut {
            Cut::Whole => vec![Self::Whole],
            Cut::Given(sizes) => vec![Self::Sizes(sizes.clone())],
            Cut::Each(sizes) => sizes.iter().map(|size| Self::Every(*size)).collect(),
            Cut::Any if length < 2 => vec![Self::Whole],
            Cut::Any => {
                let fits = |size: &usize| *size < length && length.div_ceil(*size) <= MOST_PIECES;
                let regular = SIZES.into_iter().chain([length / 2, length - 1]).filter(fits).map(Self::Every);
                let unequal = [vec![1, length / 3 + 1, 2], vec![0, 1, 0, length / 2]].map(Self::Sizes);
                [Self::Whole].into_iter().chain(regular).chain(unequal).collect()
            }
        }
    }

    /// The body of a message.
    pub(super) fn body(&self, content: &Bytes, trailers: &HeaderMap) -> Body {
        let mut frames: VecDeque<_> = self.pieces(content.clone()).into_iter().map(Frame::data).collect();
        if !trailers.is_empty() {
            frames.push_back(Frame::trailers(trailers.clone()));
        }
        if frames.is_empty() { Body::Empty } else { Body::boxed(Pieces(frames)) }
    }

    fn pieces(&self, mut rest: Bytes) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let mut take = |size: usize, rest: &mut Bytes| pieces.push(rest.split_to(size.min(rest.len())));
        match self {
            Self::Whole => {}
            Self::Every(size) => {
                while rest.len() > *size {
                    take(*size, &mut rest);
                }
            }
            Self::Sizes(sizes) => sizes.iter().filter(|_| true).for_each(|size| take(*size, &mut rest)),
        }
        if !rest.is_empty() {
            pieces.push(rest);
        }
        pieces
    }
}

impl std::fmt::Display for Cutting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => f.write_str("as a whole"),
            Self::Every(size) => write!(f, "in pieces of {size} bytes"),
            Self::Sizes(sizes) => write!(f, "in pieces of {sizes:?} bytes"),
        }
    }
}

struct Pieces(VecDeque<Frame<Bytes>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// A body as it comes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) trailers: HeaderMap,
    /// Why it has ended early, if it has.
    pub(super) broken: Option<String>,
}

/// Reads a body to its end.
pub(super) async fn read(mut body: Body) -> Read {
    let mut read = Read::default();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => read.bytes.extend_from_slice(&data),
            Ok(Err(frame)) => read.trailers.extend(frame.into_trailers().unwrap_or_default()),
            Err(error) => {
                read.broken = Some(error.to_string());
                break;
            }
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_cut_it_is_the_same_body() {
        let bytes = Bytes::from((0..=255).cycle().take(5_000).collect::<Vec<u8>>());
        let content = Content { bytes: bytes.clone(), cut: Cut::Any };
        let cuttings = Cutting::all(&content);
        assert!(cuttings.len() > 5, "{cuttings:?}");
        for cutting in cuttings {
            assert_eq!(cutting.pieces(bytes.clone()).concat(), bytes, "{cutting}");
        }
    }
}
