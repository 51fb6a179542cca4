//! Stories of the path: what goes through, and how.
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{TestGateway, Upstream};

#[test]
fn a_request_goes_to_the_upstream() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).start();
    let echo = gateway.get("/a?b=c").echo();
    assert_eq!((echo.method.as_str(), echo.path.as_str()), ("GET", "/a?b=c"));
}
