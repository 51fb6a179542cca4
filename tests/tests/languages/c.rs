//! C: from nothing to a live filter.

use std::fs;

use tollgate_tests::{Binary, Folder, Request, TestGateway, Upstream};

use super::{done, filter};

/// A new project, with another source if one is given.
fn project(source: Option<&str>) -> Folder {
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "c"]);
    if let Some(source) = source {
        fs::write(folder.path().join("mine/src/filter.c"), format!("#include <tollgate.h>\n{source}")).unwrap();
        fs::write(folder.path().join("mine/manifest.json"), r#"{ "name": "mine", "version": "1" }"#).unwrap();
    }
    folder
}

const NOTHING: &str =
    "tg_result configure(tg_json config, tg_interest *interest) { (void)config, (void)interest; return TG_OK; }";

/// The module of a filter with this source.
fn module(source: &str) -> Vec<u8> {
    let folder = project(Some(source));
    done(folder.path(), &["build", "mine"]);
    fs::read(folder.path().join("mine/build/mine.wasm")).unwrap()
}

#[test]
fn a_new_project_is_built_tested_and_live_in_four_commands() {
    let folder = project(None);
    let mine = folder.path().join("mine");
    let told = done(&mine, &["build"]);
    assert!(told.contains("mine 0.1.0: Puts a stamp on every request that has none"), "{told}");
    assert!(told.contains("a core module") && told.contains("has nothing to grant for it"), "{told}");
    let tested = done(&mine, &["test"]);
    assert!(tested.ends_with("2 passed, 0 failed\n"), "{tested}");

    let upstream = Upstream::start();
    let module = fs::read(mine.join("build/mine.wasm")).unwrap();
    assert!(module.len() < 32 << 10, "{} bytes", module.len());
    let gateway = TestGateway::new().upstream(&upstream).module("10-mine", module);
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").start();
    assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
}

#[test]
fn a_message_of_the_compiler_reaches_the_author() {
    let folder = project(Some("tg_result configure(int)"));
    let finished = filter(folder.path(), &["build", "mine"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.stderr.contains("src/filter.c:2:") && finished.stderr.contains("has failed"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_fault_names_the_functions_that_it_happened_in() {
    let module = module(&format!(
        "{NOTHING}\n\
         __attribute__((noinline)) static tg_text deep_down(tg_message *request) {{ return tg_field(request, \"x-undeclared\"); }}\n\
         tg_action on_request(tg_message *request) {{ return tg_is(deep_down(request)) ? TG_FORWARD : TG_ABORT; }}\n"
    ));
    let folder = Folder::new();
    folder.write("mine.wasm", module);
    folder.write("mine.cases.toml", "[[cases]]\nname = \"a\"\nexpect = { outcome = \"forwarded\" }\n");
    let told = filter(folder.path(), &["test"]).stdout;
    assert!(told.contains("a fact that is not there: name it in `configure`"), "{told}");
    assert!(told.contains("x-undeclared (in panic < tg_field < deep_down < on_request < "), "{told}");
}

/// More states than fit into one page, each of them with its exchange until it ends, however exchanges alternate; and bodies
/// that need more memory than there was.
#[test]
fn states_and_bodies_are_kept_apart() {
    let module = module(
        "typedef struct { uint32_t bytes; char pad[3000]; } seen;\n\
         tg_result configure(tg_json config, tg_interest *interest) {\n\
             (void)config;\n\
             tg_want_state(interest, sizeof(seen));\n\
             return TG_OK;\n\
         }\n\
         tg_action on_request(tg_message *request) { ((seen *)tg_state(request))->bytes = 1; return TG_FORWARD; }\n\
         tg_action on_request_body(tg_message *request, tg_piece piece) {\n\
             seen *state = tg_state(request);\n\
             state->bytes += piece.bytes.length;\n\
             tg_buffer twice = { 0 };\n\
             tg_append(&twice, piece.bytes);\n\
             tg_append(&twice, piece.bytes);\n\
             return tg_replace(request, tg_buffer_text(&twice));\n\
         }\n\
         tg_action on_response(tg_message *response) {\n\
             tg_set(response, \"x-bytes\", tg_decimal(((seen *)tg_state(response))->bytes));\n\
             return TG_FORWARD;\n\
         }\n",
    );
    let upstream = Upstream::start();
    let gateway = TestGateway::new().workers(1).upstream(&upstream).module("10-mine", module).start();
    let mut connections: Vec<_> = (0..30).map(|_| gateway.connect()).collect();
    for round in 0..3 {
        for (number, connection) in connections.iter_mut().enumerate() {
            let body = vec![b'x'; 7000 * number + round];
            let response = connection.request(Request::new("POST", "/").body(body.clone()));
            assert_eq!(response.field("x-bytes"), Some((body.len() + 1).to_string().as_str()));
            assert_eq!(response.echo().body.len(), 2 * body.len());
        }
    }
}

#[test]
fn whoever_has_no_compiler_is_told_how_to_get_one() {
    let folder = project(None);
    let finished = Binary::finish_with(folder.path(), &[("PATH", "/nowhere")], &["filter", "build", "mine"]);
    assert_eq!(finished.status.code(), Some(1));
    let told = "there is no compiler of C for WebAssembly; install zig by `pip install ziglang`";
    assert!(finished.stderr.starts_with(told), "{}", finished.stderr);
}

#[test]
fn what_is_no_project_is_said() {
    let folder = Folder::new();
    let finished = filter(folder.path(), &["build"]);
    assert!(
        finished.stderr.contains("there is no filter project: no Cargo.toml (Rust), src/*.c (C)"),
        "{}",
        finished.stderr
    );
}
