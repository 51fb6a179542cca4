//! The head of a request where it is handed from one to the next.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use http::{Request, request};

/// The head of a request. It is large and changes hands several times, so it is moved by its address: taking it away
/// leaves a head that says nothing.
#[derive(Clone, Debug, Default)]
pub struct RequestHead(Option<Box<request::Parts>>);

static BLANK: LazyLock<request::Parts> = LazyLock::new(blank_request);

/// The parts of a request that says nothing yet.
#[must_use]
pub fn blank_request() -> request::Parts {
    Request::new(()).into_parts().0
}

/// How many heads a thread keeps to be filled again, and how many fields those may have room for.
const KEPT: usize = 64;
const MOST_ROOM: usize = 64;

thread_local! {
    /// Heads that say nothing, with room for fields.
    #[allow(clippy::vec_box, reason = "they come and go by their address")]
    static SPARE: RefCell<Vec<Box<request::Parts>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for RequestHead {
    fn drop(&mut self) {
        let Some(mut head) = self.0.take().filter(|head| head.headers.capacity() <= MOST_ROOM) else { return };
        let mut fields = std::mem::take(&mut head.headers);
        fields.clear();
        *head = blank_request();
        head.headers = fields;
        // A thread that ends has none to keep.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < KEPT {
                spare.push(head);
            }
        });
    }
}

fn spare() -> Box<request::Parts> {
    let kept = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| Box::new(blank_request()))
}

impl Deref for RequestHead {
    type Target = request::Parts;

    fn deref(&self) -> &request::Parts {
        self.0.as_ref().map_or_else(|| &*BLANK, Box::as_ref)
    }
}

impl DerefMut for RequestHead {
    fn deref_mut(&mut self) -> &mut request::Parts {
        self.0.get_or_insert_with(spare)
    }
}

impl From<request::Parts> for RequestHead {
    fn from(parts: request::Parts) -> Self {
        Self(Some(Box::new(parts)))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, Uri, Version};

    use super::*;

    #[test]
    fn nothing_of_a_head_is_left_in_the_next() {
        let mut head = RequestHead::default();
        assert_eq!((&head.method, head.headers.len()), (&Method::GET, 0), "a head that says nothing can be read");
        head.method = Method::PUT;
        head.uri = Uri::from_static("/secret");
        head.version = Version::HTTP_10;
        head.headers.insert("authorization", HeaderValue::from_static("secret"));
        head.extensions.insert("secret");
        let room = head.headers.capacity();
        let taken = std::mem::take(&mut head);
        assert_eq!((head.uri.path(), taken.uri.path()), ("/", "/secret"));
        drop(taken);
        // The same memory, with its room for fields.
        let parts = &mut *head;
        assert_eq!((parts.headers.capacity(), &parts.headers), (room, &HeaderMap::new()));
        assert_eq!((&parts.method, &parts.uri, parts.version), (&Method::GET, &Uri::default(), Version::HTTP_11));
        assert!(parts.extensions.is_empty());
    }

    #[test]
    fn heads_with_much_room_are_not_kept() {
        let mut head = RequestHead::default();
        head.headers.reserve(10_000);
        drop(head);
        let mut next = RequestHead::default();
        assert_eq!(next.headers.capacity(), 0);
        next.method = Method::HEAD;
        assert!(next.headers.capacity() <= MOST_ROOM);
    }
}
