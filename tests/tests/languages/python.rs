//! Python. A component takes half a minute of a core to be built and compiled, so there are few of them.

use std::process::Command;
use std::sync::Mutex;

use tollgate_tests::{Folder, TestGateway, Upstream, peer_tool};

use super::{done, examples_conform, fault_of, filter, one_at_a_time};

/// Whose modules are being built.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn the_examples_conform() {
    let _turn = one_at_a_time(&TURN);
    examples_conform("python");
}

/// A new project has a test that runs natively; what it makes of itself is live under the limits that every policy has.
#[test]
fn a_new_project_is_tested_built_and_live() {
    let _turn = one_at_a_time(&TURN);
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "python"]);
    let mine = folder.path().join("mine");
    let mut unittest = Command::new(peer_tool("python"));
    unittest.args(["-m", "unittest", "discover", "-s", "tests"]).current_dir(&mine);
    let tested = unittest.output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));

    // An exception says where, through all of the author's functions.
    let source = std::fs::read_to_string(mine.join("src/app.py")).unwrap();
    let hook = "    def on_request(self, request):\n";
    folder.write(
        "mine/src/app.py",
        source
            .replace(hook, &format!("{hook}        stamps.check(request)\n"))
            .replace("\n\n\n", "\nimport stamps\n\n"),
    );
    folder.write("mine/src/stamps.py", BROKEN);
    let told = done(folder.path(), &["build", "mine"]);
    assert!(told.contains("imports  none") && told.contains("has nothing to grant for it"), "{told}");
    let told = fault_of(&mine, "boom");
    let fault = "got reported in on-request-head: ZeroDivisionError: division by zero (in ratio at src/stamps.py:3 < \
                 check at src/stamps.py:7 < Stamp.on_request at src/app.py:15)";
    assert!(told.contains(fault), "{told}");
    let upstream = Upstream::start();
    let module = std::fs::read(mine.join("build/mine.wasm")).unwrap();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-mine", module);
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    }
}

#[test]
fn an_import_that_there_is_not_is_refused_before_anything_is_built() {
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "python"]);
    folder.write("mine/manifest.json", "{ \"name\": \"mine\", \"version\": \"1\", \"imports\": [\"files\"] }");
    let finished = filter(folder.path(), &["build", "mine"]);
    assert!(
        finished.stderr.contains("there is no interface \"files\"; write some of callout, clock"),
        "{}",
        finished.stderr
    );
}

/// What is imported from the SDK has to be named, and what a test finds behind it there stands in for the gateway.
#[test]
fn an_import_that_is_not_named_is_told_to_whoever_builds() {
    let _turn = one_at_a_time(&TURN);
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "python"]);
    folder.write("mine/src/app.py", STORES);
    folder
        .write("mine/manifest.json", r#"{ "name": "mine", "version": "1", "imports": ["callout", "log", "metrics"] }"#);
    folder.write("mine/tests/test_app.py", TESTED);
    let mine = folder.path().join("mine");
    let mut unittest = Command::new(peer_tool("python"));
    let tested = unittest.args(["-m", "unittest", "discover", "-s", "tests"]).current_dir(&mine).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));

    let finished = filter(folder.path(), &["build", "mine"]);
    let told = "the filter uses 'store': write \"store\" to \"imports\" of manifest.json";
    assert!(!finished.status.success() && finished.stderr.contains(told), "{}", finished.stderr);
}

const BROKEN: &str = "
def ratio(part):
    return 1 / part

def check(request):
    if request.field(\"x-stamp\") == \"boom\":
        ratio(0)
";

const STORES: &str = "
from tollgate_filter import Filter, callout, filter, log, metrics, store

@filter
class Stores(Filter):
    def __init__(self, config):
        self.seen = metrics.counter(\"seen_total\", \"Requests\", \"method\")

    def on_request(self, request):
        self.seen.of(request.method).add()
        log.info(\"seen\", path=request.path)
        answer = callout.Request(\"users\", \"/amy\", fields={\"accept\": \"*/*\"}).send()
        with_ticket = store.own().lease(\"ticket\", 1)
        request.set(\"x-count\", f\"{store.own().increment('n', 2)} {answer.json()} {with_ticket is not None}\")
";

const TESTED: &str = "
import sys, unittest
sys.path[:0] = [\"src\", \".tollgate/guest-sdk/python/src\"]
from app import Stores
from tollgate_filter import callout, store
from tollgate_filter.testing import TestGateway

class Offered(unittest.TestCase):
    def test_what_the_gateway_offers(self):
        gateway = TestGateway(Stores, {})
        gateway.offers.answer_callout = lambda request: callout.Response(200, f'[\"{request.path}\"]')
        self.assertEqual(gateway.request().forwarded[\"x-count\"], \"2 ['/amy'] True\")
        self.assertEqual(gateway.request().forwarded[\"x-count\"], \"4 ['/amy'] False\")
        self.assertEqual(gateway.offers.stored[(\"\", b\"n\")], b\"4\")
        self.assertEqual(gateway.offers.logged[0], (\"info\", \"seen\", {\"path\": \"/\"}))
        self.assertEqual(gateway.offers.metrics[(\"seen_total\", (\"GET\",))], 2)
        gateway.offers.answer_callout = lambda request: callout.Error(\"timeout\")
        with self.assertRaisesRegex(callout.Error, \"in time\"):
            gateway.request()
        with self.assertRaisesRegex(store.Error, \"not granted\"):
            store.shared(\"others\").get(\"n\")
";
