//! Faults over the configuration.

use super::*;

fn policy(deed: &str) -> String {
    format!("filter = \"misbehave\"\nlimits.configure = \"20ms\"\nconfig = {{ in = \"configure\", do = \"{deed}\" }}\n")
}

const REFUSALS: [(&str, &str); 6] = [
    ("panic", "the filter failed while it was configured (trap): "),
    ("trap", "the filter failed while it was configured (trap): "),
    ("recurse", "the filter failed while it was configured (stack): "),
    (
        "loop",
        "the filter did not accept its configuration in time: used more than 20ms of CPU time; raise limits.configure",
    ),
    ("eat-memory", "the filter ran out of memory over its configuration: "),
    ("fault", SECRET),
];

#[test]
fn a_fault_while_configured_is_refused_with_file_line_and_key() {
    for (deed, expected) in REFUSALS {
        let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
        let gateway = gateway.module("misbehave", guest("misbehave")).policy("10-m", &policy(deed));
        let message = gateway.check().unwrap_err();
        assert!(message.starts_with("policies/10-m.toml:3: config: "), "{deed}: {message}");
        assert!(message.contains(expected), "{deed}: {message}");
    }
}

#[test]
fn imports_cannot_be_called_while_configured() {
    for deed in ["zero-cost", "huge-limit", "foreign-exchange"] {
        let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
        let gateway = gateway.module("misbehave", guest("misbehave")).policy("10-m", &policy(deed));
        let message = gateway.check().unwrap_err();
        assert!(message.contains("while no hook of"), "{deed}: {message}");
    }
}

#[test]
fn a_fault_over_a_changed_configuration_keeps_the_one_before_it() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
    let gateway = gateway.policy("10-m", "filter = \"misbehave\"").workers(1).start();
    for (number, (deed, expected)) in (1..).zip(REFUSALS) {
        gateway.change(|gateway| gateway.write_policy("10-m", &policy(deed)));
        let status = gateway.policy("10-m");
        assert_eq!(status["state"], "kept", "{deed}");
        assert!(status["last-error"].as_str().unwrap_or_default().contains(expected), "{status}");
        assert_eq!(gateway.get("/").echo().field("x-begun"), Some(&*number.to_string()), "{deed}");
    }
}

#[test]
fn too_many_or_unknown_facts_are_refused() {
    let refusal = |names: &[String]| {
        let policy = format!("filter = \"facts\"\nconfig = {{ in = \"request\", declare = {names:?} }}");
        let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
        gateway.module("facts", guest("facts")).policy("10-f", &policy).check().unwrap_err()
    };
    let many: Vec<String> = (0..65).map(|number| format!("x-{number}")).collect();
    assert!(refusal(&many).contains("subscribes to 65 facts, but 64 is the most"), "{}", refusal(&many));
    let unknown = refusal(&["@nonsense".to_owned()]);
    assert!(unknown.contains("\"@nonsense\" is not a fact of a request; known are"), "{unknown}");
}

#[test]
fn a_filter_that_does_not_fit_its_memory_is_refused() {
    let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
    let gateway = gateway.module("misbehave", guest("misbehave"));
    let message = gateway.policy("10-m", "filter = \"misbehave\"\nlimits.memory = \"64KiB\"").check().unwrap_err();
    assert!(message.contains("ran out of memory") && message.contains("raise limits.memory"), "{message}");
}
