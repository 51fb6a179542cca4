//! Several policies in one case.

use super::*;

const CHAIN: &str = "[[chain]]\nfilter = \"api-key\"\n\
    config = { keys = [{ consumer = \"alice\", sha256 = \"72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\" }] }\n\
    [[chain]]\nname = \"limit\"\nfilter = \"rate-limit\"\nconfig = { requests = 1, per = \"1h\", key = \"consumer\" }\n\
    [[chain]]\nfilter = \"body\"\nconfig = { response = \"upper\" }\n";

#[test]
fn exchanges_pass_all_of_them_there_and_back() {
    let text = format!(
        "{CHAIN}[defaults]\nrequest = {{ fields = {{ x-api-key = \"alice-key\" }} }}\nresponse = {{ body = \"hello\" }}\n\
         [[cases]]\nname = \"a\"\nexpect = {{ consumer = \"alice\", client = {{ body = \"HELLO\" }} }}\n\
         [[cases.then]]\nexpect = {{ outcome = \"replied\", client = {{ status = 429 }} }}\n\
         [[cases]]\nname = \"without a key\"\nrequest = {{ fields = {{ x-api-key = false }} }}\n\
         expect = {{ outcome = \"replied\", client = {{ status = 401 }} }}\n\
         [[cases]]\nname = \"another configuration\"\nconfig.limit = {{ requests = 9, per = \"1h\" }}\nexpect = {{ outcome = \"forwarded\" }}\n\
         [[cases.then]]\nexpect = {{ outcome = \"forwarded\" }}\n"
    );
    passes("body", &text);
}

#[test]
fn hooks_are_named_with_their_policy() {
    let text = "[[chain]]\nfilter = \"headers\"\nconfig = { request = { set = { x-a = \"1\" } } }\n\
        [[chain]]\nname = \"bad\"\nfilter = \"misbehave\"\nconfig = { in = \"request-head\", do = \"trap\" }\n\
        [[cases]]\nname = \"a\"\nexpect = { client = { status = 503 } }\n";
    let told = failures("misbehave", text);
    assert!(told[0].contains("expected no fault, got trap in on-request-head of bad: "), "{told:?}");
    let folder = cases("misbehave", text);
    let replayed = tollgate(&folder, &["replay", "misbehave.cases.toml"]).stdout;
    for part in ["on-request-head of headers  ", "  edit   x-a = \"1\"", "on-request-head of bad  ", "  fault  trap"] {
        assert!(replayed.contains(part), "{part:?} is missing:\n{replayed}");
    }
}

#[test]
fn a_space_is_that_of_one_policy_or_shared() {
    let text = "[[chain]]\nname = \"one\"\nfilter = \"state\"\n[[chain]]\nname = \"two\"\nfilter = \"state\"\ngrants = { store = [\"common\"] }\n\
        [[cases]]\nname = \"a\"\nrequest = { fields = { x-do = \"increment - visits 1 0\" } }\n\
        stores = { \"policy/one\" = { visits = 4 }, \"policy/two\" = { visits = 8 }, common = { a = \"b\" } }\n\
        [cases.expect]\nclient = { body = \"5\" }\nstores = { \"policy/one\" = { visits = 5 }, \"policy/two\" = { visits = 8 }, common = { a = \"b\" } }\n";
    passes("state", text);
}

#[test]
fn another_module_takes_the_place_of_the_one_of_its_name() {
    let folder = cases("body", &format!("{CHAIN}[[cases]]\nname = \"a\"\nexpect = {{ outcome = \"replied\" }}\n"));
    folder.write("new/body.wasm", guest("body"));
    let replaced = tollgate(&folder, &["test", "--module", "new/body.wasm"]);
    assert!(replaced.status.success(), "{replaced:?}");
    folder.write("new/other.wasm", guest("body"));
    let other = tollgate(&folder, &["test", "--module", "new/other.wasm"]);
    assert!(other.stdout.contains("body.cases.toml:1: chain: has no filter of the module's name"), "{other:?}");
}
