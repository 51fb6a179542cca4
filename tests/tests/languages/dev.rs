//! `tollgate filter dev`: what an author sees while they write. In C, which takes no time to build.

use std::fs;
use std::path::PathBuf;

use tollgate_tests::{Binary, Connection, Folder, Request, Response, TestGateway, Upstream, eventually};

use super::{done, environment};

/// A filter that does this with a request.
fn source(does: &str) -> String {
    format!(
        "#include <tollgate.h>\n\
         static tg_text value;\n\
         tg_result configure(tg_json config, tg_interest *interest) {{\n\
             value = tg_json_string(tg_json_get(config, \"value\"));\n\
             tg_want_request(interest, \"x-stamp\");\n\
             return tg_is(value) ? TG_OK : tg_error(TG(\"value: is missing\"));\n\
         }}\n\
         tg_action on_request(tg_message *request) {{\n\
             {does}\n\
             return TG_FORWARD;\n\
         }}\n"
    )
}

struct Author {
    folder: Folder,
    program: Binary,
}

impl Author {
    /// Begins a project and works on it with these arguments.
    fn of(args: &[&str]) -> Self {
        let folder = Folder::new();
        done(folder.path(), &["new", "mine", "--lang", "c"]);
        // Without its cases, which would hold what is written here to something else.
        folder.write("mine/manifest.json", "{ \"name\": \"mine\", \"version\": \"1\" }");
        let args: Vec<&str> = ["filter", "dev", "mine"].iter().chain(args).copied().collect();
        let environment = environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let program = Binary::follow(folder.path(), &environment, &args);
        Self { folder, program }
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("mine")
    }

    /// Saves the source, as editors do: beside it, and renamed.
    fn save(&self, does: &str) {
        let file = self.project().join("src/filter.c");
        fs::write(file.with_extension("tmp"), source(does)).unwrap();
        fs::rename(file.with_extension("tmp"), file).unwrap();
    }

    /// Waits until so many lines begin like that.
    #[track_caller]
    fn sees(&self, count: usize, kind: &str) -> String {
        let mut found = Vec::new();
        eventually(&format!("{count} lines of {kind:?}"), || {
            let label = format!("{kind:<8} ");
            found = self.program.lines().into_iter().filter(|line| line.starts_with(&label)).collect();
            found.len() >= count
        });
        found[count - 1].clone()
    }

    /// Ends it as Ctrl-C does.
    #[track_caller]
    fn stop(self) -> String {
        self.program.signal("INT");
        let finished = self.program.wait();
        assert!(finished.status.success(), "{}", finished.stderr);
        finished.stderr
    }
}

/// The value of `x-stamp` that the embedded upstream was sent.
fn stamp(response: &Response) -> String {
    let echo: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    echo["fields"]["x-stamp"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_change_is_live_and_what_the_filter_says_is_seen() {
    let author = Author::of(&["--listen", "127.0.0.1:0"]);
    let listens = author.sees(1, "gateway");
    let address = listens.rsplit_once("http://").unwrap().1.trim_end_matches('/').parse().unwrap();
    let get = || Connection::open(address).request(Request::get("/"));
    author.sees(1, "live");
    assert_eq!(stamp(&get()), "new", "configured as its cases are");

    author.save("tg_log(TG_LOG_DEBUG, TG(\"seen\")); tg_set(request, \"x-stamp\", TG(\"second\"));");
    author.sees(2, "live");
    assert_eq!(stamp(&get()), "second");
    assert_eq!(author.sees(1, "debug"), "debug    seen");

    // What cannot be compiled says where, and changes nothing.
    author.save("no C");
    assert!(author.sees(1, "failed").contains("has failed (exit status: 1)"));
    author.program.line(&["src/filter.c:9:"]);
    assert_eq!(stamp(&get()), "second");

    // A crash says in which line, and nobody undoes the version for it.
    author.save("tg_log(TG_LOG_ERROR, TG(\"oh\"));\n__builtin_trap();");
    author.sees(3, "live");
    assert_eq!(get().status, 503);
    assert!(author.sees(1, "fault").contains("unreachable` instruction executed: oh"));
    author.program.line(&["  in on_request at ", "src/filter.c:10"]);
    assert_eq!(get().status, 503);

    // So do its policy's changes: here it cannot be configured any more, and the version before serves.
    fs::write(author.project().join("dev.toml"), "config = {}\n").unwrap();
    let refused = author.sees(1, "refused");
    assert!(refused.contains("value") && refused.contains("the version before goes on to serve"), "{refused}");
    assert_eq!(get().status, 503);
    author.save("tg_set(request, \"x-stamp\", value);");
    fs::write(author.project().join("dev.toml"), "config = { value = \"own\" }\n").unwrap();
    eventually("it is configured anew", || stamp(&get()) == "own");
    assert!(author.stop().ends_with("gateway  stopped"));
}

#[test]
fn a_gateway_that_runs_gets_the_filter_too() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).start();
    let admin = gateway.inner().admin_address().unwrap().to_string();
    let author = Author::of(&["--admin", &admin, "--policy", "10-mine"]);
    author.sees(1, "live");
    assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    assert!(gateway.policy("10-mine")["trial"].is_null());

    // A policy that somebody else has written stays as it is.
    fs::write(gateway.policies_dir().join("10-mine.toml"), "trial = false\nconfig = { value = \"theirs\" }\n").unwrap();
    eventually("it is configured anew", || gateway.get("/").echo().field("x-stamp") == Some("theirs"));
    author.save("tg_set(request, \"x-stamp\", value); tg_set(request, \"x-more\", TG(\"1\"));");
    author.sees(2, "live");
    let echo = gateway.get("/").echo();
    assert_eq!((echo.field("x-stamp"), echo.field("x-more")), (Some("theirs"), Some("1")));
    assert!(author.stop().contains("goes on with what is in "));
    assert_eq!(gateway.get("/").echo().field("x-more"), Some("1"));
}

#[test]
fn what_cannot_be_begun_is_said() {
    let folder = Folder::new();
    let told = super::filter(folder.path(), &["dev"]).stderr;
    assert!(told.contains("there is no filter project"), "{told}");
    done(folder.path(), &["new", "mine", "--lang", "c"]);
    let told = super::filter(folder.path(), &["dev", "mine", "--admin", "127.0.0.1:1"]).stderr;
    assert_eq!(told, "no gateway has its admin pages at 127.0.0.1:1\n");
}
