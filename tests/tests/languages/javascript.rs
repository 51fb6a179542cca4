//! JavaScript and TypeScript. A component takes half a minute of a core to be built and compiled, so there are few of them.

use std::fs;
use std::process::Command;
use std::sync::Mutex;

use tollgate_tests::{Folder, TestGateway, Upstream, peer_tool};

use super::{done, examples_conform, fault_of, filter, one_at_a_time, repository};

/// Whose modules are being built.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn the_examples_conform() {
    let _turn = one_at_a_time(&TURN);
    examples_conform("js");
}

#[test]
fn a_new_project_in_typescript_is_built_and_live() {
    let _turn = one_at_a_time(&TURN);
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "ts"]);
    let mine = folder.path().join("mine");
    let finished = filter(folder.path(), &["build", "mine"]);
    assert!(
        finished.stderr.contains("mine: its packages are not installed; run `npm install` there"),
        "{}",
        finished.stderr
    );

    // What `npm install` would download is there already.
    std::os::unix::fs::symlink(
        repository("examples/js/node_modules").canonicalize().unwrap(),
        mine.join("node_modules"),
    )
    .unwrap();
    // What is thrown says where, in the lines that the author has written.
    let source = fs::read_to_string(mine.join("src/filter.ts")).unwrap();
    let hook = "  onRequest(request: Request): HeadAnswer {\n";
    let source = source.replace(hook, &format!("{hook}    [request].forEach((one) => check(one));\n"));
    folder
        .write("mine/src/filter.ts", source.replace("\n\n/** The", "\nimport { check } from \"./stamps\";\n\n/** The"));
    folder.write("mine/src/stamps.ts", BROKEN);
    let told = done(folder.path(), &["build", "mine"]);
    assert!(told.contains("imports  none") && told.contains("has nothing to grant for it"), "{told}");
    let told = fault_of(&mine, "boom");
    let fault = "got reported in on-request-head: RangeError: too many (in refuse at src/stamps.ts:14 < \
                 check at src/stamps.ts:21 < onRequest at src/filter.ts:21 < onRequest at src/filter.ts:21)";
    assert!(told.contains(fault), "{told}");
    let upstream = Upstream::start();
    let module = fs::read(mine.join("build/mine.wasm")).unwrap();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-mine", module);
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    }
}

/// What is imported from the SDK has to be named, and what a test finds behind it there stands in for the gateway.
#[test]
fn an_import_that_is_not_named_is_told_to_whoever_builds() {
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "js"]);
    let mine = folder.path().join("mine");
    folder.write("mine/src/filter.js", STORES);
    folder.write("mine/test/filter.test.js", TESTED);
    fs::create_dir(mine.join("node_modules")).unwrap();
    for package in fs::read_dir(repository("examples/js/node_modules").canonicalize().unwrap()).unwrap().flatten() {
        std::os::unix::fs::symlink(package.path(), mine.join("node_modules").join(package.file_name())).unwrap();
    }
    std::os::unix::fs::symlink(mine.join(".tollgate/guest-sdk/js"), mine.join("node_modules/tollgate-filter")).unwrap();
    let tested = Command::new(peer_tool("node")).arg("--test").current_dir(&mine).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));

    let finished = filter(folder.path(), &["build", "mine"]);
    let told = "the filter uses \"store\"; write it to \"imports\" of manifest.json";
    assert!(!finished.status.success() && finished.stderr.contains(told), "{}", finished.stderr);
}

/// With types and comments, of which nothing is left in what is run.
const BROKEN: &str = r#"
import type { Request } from "tollgate-filter";

interface Named {
  name: string;
}

class Stamps {
  constructor(private readonly named: Named) {}

  // It always does.
  refuse(): never {
    // Even now.
    throw new RangeError(`too ${this.named.name}`);
  }
}

export function check(request: Request): void {
  if (request.field("x-stamp") !== "boom") return;
  const stamps = new Stamps({ name: "many" });
  stamps.refuse();
}
"#;

const STORES: &str = r#"
import { Filter, callout, log, metrics, store } from "tollgate-filter";

export default class Stores extends Filter {
  constructor() {
    super();
    this.seen = metrics.counter("seen_total", "Requests", { labels: ["method"] });
  }

  onRequest(request) {
    this.seen.of(request.method).add();
    log.info("seen", { path: request.path });
    const answer = new callout.Request("users", "/amy", { fields: { accept: "*/*" } }).send();
    const lease = store.own().lease("ticket", 1000);
    request.set("x-count", `${store.own().increment("n", 2)} ${answer.json()} ${lease !== undefined}`);
  }
}
"#;

const TESTED: &str = r#"
import assert from "node:assert";
import { test } from "node:test";
import { GatewayError, callout, store } from "tollgate-filter";
import { TestGateway } from "tollgate-filter/testing";
import Stores from "../src/filter.js";

test("what the gateway offers", () => {
  const gateway = new TestGateway(Stores, {}, { answerCallout: (request) => new callout.Response(200, `["${request.path}"]`) });
  assert.equal(gateway.request().forwarded["x-count"], "2 /amy true");
  assert.equal(gateway.request().forwarded["x-count"], "4 /amy false");
  assert.equal(gateway.offers.stored.get("n"), "4");
  assert.deepEqual(gateway.offers.logged[0], { level: "info", message: "seen", attributes: { path: "/" } });
  assert.equal(gateway.offers.metrics["seen_total GET"], 2);
  gateway.offers.answerCallout = () => new GatewayError("timeout");
  assert.throws(() => gateway.request(), /in time/);
  assert.throws(() => store.shared("others").get("n"), /not granted/);
});
"#;
