//! What routes do with requests, and what is wrong with it.

use super::*;
use crate::route::{Action, Destination, NewPath, PathRewrite};

const TWO: &str = "upstreams.users.endpoints = [\"users:80\"]\n";

fn route(text: &str) -> Folder {
    Folder::with(format!("{LEAST}{TWO}[[routes]]\n{text}\n"))
}

fn action(text: &str) -> Action {
    route(text).load().routes.remove(0).action
}

/// The problems of a route, from its key on.
fn problems(text: &str) -> Vec<String> {
    let short = |problem: &String| problem.split_once(": routes[0]").expect("it is the route's").1.to_owned();
    route(text).problems().iter().map(short).collect()
}

/// The only problem of a route, from its key on.
fn problem(text: &str) -> String {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{text}: {problems:#?}");
    problems.remove(0)
}

/// A problem of a route that leads to an upstream.
fn problem_of(text: &str) -> String {
    problem(&format!("upstream = \"orders\"\n{text}"))
}

#[test]
fn a_route_does_one_thing() {
    let remedy = "write one of upstream, split, redirect, respond";
    for (written, message) in [
        ("", ": does nothing with a request; add upstream = \"NAME\", split, redirect or respond"),
        ("name = \"x\"\nupstream = 5", ".upstream: is a number, not a string; put it in quotes: \"…\""),
        (
            "redirect = { host = \"a\" }\nupstream = \"orders\"",
            &format!(".upstream: the route has redirect as well; {remedy}"),
        ),
        ("upstream = \"orders\"\nrespond = {}", &format!(".respond: the route has upstream as well; {remedy}")),
        (
            "respond = {}\nrewrite = { host = \"a\" }",
            ".rewrite: means nothing beside respond; leave it out, or write upstream or split instead",
        ),
        (
            "redirect = { port = 1 }\nmirror = { upstream = \"users\" }",
            ".mirror: means nothing beside redirect; leave it out, or write upstream or split instead",
        ),
        (
            "upstream = \"orders\"\nsticky = \"client-address\"",
            ".sticky: means nothing without shares; leave it out, or write split = [ … ]",
        ),
    ] {
        assert_eq!(problem(written), message);
    }
}

#[test]
fn all_problems_of_actions_are_reported_at_once() {
    assert_eq!(
        problems(
            "upstream = \"order\"\nrespond = { status = 99, headers = { content-length = \"1\" } }\n\
             rewrite = { prefix = \"v2\" }\nmirror = { upstrem = \"users\" }"
        ),
        [
            ".upstream: there is no upstream \"order\"; did you mean \"orders\"?",
            ".respond.status: 99 is out of range; write a number from 200 to 599",
            ".respond: the route has upstream as well; write one of upstream, split, redirect, respond",
            ".respond.headers.content-length: content-length frames the message or belongs to the connection; \
             leave it to the gateway",
            ".rewrite.prefix: \"v2\" does not begin with \"/\"; write prefix = \"/v2\"",
            ".rewrite.prefix: takes the place of no prefix; add path = { prefix = \"/…\" } to the route",
            ".mirror.upstream: is missing; add upstream = \"NAME\"",
            ".mirror.upstrem: unknown key; did you mean \"upstream\"?",
        ]
    );
}

#[test]
fn shares_have_weights() {
    let Action::Forward(forward) = action(
        "split = [{ upstream = \"users\", weight = 90 }, { upstream = \"orders\" }]\nsticky = \"cookie:Session\"",
    ) else {
        panic!("it leads to upstreams")
    };
    assert_eq!(forward.to.upstreams(), [(1, 90), (0, 1)]);
    for (written, message) in [
        ("split = []", ".split: is empty; write split = [{ upstream = \"NAME\", weight = 90 }, …]"),
        (
            "split = [{ upstream = \"users\", weight = 0 }]",
            ".split: has no weight above 0; give at least one upstream a weight",
        ),
        (
            "split = [{ upstream = \"users\" }, { upstream = \"users\" }]",
            ".split[1].upstream: \"users\" is named twice; add its weights up",
        ),
        ("split = [{ weight = 1 }]", ".split[0].upstream: is missing; add upstream = \"NAME\""),
        (
            "split = [{ upstream = \"usres\" }]",
            ".split[0].upstream: there is no upstream \"usres\"; did you mean \"users\"?",
        ),
        (
            "split = [{ upstream = \"users\" }]\nsticky = \"cookie\"",
            ".sticky: \"cookie\" is nothing to be sticky by; write \"header:NAME\", \"cookie:NAME\" or \"client-address\"",
        ),
        (
            "split = [{ upstream = \"users\" }]\nsticky = \"header:a b\"",
            ".sticky: \"a b\" is not a header name; write letters, digits and dashes",
        ),
    ] {
        assert_eq!(problem(written), message);
    }
}

#[test]
fn redirections_lead_elsewhere() {
    let Action::Redirect(redirect) = action("redirect = { scheme = \"https\" }") else { panic!("it redirects") };
    assert_eq!((redirect.status.as_u16(), redirect.scheme, redirect.port), (308, Some("https"), None));
    let written = "path.prefix = \"/a\"\nredirect = { status = 302, prefix = \"/b/\", port = 8443 }";
    let Action::Redirect(redirect) = action(written) else { panic!("it redirects") };
    assert!(matches!((redirect.status.as_u16(), redirect.port, redirect.path), (302, Some(8443), NewPath::Prefix(_))));
    for (written, message) in [
        (
            "redirect = { status = 301 }",
            ".redirect: leads to where the request came from; write scheme, host, port, path, prefix or strip-query",
        ),
        (
            "redirect = { status = 304, host = \"a\" }",
            ".redirect.status: redirects nobody; write 301, 302, 303, 307 or 308",
        ),
        (
            "redirect = { scheme = \"ftp\" }",
            ".redirect.scheme: \"ftp\" is not a scheme to redirect to; write \"http\" or \"https\"",
        ),
        ("redirect = { host = \"a:80\" }", ".redirect.host: \"a:80\" has a port; write it as port = …"),
        ("redirect = { host = \"*.a\" }", ".redirect.host: \"*.a\" is more than one host; write a host"),
        ("redirect = { port = 0 }", ".redirect.port: 0 is out of range; write a number from 1 to 65535"),
        (
            "redirect = { prefix = \"/b\" }",
            ".redirect.prefix: takes the place of no prefix; add path = { prefix = \"/…\" } to the route",
        ),
        (
            "redirect = { path = \"/b\", prefix = \"/b\" }",
            ".redirect.prefix: there is a path as well; write one of path and prefix",
        ),
    ] {
        assert_eq!(problem(written), message);
    }
}

#[test]
fn fixed_responses_are_small_and_whole() {
    let Action::Respond(answer) =
        action("respond = { status = 503, headers = { Retry-After = \"60\" }, body = \"later\" }")
    else {
        panic!("it responds")
    };
    assert_eq!((answer.status.as_u16(), &*answer.body), (503, &b"later"[..]));
    assert_eq!(answer.fields["retry-after"], "60");
    assert_eq!(answer.fields["content-type"], "text/plain; charset=utf-8");
    let Action::Respond(answer) = action("respond = {}") else { panic!("it responds") };
    assert_eq!((answer.status.as_u16(), answer.fields.len(), answer.body.len()), (200, 0, 0));
    for (written, message) in [
        (
            "respond = { status = 204, body = \"x\" }".to_owned(),
            ".respond.body: a response with status 204 has no body; leave it out",
        ),
        (
            format!("respond.body = \"{}\"", "x".repeat(65_537)),
            ".respond.body: is longer than 64KiB; shorten it, or let an upstream serve it",
        ),
        (
            "respond.headers = { a = \"x\\ny\" }".to_owned(),
            ".respond.headers.a: has characters that no header value has; write visible ASCII characters",
        ),
        (
            "respond.headers = { \"a b\" = \"x\" }".to_owned(),
            ".respond.headers.\"a b\": \"a b\" is not a header name; write letters, digits and dashes",
        ),
    ] {
        assert_eq!(problem(&written), message);
    }
}

#[test]
fn rewriting_names_what_it_takes_the_place_of() {
    let written = "upstream = \"orders\"\nrewrite = { regex = '/a/(?<x>.*)', to = '/b/$1/${x}$$', host = \"b:80\" }";
    let Action::Forward(forward) = action(written) else { panic!("it leads to an upstream") };
    assert!(matches!(forward.to, Destination::One(0)));
    let rewrite = forward.rewrite.expect("it rewrites");
    assert!(matches!(&rewrite.path, PathRewrite::Expression(_, to) if to == "/b/$1/${x}$$"));
    assert_eq!(rewrite.host.expect("it has a host"), "b:80");
    for (written, message) in [
        ("rewrite = {}", ".rewrite: changes nothing; write prefix, or regex and to, or host"),
        ("rewrite = { hots = \"a\" }", ".rewrite.hots: unknown key; did you mean \"host\"?"),
        (
            "rewrite = { regex = '/a/(.*)' }",
            ".rewrite.regex: does not say what takes its place; add to = \"/…\", where $1 is its first group",
        ),
        (
            "rewrite = { to = '/a' }",
            ".rewrite.to: takes the place of nothing; add regex = \"/…\", which matches the whole path",
        ),
        (
            "path.prefix = \"/a\"\nrewrite = { prefix = '/a', to = '/a' }",
            ".rewrite.prefix: there is a regex or to as well; write either prefix, or regex and to",
        ),
        (
            "rewrite = { regex = '/a/.*', to = '/b/$1' }",
            ".rewrite.to: the regex has no group \"1\"; the regex has no groups; put (…) around what is to be kept",
        ),
        (
            "rewrite = { regex = '/a/(.*)', to = '/b/$2' }",
            ".rewrite.to: the regex has no group \"2\"; the regex has 1 of them, numbered from 1",
        ),
        (
            "rewrite = { regex = '/a/(.*)', to = '/b/$1x' }",
            ".rewrite.to: the regex has no group \"1x\"; write ${1} to end the number there",
        ),
        (
            "rewrite = { regex = '/a', to = '/$' }",
            ".rewrite.to: the regex has no group \"\"; write $$ for a dollar sign",
        ),
        (
            "rewrite = { regex = '/a', to = 'b c' }",
            ".rewrite.to: \"b c\" is not a path; \
             begin with \"/\", and write other characters percent-encoded, such as %20",
        ),
        (
            "rewrite = { host = \"http://a\" }",
            ".rewrite.host: \"http://a\" is not a host; write a host such as \"orders.internal\", with a port or without",
        ),
    ] {
        assert_eq!(problem_of(written), message);
    }
}

#[test]
fn a_mirror_has_bounds() {
    let Action::Forward(forward) = action("upstream = \"orders\"\nmirror = { upstream = \"users\" }") else {
        panic!("it leads to an upstream")
    };
    let mirror = forward.mirror.expect("it mirrors");
    assert_eq!((mirror.upstream, mirror.percent, mirror.buffer), (1, 100, 256 << 10));
    for (written, message) in [
        (
            "mirror = { upstream = \"users\", percent = 101 }",
            ".mirror.percent: 101 is out of range; write a number from 0 to 100",
        ),
        (
            "mirror = { upstream = \"users\", buffer = 1 }",
            ".mirror.buffer: \"1\" is out of range; \
             write a size from \"4KiB\" to \"16MiB\", in KiB, MiB or GiB, or a plain number of bytes",
        ),
        (
            "mirror = \"users\"",
            ".mirror: is a string, not a table; write [routes[0].mirror], or routes[0].mirror = { … }",
        ),
    ] {
        assert_eq!(problem_of(written), message);
    }
}

#[test]
fn bodies_may_be_bounded() {
    let config =
        Folder::with_more("limits.body-limit = \"1MiB\"\n[[routes]]\nupstream = \"orders\"\nbody-limit = 0\n").load();
    assert_eq!((config.limits.body_limit, config.routes[0].body_limit), (Some(1 << 20), Some(0)));
    assert_eq!(
        problem_of("body-limit = \"1MB\""),
        ".body-limit: \"1MB\" is not a size; write a size from \"0\" to \"1024GiB\", in KiB, MiB or GiB, \
         or a plain number of bytes"
    );
}
