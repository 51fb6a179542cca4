//! Faults that deny the exchange.

use super::*;

#[track_caller]
fn expect_denied(gateway: &RunningGateway, deed: &str, class: &str, response: &Response) {
    assert_eq!((response.status, response.problem().as_str()), (503, DENIED), "{deed}");
    let told = format!("{response:?}");
    assert!(!told.contains(SECRET) && !told.contains("misbehave") && !told.contains("wasm"), "{deed}: {told}");
    assert_eq!(faults(gateway, deed, class), 1.0, "{deed}");
}

#[test]
fn a_fault_over_a_request_head_denies_it_and_the_next_request_is_served() {
    let deeds = with_a_head(("request-status", "answer"));
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-head", &deeds, "deny");
    for (deed, class) in deeds {
        expect_denied(&gateway, deed, class, &gateway.get(&format!("/{deed}/bad")));
        let begun = gateway.get(&format!("/{deed}/good")).echo().field("x-begun").map(str::to_owned);
        let expected = if takes_the_instance(class) { "1" } else { "2" };
        assert_eq!(begun.as_deref(), Some(expected), "{deed}");
    }
    assert!(upstream.requests().iter().all(|request| request.path.ends_with("/good")), "a bad one got through");
}

#[test]
fn a_fault_over_a_response_head_puts_a_problem_in_its_place() {
    let deeds = with_a_head(("informational-status", "answer"));
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "response-head", &deeds, "deny");
    for (deed, class) in deeds {
        expect_denied(&gateway, deed, class, &gateway.get(&format!("/{deed}/bad")));
        let good = gateway.get(&format!("/{deed}/good"));
        let expected = if takes_the_instance(class) { "1" } else { "2" };
        assert_eq!((good.status, good.field("x-begun")), (200, Some(expected)), "{deed}");
    }
}

#[test]
fn a_fault_over_a_request_body_denies_the_request() {
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-body", &ANYWHERE, "deny");
    for (deed, class) in ANYWHERE {
        let response = gateway.send(Request::post(&format!("/{deed}/bad"), "content"));
        expect_denied(&gateway, deed, class, &response);
        let echo = gateway.send(Request::post(&format!("/{deed}/good"), "content")).echo();
        assert_eq!(echo.body, "content", "{deed}");
    }
    assert!(upstream.requests().iter().all(|request| !request.complete || request.path.ends_with("good")));
}

#[test]
fn a_fault_over_request_trailers_denies_the_request() {
    let deeds: Vec<_> = ANYWHERE.into_iter().chain([("edit-trailers-badly", "answer")]).collect();
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-trailers", &deeds, "deny");
    for (deed, class) in deeds {
        let request = |path| Request::post(&format!("/{deed}/{path}"), "").chunks(["content"]).trailer("x-a", "b");
        expect_denied(&gateway, deed, class, &gateway.send(request("bad")));
        assert_eq!(gateway.send(request("good")).echo().body, "content", "{deed}");
    }
}

#[test]
fn a_fault_over_a_response_body_cuts_it() {
    let upstream = Upstream::answering(Answer::ok("a body that must not go out"));
    let gateway = misbehaving(&upstream, "response-body", &ANYWHERE, "deny");
    for (deed, class) in ANYWHERE {
        let mut connection = gateway.connect();
        connection.send(&Request::get(&format!("/{deed}/bad")));
        let mut came = Vec::new();
        loop {
            let more = connection.some();
            if more.is_empty() {
                break;
            }
            came.extend(more);
        }
        let came = String::from_utf8_lossy(&came);
        assert!(!came.contains("must not go out") && !came.contains("0\r\n\r\n"), "{deed}: {came}");
        assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
        assert_eq!(gateway.get(&format!("/{deed}/good")).text(), "a body that must not go out", "{deed}");
    }
}

#[test]
fn a_fault_at_an_exchange_s_end_is_counted_and_changes_nothing() {
    let deeds: Vec<_> = ANYWHERE.into_iter().filter(|(deed, _)| *deed != "fault").collect();
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "exchange-end", &deeds, "deny");
    for (deed, class) in deeds {
        assert_eq!(gateway.get(&format!("/{deed}/bad")).status, 200, "{deed}");
        eventually("the end is a fault", || faults(&gateway, deed, class) == 1.0);
        assert_eq!(gateway.get(&format!("/{deed}/good")).status, 200, "{deed}");
    }
}
