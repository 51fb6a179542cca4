//! What filters say.

use super::*;

fn program(place: &str, deed: &str) -> (Upstream, tollgate_tests::Binary) {
    let upstream = Upstream::start();
    let policy = format!(
        "filter = \"misbehave\"\nlimits.cpu = \"10s\"\nconfig = {{ in = \"{place}\", do = \"{deed}\", when = \"/bad\" }}"
    );
    let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
    let program = gateway.policy("10-m", &policy).run(&["--workers", "1"]);
    (upstream, program)
}

#[test]
fn a_fault_is_logged_with_policy_class_and_reason() {
    let (_upstream, program) = program("request-head", "panic");
    assert_eq!(program.get("/bad").status, 503);
    let line = program.line(&["filter fault"]);
    for part in ["WARN", "10-m", "trap", &format!("panic: {SECRET}")] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}

#[test]
fn a_hook_logs_a_bounded_number_of_lines() {
    let (_upstream, program) = program("request-head", "flood-log");
    program.get("/bad");
    program.line(&["10-m", "flood 63"]);
    program.get("/bad");
    program.signal("TERM");
    let lines = program.wait().stderr;
    assert_eq!(lines.lines().filter(|line| line.contains("flood ")).count(), 128, "{lines}");
}

#[test]
fn a_long_line_is_cut() {
    let (_upstream, program) = program("request-head", "long-log");
    assert_eq!(program.get("/bad").status, 200);
    let line = program.line(&["10-m", "long long"]);
    assert!(line.len() < 4_096 + 200, "{} bytes", line.len());
}
