//! The inert part of WASI.

use super::*;

fn start(upstream: &Upstream, config: &str) -> RunningGateway {
    let gateway = TestGateway::new().upstream(upstream).module("inert-wasi", guest("inert-wasi"));
    gateway.policy("10-w", &format!("filter = \"inert-wasi\"\n{config}")).workers(1).start()
}

#[test]
fn a_standard_library_finds_clocks_and_chance_but_no_environment() {
    let upstream = Upstream::start();
    let seen = |config| start(&upstream, config).get("/").echo().field("x-wasi").map(str::to_owned);
    let granted = seen("grants = { clock = true }").unwrap_or_default();
    assert_eq!(granted, "env=0 args=0 map=100 later=true now=true");
    // Clocks that are not granted stand still.
    assert_eq!(seen("").unwrap_or_default(), "env=0 args=0 map=100 later=true now=false");
}

#[test]
fn what_is_printed_reaches_the_log() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("10-w", guest("inert-wasi"));
    let program = gateway.run(&["--workers", "1"]);
    assert_eq!(program.get("/").status, 200);
    program.line(&["INFO", "10-w", "printed while configured"]);
    program.line(&["INFO", "10-w", "printed to standard output"]);
    program.line(&["ERROR", "10-w", "printed to standard error"]);
}

#[test]
fn files_sleep_and_exit_are_faults() {
    let upstream = Upstream::start();
    for config in ["file = \"/etc/hostname\"", "sleep = true", "exit = true"] {
        let gateway = start(&upstream, &format!("config = {{ {config} }}"));
        assert_eq!(gateway.get("/").status, 503, "{config}");
        assert_eq!(faults(&gateway, "10-w", "refused"), 1.0, "{config}");
    }
}
