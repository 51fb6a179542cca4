//! Faults that leave the filter out.

use super::*;

#[test]
fn a_fault_over_a_request_head_leaves_no_trace() {
    let deeds = with_a_head(("request-status", "answer"));
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-head", &deeds, "bypass");
    for (deed, class) in deeds {
        let response = gateway.get(&format!("/{deed}/bad"));
        let echo = response.echo();
        assert_eq!((echo.field("x-begun"), echo.path.as_str()), (None, &*format!("/{deed}/bad")), "{deed}");
        assert_eq!((response.field("x-hooks"), response.field("server")), (None, Some("echo")), "{deed}");
        assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
        assert!(gateway.get(&format!("/{deed}/good")).echo().field("x-begun").is_some(), "{deed}");
    }
}

#[test]
fn a_fault_over_a_response_head_leaves_no_trace() {
    let deeds = with_a_head(("informational-status", "answer"));
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "response-head", &deeds, "bypass");
    for (deed, class) in deeds {
        let response = gateway.get(&format!("/{deed}/bad"));
        assert_eq!((response.status, response.field("x-hooks")), (200, None), "{deed}");
        assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
    }
}

#[test]
fn a_fault_over_a_body_lets_it_pass() {
    for place in ["request-body", "response-body"] {
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, place, &ANYWHERE, "bypass");
        for (deed, class) in ANYWHERE {
            let echo = gateway.send(Request::post(&format!("/{deed}/bad"), "content")).echo();
            assert_eq!(echo.body, "content", "{deed}");
            assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
        }
    }
}

#[test]
fn a_fault_over_trailers_lets_them_pass() {
    let deeds: Vec<_> = ANYWHERE.into_iter().chain([("edit-trailers-badly", "answer")]).collect();
    let answer = Answer::status(200).field("trailer", "x-a").chunk("content").trailer("x-a", "b");
    let (echo, upstream) = (Upstream::start(), Upstream::answering(answer));
    let of_request = misbehaving(&echo, "request-trailers", &deeds, "bypass");
    let of_response = misbehaving(&upstream, "response-trailers", &deeds, "bypass");
    for (deed, class) in deeds {
        let request = Request::post(&format!("/{deed}/bad"), "").field("trailer", "x-a").field("te", "trailers");
        let request = request.chunks(["content"]).trailer("x-a", "b");
        let echo = of_request.send(request.clone()).echo();
        assert_eq!((echo.body.as_str(), echo.trailers.get("x-a")), ("content", Some("b")), "{deed}");
        let response = of_response.send(request);
        assert_eq!((response.text().as_str(), response.trailers.get("x-a")), ("content", Some("b")), "{deed}");
        assert_eq!((faults(&of_request, deed, class), faults(&of_response, deed, class)), (1.0, 1.0), "{deed}");
    }
}
