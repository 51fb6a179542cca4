//! The guest of the benches does the work that is measured.

use super::*;

#[test]
fn pieces_go_on_as_they_are_or_changed() {
    for (treatment, expected) in [("pass", "abcdef"), ("replace", "abcdef"), ("change", "!bc!ef")] {
        let text = format!(
            "config = {{ body = \"{treatment}\" }}\n[[cases]]\nname = \"a\"\nresponse = {{ body = [\"abc\", \"def\"] }}\n\
             expect = {{ client = {{ body = \"{expected}\", fields = {{ x-work = \"body\" }} }} }}\n"
        );
        passes("work", &text);
    }
}

#[test]
fn imports_are_called_so_many_times() {
    for (deed, came) in [("store-get", 4), ("store-miss", -1), ("store-increment", 7), ("limiter", 1)] {
        let text = format!(
            "config = {{ head = \"{deed}\", times = 7 }}\n[[cases]]\nname = \"a\"\nstore = {{ value = \"four\" }}\n\
             [cases.expect]\nupstream = {{ fields = {{ x-work = \"{came}\" }} }}\ncost = {{ host-calls = 7 }}\n"
        );
        passes("work", &text);
    }
}
