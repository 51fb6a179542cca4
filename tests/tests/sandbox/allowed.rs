//! What is unusual and no fault.

use super::*;

#[test]
fn what_is_only_excessive_is_no_fault() {
    let deeds = [("huge-limit", ""), ("flood-log", ""), ("long-log", "")];
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-head", &deeds, "deny");
    for (deed, _) in deeds {
        assert_eq!(gateway.get(&format!("/{deed}/bad")).status, 200, "{deed}");
    }
}

#[test]
fn a_huge_reply_comes_whole() {
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-head", &[("reply-huge", "")], "deny");
    let response = gateway.get("/reply-huge/bad");
    assert_eq!((response.status, response.body.len()), (200, 4 << 20));
}

#[test]
fn memory_is_bounded_by_the_policy() {
    let policy = |memory| {
        format!(
            "filter = \"misbehave\"\nlimits.memory = {memory:?}\nconfig = {{ in = \"request-head\", do = \"eat-memory\", amount = 8 }}"
        )
    };
    let upstream = Upstream::start();
    let start = |memory| {
        let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
        gateway.policy("10-m", &policy(memory)).workers(1).start()
    };
    let (roomy, tight) = (start("16MiB"), start("8MiB"));
    assert_eq!(roomy.get("/").status, 200);
    assert_eq!((tight.get("/").status, faults(&tight, "10-m", "memory")), (503, 1.0));
}
